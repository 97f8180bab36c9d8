using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="Prosper"/>.</summary>
public sealed record ProsperOptions
{
    /// <summary>The model.</summary>
    [AllowedValues("bsc", "mca", "mmca", "tsc", "dsc", "gsc"), Description("how causes make a row: bsc: the sum of parts that are there; mca: their maximum, of parts above 0; mmca: what is largest in magnitude; tsc: parts are added, taken away or not there; dsc: parts times one of some values; gsc: parts times a normal number")]
    public string Model { get; init; } = "bsc";

    /// <summary>Candidates.</summary>
    [Range(0, 10_000), Description("H', the parts a row is looked at closely for; 0: four fifths of all, 8 at most: where all are looked at, nothing tells equal parts apart")]
    public int Candidates { get; init; }

    /// <summary>Causes at once.</summary>
    [Range(0, 30), Description("γ, the most parts of a row at once; 0: 5, or as many as candidates")]
    public int Gamma { get; init; }

    /// <summary>Steps.</summary>
    [Range(1, 1_000_000), Description("steps of expectation and maximisation")]
    public int Steps { get; init; } = 150;

    /// <summary>The first temperature.</summary>
    [Range(1.0, 1e6), Description("temperature at first; in the first four fifths of the steps it falls to 1")]
    public double Temperature { get; init; } = 5;

    /// <summary>What is cooled.</summary>
    [Description("of sums of parts: the prior is cooled, too; of maxima it always is")]
    public bool AnnealPrior { get; init; }

    /// <summary>The cut.</summary>
    [Range(0.0, 1.0), Description("how much of the rows that likely have more parts than γ is left out; reached over the first two thirds of the steps")]
    public double Cut { get; init; } = 1;

    /// <summary>Noise of parts.</summary>
    [Range(0.0, 100.0), Description("normal noise on parts, as a share of the deviation of the rows; it goes in the first third of the steps")]
    public double Noise { get; init; } = 0.3;

    /// <summary>Whether rows have a mean.</summary>
    [Description("of bsc, tsc, dsc and gsc: what is added to every row is learned, too")]
    public bool Mean { get; init; }

    /// <summary>Values of causes.</summary>
    [Description("of dsc: what a part may be taken times, beside 0; finite numbers that differ, with spaces between")]
    public string Values { get; init; } = "-2 -1 1 2";

    /// <summary>Which weight.</summary>
    [AllowedValues("paper", "released"), Description("of mca and mmca: how much a row of one part alone weighs for it: paper: 1; released: its square, as the released code has it")]
    public string Form { get; init; } = "paper";
}

/// <summary>
/// Learns the parts that rows are made of, how often each is there and how noisy rows are, with causes that are there or not, and with sums or maxima of parts: expectation and maximisation over those states of a
/// row that its likeliest causes make.
/// <para>Paper: Exarchakis, Bornschein, Sheikh, Dai, Henniges, Drefs and Lücke, ProSper: a Python library for probabilistic sparse coding with non-standard priors and superpositions, 2019 (arXiv 1908.06843); truncation: Lücke and Eggert,
/// Expectation truncation and the benefits of preselection in training generative models, JMLR 11, 2010. All six models. Left out: message passing between machines; Ψ of gsc is diagonal.</para>
/// <para>Rows float64 [n, D]; W [D, H]. Of each row H' causes are chosen, by the cosine with the row, by Σ_d |max(W_dh, y_d) − y_d|, or by how likely each is alone; its states are none, each cause alone, and 2 to γ of these
/// together. F(s) = log prior + β log fit with β = 1/T, responsibilities are exp F / Σ exp F by log-sum-exp. π ← (A/B) π mean ⟨|s|⟩ with A = Σ_{g≤γ} C(H,g) π^g (1 − π)^(H−g) and B that sum with g; only the ⌊n (1 − (1 − A) cut)⌋
/// likeliest rows take part. At first W is the mean row plus normal noise of a quarter of σ, σ the mean deviation of a feature, π = 1/H. Noise on parts in the
/// first steps, as the released examples have it, is of a size of ours.</para>
/// <para>Cost and order of sums: <see cref="TruncatedExpectation"/>.</para>
/// </summary>
public sealed class Prosper(KernelSetup setup, ProsperOptions options) : IDictionaryLearner
{
    private const long MostBytes = 2L << 30;

