using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>What one layer does about one earlier task while it learns another.</summary>
internal enum TransferRegime
{
    /// <summary>The new gradient hardly reaches the old task's subspace: updates keep out of it.</summary>
    Apart = 1,

    /// <summary>It does, but the old task's gradient points elsewhere: updates keep out, and the subspace is scaled instead.</summary>
    Scaled = 2,

    /// <summary>It does, and the old task's gradient agrees: updates may move inside, for the good of both.</summary>
    Shared = 3,
}

/// <summary>The rules by which a layer's gradient G [out, in] is compared with earlier tasks: their subspaces B_j and last gradients G_j.</summary>
internal static class Transfer
{
    /// <summary><c>‖G B Bᵀ‖ / ‖G‖</c>; 0 for a gradient of 0.</summary>
    public static double Share(Tensor gradient, Tensor basis)
    {
        using var scope = NewDisposeScope();
        double norm = Norm(gradient);
        return norm == 0 ? 0 : Norm(Subspace.Project(gradient, basis)) / norm;
    }

    /// <summary><c>⟨A, B⟩ / (‖A‖ ‖B‖)</c>; NaN when one of them is 0.</summary>
    public static double Cosine(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        return (a * b).sum(ScalarType.Float64).item<double>() / (Norm(a) * Norm(b));
    }

    /// <summary>Whether the projection is sufficient: its share reaches ε₁.</summary>
    public static bool Sufficient(double share, double epsilon1) => share >= epsilon1;

    /// <summary>The regime; a cosine that does not exist means <see cref="TransferRegime.Apart"/>.</summary>
    public static TransferRegime Regime(double share, double cosine, double epsilon1, double epsilon2) =>
        !Sufficient(share, epsilon1) || double.IsNaN(cosine) ? TransferRegime.Apart : cosine >= epsilon2 ? TransferRegime.Shared : TransferRegime.Scaled;

    /// <summary>The tasks with the largest shares, ascending by number; of equal ones the first.</summary>
    public static int[] Select(IReadOnlyList<double> shares, int top) =>
        [.. Enumerable.Range(0, shares.Count).OrderByDescending(j => shares[j]).Take(top).Order()];

    /// <summary>‖A‖ of Frobenius.</summary>
    public static double Norm(Tensor a)
    {
        using var scope = NewDisposeScope();
        return Math.Sqrt(a.square().sum(ScalarType.Float64).item<double>());
    }
}
