using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>How far labels are from each other: by steps in a tree or graph, or by vectors that stand for them. Immutable.</summary>
public sealed class LabelMetric : IDisposable
{
    private const int MostLabels = 10_000;
    private const double Tie = 1e-9;
    private readonly double[] _squared;

    private LabelMetric(double[] squared, int labels, IReadOnlyList<string>? names, bool hops)
    {
        (_squared, Labels, Hops) = (squared, labels, hops);
        Names = names ?? [.. Enumerable.Range(0, labels).Select(i => i.ToString(System.Globalization.CultureInfo.InvariantCulture))];
        using var scope = NewDisposeScope();
        Squared = Aligned.Of(squared, labels, labels).DetachFromDisposeScope();
    }

    /// <summary>A metric by its squared distances.</summary>
    /// <param name="squared">Float64 [V, V], symmetric, not below 0, zero on the diagonal; copied.</param>
    /// <param name="names">A name a label; null for their numbers.</param>
    /// <exception cref="InputException">Not such a matrix, with the place.</exception>
    public static LabelMetric Of(Tensor squared, IReadOnlyList<string>? names = null)
    {
        ArgumentNullException.ThrowIfNull(squared);
        if (squared.dim() != 2 || squared.shape[0] != squared.shape[1] || squared.shape[0] == 0 || squared.dtype != ScalarType.Float64)
            throw InputException.At("label distances", $"{squared.dtype} [{string.Join(", ", squared.shape)}]", "float64 [labels, labels]", "Give a square matrix of squared distances.");
        Finite.Require(squared, "label distances");
        using var scope = NewDisposeScope();
        int n = (int)squared.shape[0];
        double[] d = squared.contiguous().data<double>().ToArray();
        for (int i = 0; i < n; i++)
            for (int j = 0; j <= i; j++)
                if (d[i * n + j] < 0 || d[i * n + j] != d[j * n + i] || i == j && d[i * n + j] != 0)
                    throw InputException.At("label distances", FormattableString.Invariant($"{d[i * n + j]} from label {i} to {j}, {d[j * n + i]} back"), i == j ? "0 of a label from itself" : "the same both ways, not below 0", "Give the squared distances of a metric.");
        return new(d, n, names, hops: false);
    }

