using System.Numerics.Tensors;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Winnow.KernelMethods;

/// <summary>
/// How near the nodes of a graph are to each other. With A the weights, D the degrees, L = D − A, P = D⁻¹A and ρ the largest eigenvalue of A. All are functions of one symmetric matrix and cost one
/// eigendecomposition, O(n³). Results are float64 [n, n]; the current dispose scope owns them.
/// </summary>
public static class Proximity
{
    private const double Gone = 1e-10;

    /// <summary>The measures with a strength.</summary>
    public static IReadOnlyList<string> Measures { get; } = ["walk", "forest", "communicability", "heat", "normalised-heat", "pagerank", "modified-pagerank", "heat-pagerank"];

    /// <summary>
    /// A measure: walk (I − tA)⁻¹, forest (I + tL)⁻¹, communicability exp(tA), heat exp(−tL), normalised-heat exp(−t D^-½ L D^-½), pagerank (I − tP)⁻¹, modified-pagerank (D − tA)⁻¹, heat-pagerank exp(−t(I − P)).
    /// </summary>
    /// <param name="graph">The graph.</param>
    /// <param name="measure">One of <see cref="Measures"/>.</param>
    /// <param name="t">The strength, above 0; of walks below 1/ρ, of the two page ranks below 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A strength at which the series diverges, or no such measure.</exception>
    public static Tensor Of(Graph graph, string measure, double t)
    {
        ArgumentNullException.ThrowIfNull(graph);
        using var scope = NewDisposeScope();
        var a = graph.Adjacency;
        var degree = a.sum(1);
        var root = degree.sqrt();
        double most = measure switch { "walk" => 1 / Radius(graph), "pagerank" or "modified-pagerank" => 1, _ => double.PositiveInfinity };
        if (!(t > 0 && t < most))
            throw new ArgumentOutOfRangeException(nameof(t), t, FormattableString.Invariant($"expected above 0 and below {most}, where the series of {measure} ends"));
        var laplacian = degree.diag() - a;
        Tensor Between() => a / root.unsqueeze(1) / root;
        return (measure switch
        {
            "walk" => Function(a, v => 1 / (1 - t * v)),
            "forest" => Function(laplacian, v => 1 / (1 + t * v)),
            "communicability" => Function(a, v => Math.Exp(t * v)),
            "heat" => Function(laplacian, v => Math.Exp(-t * v)),
            "normalised-heat" => Function(Between(), v => Math.Exp(t * (v - 1))),
            "pagerank" => Function(Between(), v => 1 / (1 - t * v)) / root.unsqueeze(1) * root,
            "modified-pagerank" => Function(Between(), v => 1 / (1 - t * v)) / root.unsqueeze(1) / root,
            "heat-pagerank" => Function(Between(), v => Math.Exp(t * (v - 1))) / root.unsqueeze(1) * root,
            _ => throw new ArgumentOutOfRangeException(nameof(measure), measure, $"expected {string.Join(", ", Measures)}"),
        }).MoveToOuterDisposeScope();
    }

    /// <summary>The strength of a measure at a place from 0 to 1 of a grid that is the same for all: g/ρ of walks, g of page ranks, g / (2(1 − g)) of the others.</summary>
    public static double Strength(Graph graph, string measure, double g)
    {
        ArgumentNullException.ThrowIfNull(graph);
        return g > 0 && g < 1 ? measure switch { "walk" => g / Radius(graph), "pagerank" or "modified-pagerank" => g, _ => g / (1 - g) / 2 }
            : throw new ArgumentOutOfRangeException(nameof(g), g, "expected between 0 and 1");
    }

    /// <summary>ρ, the largest eigenvalue of the weights.</summary>
    public static double Radius(Graph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        using var scope = NewDisposeScope();
        return linalg.eigvalsh(graph.Adjacency)[-1].item<double>();
    }

    /// <summary>The logarithm, number by number; null where one is not above 0.</summary>
    public static Tensor? Log(Tensor k)
    {
        ArgumentNullException.ThrowIfNull(k);
        using var scope = NewDisposeScope();
        return k.min().item<double>() > 0 ? k.log().MoveToOuterDisposeScope() : null;
    }

