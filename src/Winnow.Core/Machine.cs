using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Winnow.Core;

/// <summary>The machine a result was measured on, as printed in reports and stored beside numbers.</summary>
/// <param name="Cpu">Processor name.</param>
/// <param name="Cores">Logical processors.</param>
/// <param name="MemoryBytes">Physical memory available to the process.</param>
/// <param name="Os">Operating system.</param>
/// <param name="Runtime">.NET runtime.</param>
/// <param name="Simd">Widest vector instructions the runtime uses.</param>
public sealed record Machine(string Cpu, int Cores, long MemoryBytes, string Os, string Runtime, string Simd)
{
    /// <summary>Describes the machine this process runs on.</summary>
    public static Machine Here() => new(CpuName(), Environment.ProcessorCount, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
        OsName(), RuntimeInformation.FrameworkDescription, SimdLevel());

    /// <summary>One line.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Cpu}, {Cores} cores, {MemoryBytes / 1e9:F0} GB, {Os}, {Runtime}, {Simd}");

    private static string SimdLevel() =>
        Avx512F.IsSupported ? "AVX-512" : Avx2.IsSupported ? "AVX2" : Sse42.IsSupported ? "SSE4.2" : System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported ? "NEON" : "no SIMD";

    private static string CpuName()
    {
        try
        {
            if (OperatingSystem.IsLinux())
                return File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
        }
        catch (IOException)
        {
            // No /proc: the architecture is all that is known.
        }
        return Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    private static string OsName()
    {
        try
        {
            if (OperatingSystem.IsLinux() && File.Exists("/etc/os-release"))
                return File.ReadLines("/etc/os-release").First(l => l.StartsWith("PRETTY_NAME=", StringComparison.Ordinal)).Split('=', 2)[1].Trim('"');
        }
        catch (Exception e) when (e is IOException or InvalidOperationException)
        {
            // An unusual system: the kernel's own description does.
        }
        return RuntimeInformation.OSDescription;
    }
}
