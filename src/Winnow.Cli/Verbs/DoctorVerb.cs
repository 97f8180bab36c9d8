using System.CommandLine;
using System.Globalization;
using Winnow.Core;
using Winnow.Data;
using Winnow.Learning;

namespace Winnow.Cli.Verbs;

/// <summary><c>winnow doctor</c>: what was found on this machine, and what is wrong with a remedy for each.</summary>
internal static class DoctorVerb
{
    public static Command Make()
    {
        var command = new Command("doctor", "Says what was found on this machine, and what is wrong.");
        command.SetAction(_ => Examine());
        return command;
    }

    private static int Examine()
    {
        var problems = new List<string>();
        var machine = Machine.Here();
        Console.WriteLine($"winnow      {Catalogue.Version}{(Catalogue.Commit is { } commit ? $", commit {commit}" : "")}");
        Console.WriteLine($"system      {machine.Os}, {machine.Runtime}");
        Console.WriteLine($"processor   {machine.Cpu}, {machine.Cores} cores, {machine.Simd}");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"memory      {machine.MemoryBytes / 1e9:F1} GB"));

        var torch = NativeTorch.Load();
        if (torch.Loaded)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"libtorch    {torch.TorchVersion}, {torch.Threads} threads, loaded in {torch.Elapsed.TotalMilliseconds:F0} ms"));
            Console.WriteLine($"            from {torch.Library}{(torch.LibTorchFolder is { } where ? $" and {where}" : "")}");
            Console.WriteLine($"            {(torch.Patched ? "patched: this system's C++ library is older than the one TorchSharp was built with" : "not patched")}");
        }
        if (torch.Error is { } error)
            problems.Add($"libtorch does not load: {error} {torch.Remedy}");

        var folders = DataFolders.FromEnvironment();
        Console.WriteLine($"data        WINNOW_DATA: {folders.Data ?? "not set (the embedded digits are always there)"}");
        Console.WriteLine($"cache       {folders.Cache}");
        if (folders.Data is { } data && !Directory.Exists(data))
            problems.Add($"WINNOW_DATA names {data}, which is not a folder. Correct it or unset it.");
        if (Writable(folders.Cache) is { } cache)
            problems.Add($"the cache cannot be written ({cache}). Set WINNOW_CACHE to a folder that can.");
        if (Writable(Environment.CurrentDirectory) is { } here)
            problems.Add($"this folder cannot be written ({here}). Studies need --out elsewhere.");
        if (machine.MemoryBytes < 2e9)
            problems.Add("less than 2 GB of memory: trials take about 300 MB each; use --parallel 1.");

        foreach (string problem in problems)
            Console.WriteLine($"PROBLEM     {problem}");
        Console.WriteLine(problems.Count == 0 ? "all is well" : $"{problems.Count} problems");
        return problems.Count == 0 ? ExitCode.Done : ExitCode.SomeFailed;
    }

    /// <summary>Null when a file can be made there, otherwise the reason.</summary>
    private static string? Writable(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
            string probe = Path.Combine(folder, $".winnow-{Environment.ProcessId}");
            File.WriteAllText(probe, "");
            File.Delete(probe);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message.TrimEnd('.');
        }
    }
}