    /// <summary>1 / (1 + exp(−α K / σ)), σ the deviation of all numbers of K.</summary>
    public static Tensor Sigmoid(Tensor k, double alpha)
    {
        ArgumentNullException.ThrowIfNull(k);
        using var scope = NewDisposeScope();
        return (k * (alpha / (k - k.mean()).square().mean().sqrt().item<double>())).sigmoid().MoveToOuterDisposeScope();
    }

    /// <summary><c>(K_ii + K_jj − K_ij − K_ji) / 2</c>.</summary>
    public static Tensor Distance(Tensor k)
    {
        ArgumentNullException.ThrowIfNull(k);
        using var scope = NewDisposeScope();
        var own = k.diagonal();
        return ((own.unsqueeze(1) + own - k - k.t()) / 2).MoveToOuterDisposeScope();
    }

    /// <summary><c>−H D H / 2</c>, H = I − 1/n: the products of what has these squared distances; those of <see cref="Distance"/> are half as large.</summary>
    public static Tensor FromDistance(Tensor d)
    {
        ArgumentNullException.ThrowIfNull(d);
        using var scope = NewDisposeScope();
        return ((d - d.mean([0], keepdim: true) - d.mean([1], keepdim: true) + d.mean()) / -2).MoveToOuterDisposeScope();
    }

    /// <summary>The pseudo-inverse of L.</summary>
    public static Tensor CommuteTime(Graph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        using var scope = NewDisposeScope();
        double most = graph.Adjacency.sum(1).max().item<double>();
        return Function(graph.Adjacency.sum(1).diag() - graph.Adjacency, v => v > Gone * most ? 1 / v : 0).MoveToOuterDisposeScope();
    }

    /// <summary>Mean steps of a walk at random there and back: <c>Σd · (L⁺_ii + L⁺_jj − 2 L⁺_ij)</c>.</summary>
    public static Tensor CommuteDistance(Graph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        using var scope = NewDisposeScope();
        return (Distance(CommuteTime(graph)) * (2 * graph.Adjacency.sum().item<double>())).MoveToOuterDisposeScope();
    }

    /// <summary>The least sum of costs 1/A_ij along edges (Floyd 1962). Cost O(n³).</summary>
    public static Tensor ShortestPath(Graph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        int n = graph.Nodes;
        double[] d = [.. graph.Adjacency.data<double>().ToArray().Select((a, i) => i / n == i % n ? 0 : 1 / a)], by = new double[n];
        for (int k = 0; k < n; k++)
            for (int i = 0; i < n; i++)
            {
                var row = d.AsSpan(i * n, n);
                TensorPrimitives.Add(d.AsSpan(k * n, n), row[k], by);
                TensorPrimitives.Min<double>(row, by, row);
            }
        return Aligned.Of(d, n, n);
    }

    /// <summary>The distances that are no kernel's own.</summary>
    public static IReadOnlyList<string> Distances { get; } = ["shortest-path", "commute", "corrected-commute", "randomised-shortest-path", "free-energy"];

