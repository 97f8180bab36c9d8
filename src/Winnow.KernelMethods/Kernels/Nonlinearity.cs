using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>
/// What two correlated normal numbers are on average after a non-linearity φ, by Hermite polynomials h_j of unit length: with <c>a_j(k) = E[φ(√k z) h_j(z)]</c>, by Gauss and Hermite's rule, <c>E[φ(u)φ(v)] = Σ a_j(k_u) a_j(k_v) c^j</c>
/// for variances k and correlation c (Mehler). With as many terms as nodes a correlation of 1 gives what the rule itself gives. Cost O(nodes) multiplications an entry, where a product rule takes nodes².
/// <para>As near as polynomials of the degree are: for tanh, gelu, softplus and the sine at variances up to about 2 to 1e-7 and better; kinks need a closed form.</para>
/// </summary>
/// <param name="Value">φ, number by number.</param>
/// <param name="Slope">φ', number by number.</param>
public sealed record Nonlinearity(Func<Tensor, Tensor> Value, Func<Tensor, Tensor> Slope)
{
    private const int Nodes = 128;
    private static readonly (double[] Points, double[] Polynomials) Rule = Hermite(Nodes);

    /// <summary>tanh.</summary>
    public static Nonlinearity Tanh { get; } = new(z => z.tanh(), z => 1 - z.tanh().square());

    /// <summary><c>z P(Z ≤ z)</c>, Z a standard normal number.</summary>
    public static Nonlinearity Gelu { get; } = new(z => z * Below(z), z => Below(z) + z * (z.square() / -2).exp() / Math.Sqrt(2 * Math.PI));

    /// <summary><c>log(1 + e^z)</c>.</summary>
    public static Nonlinearity Softplus { get; } = new(z => z.clamp_min(0) + z.abs().neg().exp().log1p(), z => z.sigmoid());

    /// <summary>The sine.</summary>
    public static Nonlinearity Sine { get; } = new(z => z.sin(), z => z.cos());

    private static Tensor Below(Tensor z) => (1 + (z / Math.Sqrt(2)).erf()) / 2;

    /// <summary>E[φ(u)φ(v)] or E[φ'(u)φ'(v)].</summary>
    /// <param name="phi">φ or φ'.</param>
    /// <param name="k">Covariances [n, m].</param>
    /// <param name="kx">Variances of u [n].</param>
    /// <param name="ky">Variances of v [m].</param>
    internal static Tensor Products(Func<Tensor, Tensor> phi, Tensor k, Tensor kx, Tensor ky)
    {
        using var scope = NewDisposeScope();
        var c = (k / (kx.unsqueeze(1) * ky).sqrt().clamp_min(double.Epsilon)).clamp_(-1, 1);
        var (a, b) = (Coefficients(phi, kx), Coefficients(phi, ky));
        var sum = zeros_like(c);
        for (int j = Nodes - 1; j >= 0; j--)
            sum.mul_(c).addcmul_(a.select(1, j).unsqueeze(1), b.select(1, j).unsqueeze(0), 1);
        return sum.MoveToOuterDisposeScope();
    }

    /// <summary>E[φ(u)²] or E[φ'(u)²] for variances [n].</summary>
    internal static Tensor Own(Func<Tensor, Tensor> phi, Tensor k)
    {
        using var scope = NewDisposeScope();
        return Coefficients(phi, k).square().sum(1).MoveToOuterDisposeScope();
    }

    /// <summary>a_j(k) [n, nodes].</summary>
    private static Tensor Coefficients(Func<Tensor, Tensor> phi, Tensor k)
    {
        var points = Aligned.Of(Rule.Points, Nodes);
        return phi(k.sqrt().unsqueeze(1) * points).mm(Aligned.Of(Rule.Polynomials, Nodes, Nodes));
    }

    /// <summary>Nodes of the rule, roots of a polynomial by bisection between those of the one before, and <c>w_q h_j(x_q)</c> [node, j], w_q = 1 / Σ_j h_j(x_q)².</summary>
    private static (double[] Points, double[] Polynomials) Hermite(int nodes)
    {
        double Value(int degree, double x)
        {
            double last = 0, value = 1;
            for (int j = 0; j < degree; j++)
                (last, value) = (value, (x * value - Math.Sqrt(j) * last) / Math.Sqrt(j + 1));
            return value;
        }
        double[] roots = [];
        for (int degree = 1; degree <= nodes; degree++)
        {
            double most = 2 * Math.Sqrt(degree + 1);
            double[] between = [-most, .. roots, most];
            roots = [.. Enumerable.Range(0, degree).Select(i =>
            {
                double low = between[i], high = between[i + 1], sign = Math.Sign(Value(degree, low));
                for (int step = 0; step < 60; step++)
                {
                    double middle = (low + high) / 2;
                    (low, high) = Math.Sign(Value(degree, middle)) == sign ? (middle, high) : (low, middle);
                }
                return (low + high) / 2;
            })];
        }
        double[] polynomials = new double[nodes * nodes];
        for (int q = 0; q < nodes; q++)
        {
            double[] h = [.. Enumerable.Range(0, nodes).Select(j => Value(j, roots[q]))];
            double size = h.Sum(v => v * v);
            for (int j = 0; j < nodes; j++)
                polynomials[q * nodes + j] = h[j] / size;
        }
        return (roots, polynomials);
    }
}
