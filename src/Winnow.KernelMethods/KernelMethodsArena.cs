using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>The catalogue: tasks, methods, baselines and metrics at a glance.</summary>
public sealed class KernelMethodsArena : Arena<KernelSetup, IKernelMethod>
{
    private static readonly IReadOnlyList<IKernelTask> All = [new ClassifyTask(), new FewShotTask(), new AdHocTask(), new GraphTask(), new RegressTask(), new DesignTask(), new UnseenClassesTask(), new NextClassTask()];

    private readonly TimeProvider _clock;

    /// <summary>The arena, timed by the system's clock.</summary>
    public KernelMethodsArena() : this(TimeProvider.System)
    {
    }

    /// <summary>The arena.</summary>
    /// <param name="clock">What methods are timed by.</param>
    public KernelMethodsArena(TimeProvider clock)
    {
        _clock = clock;

        Baseline<NearestNeighboursOptions>("nearest-neighbours", "Nearest neighbours", "Cover and Hart, Nearest neighbor pattern classification, IEEE Transactions on Information Theory 13", 1967,
            "The nearest rows vote.", (_, o) => new NearestNeighbours(o), needs: ["table"]);
        Baseline<NearestMeanOptions>("nearest-mean", "Nearest mean", "Maron, Automatic indexing: an experimental inquiry, Journal of the ACM 8", 1961,
            "The class whose mean is nearest, or Gaussian naive Bayes.", (_, o) => new NearestMean(o));
        Baseline<LogisticRegressionOptions>("logistic-regression", "Logistic regression", "Cox, The regression analysis of binary sequences, Journal of the Royal Statistical Society B 20", 1958,
            "Linear log-odds of the classes, held to small weights.", (s, o) => new LogisticRegression(s, o));
        Baseline<RidgeOptions>("linear-ridge", "Linear ridge regression", "Hoerl and Kennard, Ridge regression: biased estimation for nonorthogonal problems, Technometrics 12", 1970,
            "Least squares on numbers, or on ones and zeros, held to small weights.", (_, o) => new LinearRidge(o), needs: ["table"]);
        Baseline<KernelRidgeOptions>("kernel-ridge", "Kernel ridge regression", "Saunders, Gammerman and Vovk, Ridge regression learning algorithm in dual variables, ICML", 1998,
            "The same on the features of a kernel, whose width and ridge each row left out decides.", (_, o) => new KernelRidge(o), needs: ["table"]);
        Baseline<GaussianProcessOptions>("gaussian-process", "Gaussian process", "Rasmussen and Williams, Gaussian processes for machine learning, MIT Press", 2006,
            "Expects numbers with a band, from a covariance of most evidence.", (_, o) => new GaussianProcess(o), needs: ["values"]);
        Baseline<SvmOptions>("svm", "Support vector machine", "Cortes and Vapnik, Support-vector networks, Machine Learning 20", 1995,
            "Separates each pair of classes by the widest margin; width and bound by three folds.", (s, o) => new SupportVectorMachine(s, o));
        Baseline<RandomFourierOptions>("random-fourier", "Random Fourier features", "Rahimi and Recht, Random features for large-scale kernel machines, NIPS", 2007,
            "Ridge regression on cosines of random projections.", (s, o) => RandomFourier.Method(s, o));
        Baseline<NystromOptions>("nystrom", "Nyström features", "Williams and Seeger, Using the Nyström method to speed up kernel machines, NIPS", 2000,
            "Ridge regression on similarities with some rows.", (s, o) => Nystrom.Method(s, o));
        Baseline<PerceptronOptions>("perceptron", "Perceptron", "Rumelhart, Hinton and Williams, Learning representations by back-propagating errors, Nature 323", 1986,
            "A network with one hidden layer, trained.", (s, o) => new Perceptron(s, o));
        Baseline<RandomForestOptions>("random-forest", "Random forest", "Breiman, Random forests, Machine Learning 45", 2001,
            "Averages trees that saw other rows and features.", (s, o) => new RandomForest(s, o));
        Baseline<NoKernelOptions>("zero-shot", "Names alone", "Radford et al., Learning transferable visual models from natural language supervision, ICML, arXiv 2103.00020", 2021,
            "The class whose name is nearest.", (_, _) => new ZeroShot(), needs: ["rows", "names"]);
        Baseline<TipAdapterOptions>("tip-adapter", "Tip-Adapter", "Zhang et al., Tip-Adapter: training-free adaption of CLIP for few-shot classification, ECCV, arXiv 2207.09519", 2022,
            "Adds labels of similar rows to what the names say.", (_, o) => new TipAdapter(o), needs: ["rows", "names"]);
        Baseline<NoKernelOptions>("spectral", "Spectral clustering", "Ng, Jordan and Weiss, On spectral clustering: analysis and an algorithm, NIPS", 2001,
            "Groups nodes by the first eigenvectors of the graph.", (s, _) => new SpectralClustering(s), needs: ["graph"]);

        Baseline<NoKernelOptions>("uniform-sampling", "Uniform sampling", "Cochran, Sampling techniques, Wiley", 1953,
            "Points are drawn evenly and each alone.", (_, _) => new UniformSampling(), needs: ["basis"]);
        Baseline<LeverageSamplingOptions>("leverage-sampling", "Leverage sampling", "Cohen and Migliorati, Optimal weighted least-squares methods, SMAI Journal of Computational Mathematics 3, arXiv 1608.00512", 2017,
            "Points are drawn by how much the functions depend on them, each alone.", (_, o) => new LeverageSampling(o), needs: ["basis"]);
        Baseline<RandomClassOptions>("random-class", "A class at random", "Cochran, Sampling techniques, Wiley", 1953,
            "The next class to label is drawn.", (_, o) => new RandomClass(o), needs: ["picks"]);

        Seed<NtkOptions>("ntk", "Neural tangent kernel", "Jacot, Gabriel and Hongler, Neural tangent kernel: convergence and generalization in neural networks, NeurIPS, arXiv 1806.07572", 2018,
            "What an infinitely wide network learns, by one linear system.", (_, o) => Ntk.Method(o), Ntk.Claims);
        Seed<QuantumKernelOptions>("quantum-kernel", "Quantum-enhanced feature spaces", "Havlíček, Córcoles, Temme, Harrow, Kandala, Chow and Gambetta, Supervised learning with quantum enhanced feature spaces, Nature 567, arXiv 1804.11326", 2019,
            "The overlap of the states that a small circuit makes of two rows.", (s, o) => QuantumKernel.Method(s, o), QuantumKernel.Claims);
        Seed<ProKerOptions>("proker", "ProKeR", "Bendou, Ouasfi, Gripon and Boukhayma, ProKeR: a kernel perspective on few-shot adaptation of large vision-language models, CVPR, arXiv 2501.11175", 2025,
            "A kernel ridge on what the names of classes are wrong by.", (_, o) => new ProKer(o), ProKer.Claims, ["rows", "names"]);
        Seed<ForestRcOptions>("forest-rc", "Rotated random forests", "Pande, Land use/land cover classification of fused Sentinel-1 and Sentinel-2 imageries using ensembles of random forests, arXiv 2312.10798", 2023,
            "Averages forests that see the features turned each its own way.", (s, o) => new ForestRc(s, o), ForestRc.Claims);
        Seed<LogProximityOptions>("log-proximity", "Logarithmic proximities", "Ivashkin and Chebotarev, Do logarithmic proximity measures outperform plain ones in graph clustering?, NET 2016, arXiv 1605.01046", 2016,
            "Groups nodes by the logarithm of how near they are.", (s, o) => new LogProximity(s, o), LogProximity.Claims, ["graph"]);
        Seed<SnnkOptions>("snnk", "Scalable neural network kernels", "Sehanobish, Choromanski, Zhao, Dubey and Likhosherstov, Scalable neural network kernels, ICLR 2024, arXiv 2310.13225", 2023,
            "A network as a product of random features, whose weights are one linear system.", (s, o) => Snnk.Method(s, o), Snnk.Claims);
        Seed<LokiOptions>("loki", "Loki", "Roberts, Li, Huang, Adila, Schoenberg, Liu, Pick, Ma and Sala, Geometry-aware adaptation for pretrained models, NeurIPS, arXiv 2307.12226", 2023,
            "The label with the least expected squared distance, so that classes without rows are answered, too.", (s, o) => new Loki(s, o), Loki.Claims, ["distances"]);
        Seed<WlsDppOptions>("wls-dpp", "Least squares with determinantal point processes", "Nouy and Michel, Weighted least-squares approximation with determinantal point processes and generalized volume sampling, arXiv 2312.14057", 2023,
            "Points that differ from each other, so that barely more of them than functions are enough.", (_, o) => new WlsDpp(o), WlsDpp.Claims, ["basis"]);
    }

