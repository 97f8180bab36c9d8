using System.Numerics.Tensors;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Winnow.KernelMethods;

/// <summary>
/// The measures of <see cref="Proximity"/> on graphs of any number of parts and of some thousand nodes, for several strengths at once: how near some nodes are to all, and each node to itself. All are series
/// <c>Σ c_k Sᵏ</c> of one sparse matrix without negative numbers, so that no digit is lost however far two nodes are apart, which the logarithm needs; but for forest, <c>(I + tL)⁻¹ = Xᵀ X</c> with the inverse factor X of each part, which
/// has none, either. Between parts it is 0.
/// Cost O(terms · edges · n), terms about the graph's diameter and 350; of forest O(n³) a strength. Memory 8 · strengths · some · n bytes.
/// </summary>
internal static class NodeProximity
{
    private const double Tail = 1e-16;
    private const int Columns = 128, MostTerms = 100_000, MostTurns = 1000;

    /// <summary>Symmetric nearness of some nodes to all [some, n] and of each to itself [n], for each strength; page ranks are the mean of both ways.</summary>
    public static List<(Tensor Rows, Tensor Diagonal)> Of(NodeGraph graph, string measure, IReadOnlyList<double> strengths, IReadOnlyList<int> some, CancellationToken cancellation)
    {
        if (!Proximity.Measures.Contains(measure))
            throw new ArgumentOutOfRangeException(nameof(measure), measure, $"expected {string.Join(", ", Proximity.Measures)}");
        using var scope = NewDisposeScope();
        double most = measure switch { "walk" => 1 / Radius(graph), "pagerank" or "modified-pagerank" => 1, _ => double.PositiveInfinity };
        if (strengths.FirstOrDefault(t => !(t > 0 && t < most), double.NaN) is var bad && !double.IsNaN(bad))
            throw new ArgumentOutOfRangeException(nameof(strengths), bad, FormattableString.Invariant($"expected above 0 and below {most}, where the series of {measure} ends"));
        var found = measure == "forest" ? Forest(graph, strengths, some, cancellation) : Series(graph, measure, strengths, some, cancellation);
        return [.. found.Select(f => (f.Rows.MoveToOuterDisposeScope(), f.Diagonal.MoveToOuterDisposeScope()))];
    }

    /// <summary>The strength at a place from 0 to 1, as <see cref="Proximity.Strength"/>.</summary>
    public static double Strength(NodeGraph graph, string measure, double g) => measure switch { "walk" => g / Radius(graph), "pagerank" or "modified-pagerank" => g, _ => g / (1 - g) / 2 };

    /// <summary>The largest eigenvalue of the weights, by power iteration on A + I; 1 of a graph without edges.</summary>
    public static double Radius(NodeGraph graph)
    {
        double[] x = new double[graph.Nodes], y = new double[graph.Nodes], ones = Ones(graph.Nodes);
        Array.Fill(x, 1 / Math.Sqrt(graph.Nodes));
        double radius = 1;
        for (int turn = 0; turn < MostTurns; turn++)
        {
            graph.Multiply(x, y, 1, ones, ones);
            double last = radius;
            radius = TensorPrimitives.Norm<double>(y);
            TensorPrimitives.Divide(y, radius, x);
            if (Math.Abs(radius - last) < 1e-12 * radius)
                break;
        }
        return radius - 1 > 0 ? radius - 1 : 1;
    }

    private static double[] Ones(int n) => [.. Enumerable.Repeat(1.0, n)];

    private static List<(Tensor Rows, Tensor Diagonal)> Series(NodeGraph graph, string measure, IReadOnlyList<double> strengths, IReadOnlyList<int> some, CancellationToken cancellation)
    {
        int n = graph.Nodes;
        double[] root = [.. graph.Degrees.Select(d => d > 0 ? 1 / Math.Sqrt(d) : 1)], scale;
        double[]? own = null;
        double size = 1;
        switch (measure)
        {
            case "walk" or "communicability":
                size = Radius(graph);
                scale = [.. Enumerable.Repeat(1 / Math.Sqrt(size), n)];
                break;
            case "heat": // exp(−tL) = exp(−tc) exp(tc · (cI − L) / c), c the largest degree
                size = Math.Max(graph.Degrees.Max(), double.Epsilon);
                scale = [.. Enumerable.Repeat(1 / Math.Sqrt(size), n)];
                own = [.. graph.Degrees.Select(d => 1 - d / size)];
                break;
            default:
                scale = root;
                break;
        }
        double[][] coefficients = [.. strengths.Select(t => Coefficients(measure, t * size, Reach(graph)))];
        int terms = coefficients.Max(c => c.Length);
        double[][] rows = [.. strengths.Select(_ => new double[some.Count * n])], diagonals = [.. strengths.Select(_ => new double[n])];
        Parallel.For(0, (n + Columns - 1) / Columns, new() { MaxDegreeOfParallelism = get_num_threads(), CancellationToken = cancellation }, block =>
        {
            int first = block * Columns, count = Math.Min(Columns, n - first);
            double[] x = new double[n * count], y = new double[n * count];
            for (int c = 0; c < count; c++)
                x[(first + c) * count + c] = 1;
            for (int k = 0; k < terms; k++)
            {
                cancellation.ThrowIfCancellationRequested();
                for (int s = 0; s < strengths.Count; s++)
                {
                    double weight = k < coefficients[s].Length ? coefficients[s][k] : 0;
                    if (weight == 0)
                        continue;
                    for (int c = 0; c < count; c++)
                        diagonals[s][first + c] += weight * x[(first + c) * count + c];
                    for (int i = 0; i < some.Count; i++)
                    {
                        var to = rows[s].AsSpan(i * n + first, count);
                        TensorPrimitives.MultiplyAdd(x.AsSpan(some[i] * count, count), weight, to, to);
                    }
                }
                graph.Multiply(x, y, count, scale, own);
                (x, y) = (y, x);
            }
        });
        for (int s = 0; s < strengths.Count && measure is "pagerank" or "modified-pagerank" or "heat-pagerank"; s++)
            for (int i = 0; i < some.Count; i++)
                for (int j = 0; j < n; j++)
                {
                    double ratio = root[some[i]] / root[j];
                    rows[s][i * n + j] *= measure == "modified-pagerank" ? root[some[i]] * root[j] : (ratio + 1 / ratio) / 2;
                }
        if (measure == "modified-pagerank")
            foreach (double[] diagonal in diagonals)
                for (int j = 0; j < n; j++)
                    diagonal[j] *= root[j] * root[j];
        return [.. rows.Zip(diagonals, (r, d) => (Aligned.Of(r, some.Count, n), Aligned.Of(d, n)))];
    }

