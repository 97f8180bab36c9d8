using System.Numerics.Tensors;
using Winnow.Core;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Winnow.KernelMethods;

/// <summary>The spectral mixture (Wilson and Adams 2013): <c>Σ θᵢ exp(−2π² Σ_p s²ᵢ_p τ²_p) cos(2π μᵢ·τ)</c>, τ = x − y: any stationary kernel, by weights, frequencies and their deviations. Cost O(n m A P).</summary>
public sealed class SpectralMixture : IKernel
{
    private readonly SpectralTerms _terms;

    /// <summary>A mixture.</summary>
    /// <param name="weights">θ [A], not below 0.</param>
    /// <param name="frequencies">μ [A][P], in cycles a unit of x.</param>
    /// <param name="deviations">s [A][P], in cycles a unit of x, not below 0.</param>
    public SpectralMixture(IReadOnlyList<double> weights, IReadOnlyList<double[]> frequencies, IReadOnlyList<double[]> deviations) => _terms = new(weights, frequencies, deviations, product: false);

    /// <inheritdoc/>
    public Tensor Gram(Tensor x, Tensor y) => _terms.Gram(x, y);

    /// <inheritdoc/>
    public Tensor Diagonal(Tensor x) => _terms.Diagonal(x);
}

/// <summary>The grid spectral mixture product: <c>Σ θᵢ Π_p exp(−2π² s²ᵢ_p τ²_p) cos(2π μᵢ_p τ_p)</c>, which needs no more terms for more features. The same as <see cref="SpectralMixture"/> of one feature. Cost O(n m A P).</summary>
public sealed class SpectralProduct : IKernel
{
    private readonly SpectralTerms _terms;

    /// <summary>A mixture of products.</summary>
    /// <inheritdoc cref="SpectralMixture(IReadOnlyList{double}, IReadOnlyList{double[]}, IReadOnlyList{double[]})"/>
    public SpectralProduct(IReadOnlyList<double> weights, IReadOnlyList<double[]> frequencies, IReadOnlyList<double[]> deviations) => _terms = new(weights, frequencies, deviations, product: true);

    /// <inheritdoc/>
    public Tensor Gram(Tensor x, Tensor y) => _terms.Gram(x, y);

    /// <inheritdoc/>
    public Tensor Diagonal(Tensor x) => _terms.Diagonal(x);
}

/// <summary>Terms of a spectral kernel; those of weight 0 cost nothing.</summary>
internal sealed class SpectralTerms
{
    private const double MostBytes = 8e9;
    private readonly IReadOnlyList<double> _weights;
    private readonly IReadOnlyList<double[]> _frequencies, _deviations;
    private readonly bool _product;

    public SpectralTerms(IReadOnlyList<double> weights, IReadOnlyList<double[]> frequencies, IReadOnlyList<double[]> deviations, bool product)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(frequencies);
        ArgumentNullException.ThrowIfNull(deviations);
        if (weights.Count == 0 || weights.Count != frequencies.Count || weights.Count != deviations.Count || weights.Any(w => !(w >= 0 && double.IsFinite(w))))
            throw new ArgumentException($"{weights.Count} weights, {frequencies.Count} frequencies and {deviations.Count} deviations; expected as many of each, at least one, and weights of at least 0", nameof(weights));
        int features = frequencies[0].Length;
        if (features == 0 || frequencies.Any(f => f.Length != features || !f.All(double.IsFinite)) || deviations.Any(s => s.Length != features || s.Any(v => !(v >= 0 && double.IsFinite(v)))))
            throw new ArgumentException("frequencies and deviations of different lengths, or numbers that are none; expected one a feature of every term, deviations of at least 0", nameof(frequencies));
        (_weights, _frequencies, _deviations, _product) = (weights, frequencies, deviations, product);
    }

    public Tensor Gram(Tensor x, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(y);
        if (x.dim() != 2 || y.dim() != 2 || x.shape[1] != _frequencies[0].Length || y.shape[1] != x.shape[1])
            throw new ArgumentException($"rows [{string.Join(", ", x.shape)}] and [{string.Join(", ", y.shape)}]; expected {_frequencies[0].Length} features", nameof(x));
        using var scope = NewDisposeScope();
        var gram = zeros(x.shape[0], y.shape[0], dtype: ScalarType.Float64);
        if (gram.numel() == 0)
            return gram.MoveToOuterDisposeScope();
        double[][] apart = Apart(x, y);
        using var term = new Sheet(apart[0].Length);
        var sum = Sheet.Of(gram);
        for (int i = 0; i < _weights.Count; i++)
            if (_weights[i] > 0)
            {
                Term(apart, _frequencies[i], _deviations[i], _product, term);
                TensorPrimitives.MultiplyAdd(term.Value, _weights[i], sum, sum);
            }
        return (ReferenceEquals(x, y) ? Products.Symmetric(gram) : gram).MoveToOuterDisposeScope();
    }

    public Tensor Diagonal(Tensor x) => full(x.shape[0], _weights.Sum(), dtype: ScalarType.Float64);

    /// <summary>τ, a matrix [n, m] a feature.</summary>
    public static double[][] Apart(Tensor x, Tensor y)
    {
        using var scope = NewDisposeScope();
        if ((2.0 + x.shape[1]) * x.shape[0] * y.shape[0] * sizeof(double) is var bytes and > MostBytes)
            throw InputException.At("kernel", FormattableString.Invariant($"{x.shape[0]:N0} by {y.shape[0]:N0} rows, {bytes / 1e9:F1} GB"), $"at most {MostBytes / 1e9:F1} GB", "Take fewer rows.");
        return [.. Enumerable.Range(0, (int)x.shape[1]).Select(p => (x.select(1, p).unsqueeze(1) - y.select(1, p)).data<double>().ToArray())];
    }

    /// <summary>A term of weight 1, in memory that is used again: so many small tensors would tear the heap into pieces.</summary>
    public static void Term(double[][] apart, double[] frequency, double[] deviation, bool product, Sheet sheet)
    {
        Span<double> to = sheet.Value, exponent = sheet.Exponent, one = sheet.One;
        to.Fill(product ? 1 : 0);
        exponent.Clear();
        for (int p = 0; p < apart.Length; p++)
        {
            TensorPrimitives.Multiply(apart[p], apart[p], one);
            TensorPrimitives.MultiplyAdd(one, -2 * Math.PI * Math.PI * deviation[p] * deviation[p], exponent, exponent);
            TensorPrimitives.Multiply(apart[p], 2 * Math.PI * frequency[p], one);
            if (product)
            {
                TensorPrimitives.Cos(one, one);
                TensorPrimitives.Multiply(to, one, to);
            }
            else
                TensorPrimitives.Add(to, one, to);
        }
        if (!product)
            TensorPrimitives.Cos(to, to);
        TensorPrimitives.Exp(exponent, exponent);
        TensorPrimitives.Multiply(to, exponent, to);
    }

    /// <summary>Room for a term, in aligned memory: what is summed in vectors depends on where it lies.</summary>
    public sealed unsafe class Sheet(int length) : IDisposable
    {
        private readonly Tensor _value = Made(length), _exponent = Made(length), _one = Made(length);

        public Span<double> Value => Of(_value);

        public Span<double> Exponent => Of(_exponent);

        public Span<double> One => Of(_one);

        public static Span<double> Of(Tensor contiguous) => contiguous.numel() == 0 ? [] : new(Aligned.Address(contiguous), (int)contiguous.numel());

        private static Tensor Made(int length) => empty(length, dtype: ScalarType.Float64).DetachFromDisposeScope();

        public void Dispose()
        {
            _value.Dispose();
            _exponent.Dispose();
            _one.Dispose();
        }
    }
}

