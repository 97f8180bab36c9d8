using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="GraphKernelMethod"/>.</summary>
public sealed record GraphKernelOptions : GramSolverOptions
{
    /// <summary>Support vector machines, unless told.</summary>
    public GraphKernelOptions() => Solver = "svm";

    /// <summary>The kernel.</summary>
    [AllowedValues("weisfeiler-lehman", "shortest-path", "vertex-histogram", "random-walk"), Description("what two graphs have in common: nodes with the same surroundings, pairs of nodes as far apart, nodes of the same label, or walks")]
    public string Kernel { get; init; } = "weisfeiler-lehman";

    /// <summary>Rounds.</summary>
    [Range(0, 20), Description("of weisfeiler-lehman: most rounds; the solver chooses among all numbers from 0 to this")]
    public int Rounds { get; init; } = 5;

    /// <summary>Longer walks.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true), Description("of random-walk: how much a step more may count, of the most with which all walks together are finite")]
    public double Share { get; init; } = 0.5;

    /// <summary>Sizes.</summary>
    [Description("similarities over the root of what both graphs have with themselves, so that size alone does not count")]
    public bool Normalised { get; init; } = true;
}

/// <summary>Classes of whole graphs by a kernel of what they have in common (<see cref="GraphKernels"/>) and any solver. Cost that of both; memory 8 · (rounds + 1) · graphs² bytes.</summary>
public sealed class GraphKernelMethod(KernelSetup setup, GraphKernelOptions options) : IGraphClassifier
{
    /// <inheritdoc/>
    public Answers Classify(LabelledGraphs graphs, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(graphs);
        cancellation.ThrowIfCancellationRequested();
        if (graphs.Labels.Distinct().Count() == 1)
            return new Majority().Classify(graphs, cancellation);
        using var scope = NewDisposeScope();
        IReadOnlyList<Tensor> grams = options.Kernel switch
        {
            "shortest-path" => [GraphKernels.ShortestPaths(graphs.Graphs)],
            "vertex-histogram" => [GraphKernels.VertexHistogram(graphs.Graphs)],
            "random-walk" => [GraphKernels.RandomWalks(graphs.Graphs, options.Share, cancellation)],
            _ => GraphKernels.WeisfeilerLehman(graphs.Graphs, options.Rounds),
        };
        var known = tensor([.. graphs.Known.Select(k => (long)k)]);
        var bundles = grams.Select(g => options.Normalised ? GraphKernels.Normalised(g) : g).Select(g => GramBundle.OfKnown(g.index_select(0, known), g.diagonal(), graphs.Known, options.Kernel)).ToList();
        return options.Answer(bundles, graphs.Labels, graphs.Classes, setup.Random, cancellation).ToOuterScope();
    }
}

/// <summary>Classes of whole graphs by how many nodes and edges they have, scaled by mean and deviation, and a support vector machine: what a kernel of graphs must beat.</summary>
public sealed class GraphCounts(KernelSetup setup, SvmOptions options) : IGraphClassifier
{
    /// <inheritdoc/>
    public Answers Classify(LabelledGraphs graphs, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(graphs);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        var counts = Aligned.Of([.. graphs.Graphs.SelectMany(g => (double[])[g.Labels.Count, g.Edges.Count])], graphs.Graphs.Count, 2);
        var known = counts.index_select(0, tensor([.. graphs.Known.Select(k => (long)k)]));
        var (mean, deviation) = (known.mean([0]), (known - known.mean([0])).square().mean([0]).sqrt());
        Tensor Scaled(Tensor x) => (x - mean) / deviation.clamp_min(1e-9);
        if (graphs.Labels.Distinct().Count() == 1)
            return new Majority().Classify(graphs, cancellation).ToOuterScope();
        using var fitted = new SupportVectorMachine(setup, options).Fit(new(Scaled(known), graphs.Labels, graphs.Classes), cancellation);
        return new Answers(fitted.Scores(Scaled(counts)), fitted.Report).ToOuterScope();
    }
}
