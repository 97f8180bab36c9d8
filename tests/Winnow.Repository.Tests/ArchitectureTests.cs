using System.Xml.Linq;

namespace Winnow.Repository.Tests;

/// <summary>The arrows between projects, as the design draws them: Cli → arenas, Reports, Training → Learning, Language, Data, Numerics → Core.</summary>
public sealed class ArchitectureTests
{
    private static readonly string[] Foundations = ["Winnow.Core", "Winnow.Data", "Winnow.Numerics", "Winnow.Learning", "Winnow.Language"];

    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Winnow.Core"] = [],
        ["Winnow.Data"] = ["Winnow.Core"],
        ["Winnow.Numerics"] = ["Winnow.Core"],
        ["Winnow.Learning"] = ["Winnow.Core", "Winnow.Data", "Winnow.Numerics"],
        ["Winnow.Language"] = ["Winnow.Core", "Winnow.Data", "Winnow.Numerics"],
        ["Winnow.Reports"] = ["Winnow.Core", "Winnow.Data", "Winnow.Numerics"],
        ["Winnow.Training"] = ["Winnow.Core", "Winnow.Data", "Winnow.Numerics", "Winnow.Language", "Winnow.Learning"],
    };

    /// <summary>Whatever is in src and is neither a foundation, nor the reports, nor the program, is an arena.</summary>
    private static IEnumerable<Project> Arenas => Repository.Projects.Values.Where(p => p.InSource && !Allowed.ContainsKey(p.Name) && p.Name != "Winnow.Cli");

    public static TheoryData<string> Sources => [.. Repository.Projects.Values.Where(p => p.InSource && p.Name != "Winnow.Cli").Select(p => p.Name)];

    [Fact]
    public void There_is_an_arena() => Assert.Contains(Arenas, a => a.Name == "Winnow.Continual");

    [Theory, MemberData(nameof(Sources))]
    public void A_library_refers_only_to_what_lies_below_it(string name)
    {
        string[] allowed = Allowed.GetValueOrDefault(name, Foundations);
        string[] wrong = [.. Repository.Projects[name].Projects.Except(allowed)];
        Assert.True(wrong.Length == 0, $"{name} refers to {string.Join(", ", wrong)}; it may refer to {string.Join(", ", allowed)}. What two arenas need moves down.");
    }

    [Theory]
    [InlineData("Winnow.Core"), InlineData("Winnow.Data"), InlineData("Winnow.Numerics"), InlineData("Winnow.Language"), InlineData("Winnow.Reports")]
    public void The_tensor_library_stays_out_of(string name)
    {
        var seen = new HashSet<string>();
        var open = new Queue<string>([name]);
        while (open.TryDequeue(out string? next))
            if (seen.Add(next))
            {
                Assert.DoesNotContain(Repository.Projects[next].Packages, p => p.StartsWith("TorchSharp", StringComparison.OrdinalIgnoreCase) || p.StartsWith("libtorch", StringComparison.OrdinalIgnoreCase));
                foreach (string reference in Repository.Projects[next].Projects)
                    open.Enqueue(reference);
            }
    }

    [Fact]
    public void No_library_brings_a_libtorch_of_one_system()
    {
        foreach (var project in Repository.Projects.Values.Where(p => p.InSource))
            Assert.DoesNotContain(project.Packages, p => p.StartsWith("libtorch", StringComparison.OrdinalIgnoreCase) || p.StartsWith("TorchSharp-", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public void Every_project_is_in_the_solution_and_every_library_is_packed()
    {
        var listed = XDocument.Parse(Repository.Read("Winnow.slnx")).Descendants("Project").Select(p => (string)p.Attribute("Path")!).ToHashSet();
        Assert.Equal(Repository.Projects.Values.Select(p => p.File).Order(), listed.Order());
        Assert.All(Repository.Projects.Values.Where(p => p.InSource), p => Assert.True(p.Packable, $"{p.Name} lacks IsPackable"));
    }

    [Fact]
    public void Every_library_has_its_tests()
    {
        foreach (var project in Repository.Projects.Values.Where(p => p.InSource))
            Assert.Contains($"{project.Name}.Tests", Repository.Projects.Keys);
    }

    [Fact]
    public void Versions_are_central()
    {
        foreach (string file in Repository.FilesWith(".csproj"))
            Assert.DoesNotContain(XDocument.Parse(Repository.Read(file)).Descendants("PackageReference"), p => p.Attribute("Version") is not null);
    }
}
