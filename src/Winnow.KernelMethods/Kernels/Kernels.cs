using System.Numerics.Tensors;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

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
    public Tensor Gram(Tensor x, Tensor y) => Products.Of(x, y, (row, length, lengths) =>
    {
        Products.SquaredDistances(row, length, lengths);
        TensorPrimitives.Multiply(row, -_gamma, row);
        TensorPrimitives.Exp(row, row);
    });

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
        var some = Products.Evenly(x, most);
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
        double scale = Math.Sqrt(_halves) / _length;
        return Products.Of(x, y, (row, length, lengths) =>
        {
            Products.SquaredDistances(row, length, lengths);
            for (int j = 0; j < row.Length; j++)
            {
                double r = scale * Math.Sqrt(row[j]);
                row[j] = Math.Exp(-r) * (_halves == 1 ? 1 : _halves == 3 ? 1 + r : 1 + r + r * r / 3);
            }
        });
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
