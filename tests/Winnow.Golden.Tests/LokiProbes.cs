using Winnow.KernelMethods;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of answers between classes.</summary>
internal static class LokiProbes
{
    public static Dictionary<string, GoldenArray> Tree(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        int nodes = file.Param<int>("nodes");
        long[] observed = file.Input("observed").Integers, truth = file.Input("y").Integers;
        using var metric = LabelMetric.OfEdges(nodes, file.Input("edges").Integers.Chunk(2).Select(e => ((int)e[0], (int)e[1])));
        var (p, squared) = (file.Tensor("P"), metric.Squared.index_select(0, tensor(observed)));
        long[] loki = [.. FrechetRule.Answers(p, squared).Select(a => (long)a)], likeliest = [.. p.argmax(1).data<long>().ToArray().Select(k => observed[k])];
        double Distance(long[] answers) => answers.Zip(truth, (a, y) => metric[(int)a, (int)y]).Average();
        var seen = observed.Select(l => (int)l).ToList();
        var (next, sizes) = (new List<long>(), new List<long> { metric.Locus(seen).Length });
        long[] locus = [.. metric.Locus(seen).Select(l => (long)l)];
        while (metric.Next(seen) is { } label)
        {
            next.Add(label);
            seen.Add(label);
            sizes.Add(metric.Locus(seen).Length);
        }
        return new()
        {
            ["d2"] = metric.Squared.AsFloat64(),
            ["scores"] = FrechetRule.Costs(p, squared).AsFloat64(),
            ["pred_loki"] = GoldenArray.Int64([loki.Length], loki),
            ["pred_argmax"] = GoldenArray.Int64([likeliest.Length], likeliest),
            ["msd_loki"] = GoldenArray.Float64([1], [Distance(loki)]),
            ["msd_argmax"] = GoldenArray.Float64([1], [Distance(likeliest)]),
            ["locus"] = GoldenArray.Int64([locus.Length], locus),
            ["next_nodes"] = GoldenArray.Int64([next.Count], [.. next]),
            ["locus_sizes"] = GoldenArray.Int64([sizes.Count], [.. sizes]),
        };
    }
}
