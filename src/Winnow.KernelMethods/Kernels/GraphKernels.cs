using System.Runtime.InteropServices;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Similarities of whole graphs whose nodes have labels: symmetric float64 [graphs, graphs], without negative eigenvalues. The current dispose scope owns them. What nodes are called does not matter.</summary>
public static class GraphKernels
{
    private const double Tolerance = 1e-12;

    /// <summary>Products of how often nodes have each label. Cost O(nodes).</summary>
    public static Tensor VertexHistogram(IReadOnlyList<TuGraph> graphs) => WeisfeilerLehman(graphs, 0)[0];

    /// <summary>
    /// Products of how often nodes have each label, in all rounds together: after a round a node's label is its own and those of its neighbours, whatever their order (Shervashidze, Schweitzer, van Leeuwen, Mehlhorn and Borgwardt,
    /// Weisfeiler-Lehman graph kernels, JMLR 12, 2011). Cost O(rounds · edges), and a product of counts.
    /// </summary>
    /// <param name="graphs">Graphs.</param>
    /// <param name="rounds">Rounds, 0 or more.</param>
    /// <returns>A matrix for each number of rounds from 0.</returns>
    public static IReadOnlyList<Tensor> WeisfeilerLehman(IReadOnlyList<TuGraph> graphs, int rounds)
    {
        ArgumentNullException.ThrowIfNull(graphs);
        ArgumentOutOfRangeException.ThrowIfNegative(rounds);
        using var scope = NewDisposeScope();
        var neighbours = graphs.Select(Neighbours).ToList();
        int[][] labels = [.. graphs.Select(g => g.Labels.ToArray())];
        var sum = zeros(graphs.Count, graphs.Count, dtype: ScalarType.Float64);
        var found = new List<Tensor>();
        for (int round = 0; round <= rounds; round++)
        {
            if (round > 0)
            {
                var names = new Dictionary<string, int>(StringComparer.Ordinal);
                labels = [.. labels.Select((own, g) => own.Select((label, node) =>
                {
                    string name = $"{label}:{string.Join(',', neighbours[g][node].Select(j => own[j]).Order())}";
                    return names.TryGetValue(name, out int number) ? number : names[name] = names.Count;
                }).ToArray())];
            }
            sum = sum + Products([.. labels.Select(own => own.CountBy(l => (long)l).ToDictionary())]);
            found.Add(sum);
        }
        return [.. found.Select(f => f.MoveToOuterDisposeScope())];
    }

    /// <summary>Products of how often two nodes of two labels are so many steps apart (Borgwardt and Kriegel, Shortest-path kernels on graphs, ICDM 2005); nodes that no way joins are left out. Cost O(nodes · edges) a graph.</summary>
    public static Tensor ShortestPaths(IReadOnlyList<TuGraph> graphs)
    {
        ArgumentNullException.ThrowIfNull(graphs);
        var keys = new Dictionary<(int, int, int), long>();
        return Products([.. graphs.Select(graph =>
        {
            var (neighbours, counts) = (Neighbours(graph), new Dictionary<long, int>());
            int n = graph.Labels.Count;
            int[] far = new int[n];
            var open = new Queue<int>();
            for (int start = 0; start < n; start++)
            {
                Array.Fill(far, -1);
                far[start] = 0;
                open.Enqueue(start);
                while (open.TryDequeue(out int node))
                {
                    if (node > start)
                    {
                        int a = graph.Labels[start], b = graph.Labels[node];
                        var key = (Math.Min(a, b), Math.Max(a, b), far[node]);
                        if (!keys.TryGetValue(key, out long number))
                            keys[key] = number = keys.Count;
                        CollectionsMarshal.GetValueRefOrAddDefault(counts, number, out _)++;
                    }
                    foreach (int next in neighbours[node])
                        if (far[next] < 0)
                        {
                            far[next] = far[node] + 1;
                            open.Enqueue(next);
                        }
                }
            }
            return counts;
        })]);
    }