    /// <summary>
    /// Distances at a place from 0 to 1 of the grid: shortest-path and commute, which have no strength; corrected-commute, those of the kernel; and randomised-shortest-path and free-energy with β = (1 − g) / g.
    /// </summary>
    /// <param name="graph">The graph.</param>
    /// <param name="measure">One of <see cref="Distances"/>.</param>
    /// <param name="g">The place.</param>
    /// <exception cref="ArgumentOutOfRangeException">No such measure, or no place between 0 and 1.</exception>
    public static Tensor DistanceOf(Graph graph, string measure, double g)
    {
        ArgumentNullException.ThrowIfNull(graph);
        if (!(g > 0 && g < 1))
            throw new ArgumentOutOfRangeException(nameof(g), g, "expected between 0 and 1");
        using var scope = NewDisposeScope();
        return (measure switch
        {
            "shortest-path" => ShortestPath(graph),
            "commute" => CommuteDistance(graph),
            "corrected-commute" => Distance(CorrectedCommuteTime(graph)),
            "randomised-shortest-path" => Randomised(graph, (1 - g) / g).Cost,
            "free-energy" => Randomised(graph, (1 - g) / g).FreeEnergy,
            _ => throw new ArgumentOutOfRangeException(nameof(measure), measure, $"expected {string.Join(", ", Distances)}"),
        }).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// How distances tell pairs of a group from pairs of two: for each percent of the pairs of a group, the share of the other pairs that are no further apart than the furthest of these. Cost O(n² log n).
    /// </summary>
    /// <param name="d">Distances, float64 [n, n].</param>
    /// <param name="labels">The group of each.</param>
    /// <returns>100 shares, of 1% to 100%; empty where all pairs are of one kind.</returns>
    public static double[] RejectCurve(Tensor d, IReadOnlyList<int> labels)
    {
        ArgumentNullException.ThrowIfNull(d);
        ArgumentNullException.ThrowIfNull(labels);
        int n = labels.Count;
        double[] all = d.contiguous().data<double>().ToArray();
        var pairs = (from i in Enumerable.Range(0, n) from j in Enumerable.Range(i + 1, n - i - 1) select (Distance: all[i * n + j], Within: labels[i] == labels[j])).ToLookup(p => p.Within, p => p.Distance);
        double[] within = [.. pairs[true].Order()], across = [.. pairs[false].Order()];
        return within.Length == 0 || across.Length == 0 ? [] : [.. Enumerable.Range(1, 100).Select(percent => within[(int)Math.Ceiling(percent / 100.0 * within.Length) - 1]).Select(most => Count(across, most) / (double)across.Length)];

        static int Count(double[] sorted, double most)
        {
            int low = 0, high = sorted.Length;
            while (low < high)
                (low, high) = sorted[(low + high) / 2] <= most ? ((low + high) / 2 + 1, high) : (low, (low + high) / 2);
            return low;
        }
    }

    /// <summary>Commute times without what degrees alone make of them: <c>H D^-½ M (I − M)⁺ M D^-½ H</c>, M = D^-½ (A − d dᵀ / Σd) D^-½ (von Luxburg, Radl and Hein 2014).</summary>
    public static Tensor CorrectedCommuteTime(Graph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        using var scope = NewDisposeScope();
        var degree = graph.Adjacency.sum(1);
        var root = degree.sqrt();
        var m = (graph.Adjacency - degree.outer(degree) / degree.sum()) / root.unsqueeze(1) / root;
        return Centred(Function(m, v => Math.Abs(1 - v) > Gone ? v * v / (1 - v) : 0) / root.unsqueeze(1) / root).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Distances of walks that are drawn to short ways (Kivimäki, Shimbo and Saerens 2014): with costs 1/A_ij, W = P ∘ exp(−βC) and Z = (I − W)⁻¹, the mean cost (Z (C ∘ W) Z) / Z less its diagonal, and the free energy
    /// −ln(Z / Z_jj) / β; both made symmetric by the mean, with zeros on the diagonal.
    /// </summary>
    /// <param name="graph">The graph.</param>
    /// <param name="beta">β, above 0: 0 walks at random, ∞ by the shortest way.</param>
    public static (Tensor Cost, Tensor FreeEnergy) Randomised(Graph graph, double beta)
    {
        ArgumentNullException.ThrowIfNull(graph);
        Rbf.Positive(beta, nameof(beta));
        using var scope = NewDisposeScope();
        var a = graph.Adjacency;
        var cost = where(a > 0, 1 / a, zeros_like(a));
        var w = a / a.sum(1, keepdim: true) * (cost * -beta).exp();
        var z = linalg.inv(eye(graph.Nodes, dtype: ScalarType.Float64) - w);
        var s = z.mm(cost * w).mm(z) / z;
        var c = s - s.diagonal();
        var f = (z / z.diagonal()).log() / -beta;
        return (Even(c).MoveToOuterDisposeScope(), Even(f).MoveToOuterDisposeScope());

        static Tensor Even(Tensor d)
        {
            var even = (d + d.t()) / 2;
            even.diagonal().fill_(0);
            return even;
        }
    }

    private static Tensor Centred(Tensor k) => k - k.mean([0], keepdim: true) - k.mean([1], keepdim: true) + k.mean();

    /// <summary>A function of a symmetric matrix: of its eigenvalues.</summary>
    private static Tensor Function(Tensor symmetric, Func<double, double> f)
    {
        var (values, vectors) = linalg.eigh(symmetric);
        var turned = Aligned.Of([.. values.data<double>().ToArray().Select(f)], values.shape[0]);
        return Products.Symmetric((vectors * turned).mm(vectors.t()));
    }
}
