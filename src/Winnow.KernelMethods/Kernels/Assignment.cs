namespace Winnow.KernelMethods;

/// <summary>The assignment problem (Kuhn 1955, by shortest augmenting paths of Jonker and Volgenant 1987).</summary>
public static class Assignment
{
    /// <summary>Gives each row a column of its own at the least sum of costs. Cost O(rows² · columns).</summary>
    /// <param name="cost">Finite numbers [rows, columns], no more rows than columns.</param>
    /// <returns>The column of each row.</returns>
    /// <exception cref="ArgumentException">More rows than columns, or a number that is none.</exception>
    public static int[] Of(double[,] cost)
    {
        ArgumentNullException.ThrowIfNull(cost);
        int rows = cost.GetLength(0), columns = cost.GetLength(1);
        if (rows > columns || cost.Cast<double>().Any(c => !double.IsFinite(c)))
            throw new ArgumentException($"[{rows}, {columns}]; expected finite numbers and no more rows than columns", nameof(cost));
        double[] u = new double[rows + 1], v = new double[columns + 1]; // prices of rows and columns
        int[] row = new int[columns + 1], before = new int[columns + 1]; // the row of each column, from 1; 0: free
        for (int i = 1; i <= rows; i++)
        {
            double[] least = new double[columns + 1];
            Array.Fill(least, double.PositiveInfinity);
            bool[] used = new bool[columns + 1];
            int j = 0;
            for (row[0] = i; row[j] != 0;)
            {
                used[j] = true;
                int at = row[j], next = 0;
                double step = double.PositiveInfinity;
                for (int c = 1; c <= columns; c++)
                {
                    if (used[c])
                        continue;
                    double reduced = cost[at - 1, c - 1] - u[at] - v[c];
                    if (reduced < least[c])
                        (least[c], before[c]) = (reduced, j);
                    if (least[c] < step)
                        (step, next) = (least[c], c);
                }
                for (int c = 0; c <= columns; c++)
                {
                    if (used[c])
                        (u[row[c]], v[c]) = (u[row[c]] + step, v[c] - step);
                    else
                        least[c] -= step;
                }
                j = next;
            }
            for (; j != 0; j = before[j])
                row[j] = row[before[j]];
        }
        int[] chosen = new int[rows];
        for (int c = 1; c <= columns; c++)
            if (row[c] > 0)
                chosen[row[c] - 1] = c - 1;
        return chosen;
    }

    /// <summary>The share of rows whose group is not theirs, when groups are matched with the true ones, each with at most one, as well as can be.</summary>
    /// <param name="found">The group of each.</param>
    /// <param name="truth">The true one.</param>
    public static double Misclustered(IReadOnlyList<int> found, IReadOnlyList<int> truth)
    {
        ArgumentNullException.ThrowIfNull(found);
        ArgumentNullException.ThrowIfNull(truth);
        int size = Math.Max(found.Max(), truth.Max()) + 1;
        double[,] apart = new double[size, size];
        for (int i = 0; i < truth.Count; i++)
            apart[found[i], truth[i]]--;
        int[] match = Of(apart);
        return Enumerable.Range(0, truth.Count).Count(i => match[found[i]] != truth[i]) / (double)truth.Count;
    }
}
