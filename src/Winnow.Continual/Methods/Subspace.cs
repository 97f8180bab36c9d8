using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>How many directions of its first inputs a layer keeps.</summary>
public enum RankRule
{
    /// <summary>The fewest whose energy reaches the threshold: the paper's equation.</summary>
    Reached,

    /// <summary>One less, so that the energy of the first task stays just below the threshold: the released code.</summary>
    Below,
}

/// <summary>
/// The directions that hold most of a layer's inputs R [in, n]: the leading left singular vectors of what an orthonormal basis O [in, r]
/// leaves over, <c>R̂ = R − O Oᵀ R = U Σ Vᵀ</c>. Directions with less than 10⁻¹² of the energy ‖R‖² are rounding and never kept.
/// Cost: O(in² n).
/// </summary>
internal static class Subspace
{
    private const double Rounding = 1e-12;

    /// <summary><c>A·B·Bᵀ</c>: the part of A [out, in] inside the span of B [in, r].</summary>
    public static Tensor Project(Tensor a, Tensor basis) => a.matmul(basis).matmul(basis.T);

    /// <summary>Gradient projection memory: all of O stays, and new directions are added until both hold the share <paramref name="threshold"/> of ‖R‖².</summary>
    /// <returns>The new directions [in, k]; the current dispose scope owns them.</returns>
    public static Tensor Residual(Tensor inputs, Tensor basis, double threshold, RankRule rule)
    {
        Check(threshold);
        var (u, energies, total) = Directions(inputs, basis);
        double energy = total - energies.Sum();
        int count = 0;
        while (count < Room(inputs, basis) && count < energies.Length && energy < threshold * total && energies[count] > Rounding * total)
            energy += energies[count++];
        return u.narrow(1, 0, count - Surplus(rule, basis, energy, threshold * total, count));
    }

    /// <summary>
    /// TRGP and CUBER: old directions score <c>oᵀRRᵀo</c>, new ones σ²; the best of both are the task's own until their scores reach the
    /// share <paramref name="threshold"/> of ‖R‖².
    /// </summary>
    /// <returns>Which columns of O the task has, and its new directions [in, k]; the current dispose scope owns them.</returns>
    public static (bool[] Old, Tensor New) Joint(Tensor inputs, Tensor basis, double threshold, RankRule rule)
    {
        Check(threshold);
        var (u, energies, total) = Directions(inputs, basis);
        double[] old = basis.shape[1] == 0 ? [] : basis.T.matmul(inputs).square().sum(1).contiguous().Values<double>().ToArray();
        bool[] kept = new bool[old.Length];
        double energy = 0;
        int fresh = 0, room = Room(inputs, basis);
        foreach (var (score, index) in old.Concat(energies).Select((s, i) => (s, i)).OrderByDescending(p => p.s))
        {
            if (energy >= threshold * total || score <= Rounding * total)
                break;
            if (index < old.Length)
                kept[index] = true;
            else if (fresh < room)
                fresh++;
            energy += score;
        }
        return (kept, u.narrow(1, 0, fresh - Surplus(rule, basis, energy, threshold * total, fresh)));
    }

    private static (Tensor U, double[] Energies, double Total) Directions(Tensor inputs, Tensor basis)
    {
        double total = inputs.square().sum().item<double>();
        if (!double.IsFinite(total))
            throw new InvalidOperationException("A layer's inputs are not finite: training diverged. Lower the learning rate.");
        var rest = basis.shape[1] == 0 ? inputs : inputs - basis.matmul(basis.T.matmul(inputs));
        var (u, s, _) = linalg.svd(rest, fullMatrices: false);
        return (u, s.square().contiguous().Values<double>().ToArray(), total);
    }

    private static int Room(Tensor inputs, Tensor basis) => (int)(inputs.shape[0] - basis.shape[1]);

    /// <summary>The released code counts, for the first task only, the directions before the one that reaches the threshold.</summary>
    private static int Surplus(RankRule rule, Tensor basis, double energy, double wanted, int count) =>
        rule == RankRule.Below && basis.shape[1] == 0 && count > 0 && energy >= wanted ? 1 : 0;

    private static void Check(double threshold)
    {
        if (threshold is not (> 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(threshold), threshold, "The share of energy to keep is above 0 and at most 1.");
    }
}
