using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>What answers from similarities that were computed beforehand.</summary>
public record GramSolverOptions
{
    /// <summary>The solver.</summary>
    [AllowedValues("ridge", "svm", "gp", "neighbours"), Description("what answers: a kernel ridge, whose leaving out of each item chooses among matrices; support vector machines by three folds; Gaussian processes by their evidence; or the nearest five, of the matrix that the ridge chooses")]
    public string Solver { get; init; } = "ridge";

    /// <summary>Learns from one of several bundles of the same items, answers the others, and disposes of the bundles.</summary>
    /// <param name="bundles">Similarities.</param>
    /// <param name="labels">Labels of those learned from.</param>
    /// <param name="classes">Classes.</param>
    /// <param name="random">Draws folds.</param>
    /// <param name="cancellation">Stops.</param>
    /// <returns>Scores [m, classes] of the others.</returns>
    internal Answers Answer(IReadOnlyList<GramBundle> bundles, IReadOnlyList<int> labels, int classes, Func<string, SeededRandom> random, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        try
        {
            var rows = new TrainingRows(bundles[0].Rows, labels, classes);
            IClassifier solver = Solver switch
            {
                "svm" => new SupportVectorMachine(_ => bundles, [1, 10, 100], random("svm-folds")),
                "gp" => new GaussianProcessClassifier(_ => bundles, new()),
                _ => new KernelRidge(_ => bundles, new()),
            };
            using var first = solver.Fit(rows, cancellation);
            var chosen = (GramBundle)((IOnKernel)first).Kernel;
            using var fitted = Solver == "neighbours" ? new NearestNeighbours(chosen, new()).Fit(rows, cancellation) : null;
            return new Answers((fitted ?? first).Scores(chosen.Others), new Dictionary<string, double>(first.Report) { ["kernel"] = bundles.Index().First(b => ReferenceEquals(b.Item, chosen)).Index, ["smallest"] = chosen.Smallest, ["repaired"] = chosen.Repaired ? 1 : 0 }).ToOuterScope();
        }
        finally
        {
            foreach (var bundle in bundles)
                bundle.Dispose();
        }
    }
}

/// <summary>Options of <see cref="NodeKernel"/>.</summary>
public sealed record NodeKernelOptions : GramSolverOptions
{
    /// <summary>Nearness.</summary>
    [AllowedValues("walk", "forest", "communicability", "heat", "normalised-heat", "pagerank", "modified-pagerank", "heat-pagerank"), Description("nearness of nodes")]
    public string Measure { get; init; } = "normalised-heat";

    /// <summary>Its form.</summary>
    [AllowedValues("plain", "cosine", "log"), Description("plain; cosine: over the root of what both are to themselves; log: the logarithm of each number, centred")]
    public string Form { get; init; } = "log";

    /// <summary>How strong.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("place on the grid of strengths from 0 to 1; 0: of 0.3, 0.5, 0.7, 0.9 and 0.95 the one that the solver chooses from the known nodes")]
    public double Strength { get; init; }

    /// <summary>Words of nodes.</summary>
    [AllowedValues("none", "sum", "product"), Description("what the cosine of two nodes' words does to their nearness, where nodes have words")]
    public string Words { get; init; } = "sum";
}

/// <summary>Options of a kernel of the words of nodes.</summary>
public sealed record NodeWordsOptions : GramSolverOptions
{
    /// <summary>How much rare words count.</summary>
    [Description("words count by the logarithm of how rare they are")]
    public bool Rare { get; init; } = true;
}

/// <summary>
/// Classes of nodes by a kernel of how near they are (Kondor and Lafferty, Diffusion kernels on graphs, ICML 2002; Smola and Kondor, Kernels and regularization on graphs, COLT 2003), plain, as a cosine, or as a logarithm
/// (Ivashkin and Chebotarev, arXiv 1605.01046), alone or with the cosine of the words they have. Any solver answers from the matrix of the known nodes with all (<see cref="GramBundle"/>).
/// <para>A logarithm of nodes of different parts, which are not near at all, is one less than the least there is between others; what a logarithm has of negative eigenvalues is set to 0, and told. Strengths come from <see cref="NodeProximity"/>.</para>
/// <para>Cost of that, and of the solver for each strength; memory 8 · strengths · known · nodes bytes.</para>
/// </summary>
public sealed class NodeKernel(KernelSetup setup, NodeKernelOptions options) : INodeClassifier
{
    private static readonly double[] Grid = [0.3, 0.5, 0.7, 0.9, 0.95];