    /// <inheritdoc/>
    public override string Id => "kernel-methods";

    /// <inheritdoc/>
    public override string Question => "Which kernel learns most from few rows?";

    /// <inheritdoc/>
    public override IReadOnlyList<TaskCard> Tasks { get; } = [.. All.Select(t => t.Card)];

    /// <inheritdoc/>
    public override IReadOnlyList<MetricCard> Metrics => KernelMethods.Metrics.Cards;

    /// <inheritdoc/>
    public override IReadOnlyList<FigureCard> Figures { get; } = [.. ClassificationFigures.Cards, RegressTask.Figure, DesignTask.Figure, UnseenClassesTask.Figure, NextClassTask.Figure];

    /// <inheritdoc/>
    public override DataSummary Inspect(string? source, TaskCard task, object taskOptions, DataReading reading, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(task);
        return Of(task.Id).Inspect(source, taskOptions, reading, cancellation);
    }

    /// <inheritdoc/>
    public override TrialResult Run(Trial trial, TrialContext context)
    {
        ArgumentNullException.ThrowIfNull(trial);
        ArgumentNullException.ThrowIfNull(context);
        NativeTorch.Require();
        NativeTorch.SetThreads(trial.Threads);
        using var scope = NewDisposeScope();
        context.Progress(0, "reading");
        return Of(trial.Task).Run(new(trial, this.Task(trial.Task).Options.Bind(trial.TaskOptions, "task"), context, _clock, () => Create(trial, new(context.Random))));
    }

