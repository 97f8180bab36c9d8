using System.Text.RegularExpressions;
using Winnow.Compute;
using Winnow.Continual;
using Winnow.Core;
using Winnow.KernelMethods;
using Winnow.KvCache;

namespace Winnow.Repository.Tests;

/// <summary>What the written documentation promises: every command is one the program understands, every link leads somewhere.</summary>
public sealed partial class DocumentationTests
{
    private const string FromSource = "dotnet run -c Release --project src/Winnow.Cli -- ";
    private static readonly IArena[] Arenas = [new ContinualArena(), new ComputeArena(), new KvCacheArena(), new KernelMethodsArena()];
    private static readonly Dictionary<string, Task<string>> Help = [];

    /// <summary>Pages that people wrote; those of the methods are generated.</summary>
    private static IEnumerable<string> Pages => Repository.FilesWith(".md").Where(f => !f.Contains("/methods", StringComparison.Ordinal));

    /// <summary>Every command line of the program in a code block.</summary>
    public static TheoryData<string, string> Commands => [.. Pages.SelectMany(page => Blocks(page).SelectMany(b => b.Text.Split('\n'))
        .Select(line => line.StartsWith(FromSource, StringComparison.Ordinal) ? "winnow " + line[FromSource.Length..] : line)
        .Where(line => line.StartsWith("winnow ", StringComparison.Ordinal))
        .Select(line => (page, line)))];

    [Theory, MemberData(nameof(Commands))]
    public async Task A_documented_command_is_understood(string page, string line)
    {
        string[] words = [.. Words().Matches(line).Select(m => m.Value.Trim('"')).Skip(1)];
        string[] verb = words[0] == "data" ? words[..2] : words[..1];
        string help = await HelpAsync(verb);
        foreach (string option in words.Where(w => w.StartsWith("--", StringComparison.Ordinal)))
            Assert.True(Regex.IsMatch(help, $@"{option}\b"), $"{page}: '{line}': '{string.Join(' ', verb)}' has no {option}.\n{help}");
        if (verb[0] == "show")
            Assert.True(Arenas.SelectMany(a => a.Methods).Any(m => m.Id == words[1]), $"{page}: '{line}': no method '{words[1]}'.");
        if (verb[0] == "compare")
            Check(words);
    }

    [Fact]
    public void The_documented_study_file_is_planned()
    {
        using var folder = new TemporaryFolder();
        folder.Write("study.yaml", Blocks("docs/studies.md").Single(b => b.Language == "yaml").Text);
        var study = Study.Load(folder["study.yaml"]);
        Assert.Equal("digits.csv", study.Data);
        var plan = StudyPlan.Make(study with { Data = null, Reading = new() }, Arenas[0], TestContext.Current.CancellationToken);
        Assert.Equal(4 * 5, plan.Trials.Count);
    }

    [Fact]
    public void Every_relative_link_leads_to_a_file()
    {
        foreach (string page in Repository.FilesWith(".md"))
            foreach (Match link in Links().Matches(Repository.Read(page)))
            {
                string target = Path.Combine(Path.GetDirectoryName(Repository.FullPath(page))!, link.Groups[1].Value);
                Assert.True(Path.Exists(target), $"{page} links to {link.Groups[1].Value}, which is not there.");
            }
    }

    [Fact]
    public void The_readme_has_the_two_commands()
    {
        string[] lines = Repository.Read("README.md").Split('\n');
        Assert.Contains("dotnet run -c Release --project src/Winnow.Cli -- compare continual", lines);
        Assert.Contains("dotnet test -c Release", lines);
    }

    /// <summary>Names on a documented command line must be in the catalogue, with options that can be bound.</summary>
    private static void Check(string[] words)
    {
        string? After(string option) => Array.IndexOf(words, option) is var i and >= 0 ? words[i + 1] : null;
        var arena = Arenas.Single(a => a.Id == words[1]);
        var task = (After("--task") ?? After("--problem")) is { } name ? arena.Task(name) : arena.Tasks[0];
        var methods = After("--methods") is { } list ? Study.ParseMethods(list) : [.. arena.DefaultMethods(task).Select(m => new MethodChoice(m.Id, []))];
        foreach (var choice in methods)
        {
            var card = arena.Method(choice.Id);
            Assert.Null(card.Refusal(task));
            card.Options.Bind(choice.Options, card.Id);
        }
        foreach (string set in words.Where((_, i) => i > 0 && words[i - 1] == "--set"))
        {
            string owner = set.Split('.')[0], option = set.Split('.')[1].Split('=')[0];
            Assert.True(owner == "task" ? task.Options.Has(option) : methods.Any(m => (owner == "*" || owner == m.Id) && arena.Method(m.Id).Options.Has(option)), $"nothing has the option '{set}'");
        }
        if (After("--budget") is { } budget)
            foreach (string part in budget.Split(','))
                if (part.StartsWith("bytes=", StringComparison.Ordinal))
                    Study.ParseShares("--budget", part["bytes=".Length..]);
                else
                    Study.ParseLimits(part, "--budget");
        if (After("--seeds") is { } seeds)
            Study.ParseSeeds(seeds);
    }

    private static Task<string> HelpAsync(string[] verb)
    {
        string key = string.Join(' ', verb);
        lock (Help)
            return Help.TryGetValue(key, out var known) ? known : Help[key] = RunAsync();

        async Task<string> RunAsync()
        {
            var printed = await Terminal.RunAsync(Repository.Root, Repository.Program, [.. verb, "--help"]);
            Assert.True(printed.Code == 0 && printed.Output.Contains($" {key} ", StringComparison.Ordinal), $"'winnow {key} --help' does not know it:\n{printed.Output}{printed.Error}");
            return printed.Output;
        }
    }

    private static IEnumerable<(string Language, string Text)> Blocks(string page) =>
        Fences().Matches(Repository.Read(page)).Select(m => (m.Groups[1].Value, m.Groups[2].Value));

    [GeneratedRegex(@"^```(\w*)\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fences();

    [GeneratedRegex(@"""[^""]*""|\S+")]
    private static partial Regex Words();

    [GeneratedRegex(@"\]\((?!https?://|#)([^)#\s]+)(?:#[^)]*)?\)")]
    private static partial Regex Links();
}
