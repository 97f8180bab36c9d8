namespace Winnow.Continual;

/// <summary>Compares the boundaries that a learner saw with the true ones.</summary>
internal static class BoundaryReport
{
    /// <summary>
    /// The first detection within a task belongs to the boundary it begins with; all others, and all within the first task, are false.
    /// </summary>
    /// <param name="seen">Steps before which a boundary was seen.</param>
    /// <param name="starts">Steps with which the tasks begin, the first with 0.</param>
    /// <returns>Mean delay in mini-batches over the boundaries found (none when none was), boundaries missed, false detections.</returns>
    public static IEnumerable<(string Name, double Value)> Of(IReadOnlyList<long> seen, IReadOnlyList<long> starts)
    {
        var delays = new List<long>();
        for (int k = 1; k < starts.Count; k++)
        {
            long end = k + 1 < starts.Count ? starts[k + 1] : long.MaxValue;
            long[] within = [.. seen.Where(s => s >= starts[k] && s < end)];
            if (within.Length > 0)
                delays.Add(within.Min() - starts[k]);
        }
        if (delays.Count > 0)
            yield return ("detection/delay", delays.Average());
        yield return ("detection/missed", starts.Count - 1 - delays.Count);
        yield return ("detection/false", seen.Count - delays.Count);
    }
}
