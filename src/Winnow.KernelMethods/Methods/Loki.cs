using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="Loki"/>.</summary>
public sealed record LokiOptions
{
    /// <summary>What gives probabilities.</summary>
    [AllowedValues("logistic-regression", "nearest-neighbours", "random-forest"), Description("classifier whose probabilities are used")]
    public string Base { get; init; } = "logistic-regression";

    /// <summary>C of the logistic regression.</summary>
    [Range(0.0, 1e9), Description("of logistic-regression: C; 0: chosen by three folds")]
    public double C { get; init; }

    /// <summary>Neighbours.</summary>
    [Range(1, 10_000), Description("of nearest-neighbours: rows that vote")]
    public int Neighbours { get; init; } = 5;

    /// <summary>The temperature.</summary>
    [Range(0.0, 1e3), Description("T: probabilities are taken to the power of 1/T; 0: of 0.25 to 8 the one with the least squared distance on classes left out in three folds")]
    public double Temperature { get; init; } = 1;

    /// <summary>Training through the rule.</summary>
    [AllowedValues("none", "straight-through", "polytope"), Description("a linear network is added to the logarithms of the probabilities and trained through the rule on the squared distance of its answers, by this gradient")]
    public string FineTuning { get; init; } = "none";

    /// <summary>Steps.</summary>
    [Range(1, 1_000_000), Description("of fine-tuning: steps, each with all rows; weights of the step with the least squared distance are kept")]
    public int Steps { get; init; } = 200;

    /// <summary>Step size.</summary>
    [Range(0.0, 1e3, MinimumIsExclusive = true), Description("of fine-tuning: step size of Adam")]
    public double LearningRate { get; init; } = 0.01;
}

/// <summary>
/// Answers the label with the least expected squared distance instead of the likeliest: a classifier that knows some classes answers others between them, and mistakes are nearer.
/// <para>Paper: Roberts, Li, Huang, Adila, Schoenberg, Liu, Pick, Ma and Sala, Geometry-aware adaptation for pretrained models, NeurIPS 2023 (arXiv 2307.12226). The rule and its gradients in <see cref="FrechetRule"/>, metrics, locus and the next class in
/// <see cref="LabelMetric"/>; a linear network trained through the rule from end to end. Left out: deeper networks trained so (the gradients are there), and embeddings of language models as labels (give any vectors).</para>
/// <para>Probabilities P [m, K] of classes with rows, squared distances D² [K, V]: scores are −P D² [m, V]. The temperature is chosen on classes that are left out, since answers about unseen classes are what it is for. Cost of the classifier and O(m K V).</para>
/// </summary>
/// <param name="setup">Draws what the classifier draws.</param>
/// <param name="options">The classifier and the temperature.</param>
public sealed class Loki(KernelSetup setup, LokiOptions options) : IClassifier, IClassPicker
{
    private const int Folds = 3;
    private static readonly double[] Temperatures = [1, 0.25, 0.5, 2, 4, 8];

