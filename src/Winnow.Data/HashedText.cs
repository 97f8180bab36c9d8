using System.Numerics.Tensors;

namespace Winnow.Data;

/// <summary>
/// Text as a row of numbers without a vocabulary: every word, and every run of up to <c>n</c> words, adds +1 or −1 at a place that its hash
/// chooses; the row is scaled to length 1. Weinberger et al., Feature hashing for large scale multitask learning, ICML 2009 (arXiv 0902.2206):
/// signs make inner products of rows unbiased estimates of those of word counts. The same text gives the same row on every machine.
/// Immutable and safe for several threads. Cost: one pass over the characters.
/// </summary>
public sealed class HashedText
{
    private const ulong Offset = 14695981039346656037, Prime = 1099511628211; // FNV-1a, 64 bits
    private readonly int _runs;

    /// <summary>A hashing of words.</summary>
    /// <param name="width">Values of a row, a power of two.</param>
    /// <param name="runs">Words of the longest run that counts by itself: 1 for single words, 2 for pairs as well.</param>
    /// <exception cref="ArgumentException">A width that is no power of two, or no run at all.</exception>
    public HashedText(int width = 4096, int runs = 2)
    {
        if (width < 2 || !int.IsPow2(width))
            throw new ArgumentException($"A width of {width}; expected a power of two, for instance 4096.", nameof(width));
        ArgumentOutOfRangeException.ThrowIfLessThan(runs, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(runs, 8);
        (Width, _runs) = (width, runs);
    }

    /// <summary>Values of a row.</summary>
    public int Width { get; }

    /// <summary>The row of a text. A text without a word gives zeros.</summary>
    public float[] Row(ReadOnlySpan<char> text)
    {
        float[] row = new float[Width];
        Write(text, row);
        return row;
    }

    /// <summary>Writes the row of a text. Words are runs of letters and digits, in lower case.</summary>
    /// <exception cref="ArgumentException">The row has another width.</exception>
    public void Write(ReadOnlySpan<char> text, Span<float> row)
    {
        if (row.Length != Width)
            throw new ArgumentException($"A row of {row.Length} values; expected {Width}.", nameof(row));
        row.Clear();
        Span<ulong> words = stackalloc ulong[_runs]; // hashes of the last words, the newest first
        int known = 0;
        for (int i = 0; i < text.Length;)
        {
            if (!char.IsLetterOrDigit(text[i]))
            {
                i++;
                continue;
            }
            ulong word = Offset;
            for (; i < text.Length && char.IsLetterOrDigit(text[i]); i++)
                word = (word ^ char.ToLowerInvariant(text[i])) * Prime;
            words[..^1].CopyTo(words[1..]);
            words[0] = word;
            known = Math.Min(known + 1, _runs);
            ulong run = Offset;
            for (int j = 0; j < known; j++)
            {
                run = Mix(run ^ words[j]);
                row[(int)(run & (ulong)(Width - 1))] += (run >> 63) == 0 ? 1 : -1;
            }
        }
        float norm = TensorPrimitives.Norm<float>(row);
        if (norm > 0)
            TensorPrimitives.Divide(row, norm, row);
    }

    /// <summary>Spreads every bit over all (the finaliser of MurmurHash3).</summary>
    private static ulong Mix(ulong h)
    {
        h = (h ^ (h >> 33)) * 0xff51afd7ed558ccd;
        h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53;
        return h ^ (h >> 33);
    }
}
