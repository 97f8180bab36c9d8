using Winnow.Continual;

namespace Winnow.Golden.Tests;

/// <summary>Probes of dynamic sparse training.</summary>
internal static class ClDstProbes
{
    public static Dictionary<string, GoldenArray> DeathRate(GoldenFile file)
    {
        long steps = file.Param<long>("T_max");
        double[] rates = [.. Enumerable.Range(0, (int)steps + 1).Select(k => DropAndGrow.Rate(k, steps, file.Param<double>("rate0"), file.Param<double>("eta_min")))];
        return new() { ["rate"] = GoldenArray.Float64([rates.Length], rates) };
    }

    public static Dictionary<string, GoldenArray> Erk(GoldenFile file)
    {
        double[] densities = SparseLayout.Erk(file.Param<long[][]>("shapes"), file.Param<double>("density"), file.Param<double>("erk_power_scale"));
        return new() { ["layer_density"] = GoldenArray.Float64([densities.Length], densities) };
    }

    public static Dictionary<string, GoldenArray> DropAndGrowOnce(GoldenFile file)
    {
        var input = file.Input("w");
        float[] w = input.Singles, gradient = file.Input("grad").Singles;
        double rate = file.Param<double>("death_rate");
        byte[] before = [.. file.Input("mask").Doubles.Select(m => (byte)m)], allowed = [.. before.Select(_ => (byte)1)];
        var (magnitude, regrow) = Dropped(DropRule.Magnitude);
        return new()
        {
            ["mask_magnitude"] = Mask(magnitude),
            ["mask_SET"] = Mask(Dropped(DropRule.SetReleased).Mask),
            ["mask_taylor"] = Mask(Dropped(DropRule.Taylor).Mask),
            ["num_regrow"] = GoldenArray.Int64([], [regrow]),
            ["mask_after_gradient_growth"] = Mask(Grown(DropAndGrow.Gradient(gradient))),
            ["mask_after_momentum_growth"] = Mask(Grown(DropAndGrow.Momentum(file.Input("adam_m").Singles, file.Input("adam_v").Singles))),
        };

        (byte[] Mask, int Count) Dropped(DropRule rule)
        {
            byte[] mask = [.. before];
            int count = DropAndGrow.Drop(rule, w, gradient, mask, rate);
            return (mask, count);
        }

        byte[] Grown(float[] scores)
        {
            byte[] mask = [.. magnitude];
            DropAndGrow.Grow(scores, mask, allowed, regrow);
            return mask;
        }

        GoldenArray Mask(byte[] mask) => GoldenArray.Float32(input.Shape, Array.ConvertAll(mask, m => (float)m));
    }
}