    /// <summary>What the ledger measures.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        Nearer("A tree of 64 classes of which 13 have rows, five nearest neighbours: at least 10% less mean squared distance than their likeliest class.", "nearest-neighbours"),
        Nearer("The same with logistic regression.", "logistic-regression"),
        new()
        {
            Text = "The same: rows of classes without rows to learn from are answered rightly at times, which the likeliest class never does.",
            Task = "unseen-classes",
            Metric = "unseen_accuracy",
            Baseline = "logistic-regression",
            Margin = 0.02,
        },
        new()
        {
            Text = "Digits, 6 of 10 classes with rows, distances of class means, logistic regression: less mean squared distance.",
            Task = "unseen-classes",
            Data = "digits",
            Metric = "squared_distance",
            Baseline = "logistic-regression",
            Margin = 0,
            TaskOptions = new() { ["seen"] = 6 },
        },
        new()
        {
            Text = "Trees of 50 classes: fewer picks than at random until the locus has 80% of them.",
            Task = "next-class",
            Metric = "picks",
            Baseline = "random-class",
            Margin = 0,
        },
    ];

    private static Claim Nearer(string text, string model) => new()
    {
        Text = text,
        Task = "unseen-classes",
        Metric = "squared_distance",
        Baseline = model,
        BaselineFactor = 0.9,
        Margin = 0,
        MethodOptions = new() { ["base"] = model },
    };

    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        if (rows.Distances is null)
            throw InputException.At("rows", "no distances of classes", "squared distances of any two", "Give a hierarchy of the classes or vectors that stand for them (TrainingRows.Distances), or use the classifier alone.");
        using var metric = LabelMetric.Of(rows.Distances);
        if (metric.Labels != rows.Classes)
            throw InputException.At("label distances", $"those of {metric.Labels} labels", $"those of {rows.Classes} classes", "Give a row and a column for each class.");
        int[] observed = [.. rows.Labels.Distinct().Order()];
        double temperature = options.Temperature > 0 ? options.Temperature : Chosen(rows, observed, cancellation);
        var squared = rows.Distances.index_select(0, Indices(observed)).clone().DetachFromDisposeScope();
        var report = new Dictionary<string, double> { ["temperature"] = temperature, ["locus"] = metric.Locus(observed).Length };
        var fitted = new Fitted(Base().Fit(rows, cancellation), observed, squared, temperature, options.Base == "logistic-regression", report);
        try
        {
            if (options.FineTuning != "none")
                fitted.Network = Tuned(rows, fitted.Probabilities(rows.X), squared, report, cancellation);
        }
        catch
        {
            fitted.Dispose();
            throw;
        }
        return fitted;
    }

    /// <summary>Weights [d + 1, K], the last of a constant, that are added as Wx to the logarithms of P and trained through the rule: of answers z the loss is Σ z_v d²(v, y), whose gradient the surrogate brings back to P.</summary>
    private Tensor Tuned(TrainingRows rows, Tensor p, Tensor squared, Dictionary<string, double> report, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var x = Fitted.Constant(rows.X);
        var logits = p.clamp_min(Fitted.Least).log();
        var loss = rows.Distances!.index_select(0, Indices(rows.Labels)); // [n, V], d² of every answer
        var weights = zeros(x.shape[1], p.shape[1], dtype: ScalarType.Float64).requires_grad_();
        using var adam = new TensorAdam([weights], [options.LearningRate]);
        var (least, kept) = (double.PositiveInfinity, weights.detach().clone());
        for (int step = 0; step <= options.Steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var one = NewDisposeScope();
            var q = (logits + x.mm(weights)).softmax(1);
            using (no_grad())
            {
                var answers = tensor(FrechetRule.Answers(q.detach(), squared).Select(a => (long)a).ToArray()).unsqueeze(1);
                double distance = loss.gather(1, answers).mean().item<double>();
                if (step == 0)
                    report["distance_before"] = distance;
                if (distance < least)
                {
                    least = distance;
                    kept.copy_(weights);
                }
            }
            var gradient = FrechetRule.Backward(q.detach(), squared, loss / rows.Labels.Count, options.FineTuning == "polytope");
            adam.Step(autograd.grad([q], [weights], [gradient]));
        }
        report["distance_after"] = least;
        return kept.DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public int? Next(LabelMetric metric, IReadOnlyCollection<int> observed, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(metric);
        return metric.Next(observed);
    }

    private IClassifier Base() => options.Base switch
    {
        "logistic-regression" => new LogisticRegression(setup, new() { C = options.C }),
        "nearest-neighbours" => new NearestNeighbours(new() { Neighbours = options.Neighbours }),
        _ => new RandomForest(setup, new()),
    };

    /// <summary>The temperature at which rows of classes left out are answered nearest; 1 where there are too few classes.</summary>
    private double Chosen(TrainingRows rows, int[] observed, CancellationToken cancellation)
    {
        if (observed.Length <= Folds)
            return 1;
        int[] order = [.. observed];
        setup.Random("left-out-classes").Shuffle(order);
        double[] losses = new double[Temperatures.Length];
        for (int fold = 0; fold < Folds; fold++)
        {
            using var scope = NewDisposeScope();
            int[] classes = [.. order.Where((_, i) => i % Folds != fold).Order()];
            int[] learned = [.. Enumerable.Range(0, rows.Labels.Count).Where(i => classes.Contains(rows.Labels[i]))], left = [.. Enumerable.Range(0, rows.Labels.Count).Except(learned)];
            using var fitted = Base().Fit(new(rows.X.index_select(0, Indices(learned)), [.. learned.Select(i => rows.Labels[i])], rows.Classes), cancellation);
            var scores = fitted.Scores(rows.X.index_select(0, Indices(left))).index_select(1, Indices(classes));
            var squared = rows.Distances!.index_select(0, Indices(classes));
            double[] d = rows.Distances!.contiguous().data<double>().ToArray();
            for (int t = 0; t < Temperatures.Length; t++)
                losses[t] += FrechetRule.Answers(Tempered(scores, Temperatures[t], options.Base == "logistic-regression"), squared).Zip(left, (a, i) => d[a * rows.Classes + rows.Labels[i]]).Sum();
        }
        return Temperatures[Array.IndexOf(losses, losses.Min())];
    }

    /// <summary>Probabilities to the power of 1 / T, of sum 1.</summary>
    private static Tensor Tempered(Tensor scores, double temperature, bool logarithms)
    {
        if (logarithms)
            return (scores / temperature).softmax(1);
        var p = scores.pow(1 / temperature);
        return p / p.sum(1, keepdim: true).clamp_min(double.Epsilon);
    }

    private static Tensor Indices(IReadOnlyList<int> rows) => tensor(rows.Select(i => (long)i).ToArray());

    private sealed class Fitted(IFitted model, int[] observed, Tensor squared, double temperature, bool logarithms, IReadOnlyDictionary<string, double> report) : IFitted
    {
        /// <summary>The smallest probability whose logarithm is taken.</summary>
        public const double Least = 1e-12;

        public IReadOnlyDictionary<string, double> Report { get; } = report;

        /// <summary>What is added to the logarithms of probabilities; null for nothing.</summary>
        public Tensor? Network { get; set; }

        /// <summary>Rows with a one behind them.</summary>
        public static Tensor Constant(Tensor x) => cat([x, ones(x.shape[0], 1, dtype: ScalarType.Float64)], 1);

        public Tensor Probabilities(Tensor x)
        {
            var p = Tempered(model.Scores(x).index_select(1, Indices(observed)), temperature, logarithms);
            return Network is null ? p : (p.clamp_min(Least).log() + Constant(x).mm(Network)).softmax(1);
        }

        public Tensor Scores(Tensor x)
        {
            using var scope = NewDisposeScope();
            return FrechetRule.Costs(Probabilities(x), squared).neg_().MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
            Network?.Dispose();
            model.Dispose();
            squared.Dispose();
        }
    }
}