/// <summary>
/// The Gram matrices of many fixed spectral products over the same rows, as far as weights and quadratic forms need them. Of one feature with one deviation, <c>cos 2πμ(x − y)</c> is
/// <c>cos cos + sin sin</c>, and nothing but [n, 2A] cosines and sines and one [n, n] envelope is kept; else all A matrices are.
/// </summary>
internal sealed unsafe class SpectralGrid : IDisposable
{
    private const double MostBytes = 4e9;
    private readonly Tensor? _envelope, _waves, _stack;
    private readonly int _count;
    private readonly long _rows;

    public SpectralGrid(Tensor x, IReadOnlyList<double[]> frequencies, IReadOnlyList<double[]> deviations)
    {
        using var scope = NewDisposeScope();
        (_count, _rows) = (frequencies.Count, x.shape[0]);
        double[][] apart = SpectralTerms.Apart(x, x);
        using var term = new SpectralTerms.Sheet(apart[0].Length);
        if (x.shape[1] == 1 && deviations.All(s => s[0] == deviations[0][0]))
        {
            var angle = x * (Aligned.Of([.. frequencies.Select(f => f[0])], _count) * (2 * Math.PI));
            SpectralTerms.Term(apart, [0], deviations[0], product: true, term);
            _envelope = empty(_rows, _rows, dtype: ScalarType.Float64).DetachFromDisposeScope();
            term.Value.CopyTo(SpectralTerms.Sheet.Of(_envelope));
            _waves = cat([angle.cos(), angle.sin()], 1).DetachFromDisposeScope();
            return;
        }
        if (_count * (double)_rows * _rows * sizeof(double) is var bytes and > MostBytes)
            throw InputException.At("kernel", FormattableString.Invariant($"{_count:N0} matrices of {_rows:N0} rows, {bytes / 1e9:F1} GB"), $"at most {MostBytes / 1e9:F1} GB", "Take fewer rows or components.");
        _stack = empty(_count, _rows * _rows, dtype: ScalarType.Float64).DetachFromDisposeScope();
        for (int i = 0; i < _count; i++)
        {
            SpectralTerms.Term(apart, frequencies[i], deviations[i], product: true, term);
            term.Value.CopyTo(new Span<double>(Aligned.Address(_stack) + i * _rows * _rows, apart[0].Length));
        }
    }

    /// <summary>Σ θᵢ Kᵢ.</summary>
    public Tensor Mixture(double[] weights)
    {
        using var scope = NewDisposeScope();
        var theta = Aligned.Of(weights, _count);
        return (_stack is not null ? _stack.t().mv(theta).reshape(_rows, _rows) : (_waves! * cat([theta, theta])).mm(_waves!.t()).mul_(_envelope!)).MoveToOuterDisposeScope();
    }

    /// <summary>Σ of M ∘ Kᵢ, for every i: tr(M Kᵢ) of a symmetric M.</summary>
    public double[] Forms(Tensor m)
    {
        using var scope = NewDisposeScope();
        if (_stack is not null)
            return _stack.mv(m.contiguous().flatten()).data<double>().ToArray();
        var both = ((m * _envelope!).mm(_waves!) * _waves!).sum([0]);
        return (both.narrow(0, 0, _count) + both.narrow(0, _count, _count)).data<double>().ToArray();
    }

    public void Dispose()
    {
        _envelope?.Dispose();
        _waves?.Dispose();
        _stack?.Dispose();
    }
}
