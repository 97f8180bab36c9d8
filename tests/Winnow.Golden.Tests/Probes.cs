namespace Winnow.Golden.Tests;

/// <summary>The functions of the product that golden files check, by probe name. A new method adds a line here and a function beside its arena's.</summary>
internal static class Probes
{
    public static IReadOnlyDictionary<string, Func<GoldenFile, Dictionary<string, GoldenArray>>> All { get; } =
        new Dictionary<string, Func<GoldenFile, Dictionary<string, GoldenArray>>>
        {
            ["fpf/dynamics"] = ContinualProbes.ModuleDynamics,
            ["slca/ca"] = ContinualProbes.ClassifierAlignment,
            ["lifelong-framework/quadratic"] = LifelongProbes.Quadratic,
            ["lifelong-llm-survey/regularisers"] = LifelongProbes.Regularisers,
        };
}
