namespace Winnow.KernelMethods;

/// <summary>What a model of sparse causes is known by.</summary>
internal sealed record SparseParameters
{
    /// <summary>The parts, one after the other, [H, D].</summary>
    public required double[] W { get; init; }

    /// <summary>How likely each cause is, [H].</summary>
    public required double[] Pi { get; init; }

    /// <summary>The deviation of noise.</summary>
    public required double Sigma { get; init; }

    /// <summary>Added to every row, [D].</summary>
    public required double[] Mean { get; init; }

    /// <summary>How likely each value is that a cause may have, given that it is there, [V].</summary>
    public required double[] Shares { get; init; }

    /// <summary>The mean of a slab, [H].</summary>
    public required double[] SlabMean { get; init; }

    /// <summary>The variance of a slab, [H].</summary>
    public required double[] SlabVariance { get; init; }

    /// <summary>Causes.</summary>
    public int H => Pi.Length;

    /// <summary>Features.</summary>
    public int D => Mean.Length;

    /// <summary>A part.</summary>
    public ReadOnlySpan<double> Part(int h) => W.AsSpan(h * D, D);
}

/// <summary>The states of a row that are looked at: none, each cause alone, and every choice of 2 to γ of the row's H' candidates, with each value a cause may have.</summary>
internal sealed class SparseStates
{
    /// <summary>More are refused.</summary>
    public const long Most = 100_000;

    public SparseStates(int h, int candidates, int most, double[] values)
    {
        (H, Candidates, Gamma, Values) = (h, candidates, most, values);
        var several = new List<(int[], int[])>();
        for (int size = 2; size <= most; size++)
            foreach (int[] positions in Choices(candidates, size))
                for (int code = 0, codes = (int)Math.Pow(values.Length, size); code < codes; code++)
                {
                    int rest = code;
                    int[] value = new int[size];
                    for (int i = size - 1; i >= 0; i--)
                        (value[i], rest) = (rest % values.Length, rest / values.Length);
                    several.Add((positions, value));
                }
        Several = [.. several];
    }

    /// <summary>Causes, candidates of a row, and causes of a state at most.</summary>
    public int H { get; }

    /// <inheritdoc cref="H"/>
    public int Candidates { get; }

    /// <inheritdoc cref="H"/>
    public int Gamma { get; }

    /// <summary>What a cause may be beside 0.</summary>
    public double[] Values { get; }

    /// <summary>States of several causes: positions among the candidates, and the number of each one's value.</summary>
    public (int[] Positions, int[] Value)[] Several { get; }

    /// <summary>States of a row: the first is of no cause, then cause after cause each alone with each value, then those of several.</summary>
    public int Count => 1 + H * Values.Length + Several.Length;

    /// <summary>How many there would be.</summary>
    public static double CountOf(int h, int candidates, int most, int values)
    {
        double sum = 1 + (double)h * values, choose = candidates;
        for (int size = 2; size <= most; size++)
        {
            choose *= (candidates - size + 1.0) / size;
            sum += choose * Math.Pow(values, size);
        }
        return sum;
    }

    /// <summary>The causes of a state and their values; returns how many.</summary>
    public int Read(int state, ReadOnlySpan<int> candidates, Span<int> causes, Span<int> value)
    {
        if (state == 0)
            return 0;
        if (state <= H * Values.Length)
        {
            (causes[0], value[0]) = ((state - 1) / Values.Length, (state - 1) % Values.Length);
            return 1;
        }
        var (positions, values) = Several[state - 1 - H * Values.Length];
        for (int i = 0; i < positions.Length; i++)
            (causes[i], value[i]) = (candidates[positions[i]], values[i]);
        return positions.Length;
    }

    private static IEnumerable<int[]> Choices(int n, int size)
    {
        int[] at = [.. Enumerable.Range(0, size)];
        while (at[0] <= n - size)
        {
            yield return [.. at];
            int i = size - 1;
            while (i > 0 && at[i] == n - size + i)
                i--;
            at[i]++;
            for (int j = i + 1; j < size; j++)
                at[j] = at[j - 1] + 1;
        }
    }
}

/// <summary>A model: how causes make a row, and what its parameters become. One of the six is chosen by name; <see cref="At"/> readies it for a step.</summary>
internal interface ISparseModel
{
    /// <summary>What a cause may be beside 0.</summary>
    double[] Values { get; }

    /// <summary>Whether the temperature is taken of prior and fit together, rather than of the fit alone.</summary>
    bool AnnealsPrior { get; }

    /// <summary>Whether each cause has a probability of its own, rather than all the same.</summary>
    bool OwnRates { get; }

    /// <summary>Parameters as the model needs them, such as without a negative part.</summary>
    SparseParameters Allowed(SparseParameters p);

    /// <summary>The model at parameters and a temperature; for any number of threads.</summary>
    ISparseStep At(SparseParameters p, double temperature, SparseStates states);
}

/// <summary>A model at parameters.</summary>
internal interface ISparseStep
{
    /// <summary>The logarithm of how well each state fits a row, without <c>−(D/2) log 2πσ²</c> and without the prior, which <see cref="TruncatedExpectation"/> adds; and the row's candidates, ascending in what each model scores them by.</summary>
    void Fit(ReadOnlySpan<double> y, Span<double> fit, Span<int> candidates);

    /// <summary>Adds what a row says, by the probability of each state.</summary>
    void Add(ReadOnlySpan<double> y, ReadOnlySpan<double> probability, ReadOnlySpan<int> candidates, SparseSums sums);

    /// <summary>Parts and noise from what rows said; how likely causes are is <see cref="TruncatedExpectation"/>'s.</summary>
    SparseParameters Next(SparseSums sums);

    /// <summary>What a row is made of: expected codes [H] and the expected row [D] are added to.</summary>
    void Expect(ReadOnlySpan<double> y, ReadOnlySpan<double> probability, ReadOnlySpan<int> candidates, Span<double> codes, Span<double> row);
}

/// <summary>Sums over rows.</summary>
internal sealed class SparseSums(int h, int d, int values)
{
    /// <summary>Over parts and features [H, D]: of linear models Σ ⟨s⟩ yᵀ, of maxima the numerator.</summary>
    public double[] Parts { get; } = new double[h * d];

    /// <summary>Of linear models Σ ⟨s sᵀ⟩ [H, H]; of maxima the denominator [H, D].</summary>
    public double[] Pairs { get; } = new double[h * Math.Max(h, d)];

    /// <summary>Σ ⟨s⟩, Σ ⟨s is there⟩ and Σ ⟨s²⟩ [H].</summary>
    public double[] Codes { get; } = new double[h];

    /// <inheritdoc cref="Codes"/>
    public double[] There { get; } = new double[h];

    /// <inheritdoc cref="Codes"/>
    public double[] Squares { get; } = new double[h];

    /// <summary>How often each value was had [V].</summary>
    public double[] Values { get; } = new double[values];

    /// <summary>Σ y [D].</summary>
    public double[] Row { get; } = new double[d];

    /// <summary>Σ of squared errors, and rows.</summary>
    public double Error { get; set; }

    /// <inheritdoc cref="Error"/>
    public double Rows { get; set; }

    /// <summary>Takes those of other rows, too.</summary>
    public void Add(SparseSums other)
    {
        foreach (var (to, from) in new[] { (Parts, other.Parts), (Pairs, other.Pairs), (Codes, other.Codes), (There, other.There), (Squares, other.Squares), (Values, other.Values), (Row, other.Row) })
            for (int i = 0; i < to.Length; i++)
                to[i] += from[i];
        (Error, Rows) = (Error + other.Error, Rows + other.Rows);
    }
}
