using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="NearestMean"/>.</summary>
public sealed record NearestMeanOptions
{
    /// <summary>Which variances.</summary>
    [AllowedValues("none", "shared", "own"), Description("variances of features: none: all 1, the nearest mean; shared by all classes; own: of each class, Gaussian naive Bayes")]
    public string Variances { get; init; } = "none";

    /// <summary>The least variance.</summary>
    [Range(0.0, 1e3), Description("added to every variance, as a share of the largest of a feature; such as 1e-9")]
    public double Smoothing { get; init; } = 1e-9;
}

/// <summary>
/// Classes by their means: <c>−½ Σⱼ (xⱼ − μⱼ)² / vⱼ</c>, with own variances <c>− ½ Σⱼ log 2πvⱼ + log share of rows</c> beside it: the prototype of each class, or Gaussian naive Bayes (Maron, Journal of the ACM 8, 1961). A class without rows
/// scores below all others. Cost O(n d).
/// </summary>
public sealed class NearestMean(NearestMeanOptions options) : IClassifier
{
    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        long[] present = [.. rows.Labels.Distinct().Order().Select(l => (long)l)];
        var y = rows.OneHot().index_select(1, tensor(present));
        var counts = y.sum([0]).unsqueeze(1);
        var means = y.t().mm(rows.X) / counts;
        var away = (rows.X - y.mm(means)).square();
        var floor = rows.X.var(0, unbiased: false).max() * options.Smoothing + double.Epsilon;
        var variances = options.Variances switch
        {
            "own" => y.t().mm(away) / counts + floor,
            "shared" => (away.mean([0], keepdim: true) + floor).expand(present.Length, -1),
            _ => ones_like(means),
        };
        // a feature that never changes and no smoothing leave nothing to divide by
        variances = where(variances > 1e-300, variances, ones_like(variances));
        var constant = options.Variances == "own" ? (counts / counts.sum()).log().squeeze(1) - (variances * (2 * Math.PI)).log().sum(1) / 2 : zeros(present.Length, dtype: ScalarType.Float64);
        return new Fitted(means.clone().DetachFromDisposeScope(), variances.contiguous().clone().DetachFromDisposeScope(), constant.DetachFromDisposeScope(), present, rows.Classes);
    }

    private sealed class Fitted(Tensor means, Tensor variances, Tensor constant, long[] present, int classes) : IFitted
    {
        public IReadOnlyDictionary<string, double> Report { get; } = new Dictionary<string, double>();

        public Tensor Scores(Tensor x)
        {
            using var scope = NewDisposeScope();
            Finite.Rows(x, means.shape[1]);
            var own = stack([.. Enumerable.Range(0, present.Length).Select(k => ((x - means[k]).square() / variances[k]).sum(1) / -2 + constant[k])], 1);
            if (present.Length == classes)
                return own.MoveToOuterDisposeScope();
            // of each row alone, so that no row's scores depend on another's
            return (own.amin([1], keepdim: true) - 1).expand(-1, classes).contiguous().index_copy_(1, tensor(present), own).MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
            means.Dispose();
            variances.Dispose();
            constant.Dispose();
        }
    }
}
