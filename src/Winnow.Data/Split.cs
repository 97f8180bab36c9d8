using Winnow.Core;

namespace Winnow.Data;

/// <summary>Rows for training and rows for testing, both ascending and disjoint.</summary>
/// <param name="Train">Training rows.</param>
/// <param name="Test">Test rows.</param>
public sealed record Split(int[] Train, int[] Test)
{
    /// <summary>The publisher's split where there is one, else a stratified one.</summary>
    /// <inheritdoc cref="Stratified"/>
    public static Split Of(LabelledData data, double testFraction, SeededRandom random) => data.TrainCount is { } train
        ? new([.. Enumerable.Range(0, train)], [.. Enumerable.Range(train, data.Count - train)])
        : Stratified(data, testFraction, random);

    /// <summary>
    /// Draws a test set among some of the rows, e.g. those of a domain, that keeps the share of every class as far as its rows allow: a class with
    /// n of the rows has n · fraction for testing, rounded up or down, so that a class of a single row is on one side only. In all, the rows · fraction,
    /// rounded to the nearest, are for testing, at least one and not all. O(rows · log rows).
    /// </summary>
    /// <param name="data">The data.</param>
    /// <param name="rows">The rows, at least two.</param>
    /// <param name="testFraction">Share of the test rows, in (0, 1).</param>
    /// <param name="random">The draw.</param>
    public static Split Among(LabelledData data, ReadOnlySpan<int> rows, double testFraction, SeededRandom random)
    {
        RequireFraction(testFraction);
        if (rows.Length < 2)
            throw new ArgumentException($"{rows.Length} rows; expected at least 2, one to train and one to test.", nameof(rows));
        int[] byClass = rows.ToArray();
        random.Shuffle(byClass);
        byClass = [.. byClass.OrderBy(row => data.Labels[row])];
        long count = byClass.Length, test = Math.Clamp((int)Math.Round(count * testFraction, MidpointRounding.AwayFromZero), 1, count - 1);
        // Systematic sampling: the rows, a class after another, are walked through with equal steps from a random start.
        double start = random.NextDouble();
        bool ForTest(int i) => Math.Floor(start + (double)(i + 1) * test / count) > Math.Floor(start + (double)i * test / count);
        var sides = Enumerable.Range(0, byClass.Length).ToLookup(ForTest, i => byClass[i]);
        return new([.. sides[false].Order()], [.. sides[true].Order()]);
    }

    /// <summary>
    /// Draws a test set that keeps the share of every class: of a class with n rows, n · fraction rows, rounded to the nearest
    /// and at least one, are for testing, and at least one is for training. O(rows).
    /// </summary>
    /// <param name="data">The data.</param>
    /// <param name="testFraction">Share of the test rows, in (0, 1).</param>
    /// <param name="random">The draw.</param>
    /// <exception cref="InputException">A class has a single row, so that it cannot be on both sides.</exception>
    public static Split Stratified(LabelledData data, double testFraction, SeededRandom random)
    {
        RequireFraction(testFraction);
        var byClass = new List<int>[data.LabelNames.Count];
        for (int c = 0; c < byClass.Length; c++)
            byClass[c] = new(data.CountPerClass[c]);
        var labels = data.Labels;
        for (int row = 0; row < labels.Length; row++)
            byClass[labels[row]].Add(row);

        var train = new List<int>(data.Count);
        var test = new List<int>();
        for (int c = 0; c < byClass.Length; c++)
        {
            int[] rows = [.. byClass[c]];
            if (rows.Length == 1)
                throw InputException.At(data.Name, $"a single row of class '{data.LabelNames[c]}' (row {rows[0]})", "at least 2 rows of every class, one to train and one to test",
                    "Add rows of this class or remove it.");
            if (rows.Length == 0)
                continue;
            random.Shuffle(rows);
            int n = Math.Clamp((int)Math.Round(rows.Length * testFraction, MidpointRounding.AwayFromZero), 1, rows.Length - 1);
            test.AddRange(rows.AsSpan(0, n));
            train.AddRange(rows.AsSpan(n));
        }
        train.Sort();
        test.Sort();
        return new([.. train], [.. test]);
    }

    private static void RequireFraction(double testFraction)
    {
        if (!(testFraction > 0 && testFraction < 1))
            throw new ArgumentOutOfRangeException(nameof(testFraction), testFraction, "The share of test rows lies between 0 and 1, both excluded.");
    }
}
