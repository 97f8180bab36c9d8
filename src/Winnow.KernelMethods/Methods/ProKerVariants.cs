using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>
/// The residuals of names by local linear regression: at x the weights k(x, sᵢ) and <c>min Σ kᵢ ‖rᵢ − a − B(sᵢ − x)‖² + λ ‖B‖²</c>, of which a is added. A large λ leaves the weighted mean of the residuals. Cost O(n d² + d³) a row, in blocks.
/// </summary>
internal sealed class LocalLinear(Tensor names, Tensor s, Tensor residuals, double beta, double lambda) : IFitted
{
    private const long MostNumbers = 4_000_000;
    private readonly Tensor _names = names.clone().DetachFromDisposeScope(), _s = s.clone().DetachFromDisposeScope(), _residuals = residuals.clone().DetachFromDisposeScope();

    public IReadOnlyDictionary<string, double> Report { get; } = new Dictionary<string, double> { ["beta"] = beta, ["lambda"] = lambda };

    public Tensor Scores(Tensor x)
    {
        using var scope = NewDisposeScope();
        Finite.Rows(x, _s.shape[1]);
        var v = ProKer.Unit(x, "rows");
        return (v.mm(_names.t()) + Correction(v, _s, _residuals, beta, lambda)).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        _names.Dispose();
        _s.Dispose();
        _residuals.Dispose();
    }

    /// <summary>a of each row [m, classes].</summary>
    /// <param name="v">Unit rows [m, d].</param>
    /// <param name="s">Unit rows learned from [n, d].</param>
    /// <param name="residuals">[n, classes].</param>
    /// <param name="beta">β.</param>
    /// <param name="lambda">λ.</param>
    public static Tensor Correction(Tensor v, Tensor s, Tensor residuals, double beta, double lambda)
    {
        using var scope = NewDisposeScope();
        Tensor Led(Tensor x) => cat([ones(x.shape[0], 1, dtype: ScalarType.Float64), x], 1);
        // in coordinates that do not move with x, which changes no B
        var (z, asked) = (Led(s), Led(v));
        var penalty = eye(z.shape[1], dtype: ScalarType.Float64) * lambda;
        penalty[0, 0] = 0;
        long block = Math.Max(1, MostNumbers / Math.Max(z.numel(), z.shape[1] * z.shape[1]));
        var parts = new List<Tensor>();
        for (long first = 0; first < v.shape[0]; first += block)
        {
            long count = Math.Min(block, v.shape[0] - first);
            var weighted = new ProKer.Sphere(beta).Gram(v.narrow(0, first, count), s).unsqueeze(2) * z; // [b, n, d + 1]
            var solved = linalg.solve(weighted.transpose(1, 2).matmul(z) + penalty, weighted.transpose(1, 2).matmul(residuals));
            parts.Add(asked.narrow(0, first, count).unsqueeze(1).matmul(solved).squeeze(1));
        }
        return (parts.Count == 0 ? zeros(0, residuals.shape[1], dtype: ScalarType.Float64) : cat(parts)).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// Gaussian discriminants of the rows beside names: <c>x Tᵀ + w (x Σ⁻¹ μ_c − ½ μ_cᵀ Σ⁻¹ μ_c + log π_c)</c>, classes with one covariance, <c>Σ⁻¹ = d ((n − 1) Σ̂ + tr(Σ̂) I)⁻¹</c> (Wang et al., A hard-to-beat baseline for training-free CLIP-based adaptation, ICLR 2024,
/// arXiv 2402.04087). With one row a class Σ is I. A class without rows has the least of the others'. Cost O(n d² + d³).
/// </summary>
internal sealed class GaussianDiscriminants : IFitted
{
    private readonly Tensor _names, _weights, _constant;

    /// <param name="names">Unit names [classes, d].</param>
    /// <param name="rows">Rows with labels.</param>
    /// <param name="s">Those rows with length 1.</param>
    /// <param name="weight">w of present classes.</param>
    public GaussianDiscriminants(Tensor names, TrainingRows rows, Tensor s, double weight)
    {
        using var scope = NewDisposeScope();
        var (w, b) = Of(rows, s);
        (_names, _weights, _constant) = (names.clone().DetachFromDisposeScope(), (w * weight).DetachFromDisposeScope(), (b * weight).DetachFromDisposeScope());
        Absent = [.. Enumerable.Range(0, rows.Classes).Except(rows.Labels).Select(c => (long)c)];
        Report = new Dictionary<string, double> { ["lambda"] = weight };
    }

    private long[] Absent { get; }

    public IReadOnlyDictionary<string, double> Report { get; }

    /// <summary>Weights [d, classes] and constants [classes].</summary>
    public static (Tensor Weights, Tensor Constant) Of(TrainingRows rows, Tensor s)
    {
        using var scope = NewDisposeScope();
        var y = rows.OneHot();
        var (n, d, counts) = (s.shape[0], s.shape[1], y.sum([0]).unsqueeze(1));
        var means = y.t().mm(s) / counts.clamp_min(1);
        var away = s - y.mm(means);
        var covariance = away.t().mm(away) / n;
        double trace = covariance.trace().item<double>();
        var identity = eye(d, dtype: ScalarType.Float64);
        var inverse = trace > 1e-12 ? linalg.inv(covariance * (n - 1) + identity * trace) * d : identity;
        var w = inverse.mm(means.t());
        var constant = (counts.clamp_min(1) / n).log().squeeze(1) - (means.t() * w).sum([0]) / 2;
        return (w.MoveToOuterDisposeScope(), constant.MoveToOuterDisposeScope());
    }

    public Tensor Scores(Tensor x)
    {
        using var scope = NewDisposeScope();
        Finite.Rows(x, _names.shape[1]);
        var v = ProKer.Unit(x, "rows");
        return (v.mm(_names.t()) + Filled(v.mm(_weights) + _constant, Absent)).MoveToOuterDisposeScope();
    }

    /// <summary>Discriminants whose absent classes have the least of the others'.</summary>
    public static Tensor Filled(Tensor discriminants, long[] absent)
    {
        if (absent.Length == 0)
            return discriminants;
        var others = discriminants.index_fill(1, tensor(absent), double.PositiveInfinity);
        return discriminants.index_copy(1, tensor(absent), others.amin([1], keepdim: true).expand(-1, absent.Length).contiguous());
    }

    public void Dispose()
    {
        _names.Dispose();
        _weights.Dispose();
        _constant.Dispose();
    }
}
