using Winnow.Compute;

namespace Winnow.Golden.Tests;

/// <summary>Probes of the attention accelerator's model.</summary>
internal static class FusemaxProbes
{
    public static Dictionary<string, GoldenArray> AttentionLatency(GoldenFile file)
    {
        var shapes = file.Input("shapes");
        long[] sizes = shapes.Integers;
        string[] names = file.Param<string[]>("shape_columns"), columns = file.Param<string[]>("columns");
        var array = new SpatialArray();
        int count = shapes.Shape[0];
        double[] results = [.. Enumerable.Range(0, count).SelectMany(i =>
        {
            long Size(string name) => sizes[i * names.Length + Array.IndexOf(names, name)];
            var shape = new AttentionShape(Size("B"), Size("H"), Size("E"), Size("F"), Size("M"), Size("P"));
            var full = array.Cost(AttentionDesign.Fusemax, shape);
            return columns.Select(c => c switch
            {
                "fusemax_latency" => full.Seconds,
                "fusemax_traffic" => full.TrafficBytes,
                "fusemax_util2d" => full.Utilisation,
                "arch_latency" => array.Cost(AttentionDesign.Architecture, shape).Seconds,
                "cascade_latency" => array.Cost(AttentionDesign.Cascade, shape).Seconds,
                "flat_latency" => array.Cost(AttentionDesign.Flat, shape).Seconds,
                _ => throw new InvalidDataException($"no column '{c}'"),
            });
        })];
        return new() { ["results"] = GoldenArray.Float64([count, columns.Length], results) };
    }
}
