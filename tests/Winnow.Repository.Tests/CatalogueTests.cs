using System.ComponentModel;
using System.Reflection;
using Winnow.Compute;
using Winnow.Continual;
using Winnow.Core;
using Winnow.KernelMethods;
using Winnow.KvCache;

namespace Winnow.Repository.Tests;

/// <summary>What every arena's catalogue must have beyond what the compiler checks.</summary>
public sealed class CatalogueTests
{
    private static readonly IArena[] Arenas = [new ContinualArena(), new ComputeArena(), new KvCacheArena(), new KernelMethodsArena()];

    [Fact]
    public void Every_arena_project_is_looked_at_here() =>
        Assert.Equal(Arenas.Select(a => a.GetType().Assembly.GetName().Name).Order(), Repository.Files
            .Where(f => f.StartsWith("src/", StringComparison.Ordinal) && f.EndsWith("Arena.cs", StringComparison.Ordinal) && !f.EndsWith("IArena.cs", StringComparison.Ordinal))
            .Select(f => f.Split('/')[1]).Order());

    [Fact]
    public void Every_property_of_a_public_options_record_says_what_it_means()
    {
        foreach (var type in Arenas.SelectMany(a => a.GetType().Assembly.GetExportedTypes()).Where(t => t.Name.EndsWith("Options", StringComparison.Ordinal)))
            foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly).Where(p => p.CanWrite))
                Assert.False(string.IsNullOrWhiteSpace(property.GetCustomAttribute<DescriptionAttribute>()?.Description), $"{type.Name}.{property.Name} has no [Description].");
    }

    [Fact]
    public void Every_seed_method_has_claims_and_a_row_in_the_ledger()
    {
        foreach (var method in Arenas.SelectMany(a => a.Methods).Where(m => m.Kind == MethodKind.Seed))
        {
            Assert.True(method.Claims.Count > 0, $"{method.Id} has no claim.");
            Assert.True(File.Exists(Repository.FullPath($"results/ledger/{method.Id}.json")), $"results/ledger/{method.Id}.json is missing: run 'winnow ledger {method.Id} --rerun'.");
        }
    }

    [Fact]
    public void Every_claim_names_a_task_a_metric_a_baseline_and_options_that_are_there()
    {
        foreach (var arena in Arenas)
            foreach (var (method, claim) in arena.Methods.SelectMany(m => m.Claims.Select(c => (m, c))))
            {
                string what = $"{method.Id}: {claim.Text}";
                Assert.True(arena.Tasks.Any(t => t.Id == claim.Task), what);
                Assert.True(arena.MetricsOf(claim.Task).Any(m => m.Name == claim.Metric), what);
                Assert.True(arena.Methods.Any(m => m.Id == claim.Baseline), what);
                method.Options.Bind(claim.MethodOptions, what);
                arena.Methods.Single(m => m.Id == claim.Baseline).Options.Bind(claim.BaselineOptions, what);
                arena.Tasks.Single(t => t.Id == claim.Task).Options.Bind(claim.TaskOptions, what);
            }
    }

    [Fact]
    public void A_method_has_one_id_in_all_arenas()
    {
        string[] ids = [.. Arenas.SelectMany(a => a.Methods).Select(m => m.Id)];
        Assert.Equal(ids.Distinct().Count(), ids.Length);
    }

    [Fact]
    public void Every_arena_has_a_page_in_the_documentation()
    {
        foreach (var arena in Arenas)
            Assert.True(File.Exists(Repository.FullPath($"docs/{arena.Id}/README.md")), $"docs/{arena.Id}/README.md is missing.");
    }
}