    /// <summary>What the ledger measures.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        Alone("all", 0.9, "Eight bars of 4 by 4 pixels in sums: binary sparse coding finds all in 9 runs of 10."),
        Alone("pi_error", -0.04, "Eight bars of 4 by 4 pixels in sums: how often a bar is there is found to 0.04."),
        Alone("sigma_error", -0.2, "Eight bars of 4 by 4 pixels in sums: the deviation of noise, 2, is found to 0.2."),
        Bars("Three bars an image, maxima: maximal causes find more bars than non-negative factors.", "nmf"),
        Bars("Three bars an image, maxima: maximal causes find more bars than independent components.", "ica"),
        new() { Text = "Digits, 8 parts: rows not seen are likelier under spikes and slabs than under principal components.", Task = "dictionary", Metric = "log_likelihood", Baseline = "pca", Margin = 0, MethodOptions = new() { ["model"] = "gsc", ["mean"] = true, ["candidates"] = 8, ["gamma"] = 8, ["steps"] = 60 }, TaskOptions = new() { ["parts"] = 8 } },
    ];

    private static Claim Alone(string metric, double margin, string text) => new()
    {
        Text = text,
        Task = "bars",
        Metric = metric,
        Baseline = "pca",
        BaselineFactor = 0,
        Margin = margin,
        MethodOptions = new() { ["candidates"] = 6, ["gamma"] = 4, ["steps"] = 60 },
    };

    private static Claim Bars(string text, string baseline) => new()
    {
        Text = text,
        Task = "bars",
        Metric = "bars",
        Baseline = baseline,
        Margin = 0,
        MethodOptions = new() { ["model"] = "mca", ["steps"] = 300, ["temperature"] = 4, ["candidates"] = 6, ["gamma"] = 4 },
        TaskOptions = new() { ["superposition"] = "max", ["present"] = 3 },
    };

    /// <inheritdoc/>
    public ILearnedParts Learn(Tensor y, int parts, CancellationToken cancellation = default)
    {
        PartRows.Require(y, parts);
        var (states, model) = (States(parts, y.shape[0]), Model());
        using var scope = NewDisposeScope();
        double[] rows = y.contiguous().data<double>().ToArray();
        if (model is MaximalCauses && options.Model == "mca" && rows.Average() <= 0)
            throw InputException.At("rows", FormattableString.Invariant($"a mean of {rows.Average():G4}"), "one above 0: of mca rows are maxima of parts above 0", "Take mmca, or add what makes rows positive.");
        var random = setup.Random("parts");
        var (p, deviation) = Initial(rows, (int)y.shape[1], parts, model, random);
        var expectation = new TruncatedExpectation(model, states, rows, (int)y.shape[1]);
        for (int step = 0; step < options.Steps; step++)
        {
            double done = (double)step / options.Steps, noise = options.Noise * deviation * Math.Max(0, 1 - 3 * done);
            if (noise > 0)
                p = p with { W = [.. p.W.Select(w => w + noise * random.NextNormal())] };
            p = expectation.Next(p, 1 + (options.Temperature - 1) * Math.Max(0, 1 - done / 0.8), options.Cut * Math.Min(1, 1.5 * done), cancellation);
        }
        p = model.Allowed(p);
        expectation.Weigh(p, 1, cancellation);
        return new SparseParts(model, states, p, new Dictionary<string, double>
        {
            ["pi"] = p.Pi.Average(),
            ["sigma"] = p.Sigma,
            ["log_likelihood"] = expectation.LogLikelihoods(p).Average(),
            ["states"] = states.Count,
        });
    }

    /// <summary>The states of a row.</summary>
    /// <exception cref="InputException">More candidates than parts, more causes than candidates, or too many states.</exception>
    internal SparseStates States(int parts, long rows)
    {
        int candidates = options.Candidates > 0 ? options.Candidates : Math.Clamp(parts * 4 / 5, 1, 8), gamma = options.Gamma > 0 ? options.Gamma : Math.Min(5, candidates);
        if (candidates > parts)
            throw InputException.At("candidates", $"{candidates}", $"at most {parts}, the parts", "Take fewer.");
        if (gamma > candidates)
            throw InputException.At("gamma", $"{gamma}", $"at most {candidates}, the candidates", "Take fewer parts at once, or more candidates.");
        double[] values = Values();
        double count = SparseStates.CountOf(parts, candidates, gamma, values.Length);
        return count <= SparseStates.Most && count * rows * sizeof(double) <= MostBytes ? new(parts, candidates, gamma, values)
            : throw InputException.At("gamma", FormattableString.Invariant($"{count:N0} states of each of {rows:N0} rows"), FormattableString.Invariant($"at most {SparseStates.Most:N0}, and {MostBytes / 1e9:F1} GB for all rows"), "Take fewer candidates, parts at once, values or rows.");
    }

    /// <summary>The model.</summary>
    internal ISparseModel Model() => options.Model switch
    {
        "mca" or "mmca" => new MaximalCauses(options.Model == "mmca", options.Form == "released"),
        "gsc" => new SpikeAndSlab(options.Mean, options.AnnealPrior),
        _ => new LinearCauses(Values(), options.Model == "dsc", options.Mean, options.AnnealPrior),
    };

    private double[] Values()
    {
        if (options.Model != "dsc")
            return options.Model == "tsc" ? [-1, 1] : [1];
        double[] values = [.. options.Values.Split((char[])[' ', ',', ';'], StringSplitOptions.RemoveEmptyEntries).Select(v => double.TryParse(v, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : double.NaN)];
        return values.Length is > 0 and <= 20 && values.All(v => double.IsFinite(v) && v != 0) && values.Distinct().Count() == values.Length ? values
            : throw InputException.At("values", $"'{options.Values}'", "1 to 20 finite numbers that differ, without 0, with spaces between, such as -1 1 2", "Give them so; 0 is always one.");
    }

    private static (SparseParameters P, double Deviation) Initial(double[] rows, int d, int parts, ISparseModel model, SeededRandom random)
    {
        int n = rows.Length / d;
        double[] mean = new double[d], square = new double[d];
        for (int i = 0; i < rows.Length; i++)
            mean[i % d] += rows[i] / n;
        for (int i = 0; i < rows.Length; i++)
            square[i % d] += Math.Pow(rows[i] - mean[i % d], 2) / n;
        double deviation = square.Average(Math.Sqrt);
        if (!(deviation > 1e-12 * mean.Max(Math.Abs)))
            throw InputException.At("rows", "rows that are all the same", "rows that differ", "Give others.");
        return (model.Allowed(new()
        {
            W = [.. Enumerable.Range(0, parts * d).Select(i => mean[i % d] + deviation / 4 * random.NextNormal())],
            Pi = [.. Enumerable.Repeat(Math.Min(0.5, 1.0 / parts), parts)],
            Sigma = deviation,
            Mean = new double[d],
            Shares = [.. model.Values.Select(_ => 1.0 / model.Values.Length)],
            SlabMean = [.. Enumerable.Repeat(1.0, parts)],
            SlabVariance = [.. Enumerable.Repeat(1.0, parts)],
        }), deviation);
    }
}

