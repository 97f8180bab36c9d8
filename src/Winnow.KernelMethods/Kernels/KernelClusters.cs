using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>Groups of what a kernel knows of.</summary>
public static class KernelClusters
{
    private const int MostTurns = 100;

    /// <summary>
    /// Ward's rule: beginning with each for itself, the two groups whose union adds least to the squared distances from the means are united, <c>n_k n_l / (n_k + n_l) ‖m_k − m_l‖²</c>, of as many the first (Ward 1963). Cost O(n³).
    /// </summary>
    /// <param name="k">Symmetric [n, n], row after row; need not be positive.</param>
    /// <param name="n">How many.</param>
    /// <param name="groups">Groups.</param>
    /// <returns>The group of each, numbered as they first come.</returns>
    public static int[] Ward(double[] k, int n, int groups) => Ward(k, n, groups, out _);

    /// <inheritdoc cref="Ward(double[], int, int)"/>
    /// <param name="k">Symmetric [n, n], row after row; need not be positive.</param>
    /// <param name="n">How many.</param>
    /// <param name="groups">Groups.</param>
    /// <param name="unions">All unions, those after the groups are there included. Where k is not positive a cost may be below 0, of which the height is 0.</param>
    public static int[] Ward(double[] k, int n, int groups, out IReadOnlyList<Union> unions)
    {
        ArgumentNullException.ThrowIfNull(k);
        double[] sums = [.. k]; // of k over pairs of two groups
        int[] size = [.. Enumerable.Repeat(1, n)], group = [.. Enumerable.Range(0, n)], number = [.. group];
        var alive = Enumerable.Range(0, n).ToList();
        var made = new List<Union>();
        while (alive.Count > 1)
        {
            var (best, first, second) = (double.PositiveInfinity, -1, -1);
            for (int x = 0; x < alive.Count; x++)
                for (int y = x + 1; y < alive.Count; y++)
                {
                    int i = alive[x], j = alive[y];
                    double a = size[i], b = size[j], cost = a * b / (a + b) * (sums[i * n + i] / (a * a) + sums[j * n + j] / (b * b) - 2 * sums[i * n + j] / (a * b));
                    if (cost < best)
                        (best, first, second) = (cost, i, j);
                }
            made.Add(new(number[first], number[second], Math.Sqrt(2 * Math.Max(0, best))));
            number[first] = n + made.Count - 1;
            foreach (int l in alive)
                if (l != first && l != second)
                    sums[first * n + l] = sums[l * n + first] = sums[first * n + l] + sums[second * n + l];
            sums[first * n + first] += sums[second * n + second] + 2 * sums[first * n + second];
            size[first] += size[second];
            alive.Remove(second);
            for (int i = 0; i < n && alive.Count >= groups; i++)
                if (group[i] == second)
                    group[i] = first;
        }
        unions = made;
        return InOrder(group);
    }

    /// <summary>k-means in the space of the kernel (Dhillon, Guan and Kulis 2004): of several starts by spread-out first means the one with the least sum of squared distances. Cost O(starts · turns · n²).</summary>
    /// <param name="k">Symmetric [n, n], row after row; where it is not positive, turns are stopped and the best is kept.</param>
    /// <param name="n">How many.</param>
    /// <param name="groups">Groups.</param>
    /// <param name="random">Draws the starts.</param>
    /// <param name="starts">How many.</param>
    public static int[] Means(double[] k, int n, int groups, SeededRandom random, int starts = 10)
    {
        ArgumentNullException.ThrowIfNull(k);
        ArgumentNullException.ThrowIfNull(random);
        int[] best = new int[n];
        double least = double.PositiveInfinity;
        for (int start = 0; start < starts; start++)
        {
            int[] group = Spread();
            for (int turn = 0; turn < MostTurns; turn++)
            {
                double[] distance = Distances(group);
                int[] next = [.. Enumerable.Range(0, n).Select(i => Array.IndexOf(distance, distance.AsSpan(i * groups, groups).ToArray().Min(), i * groups, groups) - i * groups)];
                // a group that lost all gets the one that fits worst
                for (int g = 0; g < groups; g++)
                    if (!next.Contains(g))
                        next[Enumerable.Range(0, n).Where(i => next.Count(x => x == next[i]) > 1).MaxBy(i => distance[i * groups + next[i]])] = g;
                double sum = Enumerable.Range(0, n).Sum(i => distance[i * groups + group[i]]);
                if (sum < least)
                    (least, best) = (sum, [.. group]);
                if (next.AsSpan().SequenceEqual(group))
                    break;
                group = next;
            }
        }
        return InOrder(best);

        int[] Spread()
        {
            var chosen = new List<int> { random.Next(n) };
            while (chosen.Count < groups)
            {
                double[] away = [.. Enumerable.Range(0, n).Select(i => chosen.Contains(i) ? 0 : Math.Max(1e-300, chosen.Min(c => k[i * n + i] + k[c * n + c] - 2 * k[i * n + c])))];
                double draw = random.NextDouble() * away.Sum();
                int pick = 0;
                for (double sum = away[0]; sum <= draw && pick < n - 1; sum += away[++pick])
                {
                }
                chosen.Add(chosen.Contains(pick) ? Enumerable.Range(0, n).First(i => !chosen.Contains(i)) : pick);
            }
            return [.. Enumerable.Range(0, n).Select(i => chosen.IndexOf(i) is var own and >= 0 ? own : Enumerable.Range(0, groups).MinBy(g => k[i * n + i] + k[chosen[g] * n + chosen[g]] - 2 * k[i * n + chosen[g]]))];
        }

        // squared distances from the means, [n, groups]
        double[] Distances(int[] group)
        {
            double[] cross = new double[n * groups], within = new double[groups];
            int[] size = new int[groups];
            for (int i = 0; i < n; i++)
            {
                size[group[i]]++;
                for (int j = 0; j < n; j++)
                    cross[i * groups + group[j]] += k[i * n + j];
            }
            for (int i = 0; i < n; i++)
                within[group[i]] += cross[i * groups + group[i]];
            for (int i = 0; i < n; i++)
                for (int g = 0; g < groups; g++)
                    cross[i * groups + g] = size[g] == 0 ? double.PositiveInfinity : k[i * n + i] - 2 * cross[i * groups + g] / size[g] + within[g] / ((double)size[g] * size[g]);
            return cross;
        }
    }

    /// <summary>Groups numbered as they first come.</summary>
    private static int[] InOrder(int[] group)
    {
        var numbers = new Dictionary<int, int>();
        return [.. group.Select(g => numbers.TryGetValue(g, out int own) ? own : numbers[g] = numbers.Count)];
    }

    /// <summary>The adjusted Rand index (Hubert and Arabie 1985): how far two groupings agree on pairs; 1 for the same, 0 on average for independent ones.</summary>
    public static double AdjustedRand(IReadOnlyList<int> a, IReadOnlyList<int> b)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        static double Pairs(int n) => n * (n - 1.0) / 2;
        double together = a.Zip(b).GroupBy(p => p).Sum(g => Pairs(g.Count())), left = a.GroupBy(x => x).Sum(g => Pairs(g.Count())), right = b.GroupBy(x => x).Sum(g => Pairs(g.Count()));
        double chance = left * right / Pairs(a.Count), most = (left + right) / 2;
        return most == chance ? 1 : (together - chance) / (most - chance);
    }
}
