using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>How much of a class's covariance is kept.</summary>
public enum CovarianceKind
{
    /// <summary>One full matrix a class: d² values each.</summary>
    Full,

    /// <summary>Variances only: d values a class.</summary>
    Diagonal,

    /// <summary>One full matrix for all classes, pooled within classes: d² values in all.</summary>
    Shared,
}

/// <summary>
/// One normal distribution a class, over features of width d, in float64: mean and unbiased covariance + 1e-4·I. The covariance is kept
/// as its Cholesky factor, which is what drawing needs. Cost: O(n·d² + d³) to fit n rows; O(S·d²) to draw S.
/// </summary>
public sealed class ClassGaussians : IDisposable
{
    private const double Ridge = 1e-4;
    private readonly CovarianceKind _kind;
    private readonly int _width;
    private readonly Tensor _means, _factors;
    private readonly Tensor? _scatter;

    /// <summary>Room for a number of classes; all memory is taken here.</summary>
    public ClassGaussians(CovarianceKind kind, int classes, int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        _kind = kind;
        _width = width;
        _means = zeros(classes, width, ScalarType.Float64).DetachFromDisposeScope();
        _factors = zeros(kind switch { CovarianceKind.Full => [classes, width, width], CovarianceKind.Diagonal => [classes, width], _ => [width, width] }, ScalarType.Float64).DetachFromDisposeScope();
        // Pooled: the sum of (f − μ)(f − μ)ᵀ over all rows, and below it, in a row of its own, the degrees of freedom.
        _scatter = kind == CovarianceKind.Shared ? zeros(width + 1, width, ScalarType.Float64).DetachFromDisposeScope() : null;
    }

    /// <summary>What is remembered, under a prefix.</summary>
    public IEnumerable<StateEntry> State(string prefix)
    {
        yield return new($"{prefix}.means", StateKind.Statistics, _means);
        yield return new($"{prefix}.factors", StateKind.Statistics, _factors);
        if (_scatter is not null)
            yield return new($"{prefix}.scatter", StateKind.Statistics, _scatter);
    }

    /// <summary>Takes a class's mean and covariance from its features [n, d].</summary>
    /// <exception cref="ArgumentException">Fewer than two rows, another width, or values that are not finite.</exception>
    public void Fit(int label, Tensor features)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        long n = features.shape[0];
        if (features.dim() != 2 || features.shape[1] != _width)
            throw new ArgumentException($"features of shape [{string.Join(", ", features.shape)}]; expected [rows, {_width}]: the width of the features must not change between tasks", nameof(features));
        if (n < 2)
            throw new ArgumentException($"class {label} has {n} training rows; a covariance needs at least 2: add rows or leave the class out", nameof(features));
        if (!features.isfinite().all().item<bool>())
            throw new ArgumentException($"the features of class {label} hold NaN or infinite values: the encoder diverged, lower its learning rate", nameof(features));
        var f = features.to_type(ScalarType.Float64);
        var mean = f.mean([0]);
        var centred = f - mean;
        var scatter = centred.t().mm(centred);
        if (_scatter is null)
        {
            Set(label, mean, scatter / (n - 1) + Ridge * eye(_width, dtype: ScalarType.Float64));
            return;
        }
        _means[label].copy_(mean);
        _scatter.narrow(0, 0, _width).add_(scatter);
        _scatter[_width].add_(n - 1);
        _factors.copy_(linalg.cholesky(_scatter.narrow(0, 0, _width) / _scatter[_width, 0] + Ridge * eye(_width, dtype: ScalarType.Float64)));
    }

    /// <summary>Sets a class's mean [d] and covariance [d, d], positive definite, both float64.</summary>
    public void Set(int label, Tensor mean, Tensor covariance)
    {
        if (_kind == CovarianceKind.Shared)
            throw new InvalidOperationException("A shared covariance belongs to no class: fit the classes.");
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        _means[label].copy_(mean);
        _factors[label].copy_(_kind == CovarianceKind.Full ? linalg.cholesky(covariance) : covariance.diagonal().sqrt());
    }

    /// <summary>The mean [d] of a class; the current dispose scope owns it.</summary>
    public Tensor Mean(int label) => _means[label].clone();

    /// <summary>The covariance [d, d] of a class; the current dispose scope owns it.</summary>
    public Tensor Covariance(int label)
    {
        using var scope = NewDisposeScope();
        var covariance = _kind == CovarianceKind.Diagonal ? diag(_factors[label].square()) : Factor(label).mm(Factor(label).t());
        return covariance.MoveToOuterDisposeScope();
    }

    /// <summary>Rows of N(scale·μ, Σ) made from standard normal noise [S, d] in float64; the current dispose scope owns them.</summary>
    public Tensor Sample(int label, double scale, Tensor noise)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var deviation = _kind == CovarianceKind.Diagonal ? noise * _factors[label] : noise.mm(Factor(label).t());
        return (scale * _means[label] + deviation).MoveToOuterDisposeScope();
    }

    private Tensor Factor(int label) => _kind == CovarianceKind.Full ? _factors[label] : _factors.alias();

    /// <inheritdoc/>
    public void Dispose()
    {
        _means.Dispose();
        _factors.Dispose();
        _scatter?.Dispose();
    }
}