    /// <summary>Distances of vectors that stand for labels, such as embeddings of their names: the squared Euclidean one, or 1 − cosine squared. Distances of vectors are squared once.</summary>
    /// <param name="vectors">Float64 [V, e].</param>
    /// <param name="cosine">Whether the distance is 1 − cosine.</param>
    /// <param name="names">A name a label; null for their numbers.</param>
    public static LabelMetric OfVectors(Tensor vectors, bool cosine = false, IReadOnlyList<string>? names = null)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        using var scope = NewDisposeScope();
        Finite.Require(vectors, "label vectors");
        var unit = cosine ? Cosine.Unit(vectors) : vectors;
        var d = cosine ? (1 - unit.mm(unit.t())).clamp_min(0).square() : Products.SquaredDistances(vectors, vectors);
        d = Products.Symmetric(d.clamp_min(0));
        d.diagonal().zero_();
        return Of(d, names);
    }

    /// <summary>Steps between the labels of a tree or graph, each edge one step: breadth-first search from each label. Cost O(V (V + E)).</summary>
    /// <param name="labels">V.</param>
    /// <param name="edges">From and to, in any order.</param>
    /// <param name="names">A name a label; null for their numbers.</param>
    /// <exception cref="InputException">An edge to no label, or labels without a way between them: the parts are named.</exception>
    public static LabelMetric OfEdges(int labels, IEnumerable<(int From, int To)> edges, IReadOnlyList<string>? names = null)
    {
        ArgumentNullException.ThrowIfNull(edges);
        if (labels is < 1 or > MostLabels)
            throw InputException.At("labels", $"{labels:N0}", $"1 to {MostLabels:N0}", "Take a part of the hierarchy.");
        string Name(int label) => names is null ? $"{label}" : $"'{names[label]}'";
        var near = new List<int>[labels];
        for (int i = 0; i < labels; i++)
            near[i] = [];
        foreach (var (from, to) in edges)
        {
            if ((uint)from >= (uint)labels || (uint)to >= (uint)labels)
                throw InputException.At("edges", $"one from {from} to {to}", $"labels from 0 to {labels - 1}", "Number the labels from 0.");
            near[from].Add(to);
            near[to].Add(from);
        }
        double[] squared = new double[(long)labels * labels];
        int[] steps = new int[labels];
        var open = new Queue<int>();
        for (int start = 0; start < labels; start++)
        {
            Array.Fill(steps, -1);
            (steps[start], int reached) = (0, 1);
            open.Enqueue(start);
            while (open.TryDequeue(out int at))
                foreach (int next in near[at])
                    if (steps[next] < 0)
                    {
                        (steps[next], reached) = (steps[at] + 1, reached + 1);
                        open.Enqueue(next);
                    }
            if (reached < labels)
                throw InputException.At("labels", $"parts without an edge between them: {reached} labels with {Name(start)}, and {Name(Array.IndexOf(steps, -1))} in another", "a way between any two", "Add the edges that are missing, such as a root.");
            for (int i = 0; i < labels; i++)
                squared[start * labels + i] = (double)steps[i] * steps[i];
        }
        return new(squared, labels, names, hops: true);
    }

    /// <summary>V.</summary>
    public int Labels { get; }

    /// <summary>A name a label.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Squared distances, float64 [V, V].</summary>
    public Tensor Squared { get; }

    /// <summary>Whether distances are steps along edges.</summary>
    internal bool Hops { get; }

    /// <summary>The squared distance of two labels.</summary>
    public double this[int a, int b] => _squared[a * Labels + b];

    /// <summary>The metric of some of its labels, in this order: a hierarchy's inner labels that are no class of the data are left out, distances stay.</summary>
    public LabelMetric Among(IReadOnlyList<int> some)
    {
        ArgumentNullException.ThrowIfNull(some);
        double[] squared = new double[some.Count * some.Count];
        for (int i = 0; i < some.Count; i++)
            for (int j = 0; j < some.Count; j++)
                squared[i * some.Count + j] = this[some[i], some[j]];
        return new(squared, some.Count, [.. some.Select(l => Names[l])], Hops);
    }

    /// <summary>
    /// The locus: labels on a shortest way between two of those observed, ascending. Of a tree exactly those that the rule answers for some probabilities; of other graphs an estimate from above, see <see cref="Sampled"/>. Cost O(observed² V).
    /// </summary>
    /// <param name="observed">At least one label.</param>
    public int[] Locus(IReadOnlyCollection<int> observed)
    {
        Require(observed);
        double[] distance = Array.ConvertAll(_squared, Math.Sqrt);
        int[] own = [.. observed];
        bool[] inside = new bool[Labels];
        for (int i = 0; i < own.Length; i++)
            for (int j = 0; j <= i; j++)
                for (int v = 0; v < Labels; v++)
                    inside[v] |= distance[own[i] * Labels + v] + distance[v * Labels + own[j]] <= distance[own[i] * Labels + own[j]] * (1 + Tie);
        return [.. Enumerable.Range(0, Labels).Where(v => inside[v])];
    }

    /// <summary>Labels that the rule answers for probabilities drawn at random, ascending: the locus from below. Cost O(draws · observed · V).</summary>
    /// <param name="observed">At least one label.</param>
    /// <param name="draws">Draws: the first of each observed label alone, the others over few or many.</param>
    /// <param name="random">The draws.</param>
    public int[] Sampled(IReadOnlyCollection<int> observed, int draws, SeededRandom random)
    {
        Require(observed);
        ArgumentNullException.ThrowIfNull(random);
        using var scope = NewDisposeScope();
        int[] own = [.. observed];
        double[] p = new double[draws * own.Length];
        for (int i = 0; i < draws; i++)
        {
            double power = 4 * random.NextDouble(); // some draws are near corners and edges of the simplex
            for (int k = 0; k < own.Length; k++)
                p[i * own.Length + k] = i < own.Length ? (i == k ? 1 : 0) : Math.Pow(-Math.Log(1 - random.NextDouble()), power);
        }
        return [.. FrechetRule.Answers(Aligned.Of(p, draws, own.Length), Squared.index_select(0, tensor(own.Select(l => (long)l).ToArray()))).Distinct().Order()];
    }

    /// <summary>The label outside the locus that is furthest from it, of as many the first: in a tree the one that adds most labels to the locus. Null where none is outside.</summary>
    /// <param name="observed">At least one label.</param>
    public int? Next(IReadOnlyCollection<int> observed)
    {
        int[] locus = Locus(observed);
        var (best, furthest) = (default(int?), 0.0);
        foreach (int v in Enumerable.Range(0, Labels).Except(locus))
            if (locus.Min(u => this[v, u]) is var away && away > furthest)
                (best, furthest) = (v, away);
        return best;
    }

    private void Require(IReadOnlyCollection<int> observed)
    {
        ArgumentNullException.ThrowIfNull(observed);
        if (observed.Count == 0 || observed.Any(l => (uint)l >= (uint)Labels))
            throw InputException.At("observed labels", observed.Count == 0 ? "none" : $"{observed.First(l => (uint)l >= (uint)Labels)}", $"at least one from 0 to {Labels - 1}", "Name the labels of which there are rows.");
    }

    /// <inheritdoc/>
    public void Dispose() => Squared.Dispose();
}

/// <summary>
/// The rule <c>argmin_v Σ_k P_k d²(v, λ_k)</c>: the weighted Fréchet mean among labels. With 0 and 1 for distances it is the likeliest label. Cost O(n K V).
/// </summary>
public static class FrechetRule
{
    private const int Block = 4096;

