using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using System.Runtime.Versioning;
using CsCheck;
using Winnow.Core;

namespace Winnow.Learning.Tests;

public sealed class NativeTorchTests : IDisposable
{
    private const string Library = "libstdc++.so.6";
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-native-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Loads_once_from_any_thread()
    {
        var reports = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(NativeTorch.Load, TestContext.Current.CancellationToken)));
        Assert.All(reports, r => Assert.Equal(reports[0], r));
        Assert.True(reports[0].Loaded, reports[0].Error);
        Assert.StartsWith("2.10", reports[0].TorchVersion, StringComparison.Ordinal);
        Assert.Equal(reports[0].Patched, reports[0].PatchedCopy is not null);
        Assert.Equal(NativeTorch.Load().Elapsed, reports[0].Elapsed);
    }

    [Fact]
    public void Loading_while_another_thread_makes_its_first_tensor_does_not_wait_for_ever()
    {
        // A context of its own has the two assemblies anew, with nothing loaded yet, as at a program's start.
        var fresh = new AssemblyLoadContext("fresh");
        fresh.Resolving += (context, name) => name.Name == "Winnow.Core" ? null : context.LoadFromAssemblyPath(Path.Combine(AppContext.BaseDirectory, $"{name.Name}.dll"));
        var load = fresh.LoadFromAssemblyPath(typeof(NativeTorch).Assembly.Location).GetType(typeof(NativeTorch).FullName!)!.GetMethod(nameof(NativeTorch.Load))!;
        var threadCount = fresh.LoadFromAssemblyPath(typeof(TorchSharp.torch).Assembly.Location).GetType(typeof(TorchSharp.torch).FullName!)!.GetMethod(nameof(TorchSharp.torch.get_num_threads))!;
        RuntimeHelpers.RunModuleConstructor(load.Module.ModuleHandle);
        using var start = new Barrier(2);
        Thread[] threads = [.. ((MethodInfo[])[load, threadCount]).Select(method => new Thread(() => { start.SignalAndWait(); method.Invoke(null, null); }) { IsBackground = true })];
        foreach (var thread in threads)
            thread.Start();
        Assert.All(threads, t => Assert.True(t.Join(TimeSpan.FromSeconds(30)), "both threads wait for each other"));
    }

    [Fact]
    public void Threads_are_what_was_set()
    {
        int before = NativeTorch.Load().Threads;
        NativeTorch.SetThreads(1);
        Assert.Equal(1, NativeTorch.Load().Threads);
        NativeTorch.SetThreads(before);
        Assert.Throws<ArgumentOutOfRangeException>(() => NativeTorch.SetThreads(0));
    }

    [Fact]
    public void Patching_changes_one_flag_and_no_other_byte()
    {
        byte[] original = Shim(), patched = Shim();
        int offset = ElfVersionNeed.MakeWeak(patched, Library, PatchedShim.Version);
        int[] changed = [.. Enumerable.Range(0, original.Length).Where(i => original[i] != patched[i])];
        Assert.Equal([offset], changed);
        Assert.Equal((0, 2), (original[offset], patched[offset]));
        Assert.False(ElfVersionNeed.Find(original, Library, PatchedShim.Version).IsWeak);

        byte[] again = [.. patched];
        ElfVersionNeed.MakeWeak(again, Library, PatchedShim.Version);
        Assert.Equal(patched, again);
    }

    [Fact]
    public void A_version_that_relocations_use_is_not_made_weak()
    {
        byte[] image = Shim();
        Assert.Contains("needed at run time", Assert.Throws<FormatException>(() => ElfVersionNeed.MakeWeak(image, Library, "GLIBCXX_3.4")).Message, StringComparison.Ordinal);
        Assert.Equal(Shim(), image);
    }

    [Theory]
    [InlineData(Library, "GLIBCXX_9.9.9")]
    [InlineData("libother.so.1", PatchedShim.Version)]
    public void A_demand_that_is_not_there_is_named(string library, string version) =>
        Assert.Equal($"no demand of {version} from {library}", Assert.Throws<FormatException>(() => ElfVersionNeed.MakeWeak(Shim(), library, version)).Message);

    [Theory]
    [InlineData(0, "not an ELF file")]
    [InlineData(63, "not an ELF file")]
    [InlineData(64, "points outside the file of 64 bytes")]
    [InlineData(4096, "points outside the file of 4096 bytes")]
    [InlineData(300_000, "points outside the file of 300000 bytes")]
    public void A_truncated_file_says_so(int length, string message) =>
        Assert.Contains(message, Assert.Throws<FormatException>(() => ElfVersionNeed.MakeWeak(Shim().AsSpan(0, length).ToArray(), Library, PatchedShim.Version)).Message, StringComparison.Ordinal);

    [Fact]
    public void Damaged_headers_never_crash_or_hang()
    {
        byte[] original = Shim();
        int verneed = ElfVersionNeed.Find(original, Library, PatchedShim.Version).FlagsOffset;
        // The file header with the program headers, the dynamic table, and the version demands.
        (int Start, int Length)[] places = [(0, 700), (0x1d4b18, 560), (verneed - 400, 800)];
        Gen.Select(Gen.Int[0, places.Length - 1], Gen.Int[0, 799], Gen.Byte).Array[1, 4].Sample(mutations =>
        {
            byte[] image = [.. original];
            foreach (var (place, offset, value) in mutations)
                image[places[place].Start + offset % places[place].Length] = value;
            try
            {
                ElfVersionNeed.MakeWeak(image, Library, PatchedShim.Version);
            }
            catch (FormatException)
            {
                // Said that the file is damaged.
            }
        }, iter: 2000, seed: "0000000000001", threads: 1);
    }

    [Fact]
    public void A_kept_copy_is_left_alone_when_whole_and_replaced_when_not()
    {
        byte[] image = [1, 2, 3];
        string path = PatchedShim.Keep(image, _folder, "copy.so");
        var written = File.GetLastWriteTimeUtc(path);
        Assert.Equal(path, PatchedShim.Keep(image, _folder, "copy.so"));
        Assert.Equal(written, File.GetLastWriteTimeUtc(path));

        File.WriteAllBytes(path, [1, 2, 4]);
        PatchedShim.Keep(image, _folder, "copy.so");
        Assert.Equal(image, File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFiles(_folder));
    }

    [Fact]
    public void A_cache_that_cannot_be_written_is_replaced_by_a_temporary_folder()
    {
        SkipUnlessLinux();
        NativeTorch.Require();
        string file = Path.Combine(_folder, "not-a-folder");
        File.WriteAllText(file, "");
        var (handle, copy) = PatchedShim.Load(LibraryFolders.Find("libLibTorchSharp.so")!, file);
        Assert.NotEqual(0, handle);
        Assert.False(File.Exists(copy), "the temporary copy stays");
    }

    [Fact]
    public void A_file_that_cannot_be_patched_is_named()
    {
        string path = Path.Combine(_folder, "libLibTorchSharp.so");
        File.WriteAllText(path, "text");
        Assert.StartsWith($"{path} cannot be adapted", Assert.Throws<FormatException>(() => PatchedShim.Load(path, _folder)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/a", "/b", "/a")]
    [InlineData(null, "/b", "/b/winnow")]
    [InlineData("", "/b", "/b/winnow")]
    [UnsupportedOSPlatform("windows")]
    public void The_cache_is_where_the_environment_says(string? own, string? xdg, string expected)
    {
        SkipUnlessLinux();
        Assert.Equal(expected, CacheFolder.Of(name => name == "WINNOW_CACHE" ? own : xdg));
    }

    [Fact]
    public void The_cache_is_in_the_home_folder_by_default() =>
        Assert.EndsWith(Path.Combine(".cache", "winnow"), CacheFolder.Of(_ => null), StringComparison.Ordinal);

    private static byte[] Shim()
    {
        SkipUnlessLinux();
        return File.ReadAllBytes(LibraryFolders.Find("libLibTorchSharp.so")!);
    }

    private static void SkipUnlessLinux() => Assert.SkipUnless(OperatingSystem.IsLinux(), "only Linux has the library that is patched");
}
