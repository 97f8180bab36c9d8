namespace Winnow.KernelMethods;

/// <summary>
/// Texture of a band by grey-level co-occurrence (Haralick, Shanmugam and Dinstein 1973): how often two grey levels lie beside each other in a window around a pixel, in four directions and both ways, and
/// eight numbers of that table. Cost O(pixels · (4 window² + levels²)).
/// </summary>
public static class Texture
{
    private const double Cut = 0.01;

    /// <summary>What the numbers are, in order.</summary>
    public static IReadOnlyList<string> Names { get; } = ["mean", "variance", "homogeneity", "contrast", "dissimilarity", "entropy", "second moment", "correlation"];

    /// <summary>Grey levels from 0: equal steps between the first and the last hundredth of the numbers.</summary>
    public static int[] Levels(IReadOnlyList<float> band, int levels)
    {
        ArgumentNullException.ThrowIfNull(band);
        float[] sorted = [.. band.Order()];
        float low = sorted[(int)(Cut * (sorted.Length - 1))], high = sorted[(int)((1 - Cut) * (sorted.Length - 1))];
        return [.. band.Select(v => high > low ? Math.Clamp((int)((v - low) / (high - low) * levels), 0, levels - 1) : 0)];
    }

    /// <summary>The numbers of all pixels, [pixels, 8].</summary>
    /// <param name="grey">Levels [height, width].</param>
    /// <param name="width">Pixels of a row.</param>
    /// <param name="levels">Levels.</param>
    /// <param name="window">Pixels on a side of the window, odd; at the border what is inside.</param>
    /// <param name="cancellation">Stops.</param>
    public static double[] Of(IReadOnlyList<int> grey, int width, int levels, int window, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(grey);
        if (window < 3 || window % 2 == 0)
            throw new ArgumentOutOfRangeException(nameof(window), window, "expected an odd number of at least 3");
        int height = grey.Count / width, half = window / 2, count = Names.Count;
        int[] pixels = [.. grey];
        double[] numbers = new double[(long)pixels.Length * count];
        Parallel.For(0, height, Options(cancellation), () => new int[levels * levels], (y, _, table) =>
        {
            for (int x = 0; x < width; x++)
            {
                table.AsSpan().Clear();
                int left = Math.Max(0, x - half), right = Math.Min(width - 1, x + half), top = Math.Max(0, y - half), bottom = Math.Min(height - 1, y + half), pairs = 0;
                for (int v = top; v <= bottom; v++)
                    for (int u = left; u <= right; u++)
                    {
                        int own = pixels[v * width + u];
                        if (u < right)
                            Count(own, pixels[v * width + u + 1]);
                        if (v == bottom)
                            continue;
                        Count(own, pixels[(v + 1) * width + u]);
                        if (u < right)
                            Count(own, pixels[(v + 1) * width + u + 1]);
                        if (u > left)
                            Count(own, pixels[(v + 1) * width + u - 1]);
                    }
                Numbers(table, levels, pairs, numbers.AsSpan((y * width + x) * count, count));

                void Count(int a, int b)
                {
                    table[a * levels + b]++;
                    table[b * levels + a]++;
                    pairs += 2;
                }
            }
            return table;
        }, _ => { });
        return numbers;
    }

    private static ParallelOptions Options(CancellationToken cancellation) => new() { MaxDegreeOfParallelism = Products.Threads().MaxDegreeOfParallelism, CancellationToken = cancellation };

    /// <summary>The numbers of a symmetric table of counts.</summary>
    private static void Numbers(int[] table, int levels, int pairs, Span<double> of)
    {
        of.Clear();
        double mean = 0, square = 0, product = 0;
        for (int i = 0; i < levels; i++)
            for (int j = 0; j < levels; j++)
            {
                if (table[i * levels + j] == 0)
                    continue;
                double p = (double)table[i * levels + j] / pairs, apart = i - j;
                mean += p * i;
                square += p * i * i;
                product += p * i * j;
                of[2] += p / (1 + apart * apart);
                of[3] += p * apart * apart;
                of[4] += p * Math.Abs(apart);
                of[5] -= p * Math.Log(p);
                of[6] += p * p;
            }
        double variance = Math.Max(0, square - mean * mean);
        (of[0], of[1], of[7]) = (mean, variance, variance > 1e-12 ? (product - mean * mean) / variance : 1);
    }
}
