using System.Xml.Linq;

namespace Winnow.Repository.Tests;

/// <summary>The repository these tests were built from.</summary>
internal static class Repository
{
    private static readonly HashSet<string> NotSource = ["bin", "obj", "artifacts", "winnow-runs", "TestResults"];

    /// <summary>The folder of the solution file.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The configuration these tests were built in, Release or Debug.</summary>
    public static string Configuration { get; } = AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Debug{Path.DirectorySeparatorChar}", StringComparison.Ordinal) ? "Debug" : "Release";

    /// <summary>Every file that is not built, by its path from the root, with forward slashes.</summary>
    public static IReadOnlyList<string> Files { get; } = [.. Walk(Root).Select(f => Path.GetRelativePath(Root, f).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    /// <summary>The command-line program, built before these tests.</summary>
    public static string Program { get; } = Directory.EnumerateFiles(FullPath($"src/Winnow.Cli/bin/{Configuration}"), OperatingSystem.IsWindows() ? "winnow.exe" : "winnow", SearchOption.AllDirectories)
        .Where(f => !f.Contains("publish", StringComparison.Ordinal)).MaxBy(File.GetLastWriteTimeUtc)!;

    public static string FullPath(string file) => Path.Combine(Root, file);

    public static string Read(string file) => File.ReadAllText(FullPath(file));

    public static IEnumerable<string> FilesWith(string extension) => Files.Where(f => f.EndsWith(extension, StringComparison.Ordinal));

    /// <summary>The projects by name, with the names of the projects and of the packages that each refers to.</summary>
    public static IReadOnlyDictionary<string, Project> Projects { get; } = FilesWith(".csproj").Select(Project.Read).ToDictionary(p => p.Name);

    private static IEnumerable<string> Walk(string folder) =>
        Directory.EnumerateFiles(folder).Concat(Directory.EnumerateDirectories(folder)
            .Where(d => Path.GetFileName(d) is var name && !NotSource.Contains(name) && (!name.StartsWith('.') || name == ".ci"))
            .SelectMany(Walk));

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Winnow.slnx")))
                return folder.FullName;
        throw new InvalidOperationException($"These tests look at the repository, and {AppContext.BaseDirectory} is not in it.");
    }
}

/// <summary>What a project file says.</summary>
internal sealed record Project(string Name, string File, IReadOnlyList<string> Projects, IReadOnlyList<string> Packages, bool Packable)
{
    public bool InSource => File.StartsWith("src/", StringComparison.Ordinal);

    public static Project Read(string file)
    {
        var xml = XDocument.Parse(Repository.Read(file));
        return new(Path.GetFileNameWithoutExtension(file), file,
            [.. References(xml, "ProjectReference").Select(p => Path.GetFileNameWithoutExtension(p.Replace('\\', '/')))],
            [.. References(xml, "PackageReference")],
            xml.Descendants("IsPackable").Any(e => e.Value == "true"));
    }

    private static IEnumerable<string> References(XDocument xml, string kind) => xml.Descendants(kind).Select(e => (string?)e.Attribute("Include")).OfType<string>();
}
