using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>k-means of rows (Lloyd 1982) from spread-out first means (Arthur and Vassilvitskii, k-means++, 2007).</summary>
/// <param name="Labels">The mean each row is nearest to.</param>
/// <param name="Means">Means, row after row [k, d].</param>
/// <param name="Sum">The sum of squared distances.</param>
internal sealed record RowMeans(int[] Labels, double[] Means, double Sum)
{
    private const int MostTurns = 300;

    /// <summary>Of several starts the one with the least sum. Cost O(starts · turns · n · k · d).</summary>
    public static RowMeans Of(double[] x, int d, int k, int starts, SeededRandom random, CancellationToken cancellation)
    {
        RowMeans? best = null;
        for (int start = 0; start < starts; start++)
        {
            var found = Lloyd(x, d, k, Spread(x, d, k, random), cancellation);
            if (best is null || found.Sum < best.Sum)
                best = found;
        }
        return best!;
    }

    /// <summary>The next first mean is a row, as likely as its squared distance from those chosen.</summary>
    private static double[] Spread(double[] x, int d, int k, SeededRandom random)
    {
        int n = x.Length / d;
        double[] means = new double[k * d], away = new double[n];
        Array.Fill(away, double.PositiveInfinity);
        for (int g = 0; g < k; g++)
        {
            double draw = random.NextDouble() * (g == 0 ? n : away.Sum());
            int pick = 0;
            for (double sum = g == 0 ? 1 : away[0]; sum <= draw && pick < n - 1; sum += g == 0 ? 1 : away[pick])
                pick++;
            Array.Copy(x, pick * d, means, g * d, d);
            for (int i = 0; i < n; i++)
                away[i] = Math.Min(away[i], Distance(x, i, means, g, d));
        }
        return means;
    }

    private static RowMeans Lloyd(double[] x, int d, int k, double[] means, CancellationToken cancellation)
    {
        int n = x.Length / d;
        int[] labels = new int[n], size = new int[k];
        double[] away = new double[n];
        Array.Fill(labels, -1);
        for (int turn = 0; ; turn++)
        {
            cancellation.ThrowIfCancellationRequested();
            bool moved = false;
            Array.Clear(size);
            for (int i = 0; i < n; i++)
            {
                var (near, least) = (0, double.PositiveInfinity);
                for (int g = 0; g < k; g++)
                    if (Distance(x, i, means, g, d) is var distance && distance < least)
                        (near, least) = (g, distance);
                moved |= labels[i] != near;
                (labels[i], away[i]) = (near, least);
                size[near]++;
            }
            // a group that lost all gets the row that fits worst
            for (int g = 0; g < k; g++)
                if (size[g] == 0 && Enumerable.Range(0, n).Where(i => size[labels[i]] > 1).DefaultIfEmpty(-1).MaxBy(i => i < 0 ? 0 : away[i]) is var worst and >= 0)
                {
                    size[labels[worst]]--;
                    (labels[worst], size[g], away[worst], moved) = (g, 1, 0, true);
                }
            if (!moved || turn == MostTurns)
                return new(labels, means, away.Sum());
            means = new double[k * d];
            for (int i = 0; i < n; i++)
                for (int c = 0; c < d; c++)
                    means[labels[i] * d + c] += x[i * d + c] / size[labels[i]];
        }
    }

    private static double Distance(double[] x, int i, double[] means, int g, int d)
    {
        double sum = 0;
        for (int c = 0; c < d; c++)
        {
            double difference = x[i * d + c] - means[g * d + c];
            sum += difference * difference;
        }
        return sum;
    }
}