    /// <inheritdoc/>
    public Answers Classify(LabelledNodes nodes, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        if (nodes.Labels.Distinct().Count() == 1)
            return new Majority().Classify(nodes, cancellation);
        using var scope = NewDisposeScope();
        var graph = nodes.Graph;
        double[] strengths = [.. (options.Strength > 0 ? [options.Strength] : Grid).Select(g => NodeProximity.Strength(graph, options.Measure, g))];
        (Tensor, Tensor)? words = options.Words == "none" || graph.Words is null ? null : NodeWords.Similarities(nodes, rare: true);
        var bundles = NodeProximity.Of(graph, options.Measure, strengths, nodes.Known, cancellation).Select(found => Bundle(found.Rows, found.Diagonal, nodes, words)).ToList();
        return options.Answer(bundles, nodes.Labels, nodes.Classes, setup.Random, cancellation).ToOuterScope();
    }

    private GramBundle Bundle(Tensor rows, Tensor diagonal, LabelledNodes nodes, (Tensor Rows, Tensor Diagonal)? words)
    {
        using var scope = NewDisposeScope();
        var known = tensor([.. nodes.Known.Select(k => (long)k)]);
        if (options.Form == "cosine")
        {
            var size = diagonal.sqrt();
            (rows, diagonal) = (rows / size.index_select(0, known).unsqueeze(1) / size, ones_like(diagonal));
        }
        else if (options.Form == "log")
        {
            var log = rows.log();
            log = where(rows > 0, log, where(rows > 0, log, full_like(log, double.PositiveInfinity)).min() - 1);
            var means = log.mean([0]); // of the known with each
            var own = means.index_select(0, known);
            (rows, diagonal) = (log - own.unsqueeze(1) - means + own.mean(), diagonal.log() - means * 2 + own.mean());
        }
        if (words is var (w, d))
        {
            double size = diagonal.index_select(0, known).mean().item<double>();
            (rows, diagonal) = options.Words == "sum" ? (rows / size + w, diagonal / size + d) : (rows * w, diagonal * d);
        }
        return GramBundle.OfKnown(rows, diagonal, nodes.Known, $"{options.Form} {options.Measure}");
    }
}

/// <summary>Classes of nodes by their words alone: a kernel of cosines, and any solver. A node without edges is answered like others; one without words has nothing in common with any.</summary>
public sealed class NodeWords(KernelSetup setup, NodeWordsOptions options) : INodeClassifier
{
    /// <inheritdoc/>
    /// <exception cref="InputException">Nodes have no words.</exception>
    public Answers Classify(LabelledNodes nodes, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        if (nodes.Graph.Words is null)
            throw InputException.At("graph", "nodes without words", "the numbers of the words of each node", "Choose a method that needs edges alone, such as label-propagation or node-kernel.");
        if (nodes.Labels.Distinct().Count() == 1)
            return new Majority().Classify(nodes, cancellation).ToOuterScope();
        var (rows, diagonal) = Similarities(nodes, options.Rare);
        return options.Answer([GramBundle.OfKnown(rows, diagonal, nodes.Known, "words")], nodes.Labels, nodes.Classes, setup.Random, cancellation).ToOuterScope();
    }

    /// <summary>Cosines of the words of known nodes with those of all [known, n], and of each node with itself [n]: 1, of one without words, too.</summary>
    internal static (Tensor Rows, Tensor Diagonal) Similarities(LabelledNodes nodes, bool rare)
    {
        using var scope = NewDisposeScope();
        var words = nodes.Graph.Words!;
        int n = words.Count;
        var used = words.SelectMany(w => w).GroupBy(w => w).Index().ToDictionary(g => g.Item.Key, g => (Place: g.Index, Weight: rare ? Math.Log((double)n / g.Item.Count()) : 1));
        double[] values = new double[(long)n * Math.Max(1, used.Count)];
        for (int i = 0; i < n; i++)
            foreach (int word in words[i])
                values[(long)i * used.Count + used[word].Place] = used[word].Weight;
        var all = Cosine.Unit(Aligned.Of(values, n, Math.Max(1, used.Count)));
        var rows = all.index_select(0, tensor([.. nodes.Known.Select(k => (long)k)])).mm(all.t());
        foreach (var (i, known) in nodes.Known.Index())
            rows[i, known] = 1;
        return (rows.MoveToOuterDisposeScope(), ones(n, dtype: ScalarType.Float64).MoveToOuterDisposeScope());
    }
}
