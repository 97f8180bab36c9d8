using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary><c>⟨x, y⟩</c>.</summary>
public sealed class Linear : IKernel
{
    /// <inheritdoc/>
    public Tensor Gram(Tensor x, Tensor y) => Products.Of(x, y);

    /// <inheritdoc/>
    public Tensor Diagonal(Tensor x) => x.square().sum(1);
}

/// <summary><c>exp(−γ ‖x − y‖²)</c>; γ = 1/(2σ²) in the other convention.</summary>
/// <param name="gamma">γ, above 0.</param>
public sealed class Rbf(double gamma) : IKernel
{
    private readonly double _gamma = Positive(gamma, nameof(gamma));

    /// <inheritdoc/>
    public Tensor Gram(Tensor x, Tensor y) => Products.SquaredDistances(x, y).mul_(-_gamma).exp_();

    /// <inheritdoc/>
    public Tensor Diagonal(Tensor x) => ones(x.shape[0], dtype: ScalarType.Float64);

    /// <summary>1 / (features · variance of all numbers): what scikit-learn calls "scale".</summary>
    public static double Scale(Tensor x)
    {
        using var scope = NewDisposeScope();
        double variance = (x - x.mean()).square().mean().item<double>();
        return variance > 0 ? 1 / (x.shape[1] * variance) : 1;
    }

    /// <summary>1 / the median of the squared distances of different rows, of at most 1,000 of them, evenly taken; 1 where all are the same.</summary>
    public static double Median(Tensor x)
    {
        using var scope = NewDisposeScope();
        const int most = 1000;
        var some = x.shape[0] <= most ? x : x.index_select(0, arange(0, most, dtype: ScalarType.Int64) * x.shape[0] / most);
        var d2 = Products.SquaredDistances(some, some);
        var above = d2.masked_select(ones_like(d2).triu(1).to(ScalarType.Bool));
        double median = above.numel() == 0 ? 0 : above.median().item<double>();
        return median > 0 ? 1 / median : 1;
    }

    internal static double Positive(double value, string name) => value > 0 && double.IsFinite(value) ? value : throw new ArgumentOutOfRangeException(name, value, "expected a finite number above 0");
}

/// <summary><c>exp(−γ ‖x − y‖₁)</c>.</summary>
/// <param name="gamma">γ, above 0.</param>
public sealed class Laplacian(double gamma) : IKernel
{
    private readonly double _gamma = Rbf.Positive(gamma, nameof(gamma));

    /// <inheritdoc/>
    public Tensor Gram(Tensor x, Tensor y) => cdist(x, y, 1.0).mul_(-_gamma).exp_();

    /// <inheritdoc/>
    public Tensor Diagonal(Tensor x) => ones(x.shape[0], dtype: ScalarType.Float64);
}

/// <summary><c>(γ ⟨x, y⟩ + c)^p</c>.</summary>
/// <param name="degree">p, at least 1.</param>
/// <param name="gamma">γ, above 0.</param>
/// <param name="constant">c, not below 0: else the kernel is not positive.</param>
public sealed class Polynomial(int degree, double gamma = 1, double constant = 1) : IKernel
{
    private readonly int _degree = degree >= 1 ? degree : throw new ArgumentOutOfRangeException(nameof(degree), degree, "expected at least 1");
    private readonly double _gamma = Rbf.Positive(gamma, nameof(gamma));
    private readonly double _constant = constant >= 0 && double.IsFinite(constant) ? constant : throw new ArgumentOutOfRangeException(nameof(constant), constant, "expected a finite number of at least 0");

    /// <inheritdoc/>
    public Tensor Gram(Tensor x, Tensor y) => Products.Of(x, y).mul_(_gamma).add_(_constant).pow_(_degree);

    /// <inheritdoc/>
    public Tensor Diagonal(Tensor x) => x.square().sum(1).mul_(_gamma).add_(_constant).pow_(_degree);
}

/// <summary>Matérn with ν of one half, three halves or five halves: <c>p(r) exp(−√(2ν) r)</c>, r = ‖x − y‖ / ℓ.</summary>
/// <param name="halves">2ν: 1, 3 or 5.</param>
/// <param name="length">ℓ, above 0.</param>
public sealed class Matern(int halves, double length) : IKernel
{
    private readonly int _halves = halves is 1 or 3 or 5 ? halves : throw new ArgumentOutOfRangeException(nameof(halves), halves, "expected 1, 3 or 5");
    private readonly double _length = Rbf.Positive(length, nameof(length));

    /// <inheritdoc/>
    public Tensor Gram(Tensor x, Tensor y)
    {
        var r = Products.SquaredDistances(x, y).sqrt_().mul_(Math.Sqrt(_halves) / _length);
        var decay = r.neg().exp_();
        return _halves switch
        {
            1 => decay,
            3 => decay.mul_(r.add(1)),
            _ => decay.mul_(r.square().div_(3).add_(r).add_(1)),
        };
    }

