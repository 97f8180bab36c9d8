using System.Runtime.InteropServices;
using Winnow.Core;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Winnow.KernelMethods;

/// <summary>
/// A projection determinantal point process on n candidates: m of them are drawn, S with probability det K_S, K = VVᵀ for V with orthonormal columns, so that what resembles each other is rarely drawn together
/// (Hough, Krishnapur, Peres and Virág, Probability Surveys 3, 2006).
/// <para>By the chain rule candidate j comes next with probability rⱼ / (m − t), rⱼ what is left of vⱼ beyond the span of those drawn. It is not computed for all: a candidate is proposed by ‖vⱼ‖² / m, which is never below, and taken with probability
/// rⱼ / ‖vⱼ‖² (the law is the same, and on average m (1 + ½ + … + 1/m) proposals are needed). Cost O(n m²) once for the check and O(m³ log m) a draw, whatever n is. A constructed one serves any number of threads.</para>
/// </summary>
public sealed class ProjectionDpp
{
    private const double Orthonormal = 1e-6;
    private const int MostProposals = 100; // times m, and then all are looked at
    private readonly double[] _rows, _until;
    private readonly int _n, _m;

    /// <summary>The process of V.</summary>
    /// <param name="v">Float64 [n, m] with orthonormal columns; copied.</param>
    /// <exception cref="InputException">Columns that are not orthonormal, with by how much.</exception>
    public ProjectionDpp(Tensor v)
    {
        ArgumentNullException.ThrowIfNull(v);
        if (v.dim() != 2 || v.dtype != ScalarType.Float64 || v.shape[1] == 0 || v.shape[0] < v.shape[1])
            throw InputException.At("columns", $"{v.dtype} [{string.Join(", ", v.shape)}]", "float64 [n, m] of at least as many rows as columns", "Give a matrix with orthonormal columns.");
        using var scope = NewDisposeScope();
        double defect = (v.t().mm(v) - eye(v.shape[1], dtype: ScalarType.Float64)).abs().max().item<double>();
        if (!(defect <= Orthonormal))
            throw InputException.At("columns", FormattableString.Invariant($"products that are {defect:G3} away from those of orthonormal columns"), FormattableString.Invariant($"at most {Orthonormal:G1}"), "Orthonormalise them, by QR for example.");
        (_n, _m) = ((int)v.shape[0], (int)v.shape[1]);
        _rows = MemoryMarshal.Cast<byte, double>(v.contiguous().bytes).ToArray();
        _until = new double[_n];
        for (int j = 0; j < _n; j++)
            _until[j] = (j == 0 ? 0 : _until[j - 1]) + TensorPrimitives.Dot(Row(j), Row(j));
    }

    /// <summary>The process of a projection matrix.</summary>
    /// <param name="k">Symmetric float64 [n, n] with eigenvalues 0 and 1.</param>
    /// <exception cref="InputException">Another matrix, with an eigenvalue that is neither.</exception>
    public static ProjectionDpp OfKernel(Tensor k)
    {
        ArgumentNullException.ThrowIfNull(k);
        using var scope = NewDisposeScope();
        if (k.dim() != 2 || k.shape[0] != k.shape[1] || !((k - k.t()).abs().max().item<double>() <= Orthonormal))
            throw InputException.At("kernel", $"[{string.Join(", ", k.shape)}] or not symmetric", "a symmetric matrix", "Give a projection matrix.");
        var (values, vectors) = linalg.eigh(k);
        var defect = minimum(values.abs(), (values - 1).abs());
        if (!(defect.max().item<double>() <= Orthonormal))
            throw InputException.At("kernel", FormattableString.Invariant($"an eigenvalue of {values[defect.argmax()].item<double>():G6}"), "0 and 1", "Give a projection matrix, whose trace is the number of draws.");
        long rank = (values > 0.5).sum().item<long>();
        return new(vectors.narrow(1, k.shape[0] - rank, rank));
    }

    /// <summary>m: how many are drawn.</summary>
    public int Rank => _m;

    /// <summary>How likely each is to be among those drawn: ‖vⱼ‖² [n].</summary>
    public double[] Inclusion => [.. Enumerable.Range(0, _n).Select(j => TensorPrimitives.Dot(Row(j), Row(j)))];

    /// <summary>Draws.</summary>
    /// <returns>m different candidates, in the order in which they were drawn.</returns>
    public int[] Sample(SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(random);
        var left = new Complement(_m);
        int[] picks = new int[_m];
        for (int t = 0; t < _m; t++)
        {
            picks[t] = Next(left, picks.AsSpan(0, t), random);
            left.Take(Row(picks[t]));
        }
        return picks;
    }

