using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of methods that make features of rows and leave the answer to a usual classifier.</summary>
public record OnFeaturesOptions
{
    /// <summary>What answers.</summary>
    [AllowedValues("svm", "ridge", "neighbours", "forest", "perceptron", "naive-bayes", "logistic-regression", "tree"), Description("what answers on the features: a linear support vector machine, a linear ridge, five nearest neighbours, a forest of 100 trees, a network with one hidden layer, Gaussian naive Bayes, logistic regression, or a single tree")]
    public string Classifier { get; init; } = "svm";

    /// <summary>Components.</summary>
    [Range(0, 100_000), Description("components; 0: half as many as there are rows to learn from, at most 100 and the rank")]
    public int Components { get; init; }

    internal const int Usual = 100;

    /// <summary>The classifier.</summary>
    internal IClassifier Build(KernelSetup setup) => Classifier switch
    {
        "ridge" => new LinearRidge(new()),
        "neighbours" => new NearestNeighbours(new NearestNeighboursOptions()),
        "forest" => new RandomForest(setup, new()),
        "perceptron" => new Perceptron(setup, new()),
        "naive-bayes" => new NearestMean(new() { Variances = "own" }),
        "logistic-regression" => new LogisticRegression(setup, new()),
        "tree" => new DecisionTree(setup, new()),
        _ => new SupportVectorMachine(_ => [new Linear()], [1, 10, 100], setup.Random("svm-folds")),
    };

    /// <summary>Kernel principal components by these options.</summary>
    internal KernelPca Fit(IKernel kernel, Tensor x, CancellationToken cancellation) =>
        KernelPca.Fit(kernel, x, Components == 0 ? (int)Math.Clamp(x.shape[0] / 2, 1, Usual) : Components, fewer: Components == 0, cancellation);
}

/// <summary>A classifier of features that are made of rows; where they are kernel principal components, their number and the smallest eigenvalue are told.</summary>
/// <param name="make">Makes, from the rows learned from, what makes features of any rows, and tells of it.</param>
/// <param name="classifier">Answers.</param>
internal sealed class OnFeatures(Func<TrainingRows, Dictionary<string, double>, CancellationToken, KernelPca> make, IClassifier classifier) : IClassifier
{
    /// <summary>Kernel principal components of rows: the rbf kernel of the median distance, and a linear ridge.</summary>
    public static IClassifier KernelPcaRidge(KernelPcaOptions options) => KernelPcaRidge(x => new Rbf(options.Gamma * Rbf.Median(x)), options);

    /// <summary>The same of any kernel.</summary>
    public static IClassifier KernelPcaRidge(Func<Tensor, IKernel> kernel, KernelPcaOptions options) => new OnFeatures((rows, _, cancellation) => KernelPca.Fit(kernel(rows.X), rows.X,
        options.Components == 0 ? (int)Math.Clamp(rows.X.shape[0] / 2, 1, OnFeaturesOptions.Usual) : options.Components, fewer: options.Components == 0, cancellation), new LinearRidge(options));

    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        var report = new Dictionary<string, double>();
        var map = make(rows, report, cancellation);
        try
        {
            // of more rows than those with labels these are the first
            var inner = classifier.Fit(new(map.Embedding.narrow(0, 0, rows.Labels.Count), rows.Labels, rows.Classes), cancellation);
            (report["dimensions"], report["smallest"], report["residual"]) = (map.Components, map.Smallest, map.Residual);
            foreach (var (name, value) in inner.Report)
                report.TryAdd(name, value);
            return new Fitted(map, inner, report);
        }
        catch
        {
            map.Dispose();
            throw;
        }
    }

    private sealed class Fitted(KernelPca map, IFitted inner, IReadOnlyDictionary<string, double> report) : IFitted, IOnKernel
    {
        public IReadOnlyDictionary<string, double> Report => report;

        public IKernel Kernel { get; } = new OfComponents(map);

        public Tensor Scores(Tensor x)
        {
            using var scope = NewDisposeScope();
            return inner.Scores(map.Transform(x)).MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
            inner.Dispose();
            map.Dispose();
        }
    }

    /// <summary>The product of where rows lie.</summary>
    private sealed class OfComponents(KernelPca map) : IKernel
    {
        public Tensor Gram(Tensor x, Tensor y)
        {
            using var scope = NewDisposeScope();
            var z = map.Transform(x);
            return Products.Of(z, ReferenceEquals(x, y) ? z : map.Transform(y)).MoveToOuterDisposeScope();
        }

        public Tensor Diagonal(Tensor x) => map.Transform(x).square().sum(1);
    }
}

/// <summary>Options of kernel principal components with a ridge.</summary>
public sealed record KernelPcaOptions : RidgeOptions
{
    /// <summary>Components.</summary>
    [Range(0, 100_000), Description("components; 0: half as many as there are rows to learn from, at most 100 and the rank")]
    public int Components { get; init; }

    /// <summary>The width.</summary>
    [Range(0.0, 1e12, MinimumIsExclusive = true), Description("γ of the rbf kernel times 1 / the median squared distance")]
    public double Gamma { get; init; } = 1;
}
