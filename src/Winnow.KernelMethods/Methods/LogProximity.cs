using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="LogProximity"/>.</summary>
public sealed record LogProximityOptions
{
    /// <summary>Which nearness.</summary>
    [AllowedValues("walk", "forest", "communicability", "heat", "normalised-heat", "pagerank", "modified-pagerank", "heat-pagerank", "sigmoid-commute", "sigmoid-corrected-commute", "shortest-path", "commute", "corrected-commute", "randomised-shortest-path", "free-energy"),
        Description("nearness of nodes; the sigmoid of one; or, from shortest-path on, distances")]
    public string Measure { get; init; } = "communicability";

    /// <summary>Whether its logarithm is taken.</summary>
    [Description("the logarithm of each number is taken, of a nearness; sigmoids and distances are taken as they are")]
    public bool Log { get; init; } = true;

    /// <summary>How strong.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("place on the grid of strengths from 0 to 1; 0: of ten the one whose groups have the largest modularity")]
    public double Strength { get; init; }

    /// <summary>How groups are found.</summary>
    [AllowedValues("ward", "k-means"), Description("ward: groups are united two by two; k-means: of ten starts the best")]
    public string Algorithm { get; init; } = "ward";
}

/// <summary>
/// Groups the nodes of a graph by a proximity kernel of which the logarithm is taken, number by number: what is near over two parts becomes a product of what is near in each.
/// <para>Paper: Ivashkin and Chebotarev, Do logarithmic proximity measures outperform plain ones in graph clustering?, NET 2016 (arXiv 1605.01046). Measures in <see cref="Proximity"/>, Ward's rule and k-means in
/// <see cref="KernelClusters"/>. Distances are put into
/// groups by −½ H D H; sigmoids are of the pseudo-inverse of L and of the corrected one, with the strength as their slope. Left out: the root of communicability's distances, which Ward's rule does not take. The paper picks the strength by the truth (the metric <c>best_ari</c>); without it the one with the largest modularity is taken.</para>
/// <para>Cost O(n³) a strength. A strength at which a proximity is not above 0 has no logarithm and is passed over.</para>
/// </summary>
public sealed class LogProximity(KernelSetup setup, LogProximityOptions options) : IGraphClusterer
{
    private static readonly double[] Grid = [.. Enumerable.Range(0, 10).Select(i => (i + 0.5) / 10)];

    /// <summary>What the ledger measures.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } = [Better("walk", 0.3), Better("forest", 0.3), Better("communicability", 0), Better("heat", 0)];

    private static Claim Better(string measure, double margin) => new()
    {
        Text = $"Two groups of 25 nodes, by k-means with the strength that is best: the logarithm of {measure} finds them {(margin > 0 ? "0.3 of adjusted Rand better" : "better")} than {measure} does.",
        Task = "graph",
        Metric = "best_ari",
        Baseline = "log-proximity",
        Margin = margin,
        MethodOptions = new() { ["measure"] = measure, ["algorithm"] = "k-means" },
        BaselineOptions = new() { ["measure"] = measure, ["algorithm"] = "k-means", ["log"] = false },
    };

    /// <inheritdoc/>
    public Grouping Group(Graph graph, int groups, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(graph);
        using var scope = NewDisposeScope();
        var tried = new List<int[]>();
        IReadOnlyList<Union> united = [];
        Tensor? best = null;
        double most = double.NegativeInfinity;
        foreach (double g in options.Strength > 0 ? [options.Strength] : options.Measure is "shortest-path" or "commute" or "corrected-commute" ? Grid[..1] : Grid)
        {
            cancellation.ThrowIfCancellationRequested();
            using var one = NewDisposeScope();
            if (Kernel(graph, g) is not { } kernel)
                continue;
            kernel = (kernel + kernel.t()) / 2;
            double[] k = kernel.contiguous().data<double>().ToArray();
            IReadOnlyList<Union> unions = [];
            tried.Add(options.Algorithm == "ward" ? KernelClusters.Ward(k, graph.Nodes, groups, out unions) : KernelClusters.Means(k, graph.Nodes, groups, setup.Random("starts")));
            if (graph.Modularity(tried[^1]) is var modularity && !(modularity > most))
                continue;
            best?.Dispose();
            (most, best, united) = (modularity, kernel.MoveToOuterDisposeScope(), unions);
        }
        return best is not null ? new(tried.MaxBy(graph.Modularity)!, tried) { Distances = Proximity.Distance(best).MoveToOuterDisposeScope(), Unions = united }
            : throw InputException.At("graph", $"a proximity of {options.Measure} that is 0 or below at every strength", "numbers above 0", "Choose another measure, or log=false.");
    }

    /// <summary>What groups are found by; null where there is no logarithm.</summary>
    private Tensor? Kernel(Graph graph, double g)
    {
        if (Proximity.Distances.Contains(options.Measure))
            return Proximity.FromDistance(Proximity.DistanceOf(graph, options.Measure, g));
        if (options.Measure.StartsWith("sigmoid", StringComparison.Ordinal))
            return Proximity.Sigmoid(options.Measure == "sigmoid-commute" ? Proximity.CommuteTime(graph) : Proximity.CorrectedCommuteTime(graph), g / (1 - g) / 2);
        var plain = Proximity.Of(graph, options.Measure, Proximity.Strength(graph, options.Measure, g));
        return options.Log ? Proximity.Log(plain) : plain;
    }
}
