using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Learns nothing: the class whose name is nearest in angle (Radford et al. 2021). Cost O(classes · d) a row.</summary>
public sealed class ZeroShot : IClassifier
{
    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        return new FittedKernel(new Linear(), zeros(1, rows.X.shape[1], dtype: ScalarType.Float64), zeros(1, rows.Classes, dtype: ScalarType.Float64), new Dictionary<string, double>(), ProKer.Names(rows));
    }
}

/// <summary>Options of <see cref="TipAdapter"/>.</summary>
public sealed record TipAdapterOptions
{
    /// <summary>The sharpness.</summary>
    [Range(0.0, 1e6), Description("β of the kernel exp(−β(1 − ⟨x, y⟩)); 0: chosen with the weight on the validation rows, or 5.5 without them")]
    public double Beta { get; init; }

    /// <summary>The weight.</summary>
    [Range(0.0, 1e6), Description("weight of the rows beside the names; 0: chosen, or 1")]
    public double Weight { get; init; }
}

/// <summary>
/// Tip-Adapter (Zhang et al., Tip-Adapter: training-free adaption of CLIP for few-shot classification, ECCV 2022): the names, and a sum of one-hot labels weighted by similarity:
/// <c>x Tᵀ + a · exp(−β(1 − x Sᵀ)) L</c>. Cost O(n (d + classes)) a row.
/// </summary>
public sealed class TipAdapter(TipAdapterOptions options) : IClassifier
{
    private static readonly double[] Betas = [0.5, 1, 2, 3, 5, 8, 12], Weights = [0.01, 0.03, 0.1, 0.3, 1, 3];

    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        var (names, s, labels) = (ProKer.Names(rows), ProKer.Unit(rows.X, "rows"), rows.OneHot());
        var (beta, weight) = (options.Beta > 0 ? options.Beta : 5.5, options.Weight > 0 ? options.Weight : 1);
        if (rows.Validation is { } validation && (options.Beta == 0 || options.Weight == 0))
        {
            var v = ProKer.Unit(validation.X, "validation rows");
            var (start, truth) = (v.mm(names.t()), tensor(validation.Labels.Select(l => (long)l).ToArray()));
            long most = -1;
            foreach (double b in options.Beta > 0 ? [options.Beta] : Betas)
            {
                cancellation.ThrowIfCancellationRequested();
                var sums = new ProKer.Sphere(b).Gram(v, s).mm(labels);
                foreach (double a in options.Weight > 0 ? [options.Weight] : Weights)
                    if ((start + sums * a).argmax(1).eq(truth).sum().item<long>() is var right && right > most)
                        (most, beta, weight) = (right, b, a);
            }
        }
        return new FittedKernel(new ProKer.Sphere(beta), s, labels * weight, new Dictionary<string, double> { ["beta"] = beta, ["weight"] = weight }, names);
    }
}
