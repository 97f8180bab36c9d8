using System.Runtime.InteropServices;

namespace Winnow.Learning;

/// <summary>Where native libraries of this program may lie.</summary>
internal static class LibraryFolders
{
    /// <summary>The program's folder, its folder for this kind of machine, and the folders its host was given (NuGet's, in a development run).</summary>
    public static IReadOnlyList<string> Candidates { get; } =
    [
        .. ((string[])
        [
            AppContext.BaseDirectory,
            Path.Combine(AppContext.BaseDirectory, "runtimes", $"linux-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}", "native"),
            .. (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries),
        ]).Select(Path.TrimEndingDirectorySeparator).Distinct(),
    ];

    /// <summary>The full path of a library, or null.</summary>
    public static string? Find(string name) => Candidates.Select(f => Path.Combine(f, name)).FirstOrDefault(File.Exists);
}
