using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>What weights take when they are quantised and entropy-coded.</summary>
internal static class WeightCode
{
    /// <summary>Rounds values to 2^bits levels from the smallest to the largest; returns the levels and the values they stand for.</summary>
    public static (int[] Levels, float[] Values) Quantise(ReadOnlySpan<float> values, int bits)
    {
        if (values.IsEmpty)
            return ([], []);
        float low = values[0], high = values[0];
        foreach (float v in values)
            (low, high) = (Math.Min(low, v), Math.Max(high, v));
        double step = ((double)high - low) / ((1 << bits) - 1);
        var levels = new int[values.Length];
        var decoded = new float[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            levels[i] = step > 0 ? (int)Math.Round((values[i] - low) / step) : 0;
            decoded[i] = (float)(low + step * levels[i]);
        }
        return (levels, decoded);
    }

    /// <summary>Quantises the tensors of a vector in place, of each the elements in use (null for all); returns the bits that they take when coded.</summary>
    public static long Round(Tensor vector, IReadOnlyList<WeightTensor> tensors, Tensor? used, int bits)
    {
        long total = 0;
        foreach (var t in tensors)
        {
            var values = vector.Values<float>().Slice(t.Offset, t.Length);
            int[] index = [.. Enumerable.Range(0, t.Length)];
            if (used is not null)
            {
                bool[] mask = used.Values<bool>().Slice(t.Offset, t.Length).ToArray();
                index = [.. index.Where(i => mask[i])];
            }
            var gathered = new float[index.Length];
            for (int i = 0; i < index.Length; i++)
                gathered[i] = values[index[i]];
            var (levels, decoded) = Quantise(gathered, bits);
            for (int i = 0; i < index.Length; i++)
                values[index[i]] = decoded[i];
            total += Bits(levels, bits);
        }
        return total;
    }

    /// <summary>Bits of a Huffman code of symbols with these counts: the sum over its inner nodes of the counts below. A lone symbol takes one bit.</summary>
    public static long HuffmanBits(IEnumerable<long> counts)
    {
        var queue = new PriorityQueue<long, long>(counts.Where(c => c > 0).Select(c => (c, c)));
        if (queue.Count == 1)
            return queue.Peek();
        long bits = 0;
        while (queue.Count > 1)
        {
            long merged = queue.Dequeue() + queue.Dequeue();
            bits += merged;
            queue.Enqueue(merged, merged);
        }
        return bits;
    }

    /// <summary>Bits of one tensor's weights: its smallest and largest value, the lengths of the code words (5 bits a level) and the words.</summary>
    public static long Bits(IReadOnlyCollection<int> levels, int bits) =>
        levels.Count == 0 ? 0 : 64 + 5L * (1 << bits) + HuffmanBits(levels.GroupBy(l => l).Select(g => (long)g.Count()));

    /// <summary>Bits of a mask at its binary entropy.</summary>
    public static double MaskBits(long ones, long count)
    {
        double p = (double)ones / count;
        return p is 0 or 1 ? 0 : -count * (p * Math.Log2(p) + (1 - p) * Math.Log2(1 - p));
    }
}
