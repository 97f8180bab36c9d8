using System.Numerics;
using Winnow.Core;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Winnow.KernelMethods;

/// <summary>Features of rows and of weights, whose product is on average what a dense layer says.</summary>
public interface ILayerFeatures : IDisposable
{
    /// <summary>Φ [n, q] of rows [n, d]; the current dispose scope owns it.</summary>
    Tensor OfRows(Tensor x);

    /// <summary>Ψ [o, q] of weights [o, d] and a bias [o] or null; the current dispose scope owns it.</summary>
    Tensor OfWeights(Tensor weights, Tensor? bias = null);

    /// <summary>What was drawn and never learns, by name: to be saved beside what learns. Live.</summary>
    IReadOnlyDictionary<string, Tensor> Buffers { get; }
}

/// <summary>A function by draws of its Fourier transform: <c>f(z) = ∫ F(ξ) exp(2πiξz) dξ</c> is on average <c>(1/m) Σ q_k exp(2πiξ_k z)</c>, ξ_k from a density p that is nowhere 0 where F is not, <c>q = F(ξ)/p(ξ)</c>.</summary>
/// <param name="Frequencies">ξ [m].</param>
/// <param name="Weights">q [m].</param>
public sealed record FourierSample(IReadOnlyList<double> Frequencies, IReadOnlyList<Complex> Weights)
{
    /// <summary>The cosine: ξ = ±1/(2π).</summary>
    public static FourierSample Cosine(int count, SeededRandom random) => Circular(count, random, _ => Complex.One);

    /// <summary>The sine: ξ = ±1/(2π), q = ∓i.</summary>
    public static FourierSample Sine(int count, SeededRandom random) => Circular(count, random, sign => new(0, -sign));

    /// <summary>Any function, ξ normal.</summary>
    /// <param name="transform">F.</param>
    /// <param name="deviation">Of ξ.</param>
    /// <param name="count">m.</param>
    /// <param name="random">The draw.</param>
    public static FourierSample Of(Func<double, Complex> transform, double deviation, int count, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(transform);
        ArgumentNullException.ThrowIfNull(random);
        if (!(deviation > 0) || !double.IsFinite(deviation))
            throw new ArgumentOutOfRangeException(nameof(deviation), deviation, "expected a finite number above 0");
        double[] xi = [.. Enumerable.Range(0, count).Select(_ => deviation * random.NextNormal())];
        double top = deviation * Math.Sqrt(2 * Math.PI);
        return new(xi, [.. xi.Select(x => transform(x) * top * Math.Exp(x * x / (2 * deviation * deviation)))]);
    }

    private static FourierSample Circular(int count, SeededRandom random, Func<int, Complex> weight)
    {
        ArgumentNullException.ThrowIfNull(random);
        int[] signs = [.. Enumerable.Range(0, count).Select(_ => 2 * random.Next(2) - 1)];
        return new([.. signs.Select(s => s / (2 * Math.PI))], [.. signs.Select(weight)]);
    }
}

/// <summary>
/// Universal random features (Sehanobish et al., ICLR 2024): <c>f(xᵀw + β) = E[Φ(x)·Ψ(w, β)]</c> with <c>Φ_k = exp(a_k g_k·x − a_k² ‖x‖²/2)/√m</c>, <c>Ψ_k = q_k exp(2πiξ_k β) exp(b_k g_k·w − b_k² ‖w‖²/2)/√m</c>,
/// a b = 2πiξ and g normal: <c>a = 2πiξ, b = 1</c>, or symmetric <c>a = b = √(2πiξ)</c>. The mean square of a term is, with 2πξ = ±1, <c>exp(‖x‖² + ‖w‖²)</c> of the former and <c>exp(‖x + w‖²)</c> of the latter, which is less only where xᵀw is below 0. Damped by M ≥ 0 both are multiplied by <c>(1 + 4M)^(d/4) exp(−M ‖g‖²)</c> and take √(1 + 4M) g for g, which changes no mean.
/// <para>The product is a plain one, without a conjugate, of which the real part is taken: Φ is laid out as <c>[Re, −Im]</c> and Ψ as <c>[Re, Im]</c>, both [·, 2m] real. Where f is real that is the paired estimator, features of ξ and of −ξ over √2,
/// for the ones are the conjugates of the others. Cost O(n m d).</para>
/// <code>
/// using var features = new UniversalFeatures(projections, FourierSample.Sine(m, random), symmetric: true);
/// var sine = features.OfRows(x).mm(features.OfWeights(w).t()); // near sin(x wᵀ)
/// </code>
/// </summary>
public sealed class UniversalFeatures : ILayerFeatures
{
    private const double MostExponent = 80;
    private readonly Tensor _g, _xi, _weights, _constant;
    private readonly bool _symmetric;
    private readonly double _stretch;

