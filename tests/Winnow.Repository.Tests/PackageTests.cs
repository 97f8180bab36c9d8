using System.IO.Compression;
using System.Xml.Linq;
using Winnow.Learning;

namespace Winnow.Repository.Tests;

/// <summary>What <c>dotnet pack -c Release</c> makes, and the tool installed from it, used away from the repository.</summary>
[Collection("builds")]
public sealed class PackageTests(PackageTests.PackedRepository packed) : IClassFixture<PackageTests.PackedRepository>
{
    private static readonly string Version = (string)XDocument.Parse(Repository.Read("Directory.Build.props")).Descendants("Version").Single();

    /// <summary>The packages, made once from what is already built.</summary>
    public sealed class PackedRepository : IAsyncLifetime
    {
        private readonly TemporaryFolder _folder = new();

        internal string Folder => _folder.Path;

        public async ValueTask InitializeAsync() =>
            (await Terminal.DotnetAsync(Repository.Root, ["pack", "-c", Repository.Configuration, "--no-build", "-o", Folder])).OrFail();

        public ValueTask DisposeAsync()
        {
            _folder.Dispose();
            return ValueTask.CompletedTask;
        }

        internal XElement Specification(string id)
        {
            using var package = ZipFile.OpenRead(Path.Combine(Folder, $"{id}.{Version}.nupkg"));
            using var text = package.GetEntry($"{id}.nuspec")!.Open();
            return XDocument.Load(text).Root!;
        }

        internal IReadOnlyList<string> Files(string id)
        {
            using var package = ZipFile.OpenRead(Path.Combine(Folder, $"{id}.{Version}.nupkg"));
            return [.. package.Entries.Select(e => e.FullName)];
        }
    }

    private static string[] Libraries => [.. Repository.Projects.Values.Where(p => p.InSource && p.Name != "Winnow.Cli").Select(p => p.Name)];

    private static IEnumerable<XElement> Elements(XElement specification, string name) => specification.Descendants().Where(e => e.Name.LocalName == name);

    [Fact]
    public void Every_library_and_the_tool_are_packed_with_readme_licence_and_description()
    {
        Assert.Equal(Libraries.Append("winnow").Select(id => $"{id}.{Version}.nupkg").Order(StringComparer.Ordinal), Directory.GetFiles(packed.Folder).Select(Path.GetFileName).Order(StringComparer.Ordinal)!);
        foreach (string id in Libraries.Append("winnow"))
        {
            var specification = packed.Specification(id);
            Assert.Equal("MIT", Elements(specification, "license").Single().Value);
            Assert.Equal("README.md", Elements(specification, "readme").Single().Value);
            Assert.InRange(Elements(specification, "description").Single().Value.Length, 30, 400);
            Assert.Contains("README.md", packed.Files(id));
        }
    }

    [Fact]
    public void A_library_package_has_assembly_and_documentation_and_forces_no_systems_natives_on_its_user()
    {
        foreach (string id in Libraries)
        {
            Assert.Equal([$"lib/net10.0/{id}.dll", $"lib/net10.0/{id}.xml"], packed.Files(id).Where(f => f.StartsWith("lib/", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
            string[] dependencies = [.. Elements(packed.Specification(id), "dependency").Select(d => (string)d.Attribute("id")!)];
            Assert.DoesNotContain(dependencies, d => d.StartsWith("libtorch", StringComparison.OrdinalIgnoreCase));
            Assert.Empty(Repository.Projects[id].Projects.Except(dependencies));
        }
    }

    [Fact]
    public async Task Packing_again_gives_the_same_file_to_the_byte()
    {
        using var again = new TemporaryFolder();
        (await Terminal.DotnetAsync(Repository.Root, ["pack", "src/Winnow.Core", "-c", Repository.Configuration, "--no-build", "-o", again.Path])).OrFail();
        string file = $"Winnow.Core.{Version}.nupkg";
        Assert.Equal(await File.ReadAllBytesAsync(Path.Combine(packed.Folder, file), TestContext.Current.CancellationToken), await File.ReadAllBytesAsync(again[file], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task The_tool_installed_from_the_folder_runs_away_from_the_repository()
    {
        using var away = new TemporaryFolder();
        (await Terminal.DotnetAsync(away.Path, ["tool", "install", "winnow", "--tool-path", away["tools"], "--source", packed.Folder, "--version", Version], ("DOTNET_CLI_HOME", away["home"]))).OrFail();
        string winnow = Path.Combine(away["tools"], OperatingSystem.IsWindows() ? "winnow.exe" : "winnow");
        Task<Printed> RunAsync(params string[] arguments) => Terminal.RunAsync(away.Path, winnow, arguments);

        Assert.Contains("compare", (await RunAsync("--help")).OrFail());
        Assert.Contains("naive", (await RunAsync("methods")).OrFail());
        string doctor = (await RunAsync("doctor")).OrFail();
        Assert.Contains("all is well", doctor);
        Assert.Contains(Path.Combine(away["tools"], ".store"), doctor);
        string compared = (await RunAsync("compare", "continual", "--methods", "naive", "--seeds", "1", "--set", "task.epochs=1")).OrFail();
        string report = compared.Split('\n').Single(l => l.StartsWith("report: ", StringComparison.Ordinal))["report: ".Length..].Trim();
        Assert.StartsWith(away.Path, Path.GetFullPath(report), StringComparison.Ordinal);
        Assert.True(File.Exists(report), $"{report} is missing");
    }

    [Fact]
    public async Task A_program_that_adds_an_arenas_package_and_a_libtorch_runs()
    {
        using var away = new TemporaryFolder();
        // Other people's packages come from this machine's cache; ours are unpacked into the temporary folder.
        string cache = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } set ? set : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        away.Write("NuGet.Config", $"""
            <configuration>
              <packageSources><clear /><add key="local" value="{packed.Folder}" /></packageSources>
              <fallbackPackageFolders><clear /><add key="cache" value="{cache}" /></fallbackPackageFolders>
            </configuration>
            """);
        away.Write("Program.csproj", $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <RestorePackagesPath>packages</RestorePackagesPath>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="Winnow.Continual" Version="{Version}" />
                <PackageReference Include="{NativeTorch.Package.Id}" Version="{NativeTorch.Package.Version}" />
              </ItemGroup>
            </Project>
            """);
        // The example, without the lines that tell it to take the sources.
        away.Write("Program.cs", string.Join('\n', Repository.Read("examples/replay-in-five-lines.cs").Split('\n').Where(l => !l.StartsWith("#:", StringComparison.Ordinal))));
        string output = (await Terminal.DotnetAsync(away.Path, ["run"])).OrFail();
        Assert.Equal(5, output.Split('\n').Count(l => l.StartsWith("digits ", StringComparison.Ordinal)));
        Assert.Equal(Libraries.Where(l => l is not ("Winnow.Reports" or "Winnow.Compute" or "Winnow.KvCache" or "Winnow.KernelMethods" or "Winnow.Language" or "Winnow.Training")).Select(l => l.ToLowerInvariant()).Order(), Directory.GetDirectories(away["packages"]).Select(Path.GetFileName).Where(p => p!.StartsWith("winnow", StringComparison.Ordinal)).Order()!);
    }
}
