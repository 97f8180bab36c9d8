using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.KernelMethods;
using static System.FormattableString;

namespace Winnow.Bench;

/// <summary>
/// From which distance of their means groups are found without a single mistake: the share of eight draws of 90 rows in which every row is in its group. Of round groups theory says where no method can and where the
/// semidefinite program of k-means does (Chen and Yang, Cutoff for exact recovery of Gaussian mixture models, 2021): <c>Δ² = 4 (1 + √(1 + K d / (n ln n))) ln n</c> of variance 1. Of groups with shapes of their own the distances are
/// in deviations of a feature that counts nothing of the shapes.
/// </summary>
internal static class KernelRecovery
{
    private const int Draws = 8, Groups = 3, Each = 30, Features = 4;

    public static IEnumerable<BenchCase> Cases =>
    [
        .. from share in (double[])[0.6, 0.8, 1, 1.2]
           select Case("round", Invariant($"{share} of the threshold"), share * Threshold(Groups * Each, Features, Groups), "sdp-k-means", "k-means"),
        .. from apart in (double[])[3, 4.4, 6, 8] select Case("own", Invariant($"means {apart} apart"), apart, "ila-sdp", "gaussian-mixture"),
    ];

    /// <summary>The distance of means from which n rows of k round groups in d dimensions can be told apart without a mistake, in deviations.</summary>
    public static double Threshold(double n, double d, double k) => Math.Sqrt(4 * (1 + Math.Sqrt(1 + k * d / (n * Math.Log(n)))) * Math.Log(n));

    private static BenchCase Case(string shape, string what, double separation, string ours, string theirs) =>
        new("kernels.recovery", $"{(shape == "round" ? "round groups" : "groups of own shapes")}, {what}: {ours}", "share of draws without a mistake", Better.Higher, null,
            c => new(Share(ours, shape, separation, Draws, c), theirs, Share(theirs, shape, separation, Draws, c), true));

    /// <summary>The share of draws in which every row is in its group.</summary>
    public static double Share(string method, string shape, double separation, int draws, CancellationToken cancellation)
    {
        var arena = new KernelMethodsArena();
        var card = arena.Tasks.Single(t => t.Id == "cluster");
        object options = card.Options.Bind(new JsonObject { ["made"] = Groups, ["each"] = Each, ["features"] = Features, ["separation"] = separation, ["shape"] = shape }, "task");
        var data = arena.Inspect(null, card, options, new(), cancellation);
        var of = arena.Methods.Single(m => m.Id == method);
        string nowhere = Path.GetTempPath();
        return Enumerable.Range(1, draws).Select(s => (ulong)s).Average(seed => arena.Run(new(arena.Id, card.Id, card.Options.Canonical(options), of.Id, of.Options.Canonical(of.Options.Bind([], of.Id)), seed, data.Reference, "bench", 1), new(seed, nowhere, _ => { }, cancellation)).Metrics["exact"]);
    }
}