    /// <summary>Features with projections.</summary>
    /// <param name="projections">G [m, d], normal or orthogonal in blocks (<see cref="Snnk.Projections"/>); its type is that of features. Copied.</param>
    /// <param name="function">f.</param>
    /// <param name="symmetric">Whether a = b.</param>
    /// <param name="damping">M.</param>
    public UniversalFeatures(Tensor projections, FourierSample function, bool symmetric = false, double damping = 0)
    {
        ArgumentNullException.ThrowIfNull(projections);
        ArgumentNullException.ThrowIfNull(function);
        ArgumentOutOfRangeException.ThrowIfNegative(damping);
        using var scope = NewDisposeScope();
        var (m, d) = (projections.shape[0], projections.shape[1]);
        if (function.Frequencies.Count != m || function.Weights.Count != m)
            throw new ArgumentException($"{function.Frequencies.Count} frequencies and {function.Weights.Count} weights; expected {m}, one a projection", nameof(function));
        Tensor Kept(IEnumerable<double> values, params long[] shape) => Aligned.Of([.. values], shape).to(projections.dtype).DetachFromDisposeScope();
        (_g, _symmetric, _stretch) = (projections.clone().DetachFromDisposeScope(), symmetric, Math.Sqrt(1 + 4 * damping));
        (_xi, _weights) = (Kept(function.Frequencies, m), Kept([.. function.Weights.Select(q => q.Real), .. function.Weights.Select(q => q.Imaginary)], 2, m));
        _constant = (d / 4.0 * Math.Log(1 + 4 * damping) - projections.square().sum(1) * damping - Math.Log(m) / 2).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, Tensor> Buffers => new Dictionary<string, Tensor> { ["projections"] = _g, ["frequencies"] = _xi, ["weights"] = _weights };

    /// <inheritdoc/>
    /// <exception cref="InputException">Rows so long that an exponent is above 80, where float32 ends.</exception>
    public Tensor OfRows(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        using var scope = NewDisposeScope();
        var (size, angle) = Exponent(x, rows: true, "rows");
        return cat([angle.cos() * size, angle.sin() * size * -1], 1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    /// <exception cref="InputException">Weights so long that an exponent is above 80, where float32 ends.</exception>
    public Tensor OfWeights(Tensor weights, Tensor? bias = null)
    {
        ArgumentNullException.ThrowIfNull(weights);
        using var scope = NewDisposeScope();
        var (size, angle) = Exponent(weights, rows: false, "weights");
        if (bias is not null)
            angle = angle + bias.unsqueeze(1) * (_xi * (2 * Math.PI));
        var (cos, sin) = (angle.cos() * size, angle.sin() * size);
        return cat([cos * _weights[0] - sin * _weights[1], cos * _weights[1] + sin * _weights[0]], 1).MoveToOuterDisposeScope();
    }

    /// <summary>Of <c>exp(a g·z − a² ‖z‖²/2)</c>, with all factors, the size and the angle [n, m].</summary>
    private (Tensor Size, Tensor Angle) Exponent(Tensor z, bool rows, string what)
    {
        if (z.dim() != 2 || z.shape[1] != _g.shape[1])
            throw InputException.At(what, $"[{string.Join(", ", z.shape)}]", $"[n, {_g.shape[1]}], as the projections have", "Give the same features.");
        var s = _xi * (2 * Math.PI);
        // a = real + i imaginary and a² of the side that is asked for
        var (real, imaginary, real2, imaginary2) = _symmetric ? ((s.abs() / 2).sqrt(), s.sign() * (s.abs() / 2).sqrt(), zeros_like(s), s)
            : rows ? (zeros_like(s), s, -s.square(), zeros_like(s)) : (ones_like(s), zeros_like(s), ones_like(s), zeros_like(s));
        var (along, half) = (z.mm(_g.t()) * _stretch, z.square().sum(1, keepdim: true) / 2);
        var exponent = along * real - half * real2 + _constant;
        if (exponent.numel() > 0 && exponent.max().to(ScalarType.Float64).item<double>() is var most && !(most <= MostExponent))
            throw InputException.At(what, FormattableString.Invariant($"an exponent of {most:F0}"), FormattableString.Invariant($"at most {MostExponent}"), "Scale rows and weights, to length 1 for instance.");
        return (exponent.exp(), along * imaginary - half * imaginary2);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var kept in (Tensor[])[_g, _xi, _weights, _constant])
            kept.Dispose();
    }
}
