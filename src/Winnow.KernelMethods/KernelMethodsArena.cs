using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>The catalogue: tasks, methods, baselines and metrics at a glance.</summary>
public sealed class KernelMethodsArena : Arena<KernelSetup, IKernelMethod>
{
    private static readonly IReadOnlyList<IKernelTask> All = [new ClassifyTask(), new FewShotTask(), new AdHocTask(), new GraphTask(), new CurveEpisodesTask(), new LinearEpisodesTask(), new ImageEpisodesTask(), new SegmentTask()];

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
            "The nearest rows vote.", (_, o) => new NearestNeighbours(o));
        Baseline<RidgeOptions>("linear-ridge", "Linear ridge regression", "Hoerl and Kennard, Ridge regression: biased estimation for nonorthogonal problems, Technometrics 12", 1970,
            "Least squares on ones and zeros, held to small weights.", (_, o) => new LinearRidge(o));
        Baseline<KernelRidgeOptions>("kernel-ridge", "Kernel ridge regression", "Saunders, Gammerman and Vovk, Ridge regression learning algorithm in dual variables, ICML", 1998,
            "The same on the features of a kernel, whose width and ridge each row left out decides.", (_, o) => new KernelRidge(o));
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
        Baseline<PooledOptions>("pooled", "Pooled training", "Caruana, Multitask learning, Machine Learning 28", 1997,
            "One network for the rows of all tasks, which adapts to none.", (s, o) => new PooledTraining(s, o), needs: ["episodes"]);
        Baseline<FineTuningOptions>("fine-tuning", "Pooled training and fine-tuning", "Yosinski, Clune, Bengio and Lipson, How transferable are features in deep neural networks?, NeurIPS, arXiv 1411.1792", 2014,
            "One network for the rows of all tasks, then a few steps on the new one.", (s, o) => new PooledTraining(s, o), needs: ["episodes"]);
        Baseline<MamlOptions>("maml", "Model-agnostic meta-learning", "Finn, Abbeel and Levine, Model-agnostic meta-learning for fast adaptation of deep networks, ICML, arXiv 1703.03400", 2017,
            "A start from which a few steps lead far.", (s, o) => new Maml(s, o), needs: ["episodes"]);
        Baseline<PrototypesOptions>("prototypes", "Prototypical networks", "Snell, Swersky and Zemel, Prototypical networks for few-shot learning, NeurIPS, arXiv 1703.05175", 2017,
            "The class whose rows have the nearest mean in a learned layer.", (s, o) => new Prototypes(s, o), needs: ["episodes", "shown-classes"]);
        Baseline<KnownPriorOptions>("known-prior", "Known prior", "Lindley and Smith, Bayes estimates for the linear model, Journal of the Royal Statistical Society B 34", 1972,
            "Bayesian regression with the prior that tasks were drawn from: the best there is.", (s, o) => new KnownPrior(s, o), needs: ["episodes", "prior"], tags: ["upper-bound"]);
        Baseline<ImprintedOptions>("imprinted-segmenter", "Imprinted prototypes", "Qi, Brown and Lowe, Low-shot learning with imprinted weights, CVPR, arXiv 1712.07136", 2018,
            "Learned vectors for base classes, mean features for new ones.", (s, o) => new ImprintedSegmenter(s, o), needs: ["scenes"]);
        Baseline<BaseSegmenterOptions>("base-segmenter", "Base classes only", "Long, Shelhamer and Darrell, Fully convolutional networks for semantic segmentation, CVPR, arXiv 1411.4038", 2015,
            "Tells base classes and never says a new one.", (s, o) => new BaseSegmenter(s, o), needs: ["scenes"]);

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
        Seed<NiwMetaOptions>("niw-meta", "NIW-Meta", "Kim and Hospedales, A hierarchical Bayesian model for deep few-shot meta learning, ICLR 2024, arXiv 2306.09702", 2023,
            "A Gaussian prior over networks, learned from many tasks, to which a new one shrinks.", (s, o) => new NiwMeta(s, o), NiwMeta.Claims, ["episodes"]);
        Seed<PrototypicalKernelOptions>("prototypical-kernel", "Prototypical kernel learning", "Huang, Wang, Xi and Gao, Prototypical kernel learning and open-set foreground perception for generalized few-shot semantic segmentation, ICCV, arXiv 2308.04952", 2023,
            "One vector a class, of known and of newly shown ones, and foreground that knows no classes.", (s, o) => new PrototypicalKernel(s, o), PrototypicalKernel.Claims, ["scenes"]);
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
    public override IReadOnlyList<FigureCard> Figures { get; } =
    [
        new("by-class", FigureKind.Bars, "Right answers by class", "class", "class", "share of the class's rows that are answered rightly", "A method may be good on the whole and blind to one class."),
        .. Episoding.Figures,
        .. SegmentTask.Figures,
    ];

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

    private void Baseline<TOptions>(string id, string title, string paper, int year, string summary, Func<KernelSetup, TOptions, IKernelMethod> create, IReadOnlyList<string>? needs = null, IReadOnlyList<string>? tags = null) where TOptions : class, new() =>
        Add(MethodKind.Baseline, id, title, paper, year, summary, create, null, needs ?? ["rows"], tags);

    private void Seed<TOptions>(string id, string title, string paper, int year, string summary, Func<KernelSetup, TOptions, IKernelMethod> create, IReadOnlyList<Claim> claims, IReadOnlyList<string>? needs = null) where TOptions : class, new() =>
        Add(MethodKind.Seed, id, title, paper, year, summary, create, claims, needs ?? ["rows"], null);
}

/// <summary>Options of a method that has none.</summary>
public sealed record NoKernelOptions;