/// <summary>What <see cref="Prosper"/> learned.</summary>
public sealed class SparseParts : ILearnedParts
{
    private readonly ISparseModel _model;
    private readonly SparseStates _states;
    private readonly SparseParameters _p;

    internal SparseParts(ISparseModel model, SparseStates states, SparseParameters p, IReadOnlyDictionary<string, double> report)
    {
        (_model, _states, _p, Report) = (model, states, p, report);
        using var scope = NewDisposeScope();
        Dictionary = Aligned.Of(p.W, p.H, p.D).t().contiguous().DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor Dictionary { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, double> Report { get; }

    /// <inheritdoc/>
    public Tensor Codes(Tensor y) => Aligned.Of(Expected(y).Codes, y.shape[0], _p.H);

    /// <inheritdoc/>
    public Tensor Reconstruct(Tensor y) => Aligned.Of(Expected(y).Rows, y.shape[0], _p.D);

    /// <inheritdoc/>
    public Tensor LogLikelihood(Tensor y)
    {
        var (expectation, _) = Weighed(y);
        return Aligned.Of(expectation.LogLikelihoods(_p), y.shape[0]);
    }

    /// <summary>The likeliest states of a row.</summary>
    /// <param name="row">Float64 [d].</param>
    /// <param name="count">How many.</param>
    /// <returns>For each, what every cause is (of slabs 1 where it is there), and how likely.</returns>
    public IReadOnlyList<(double[] Causes, double Probability)> Likeliest(Tensor row, int count = 1)
    {
        ArgumentNullException.ThrowIfNull(row);
        using var scope = NewDisposeScope();
        var (expectation, _) = Weighed(row.unsqueeze(0));
        double[] probability = new double[_states.Count];
        expectation.Probabilities(0, 1, probability);
        int[] causes = new int[Math.Max(1, _states.Gamma)], values = new int[causes.Length];
        return [.. Enumerable.Range(0, probability.Length).OrderByDescending(s => probability[s]).Take(count).Select(s =>
        {
            double[] own = new double[_p.H];
            for (int i = 0, many = _states.Read(s, expectation.Chosen[0], causes, values); i < many; i++)
                own[causes[i]] = _states.Values[values[i]];
            return (own, probability[s]);
        })];
    }

    private (double[] Codes, double[] Rows) Expected(Tensor y)
    {
        var (expectation, step) = Weighed(y);
        int n = (int)y.shape[0];
        double[] codes = new double[n * _p.H], made = new double[n * _p.D], rows = Values(y);
        expectation.OverBlocks(block =>
        {
            double[] probability = new double[_states.Count];
            foreach (int i in expectation.Of(block))
            {
                expectation.Probabilities(i, 1, probability);
                step.Expect(rows.AsSpan(i * _p.D, _p.D), probability, expectation.Chosen[i], codes.AsSpan(i * _p.H, _p.H), made.AsSpan(i * _p.D, _p.D));
            }
        }, CancellationToken.None);
        return (codes, made);
    }

    private (TruncatedExpectation Expectation, ISparseStep Step) Weighed(Tensor y)
    {
        PartRows.Width(y, _p.D);
        var expectation = new TruncatedExpectation(_model, _states, Values(y), _p.D);
        return (expectation, expectation.Weigh(_p, 1, CancellationToken.None));
    }

    private static double[] Values(Tensor y)
    {
        using var scope = NewDisposeScope();
        return y.contiguous().data<double>().ToArray();
    }

    /// <inheritdoc/>
    public void Dispose() => Dictionary.Dispose();
}
