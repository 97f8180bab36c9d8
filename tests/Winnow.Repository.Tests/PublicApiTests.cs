using System.Reflection;
using PublicApiGenerator;

namespace Winnow.Repository.Tests;

/// <summary>The public surface of every library is recorded: a change of it is seen in review, never by accident.</summary>
public sealed class PublicApiTests
{
    private const string Accept = "WINNOW_ACCEPT_API";

    public static TheoryData<string> Libraries => [.. Repository.Projects.Values.Where(p => p.InSource && p.Name != "Winnow.Cli").Select(p => p.Name)];

    [Theory, MemberData(nameof(Libraries))]
    public void The_public_surface_is_the_recorded_one(string library)
    {
        string file = Repository.FullPath($"tests/Winnow.Repository.Tests/PublicApi/{library}.txt");
        string surface = Assembly.Load(library).GeneratePublicApi(new() { IncludeAssemblyAttributes = false }).ReplaceLineEndings("\n").TrimEnd() + "\n";
        if (Environment.GetEnvironmentVariable(Accept) == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, surface);
        }
        string recorded = File.Exists(file) ? File.ReadAllText(file).ReplaceLineEndings("\n") : "";
        string[] now = surface.Split('\n'), then = recorded.Split('\n');
        Assert.True(surface == recorded, $"""
            The public surface of {library} is not the recorded one.
            {string.Join('\n', then.Except(now).Select(l => $"- {l.Trim()}").Concat(now.Except(then).Select(l => $"+ {l.Trim()}")).Take(40))}
            If the change is meant, run these tests with {Accept}=1 and commit tests/Winnow.Repository.Tests/PublicApi/{library}.txt with it.
            """);
    }

    [Fact]
    public void No_surface_is_recorded_for_a_library_that_is_gone()
    {
        var recorded = Repository.Files.Where(f => f.StartsWith("tests/Winnow.Repository.Tests/PublicApi/", StringComparison.Ordinal)).Select(Path.GetFileNameWithoutExtension);
        Assert.Empty(recorded.Except(Libraries.Select(l => l.Data)));
    }
}
