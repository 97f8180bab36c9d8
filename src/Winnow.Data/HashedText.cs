using System.Runtime.InteropServices;

namespace Winnow.Data;

/// <summary>
/// Text as numbers without a vocabulary: every word and every run of up to n words is hashed to one of a fixed number of features, with a sign from
/// the hash so that collisions cancel on average; a run of n words weighs 1/n², being the rarer the longer; the row is scaled to length 1.
/// <para>Words are runs of letters and digits (any script), lower-cased; runs of words do not reach from one field into the next. The hash is FNV-1a
/// over UTF-16 with a final mix: the same on every machine. Cost: O(characters · n).</para>
/// <para>Weinberger et al., Feature hashing for large scale multitask learning, ICML 2009 (arXiv 0902.2206).</para>
/// </summary>
public sealed class HashedText
{
    private const ulong Offset = 14695981039346656037, Prime = 1099511628211;

    /// <summary>A hashing of a size.</summary>
    /// <param name="dimensions">Features, at least 2.</param>
    /// <param name="longest">Words in a run at most, at least 1.</param>
    public HashedText(int dimensions = 4096, int longest = 2)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dimensions, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(longest, 1);
        (Dimensions, Longest) = (dimensions, longest);
    }

    /// <summary>Number of features.</summary>
    public int Dimensions { get; }

    /// <summary>Words in a run at most.</summary>
    public int Longest { get; }

    /// <summary>The features of a row of text: those that are not zero, ascending.</summary>
    /// <param name="fields">Its fields, for instance title and body.</param>
    public SparseRow Features(params ReadOnlySpan<string> fields)
    {
        var counts = new SortedDictionary<int, float>();
        foreach (string field in fields)
        {
            var words = Words(field);
            for (int i = 0; i < words.Count; i++)
            {
                ulong hash = Offset;
                for (int n = 0; n < Longest && i + n < words.Count; n++)
                {
                    hash = Add(Add(hash, words[i + n]), "\u001f"); // the separator keeps 'ab c' and 'a bc' apart
                    Count(counts, hash, 1f / (n + 1) / (n + 1));
                }
            }
        }
        return Normalised(counts);
    }

    /// <summary>The features of things that are named, e.g. <c>suffix=ing</c>: each name is hashed whole.</summary>
    public SparseRow Named(params ReadOnlySpan<string> names)
    {
        var counts = new SortedDictionary<int, float>();
        foreach (string name in names)
            Count(counts, Add(Offset, name), 1);
        return Normalised(counts);
    }

    private void Count(SortedDictionary<int, float> counts, ulong hash, float weight)
    {
        // FNV's low bits are weak: a final mix (from SplitMix64) before they are used.
        hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
        hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
        hash ^= hash >> 31;
        int feature = (int)((hash >> 1) % (ulong)Dimensions);
        counts[feature] = counts.GetValueOrDefault(feature) + ((hash & 1) == 0 ? weight : -weight);
    }

    private static SparseRow Normalised(SortedDictionary<int, float> counts)
    {
        var kept = counts.Where(c => c.Value != 0).ToList(); // opposite signs may have cancelled
        int[] columns = [.. kept.Select(c => c.Key)];
        double length = Math.Sqrt(kept.Sum(c => (double)c.Value * c.Value));
        return new(columns, [.. kept.Select(c => (float)(c.Value / length))]);
    }

    private static List<string> Words(string text)
    {
        var words = new List<string>();
        for (int start = 0, end; start < text.Length; start = end + 1)
        {
            for (end = start; end < text.Length && char.IsLetterOrDigit(text[end]); end++)
            {
            }
            if (end > start)
                words.Add(text[start..end].ToLowerInvariant());
        }
        return words;
    }

    private static ulong Add(ulong hash, string text)
    {
        foreach (byte b in MemoryMarshal.AsBytes(text.AsSpan()))
            hash = (hash ^ b) * Prime;
        return hash;
    }
}

/// <summary>A row of which most values are zero.</summary>
/// <param name="Columns">Where the others are, ascending.</param>
/// <param name="Values">The others.</param>
public readonly record struct SparseRow(int[] Columns, float[] Values)
{
    /// <summary>Writes the whole row, zeros included.</summary>
    public void CopyTo(Span<float> row)
    {
        row.Clear();
        for (int i = 0; i < Columns.Length; i++)
            row[Columns[i]] = Values[i];
    }
}
