namespace Winnow.Continual;

/// <summary>How the weights of a sparse network are spread over its layers.</summary>
public enum SparseInit
{
    /// <summary>Every layer has the same density.</summary>
    Uniform,

    /// <summary>Erdős–Rényi kernel: small layers are denser.</summary>
    Erk,
}

/// <summary>Densities of layers: the share of a layer's weights that are not zero.</summary>
public static class SparseLayout
{
    /// <summary>The densities of a layout.</summary>
    /// <param name="layout">The layout.</param>
    /// <param name="shapes">Shape of each layer's weight.</param>
    /// <param name="density">Share of all weights, in (0, 1].</param>
    /// <exception cref="ArgumentOutOfRangeException">The density is outside (0, 1].</exception>
    public static double[] Densities(SparseInit layout, IReadOnlyList<IReadOnlyList<long>> shapes, double density) =>
        layout == SparseInit.Erk ? Erk(shapes, density) : [.. shapes.Select(_ => Checked(density))];

    /// <summary>
    /// Density of layer l is <c>ε p_l</c> with <c>p_l = (Σ dims_l / Π dims_l)^power</c> and ε such that the share of all weights is right;
    /// layers that would need more than all their weights are dense, and ε is found again for the others.
    /// </summary>
    /// <param name="shapes">Shape of each layer's weight.</param>
    /// <param name="density">Share of all weights, in (0, 1].</param>
    /// <param name="power">Exponent; 1 in the paper.</param>
    /// <exception cref="ArgumentOutOfRangeException">The density is outside (0, 1].</exception>
    public static double[] Erk(IReadOnlyList<IReadOnlyList<long>> shapes, double density, double power = 1)
    {
        Checked(density);
        double[] n = [.. shapes.Select(s => s.Aggregate(1.0, (a, b) => a * b))];
        double[] p = [.. shapes.Zip(n, (s, count) => Math.Pow(s.Sum() / count, power))];
        bool[] dense = new bool[n.Length];
        while (true)
        {
            int[] sparse = [.. Enumerable.Range(0, n.Length).Where(l => !dense[l])];
            if (sparse.Length == 0)
                return [.. n.Select(_ => 1.0)];
            double weights = sparse.Sum(l => density * n[l]) - Enumerable.Range(0, n.Length).Where(l => dense[l]).Sum(l => (1 - density) * n[l]);
            double epsilon = weights / sparse.Sum(l => p[l] * n[l]), largest = sparse.Max(l => p[l]);
            if (epsilon * largest <= 1)
                return [.. Enumerable.Range(0, n.Length).Select(l => dense[l] ? 1 : epsilon * p[l])];
            foreach (int l in sparse)
                dense[l] = p[l] == largest;
        }
    }

    private static double Checked(double density) => density is > 0 and <= 1 ? density
        : throw new ArgumentOutOfRangeException(nameof(density), density, "The density is the share of weights kept, above 0 and at most 1.");
}