    /// <summary>Builds a method of the catalogue.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="options">Options by name; the others have their defaults.</param>
    /// <param name="seed">Seed of its random choices, if it makes any.</param>
    /// <exception cref="InputException">No such method or option.</exception>
    public IKernelMethod Build(string id, JsonObject? options = null, ulong seed = 0)
    {
        var card = (MethodCard<KernelSetup, IKernelMethod>)this.Method(id);
        return card.Create(new(purpose => new SeededRandom(seed, purpose)), card.Options.Bind(options ?? [], id));
    }

    /// <inheritdoc/>
    public override string Program(Trial trial, string version)
    {
        ArgumentNullException.ThrowIfNull(trial);
        return Of(trial.Task).Program(trial, version);
    }

    private static IKernelTask Of(string task) => All.First(t => t.Card.Id == task);

    private void Baseline<TOptions>(string id, string title, string paper, int year, string summary, Func<KernelSetup, TOptions, IKernelMethod> create, IReadOnlyList<string>? needs = null) where TOptions : class, new() =>
        Add(MethodKind.Baseline, id, title, paper, year, summary, create, null, needs ?? ["rows"], null);

    private void Seed<TOptions>(string id, string title, string paper, int year, string summary, Func<KernelSetup, TOptions, IKernelMethod> create, IReadOnlyList<Claim> claims, IReadOnlyList<string>? needs = null) where TOptions : class, new() =>
        Add(MethodKind.Seed, id, title, paper, year, summary, create, claims, needs ?? ["rows"], null);
}

/// <summary>Options of a method that has none.</summary>
public sealed record NoKernelOptions;
