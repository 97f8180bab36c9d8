using Winnow.Continual;

namespace Winnow.Golden.Tests;

/// <summary>Probes of the two lifelong-learning surveys.</summary>
internal static class LifelongProbes
{
    /// <summary>Proximal steps on ½ wᵀHw − cᵀw with the anchor Σ b (w − w0)², until they stand still.</summary>
    public static Dictionary<string, GoldenArray> Quadratic(GoldenFile file)
    {
        double[] h = file.Input("H").Doubles, c = file.Input("c").Doubles, b = file.Input("b").Doubles, anchor = file.Input("w0").Doubles;
        int n = c.Length;
        double rate = 1 / Enumerable.Range(0, n).Max(i => Enumerable.Range(0, n).Sum(j => Math.Abs(h[i * n + j]))); // at most 1 / the largest eigenvalue
        double[] pull = Array.ConvertAll(b, s => Consolidation.Share(s, rate)), w = [.. anchor], last = new double[n];
        for (int step = 0; step < 1_000_000 && !w.AsSpan().SequenceEqual(last); step++)
        {
            w.CopyTo(last, 0);
            for (int i = 0; i < n; i++)
                w[i] -= rate * (System.Numerics.Tensors.TensorPrimitives.Dot<double>(h.AsSpan(i * n, n), last) - c[i]);
            Consolidation.Draw<double>(w, anchor, pull);
        }
        return new() { ["w_star"] = GoldenArray.Float64([n], w) };
    }
}