    /// <summary>
    /// Pairs of walks of the same labels, one in each graph, longer ones counting less: <c>1ᵀ (I − λ A×)⁻¹ 1</c> of the product graph, λ = share / (largest degree)² (Gärtner, Flach and Wrobel, On graph kernels, COLT 2003).
    /// Cost O(turns · degree · nodes²) a pair of graphs, turns about 28 / −log(share).
    /// </summary>
    /// <param name="graphs">Graphs.</param>
    /// <param name="share">How much walks of a step more may count, between 0 and 1, of the most with which the sum is finite.</param>
    /// <param name="cancellation">Stops.</param>
    public static Tensor RandomWalks(IReadOnlyList<TuGraph> graphs, double share, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(graphs);
        if (!(share > 0 && share < 1))
            throw new ArgumentOutOfRangeException(nameof(share), share, "expected between 0 and 1");
        var neighbours = graphs.Select(Neighbours).ToList();
        int degree = Math.Max(1, neighbours.Max(g => g.Max(n => n.Length)));
        double lambda = share / ((double)degree * degree);
        double[] gram = new double[graphs.Count * graphs.Count];
        Parallel.For(0, graphs.Count, new() { MaxDegreeOfParallelism = get_num_threads(), CancellationToken = cancellation }, i =>
        {
            for (int j = i; j < graphs.Count; j++)
            {
                cancellation.ThrowIfCancellationRequested();
                gram[i * graphs.Count + j] = gram[j * graphs.Count + i] = Pair(i, j);
            }
        });
        return Aligned.Of(gram, graphs.Count, graphs.Count);

        double Pair(int i, int j)
        {
            var (a, b) = (graphs[i].Labels, graphs[j].Labels);
            double[] x = new double[a.Count * b.Count], half = new double[x.Length], next = new double[x.Length];
            for (int p = 0; p < a.Count; p++)
                for (int q = 0; q < b.Count; q++)
                    x[p * b.Count + q] = a[p] == b[q] ? 1 : 0;
            double[] match = [.. x];
            double sum = x.Sum(), added = sum;
            // terms λᵏ A×ᵏ 1, each from the last, along the edges of one graph and then of the other
            while (added > Tolerance * sum)
            {
                for (int p = 0; p < a.Count; p++)
                    for (int q = 0; q < b.Count; q++)
                    {
                        double s = 0;
                        foreach (int r in neighbours[j][q])
                            s += x[p * b.Count + r];
                        half[p * b.Count + q] = s;
                    }
                added = 0;
                for (int p = 0; p < a.Count; p++)
                    for (int q = 0; q < b.Count; q++)
                    {
                        double s = 0;
                        if (match[p * b.Count + q] > 0)
                            foreach (int r in neighbours[i][p])
                                s += half[r * b.Count + q];
                        added += next[p * b.Count + q] = lambda * s;
                    }
                sum += added;
                (x, next) = (next, x);
            }
            return sum;
        }
    }

    /// <summary>Each similarity over the root of what both have with themselves; of a graph that has none with itself, 0 with others and 1 with itself.</summary>
    public static Tensor Normalised(Tensor gram)
    {
        ArgumentNullException.ThrowIfNull(gram);
        using var scope = NewDisposeScope();
        var size = gram.diagonal().sqrt().clamp_min(double.Epsilon);
        var unit = gram / size.unsqueeze(1) / size;
        unit.diagonal().fill_(1);
        return unit.MoveToOuterDisposeScope();
    }

    internal static int[][] Neighbours(TuGraph graph)
    {
        var lists = graph.Labels.Select(_ => new List<int>()).ToArray();
        foreach (var (from, to) in graph.Edges)
        {
            lists[from].Add(to);
            lists[to].Add(from);
        }
        return [.. lists.Select(l => l.ToArray())];
    }

    /// <summary>Products of counts, kind by kind.</summary>
    private static Tensor Products(IReadOnlyList<Dictionary<long, int>> counts)
    {
        int n = counts.Count;
        double[] gram = new double[n * n];
        foreach (var kind in counts.SelectMany((of, graph) => of.Select(c => (c.Key, Graph: graph, Count: (double)c.Value))).GroupBy(c => c.Key))
        {
            var there = kind.ToArray();
            foreach (var (_, i, a) in there)
                foreach (var (_, j, b) in there)
                    gram[i * n + j] += a * b;
        }
        return Aligned.Of(gram, n, n);
    }
}
