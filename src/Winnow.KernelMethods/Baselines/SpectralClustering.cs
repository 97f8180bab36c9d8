using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>k-means on the unit rows of the first eigenvectors of D^-½ A D^-½ (Ng, Jordan and Weiss, NIPS 2001). Cost O(n³).</summary>
public sealed class SpectralClustering(KernelSetup setup) : IGraphClusterer
{
    /// <inheritdoc/>
    public Grouping Group(Graph graph, int groups, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(graph);
        using var scope = NewDisposeScope();
        var root = graph.Adjacency.sum(1).sqrt();
        var (_, vectors) = linalg.eigh(graph.Adjacency / root.unsqueeze(1) / root);
        var rows = Cosine.Unit(vectors.narrow(1, graph.Nodes - groups, groups));
        int[] labels = KernelClusters.Means(rows.mm(rows.t()).data<double>().ToArray(), graph.Nodes, groups, setup.Random("starts"));
        return new(labels, [labels]);
    }
}