    /// <summary>The answers [n], of as many the first.</summary>
    /// <param name="p">Scores of the K observed labels, float64 [n, K], not below 0.</param>
    /// <param name="squared">Squared distances from them to all labels, float64 [K, V].</param>
    /// <param name="block">Labels that are looked at in one go: memory is O(n · block).</param>
    /// <exception cref="InputException">A negative score, one that is no number, or sizes that do not fit.</exception>
    public static int[] Answers(Tensor p, Tensor squared, int block = Block)
    {
        ArgumentNullException.ThrowIfNull(squared);
        ArgumentOutOfRangeException.ThrowIfLessThan(block, 1);
        using var scope = NewDisposeScope();
        Require(p, squared);
        var least = full(p.shape[0], double.PositiveInfinity, dtype: ScalarType.Float64);
        var answers = zeros(p.shape[0], dtype: ScalarType.Int64);
        for (long first = 0; first < squared.shape[1]; first += block)
        {
            var costs = p.mm(squared.narrow(1, first, Math.Min(block, squared.shape[1] - first)));
            var places = costs.argmin(1); // the first of as many
            var values = costs.gather(1, places.unsqueeze(1)).squeeze(1);
            var better = values < least;
            (answers, least) = (where(better, places + first, answers), where(better, values, least));
        }
        return [.. answers.data<long>().ToArray().Select(a => (int)a)];
    }

    /// <summary>What each label costs: Σ_k P_k d²(v, λ_k), float64 [n, V].</summary>
    /// <inheritdoc cref="Answers"/>
    public static Tensor Costs(Tensor p, Tensor squared)
    {
        Require(p, squared);
        return p.mm(squared);
    }

    /// <summary>
    /// The gradient to P of a loss of the answers z (ones at the answer, zeros elsewhere), whose own gradient is known. Answers are vertices that −P·D² is largest at, so that with utilities u = −P·D² the gradient to u is g itself
    /// (straight-through) or <c>(z − Π(z − η g)) / η</c>, Π the nearest point of the simplex (polytope surrogate); to P it is −D² of it. A step against it makes the loss of the answers smaller.
    /// </summary>
    /// <param name="p">P [n, K].</param>
    /// <param name="squared">D² [K, V].</param>
    /// <param name="gradient">g [n, V], of the loss with regard to z.</param>
    /// <param name="polytope">The polytope surrogate instead of straight-through.</param>
    /// <param name="step">η.</param>
    /// <param name="released">As in the paper's released code: what the surrogate gives for the answers is given to P as it is, without D² and without 1 / η; labels must be the observed ones.</param>
    /// <returns>Float64 [n, K]; the current dispose scope owns it.</returns>
    public static Tensor Backward(Tensor p, Tensor squared, Tensor gradient, bool polytope = false, double step = 0.01, bool released = false)
    {
        ArgumentNullException.ThrowIfNull(p);
        ArgumentNullException.ThrowIfNull(squared);
        ArgumentNullException.ThrowIfNull(gradient);
        using var scope = NewDisposeScope();
        long n = p.shape[0], labels = squared.shape[1];
        if (gradient.dim() != 2 || gradient.shape[0] != n || gradient.shape[1] != labels || released && squared.shape[0] != labels)
            throw new ArgumentException($"[{string.Join(", ", gradient.shape)}] for {n} rows and {squared.shape[0]} observed of {labels} labels; expected [rows, labels]{(released ? ", all observed" : "")}", nameof(gradient));
        var utility = gradient;
        if (polytope)
        {
            var z = zeros(n, labels, dtype: ScalarType.Float64);
            z.scatter_(1, tensor(Answers(p, squared).Select(a => (long)a).ToArray()).unsqueeze(1), ones(n, 1, dtype: ScalarType.Float64));
            utility = z - OnSimplex(z - gradient * step);
        }
        return (released ? utility.clone() : -(polytope ? utility / step : utility).mm(squared.t())).MoveToOuterDisposeScope();
    }

    /// <summary>The nearest points of the simplex: <c>max(0, x − τ)</c> with τ such that the sum is 1 (Held, Wolfe and Crowder 1974). Cost O(n V log V).</summary>
    /// <param name="x">Float64 [n, V].</param>
    public static Tensor OnSimplex(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        using var scope = NewDisposeScope();
        var (sorted, _) = x.sort(1, descending: true);
        var counts = arange(1, x.shape[1] + 1, dtype: ScalarType.Float64);
        var thresholds = (sorted.cumsum(1) - 1) / counts;
        var support = (sorted > thresholds).sum(1, keepdim: true) - 1;
        return (x - thresholds.gather(1, support)).clamp_min(0).MoveToOuterDisposeScope();
    }

    private static void Require(Tensor p, Tensor squared)
    {
        ArgumentNullException.ThrowIfNull(p);
        ArgumentNullException.ThrowIfNull(squared);
        if (p.dim() != 2 || squared.dim() != 2 || p.shape[1] != squared.shape[0])
            throw InputException.At("scores", $"[{string.Join(", ", p.shape)}] beside label distances [{string.Join(", ", squared.shape)}]", "a score for each row of the distances", "Give the distances from the labels that have scores.");
        Finite.Require(p, "scores");
        if (p.numel() > 0 && p.min().item<double>() is var least and < 0)
            throw InputException.At("scores", FormattableString.Invariant($"{least}"), "none below 0", "Give probabilities, not their logarithms.");
    }
}