    /// <summary>c_k until no more of them count: of a series of powers tᵏ, or of an exponential tᵏ / k!, that of heat less its size.</summary>
    private static double[] Coefficients(string measure, double t, int reach)
    {
        var all = new List<double>();
        double shift = measure is "communicability" ? 0 : t, logarithm = -shift;
        if (measure is "walk" or "pagerank" or "modified-pagerank")
            return [.. Enumerable.Range(0, Math.Min(MostTerms, reach + 1 + (int)Math.Ceiling(Math.Log(Tail * (1 - t)) / Math.Log(t)))).Select(k => Math.Pow(t, k))];
        double largest = double.NegativeInfinity;
        for (int k = 0, past = 0; past <= reach && k < MostTerms; k++)
        {
            all.Add(Math.Exp(logarithm));
            largest = Math.Max(largest, logarithm);
            past += k > t && logarithm < largest + Math.Log(Tail) ? 1 : 0;
            logarithm += Math.Log(t) - Math.Log(k + 1);
        }
        return [.. all];
    }

    /// <summary>More steps than any two nodes of a part are apart: twice the most from one of each part.</summary>
    private static int Reach(NodeGraph graph)
    {
        int[] far = [.. Enumerable.Repeat(-1, graph.Nodes)];
        int most = 0;
        var open = new Queue<int>();
        for (int start = 0; start < graph.Nodes; start++)
        {
            if (far[start] >= 0)
                continue;
            far[start] = 0;
            open.Enqueue(start);
            while (open.TryDequeue(out int node))
            {
                most = Math.Max(most, far[node]);
                foreach (int next in graph.Neighbours(node))
                    if (far[next] < 0)
                    {
                        far[next] = far[node] + 1;
                        open.Enqueue(next);
                    }
            }
        }
        return 2 * most;
    }

    private static List<(Tensor Rows, Tensor Diagonal)> Forest(NodeGraph graph, IReadOnlyList<double> strengths, IReadOnlyList<int> some, CancellationToken cancellation)
    {
        var found = strengths.Select(_ => (Rows: zeros(some.Count, graph.Nodes, dtype: ScalarType.Float64), Diagonal: ones(graph.Nodes, dtype: ScalarType.Float64))).ToList();
        foreach (var part in Enumerable.Range(0, graph.Nodes).GroupBy(i => graph.Part[i]))
        {
            int[] nodes = [.. part];
            var place = nodes.Index().ToDictionary(p => p.Item, p => p.Index);
            int[] own = [.. Enumerable.Range(0, some.Count).Where(i => place.ContainsKey(some[i]))];
            double[] laplacian = new double[(long)nodes.Length * nodes.Length];
            foreach (var (i, node) in nodes.Index())
            {
                laplacian[(long)i * nodes.Length + i] = graph.Degrees[node];
                var ends = graph.Neighbours(node);
                var weights = graph.Weights(node);
                for (int e = 0; e < ends.Length; e++)
                    laplacian[(long)i * nodes.Length + place[ends[e]]] = -weights[e];
            }
            var (l, columns) = (Aligned.Of(laplacian, nodes.Length, nodes.Length), tensor([.. nodes.Select(i => (long)i)]));
            for (int s = 0; s < strengths.Count; s++)
            {
                cancellation.ThrowIfCancellationRequested();
                using var one = NewDisposeScope();
                var identity = eye(nodes.Length, dtype: ScalarType.Float64);
                var x = linalg.solve_triangular(linalg.cholesky(identity + l * strengths[s]), identity, upper: false);
                found[s].Diagonal.index_copy_(0, columns, x.square().sum([0]));
                if (own.Length > 0)
                {
                    var near = x.index_select(1, tensor([.. own.Select(i => (long)place[some[i]])])).t().mm(x);
                    for (int i = 0; i < own.Length; i++)
                        found[s].Rows[own[i]].index_copy_(0, columns, near[i]);
                }
            }
        }
        return found;
    }
}
