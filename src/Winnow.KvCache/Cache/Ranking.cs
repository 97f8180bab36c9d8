namespace Winnow.KvCache;

/// <summary>The best of some scores.</summary>
internal static class Ranking
{
    /// <summary>How many of n a share is: at least one, at most all.</summary>
    public static int Share(double share, int n) => Math.Clamp((int)Math.Round(share * n), 1, n);

    /// <summary>The indices of the largest scores, ascending; of equals the earlier ones.</summary>
    public static int[] Top(ReadOnlySpan<float> scores, int count)
    {
        int[] order = Descending(scores);
        int[] top = order[..Math.Clamp(count, 0, order.Length)];
        Array.Sort(top);
        return top;
    }

    /// <summary>All indices by falling score; of equals the earlier first.</summary>
    public static int[] Descending(ReadOnlySpan<float> scores)
    {
        float[] keys = scores.ToArray();
        int[] order = [.. Enumerable.Range(0, keys.Length)];
        Array.Sort(order, (a, b) => keys[a] != keys[b] ? keys[b].CompareTo(keys[a]) : a.CompareTo(b));
        return order;
    }

    /// <summary>Some best of the tokens before the last ones, and the last ones.</summary>
    public static int[] TopAndLast(ReadOnlySpan<float> scores, int count, int last)
    {
        int before = Math.Max(0, scores.Length - last);
        return [.. Top(scores[..before], count), .. Enumerable.Range(before, scores.Length - before)];
    }
}
