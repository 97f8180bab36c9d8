using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>k-means on the unit rows of the first eigenvectors of D^-½ A D^-½ (Ng, Jordan and Weiss, NIPS 2001). Cost O(n³).</summary>
public sealed class SpectralClustering(KernelSetup setup) : IGraphClusterer
{
    /// <inheritdoc/>
    public Grouping Group(Graph graph, int groups, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(graph);
        int[] labels = Labels(graph.Adjacency, groups, setup.Random("starts"));
        return new(labels, [labels]);
    }

    /// <summary>The group of each node.</summary>
    /// <param name="adjacency">Weights [n, n], symmetric, not below 0; a node without any stands for itself.</param>
    /// <param name="groups">How many.</param>
    /// <param name="random">Draws starts of k-means.</param>
    /// <param name="starts">How many.</param>
    internal static int[] Labels(Tensor adjacency, int groups, SeededRandom random, int starts = 10)
    {
        using var scope = NewDisposeScope();
        int n = (int)adjacency.shape[0];
        var root = adjacency.sum(1).clamp_min(double.Epsilon).sqrt();
        var (_, vectors) = linalg.eigh(adjacency / root.unsqueeze(1) / root);
        var rows = Cosine.Unit(vectors.narrow(1, n - groups, groups));
        return KernelClusters.Means(rows.mm(rows.t()).data<double>().ToArray(), n, groups, random, starts);
    }
}
