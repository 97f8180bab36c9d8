using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using TorchSharp;
using Winnow.Core;

namespace Winnow.Learning;

/// <summary>
/// Loads libtorch, once per process. Where TorchSharp's native library is refused only because the system's C++ library is older
/// than gcc 13 (Debian 12, Ubuntu 22.04), a copy is loaded in which that one, unused, version requirement is weak.
/// Using any type of this assembly is enough: the first use of TorchSharp then finds its library. <see cref="Load"/> is for
/// programs that want to know how it went.
/// </summary>
public static class NativeTorch
{
    private const string Shim = "LibTorchSharp";

    // Two locks, one inside the other. The runtime asks for the shim while it holds TorchSharp's static constructor, so no TorchSharp
    // code may run under the shim's lock: a thread that loads and a thread that makes its first tensor would wait for each other.
    private static readonly Lazy<(nint Handle, NativeTorchReport Report)> LoadedShim = new(LoadShim);
    private static readonly Lazy<NativeTorchReport> LoadedTorch = new(LoadOnce);

    /// <summary>
    /// The package that has libtorch for this system's processor, and the version this library was built with. The libraries leave it to the
    /// program to add it, or another one of the same version, for instance for CUDA.
    /// </summary>
    public static (string Id, string Version) Package { get; } =
    (
        $"libtorch-cpu-{(OperatingSystem.IsWindows() ? "win-x64" : OperatingSystem.IsMacOS() ? "osx-arm64" : "linux-x64")}",
        typeof(NativeTorch).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "LibTorchVersion").Value!
    );

    /// <summary>Loads libtorch if it is not yet loaded. Never throws, and safe from any thread. Costs what the operating system takes to map half a gigabyte, some tenths of a second.</summary>
    /// <returns>How it went; the same report at every call, with the present number of threads.</returns>
    public static NativeTorchReport Load()
    {
        var report = LoadedTorch.Value;
        return report.Loaded ? report with { Threads = torch.get_num_threads() } : report;
    }

    /// <summary>Loads libtorch or says why it cannot be loaded.</summary>
    /// <exception cref="InputException">It cannot be loaded; the message has the remedy.</exception>
    public static void Require()
    {
        if (Load() is { Loaded: false } report)
            throw new InputException($"libtorch does not load: {report.Error}. {report.Remedy}");
    }

    /// <summary>Sets how many threads one tensor operation may use, in the whole process.</summary>
    /// <param name="threads">At least 1.</param>
    /// <exception cref="InputException">libtorch cannot be loaded.</exception>
    public static void SetThreads(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Require();
        torch.set_num_threads(threads);
    }

    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "TorchSharp's native library must be findable before its first use; registering the handler loads nothing.")]
    internal static void Register()
    {
        if (OperatingSystem.IsLinux())
            (AssemblyLoadContext.GetLoadContext(Assembly.GetExecutingAssembly()) ?? AssemblyLoadContext.Default).ResolvingUnmanagedDll += Resolve;
    }

    /// <summary>Asked by the runtime only for libraries that it could not load itself.</summary>
    private static nint Resolve(Assembly assembly, string name) => name == Shim ? LoadedShim.Value.Handle : 0;

    private static NativeTorchReport LoadOnce()
    {
        long start = Stopwatch.GetTimestamp();
        var report = new NativeTorchReport { Loaded = false };
        try
        {
            if (OperatingSystem.IsLinux())
                report = LoadedShim.Value.Report;
            torch.InitializeDeviceType(DeviceType.CPU);
            return report with { Loaded = true, TorchVersion = torch.__version__, Elapsed = Stopwatch.GetElapsedTime(start) };
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException or TypeInitializationException or NotSupportedException
            or FormatException or IOException or UnauthorizedAccessException)
        {
            string message = (e is TypeInitializationException { InnerException: { } inner } ? inner : e).Message;
            return report with { Loaded = false, Error = message.ReplaceLineEndings(" ").TrimEnd('.', ' '), Remedy = Remedy(message), Elapsed = Stopwatch.GetElapsedTime(start) };
        }
    }

    /// <summary>Loads libtorch and then TorchSharp's library as shipped or, when refused for its version requirement, as a patched copy.</summary>
    private static (nint Handle, NativeTorchReport Report) LoadShim()
    {
        string shim = LibraryFolders.Find($"lib{Shim}.so") ?? throw new DllNotFoundException($"lib{Shim}.so is not in {string.Join(" or ", LibraryFolders.Candidates)}");
        string torchLibrary = LibraryFolders.Find("libtorch_cpu.so") ?? throw new DllNotFoundException($"libtorch_cpu.so is not in {string.Join(" or ", LibraryFolders.Candidates)}");
        string folder = Path.GetDirectoryName(torchLibrary)!;
        foreach (string name in (string[])["libc10.so", "libtorch_cpu.so", "libtorch.so"])
            NativeLibrary.Load(Path.Combine(folder, name));
        var report = new NativeTorchReport { Loaded = true, Library = shim, LibTorchFolder = folder };
        try
        {
            return (NativeLibrary.Load(shim), report);
        }
        catch (DllNotFoundException e) when (e.Message.Contains(PatchedShim.Version, StringComparison.Ordinal))
        {
            var (handle, copy) = PatchedShim.Load(shim, CacheFolder.Of(Environment.GetEnvironmentVariable));
            return (handle, report with { Library = copy, Patched = true, PatchedCopy = copy });
        }
    }

    private static string Remedy(string message) =>
        message.Contains("GLIBCXX", StringComparison.Ordinal) || message.Contains("GLIBC_", StringComparison.Ordinal)
            ? "Use a newer Linux (Debian 12, Ubuntu 22.04 or later)."
            : message.Contains("is not in", StringComparison.Ordinal)
                ? $"Add the package {Package.Id}, version {Package.Version}, to the program's project and build again."
                : "Delete the bin and obj folders and build again; libtorch needs a 64-bit x86 Linux or Windows, or an arm64 Mac.";
}