    /// <inheritdoc/>
    public Tensor Diagonal(Tensor x) => ones(x.shape[0], dtype: ScalarType.Float64);
}

/// <summary><c>⟨x, y⟩ / (‖x‖ ‖y‖)</c>; of a row of zeros 0 with others and 1 with itself.</summary>
public sealed class Cosine : IKernel
{
    /// <inheritdoc/>
    public Tensor Gram(Tensor x, Tensor y)
    {
        var a = Unit(x);
        var gram = Products.Of(a, ReferenceEquals(x, y) ? a : Unit(y));
        if (ReferenceEquals(x, y))
            gram.diagonal().fill_(1);
        return gram;
    }

    /// <inheritdoc/>
    public Tensor Diagonal(Tensor x) => ones(x.shape[0], dtype: ScalarType.Float64);

    /// <summary>Rows of length 1; rows of zeros stay so.</summary>
    public static Tensor Unit(Tensor x) => x / x.norm(1, keepdim: true).clamp_min(double.Epsilon);
}

/// <summary>The sum of kernels with weights, which is one.</summary>
/// <param name="terms">At least one; weights not below 0.</param>
public sealed class Sum(params IReadOnlyList<(double Weight, IKernel Kernel)> terms) : IKernel
{
    private readonly IReadOnlyList<(double Weight, IKernel Kernel)> _terms = terms.Count > 0 && terms.All(t => t.Weight >= 0 && double.IsFinite(t.Weight)) ? terms : throw new ArgumentException("expected at least one kernel, and weights of at least 0", nameof(terms));

    /// <inheritdoc/>
    public Tensor Gram(Tensor x, Tensor y) => _terms.Select(t => t.Kernel.Gram(x, y).mul_(t.Weight)).Aggregate((a, b) => a.add_(b));

    /// <inheritdoc/>
    public Tensor Diagonal(Tensor x) => _terms.Select(t => t.Kernel.Diagonal(x).mul_(t.Weight)).Aggregate((a, b) => a.add_(b));
}

/// <summary>The product of kernels, number by number, which is one.</summary>
/// <param name="factors">At least one.</param>
public sealed class Product(params IReadOnlyList<IKernel> factors) : IKernel
{
    private readonly IReadOnlyList<IKernel> _factors = factors.Count > 0 ? factors : throw new ArgumentException("expected at least one kernel", nameof(factors));

    /// <inheritdoc/>
    public Tensor Gram(Tensor x, Tensor y) => _factors.Select(f => f.Gram(x, y)).Aggregate((a, b) => a.mul_(b));

    /// <inheritdoc/>
    public Tensor Diagonal(Tensor x) => _factors.Select(f => f.Diagonal(x)).Aggregate((a, b) => a.mul_(b));
}

/// <summary>What kernels are made of.</summary>
internal static class Products
{
    /// <summary>More than any of these take part in.</summary>
    private const long MostBytes = 8L << 30;

    /// <summary><c>X Yᵀ</c>, symmetric to the bit where both are the same.</summary>
    public static Tensor Of(Tensor x, Tensor y)
    {
        Check(x, y);
        var gram = x.mm(y.t());
        return ReferenceEquals(x, y) ? Symmetric(gram) : gram;
    }

    /// <summary>‖x − y‖² by the products, not below 0, and 0 of a row with itself.</summary>
    public static Tensor SquaredDistances(Tensor x, Tensor y)
    {
        var d2 = Of(x, y).mul_(-2).add_(x.square().sum(1, keepdim: true)).add_(y.square().sum(1)).clamp_min_(0);
        if (ReferenceEquals(x, y))
            Symmetric(d2).diagonal().fill_(0);
        return d2;
    }

    /// <summary>The upper half on both sides, in place.</summary>
    public static Tensor Symmetric(Tensor a)
    {
        using var scope = NewDisposeScope();
        return a.copy_(a.triu() + a.triu(1).t());
    }

    private static void Check(Tensor x, Tensor y)
    {
        if (x.dim() != 2 || y.dim() != 2 || x.dtype != ScalarType.Float64 || y.dtype != ScalarType.Float64 || x.shape[1] != y.shape[1])
            throw new ArgumentException($"rows {x.dtype} [{string.Join(", ", x.shape)}] and {y.dtype} [{string.Join(", ", y.shape)}]; expected float64 [n, d] and [m, d] of the same d", nameof(y));
        if (x.shape[0] * y.shape[0] * sizeof(double) is var bytes and > MostBytes)
            throw InputException.At("kernel", $"{x.shape[0]:N0} by {y.shape[0]:N0} rows, {bytes / 1e9:F1} GB", $"at most {MostBytes / 1e9:F1} GB", "Take fewer rows, or a method without a Gram matrix.");
    }
}