    private int Next(Complement left, ReadOnlySpan<int> taken, SeededRandom random)
    {
        for (int proposal = 0; proposal < MostProposals * _m; proposal++)
        {
            int j = Proposed(random);
            if (random.NextDouble() * TensorPrimitives.Dot(Row(j), Row(j)) < left.Of(Row(j)) && !taken.Contains(j))
                return j;
        }
        double[] r = Residuals(left, taken);
        double at = random.NextDouble() * r.Sum();
        int next = 0;
        for (; next < _n - 1 && (at >= r[next] || r[next] == 0); next++)
            at -= r[next];
        return r[next] > 0 ? next : Array.IndexOf(r, r.Max());
    }

    /// <summary>A candidate drawn by ‖vⱼ‖² / m.</summary>
    internal int Proposed(SeededRandom random)
    {
        int j = Array.BinarySearch(_until, random.NextDouble() * _until[^1]);
        j = Math.Min(j < 0 ? ~j : j + 1, _n - 1);
        return j;
    }

    /// <summary>The probability of each candidate at each step of a draw [m][n], were it to go along these picks: not below 0, of sum 1, and 0 of those picked.</summary>
    /// <exception cref="ArgumentException">A pick out of range, twice, or impossible after those before.</exception>
    public double[][] Conditionals(IReadOnlyList<int> picks)
    {
        ArgumentNullException.ThrowIfNull(picks);
        var left = new Complement(_m);
        double[][] steps = new double[picks.Count][];
        int[] taken = [.. picks];
        for (int t = 0; t < steps.Length; t++)
        {
            double[] r = Residuals(left, taken.AsSpan(0, t));
            double sum = r.Sum();
            steps[t] = Array.ConvertAll(r, v => v / sum);
            if ((uint)taken[t] >= (uint)_n || !(r[taken[t]] > 0) || t >= _m)
                throw new ArgumentException($"pick {taken[t]} at step {t}; expected a candidate from 0 to {_n - 1} that is possible after those before, {_m} of them at most", nameof(picks));
            left.Take(Row(taken[t]));
        }
        return steps;
    }

    /// <summary>det K_S: the probability that a draw has all of S, and for m of them that it is S.</summary>
    public double Probability(IReadOnlyList<int> s)
    {
        ArgumentNullException.ThrowIfNull(s);
        var left = new Complement(_m);
        double probability = 1;
        foreach (int j in s.Take(_m))
        {
            double r = left.Of(Row(j));
            if (r <= 1e-14 * TensorPrimitives.Dot(Row(j), Row(j)))
                return 0;
            probability *= r;
            left.Take(Row(j));
        }
        return s.Count > _m ? 0 : probability;
    }

    private double[] Residuals(Complement left, ReadOnlySpan<int> taken)
    {
        double[] r = new double[_n];
        for (int j = 0; j < _n; j++)
            r[j] = left.Of(Row(j));
        foreach (int j in taken)
            r[j] = 0;
        return r;
    }

    private ReadOnlySpan<double> Row(int j) => _rows.AsSpan(j * _m, _m);
}

/// <summary>What is left of vectors beyond the span of those taken.</summary>
internal sealed class Complement(int size)
{
    private readonly double[] _basis = new double[size * size], _left = new double[size];
    private int _count;

    /// <summary>The squared length of what is left, not below 0. Cost O(taken · size).</summary>
    public double Of(ReadOnlySpan<double> v)
    {
        double left = TensorPrimitives.Dot(v, v);
        for (int s = 0; s < _count; s++)
        {
            double along = TensorPrimitives.Dot(_basis.AsSpan(s * size, size), v);
            left -= along * along;
        }
        return Math.Max(0, left);
    }

    /// <summary>Takes one more into the span.</summary>
    public void Take(ReadOnlySpan<double> v)
    {
        v.CopyTo(_left);
        for (int pass = 0; pass < 2; pass++) // once leaves rounding of what was taken away, twice does not
            for (int s = 0; s < _count; s++)
            {
                ReadOnlySpan<double> own = _basis.AsSpan(s * size, size);
                TensorPrimitives.MultiplyAdd(own, -TensorPrimitives.Dot(own, _left), _left, _left);
            }
        TensorPrimitives.Divide(_left, TensorPrimitives.Norm<double>(_left), _basis.AsSpan(_count++ * size, size));
    }
}
