using System.Collections;
using System.Reflection;
using System.Text.Json.Nodes;
using Winnow.Core;

namespace Winnow.Continual.Tests;

public sealed class CatalogueTests
{
    private static readonly ContinualArena Arena = new();

    [Fact]
    public void Every_learner_and_part_of_the_library_is_used_by_a_method_of_the_catalogue()
    {
        var used = new HashSet<Type>();
        foreach (var card in Arena.Methods)
            foreach (var options in Variants(card.Options))
            {
                using var stream = new SmallStream(SmallStream.TaskFor(card.Id));
                using var learner = Arena.Create(card.Id, options, stream.Setup);
                Visit(learner, used, []);
            }
        var all = typeof(ContinualArena).Assembly.GetTypes().Where(t => t is { IsClass: true, IsAbstract: false } && (typeof(IContinualLearner).IsAssignableFrom(t) || typeof(IPart).IsAssignableFrom(t)));
        Assert.Empty(all.Except(used).Select(t => t.Name));
    }

    [Fact]
    public void Ids_are_kebab_case_and_unique_and_every_option_and_card_says_what_it_is()
    {
        Assert.Equal(Arena.Methods.Count, Arena.Methods.Select(m => m.Id).Distinct().Count());
        Assert.All(Arena.Methods, m =>
        {
            Assert.Matches("^[a-z0-9]+(-[a-z0-9]+)*$", m.Id);
            Assert.False(string.IsNullOrWhiteSpace(m.Summary) || string.IsNullOrWhiteSpace(m.Paper) || string.IsNullOrWhiteSpace(m.Title));
            Assert.InRange(m.Year, 1950, 2100);
            Assert.All(m.Options.Options, o => Assert.False(string.IsNullOrWhiteSpace(o.Description), $"{m.Id}.{o.Name} has no description"));
            Assert.All(m.Options.Options.Where(o => o.Type is "integer" or "number"), o => Assert.True(o.Range is not null, $"{m.Id}.{o.Name} has no range"));
            Assert.Contains(Arena.Tasks, t => m.Refusal(t) is null);
        });
        Assert.All(Arena.Tasks, t => Assert.All(t.Options.Options, o => Assert.False(string.IsNullOrWhiteSpace(o.Description))));
    }

    [Fact]
    public void Every_seed_method_has_a_claim_that_the_catalogue_can_check()
    {
        foreach (var card in Arena.Methods.Where(m => m.Kind == MethodKind.Seed))
        {
            Assert.NotEmpty(card.Claims);
            foreach (var claim in card.Claims)
            {
                var task = Arena.Task(claim.Task);
                Assert.Null(card.Refusal(task));
                Assert.Null(Arena.Method(claim.Baseline).Refusal(task));
                Assert.Contains(Arena.MetricsOf(claim.Task), m => m.Name == claim.Metric);
                card.Options.Bind(claim.MethodOptions, card.Id);
                Arena.Method(claim.Baseline).Options.Bind(claim.BaselineOptions, claim.Baseline);
                task.Options.Bind(claim.TaskOptions, "task");
            }
        }
    }

    [Theory]
    [InlineData("continual-thesis", "technique", "mas")]
    [InlineData("language-guided-cl", "on", "lwf")]
    public void Options_with_which_a_method_needs_more_are_refused_before_anything_runs(string method, string option, string value)
    {
        var card = Arena.Method(method);
        Assert.Null(card.Refusal(Arena.Task("blurry")));
        Assert.Equal($"'{method}' with these options needs task boundaries, which task 'blurry' does not give", card.Refusal(Arena.Task("blurry"), new() { [option] = value }));
        var study = new Study { Arena = Arena.Id, Tasks = ["blurry"], Methods = Study.ParseMethods($"{method}:{option}={value}"), Seeds = [1] };
        Assert.Contains("choose another task", Assert.Throws<InputException>(() => StudyPlan.Make(study, Arena, TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Method_files_are_small()
    {
        string? root = AppContext.BaseDirectory;
        while (root is not null && !File.Exists(Path.Combine(root, "Winnow.slnx")))
            root = Path.GetDirectoryName(root);
        Assert.SkipWhen(root is null, "the sources are not here");
        string library = Path.Combine(root, "src", "Winnow.Continual");
        var lines = new[] { "Baselines", "Methods" }.Select(f => Path.Combine(library, f)).Where(Directory.Exists)
            .SelectMany(f => Directory.EnumerateFiles(f, "*.cs")).Select(f => (Name: Path.GetFileName(f), Lines: File.ReadLines(f).Count())).OrderBy(f => f.Lines).ToList();
        Assert.NotEmpty(lines);
        Assert.All(lines, f => Assert.True(f.Lines <= 400, $"{f.Name} has {f.Lines} lines"));
        Assert.True(lines[lines.Count / 2].Lines <= 120, $"the median method file, {lines[lines.Count / 2].Name}, has {lines[lines.Count / 2].Lines} lines");
    }

    /// <summary>The defaults, and for every choice or flag each of its other values.</summary>
    private static IEnumerable<JsonObject> Variants(OptionsSchema schema)
    {
        yield return [];
        foreach (var option in schema.Options)
            foreach (string value in option.Type switch { "choice" => option.Range!.Split(" | "), "flag" => ["true", "false"], _ => [] })
                yield return new() { [option.Name] = value };
    }

    /// <summary>Collects the types of an object and of all it holds, as far as they are this library's.</summary>
    private static void Visit(object? value, HashSet<Type> types, HashSet<object> seen)
    {
        if (value is null || !seen.Add(value))
            return;
        var type = value.GetType();
        if (value is IEnumerable and not string && (type.IsArray || type.Assembly != typeof(ContinualArena).Assembly)) // an array lies where its elements do
        {
            if (type.IsArray ? type.GetElementType()!.IsClass || type.GetElementType()!.IsInterface : value is IList)
                foreach (object? item in (IEnumerable)value)
                    Visit(item, types, seen);
            return;
        }
        if (type.Assembly != typeof(ContinualArena).Assembly)
            return;
        types.Add(type);
        for (var t = type; t is not null; t = t.BaseType)
            foreach (var field in t.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).Where(f => !f.FieldType.IsValueType && !f.FieldType.IsPointer))
                Visit(field.GetValue(value), types, seen);
    }
}
