using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// The class-sensitive losses of Mamba-FSCIL: the added branch shall keep quiet on base classes and speak on new ones (suppression), and its
/// input-dependent parameters shall differ between the two (separation). Both on the graph; both null when a batch lacks one of the groups they need.
/// </summary>
public static class ClassSensitiveScan
{
    /// <summary><c>w · ‖Z_g‖_F / numel(Z_g)</c> over the rows of a group g; null without such rows.</summary>
    /// <param name="z">What the branch says, [B, ...].</param>
    /// <param name="group">Booleans [B].</param>
    /// <param name="weight">w: positive to suppress, negative to encourage.</param>
    public static Tensor? Suppression(Tensor z, Tensor group, double weight)
    {
        if (weight == 0 || Rows(z, group) is not { } rows)
            return null;
        return weight / rows.numel() * (rows.square().sum() + Tiny(z)).sqrt();
    }

    /// <summary>
    /// The mean of the four entries of <c>|I − cos|</c> between the averages of a parameter over base rows and over new rows: half the |cosine|.
    /// 0 when they are at right angles, ½ when they are parallel. Null without rows of both.
    /// </summary>
    /// <param name="parameter">An input-dependent parameter [B, ...], e.g. [B, 1, N, L].</param>
    /// <param name="novel">Booleans [B].</param>
    /// <param name="axes">What is averaged over, the rows (0) among it.</param>
    public static Tensor? Separation(Tensor parameter, Tensor novel, params long[] axes)
    {
        if (Rows(parameter, novel) is not { } added || Rows(parameter, novel.logical_not()) is not { } known)
            return null;
        Tensor a = known.mean(axes).flatten(), b = added.mean(axes).flatten();
        var pair = stack([a, b]);
        var unit = pair / (pair.square().sum([1], keepdim: true) + Tiny(pair)).sqrt();
        return (eye(2, dtype: parameter.dtype) - unit.mm(unit.t())).abs().mean();
    }

    /// <summary>Far below the square of any value that matters: the root has a gradient at zero.</summary>
    private static double Tiny(Tensor values) => values.dtype == ScalarType.Float64 ? 1e-40 : 1e-30;

    private static Tensor? Rows(Tensor values, Tensor group)
    {
        var index = group.nonzero().flatten();
        return index.numel() == 0 ? null : values.index_select(0, index);
    }
}
