using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>How much the subnetworks of tasks have in common.</summary>
internal static class MaskOverlap
{
    /// <summary>The family of series that the report draws as a matrix: the share of task i's weights that task j uses too, <c>|M_i ∧ M_j| / |M_i|</c>.</summary>
    /// <param name="masks">Zeros and ones, uint8 [T, P].</param>
    /// <param name="tasks">Tasks that have a mask.</param>
    /// <returns>For each pair the name <c>overlap/j</c>, the share, and i, both counted from 1.</returns>
    public static IEnumerable<(string Name, double Value, long Step)> Series(Tensor masks, int tasks)
    {
        using var scope = NewDisposeScope();
        var m = masks.narrow(0, 0, tasks).to_type(ScalarType.Float64);
        double[] common = m.matmul(m.T).contiguous().Values<double>().ToArray();
        return [.. from i in Enumerable.Range(0, tasks) from j in Enumerable.Range(0, tasks)
                   select ($"overlap/{j + 1}", common[i * tasks + j] / Math.Max(1, common[i * tasks + i]), i + 1L)];
    }
}
