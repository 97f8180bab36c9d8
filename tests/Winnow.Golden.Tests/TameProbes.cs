using Winnow.Continual;

namespace Winnow.Golden.Tests;

/// <summary>Probes of TAME.</summary>
internal static class TameProbes
{
    public static Dictionary<string, GoldenArray> Switch(GoldenFile file)
    {
        var table = file.Input("loss_table");
        int experts = table.Shape[0], steps = table.Shape[1];
        using var chooser = new ExpertSwitch(experts, () => new(file.Param<int>("num_classes_per_task"), file.Param<int>("window"), file.Param<double>("smoothing")), watchAll: true);
        long[] active = new long[steps];
        double[] thresholds = new double[steps];
        for (int t = 0; t < steps; t++)
        {
            int step = t;
            active[t] = chooser.Choose(e => table.Doubles[e * steps + step]);
            thresholds[t] = chooser.LastThreshold;
        }
        return new()
        {
            ["active_expert"] = GoldenArray.Int64([steps], active),
            ["threshold_of_expert_active_at_step_start"] = GoldenArray.Float64([steps], thresholds),
            ["num_experts"] = GoldenArray.Int64([], [chooser.Count]),
        };
    }
}
