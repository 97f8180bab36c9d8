namespace Winnow.Continual;

/// <summary>
/// The integer quadratic program of gradient-based sample selection: of n vectors choose m whose pairwise cosines add up to the least, the
/// surrogate of the smallest cone of directions they leave uncovered. Its exact solution is NP-hard; this is greedy elimination from all n,
/// then the best exchange of a chosen for an unchosen one until none lowers the sum. Cost: O(n²) to eliminate and per exchange.
/// </summary>
internal static class MinimumCosineSubset
{
    /// <summary>Positions of the chosen ones, ascending.</summary>
    /// <param name="cosines">Symmetric [n, n], row-major; the diagonal does not matter.</param>
    /// <param name="n">Number of vectors.</param>
    /// <param name="m">Number to choose.</param>
    /// <exception cref="ArgumentException">The matrix is not n by n, or there are fewer than m.</exception>
    public static int[] Select(ReadOnlySpan<float> cosines, int n, int m)
    {
        if (cosines.Length != (long)n * n)
            throw new ArgumentException($"{cosines.Length} cosines; expected {n} times {n}.", nameof(cosines));
        if (m < 0 || m > n)
            throw new ArgumentException($"{m} of {n} vectors are to be chosen; expected at most {n}.", nameof(m));
        var chosen = new bool[n];
        chosen.AsSpan().Fill(true);
        var towards = new double[n]; // of each vector, the sum of its cosines with the other chosen ones
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                towards[i] += i == j ? 0 : cosines[i * n + j];

        for (int left = n; left > m; left--)
            Move(cosines, Best(i => chosen[i] ? towards[i] : double.NegativeInfinity), -1);
        while (true)
        {
            var (gain, leaves, enters) = (1e-9, -1, -1);
            for (int i = 0; i < n; i++)
                for (int j = 0; chosen[i] && j < n; j++)
                    if (!chosen[j] && towards[i] - (towards[j] - cosines[i * n + j]) is var better && better > gain)
                        (gain, leaves, enters) = (better, i, j);
            if (leaves < 0)
                return [.. Enumerable.Range(0, n).Where(i => chosen[i])];
            Move(cosines, leaves, -1);
            Move(cosines, enters, 1);
        }

        int Best(Func<int, double> value) => Enumerable.Range(0, n).MaxBy(value);

        void Move(ReadOnlySpan<float> cosines, int i, int sign)
        {
            chosen[i] = sign > 0;
            for (int j = 0; j < n; j++)
                towards[j] += i == j ? 0 : sign * (double)cosines[i * n + j];
        }
    }
}
