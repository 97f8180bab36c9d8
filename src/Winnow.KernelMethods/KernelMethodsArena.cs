using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>The catalogue: tasks, methods, baselines and metrics at a glance.</summary>
public sealed class KernelMethodsArena : Arena<KernelSetup, IKernelMethod>
{
    private static readonly IReadOnlyList<IKernelTask> All = [new ClassifyTask(), new FewShotTask(), new AdHocTask(), new GraphTask(), new RegressTask(), new SeriesTask()];

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
        Baseline<GaussianProcessClassifierOptions>("gp-classifier", "Gaussian process classifier", "Williams and Barber, Bayesian classification with Gaussian processes, IEEE TPAMI 20", 1998,
            "The posterior of a random function for each class, by Laplace's approximation.", (_, o) => new GaussianProcessClassifier(o));
        Baseline<NoKernelOptions>("zero-shot", "Names alone", "Radford et al., Learning transferable visual models from natural language supervision, ICML, arXiv 2103.00020", 2021,
            "The class whose name is nearest.", (_, _) => new ZeroShot(), needs: ["rows", "names"]);
        Baseline<TipAdapterOptions>("tip-adapter", "Tip-Adapter", "Zhang et al., Tip-Adapter: training-free adaption of CLIP for few-shot classification, ECCV, arXiv 2207.09519", 2022,
            "Adds labels of similar rows to what the names say.", (_, o) => new TipAdapter(o), needs: ["rows", "names"]);
        Baseline<NoKernelOptions>("spectral", "Spectral clustering", "Ng, Jordan and Weiss, On spectral clustering: analysis and an algorithm, NIPS", 2001,
            "Groups nodes by the first eigenvectors of the graph.", (s, _) => new SpectralClustering(s), needs: ["graph"]);
        Baseline<RidgeOptions>("linear-ridge-values", "Linear ridge regression of numbers", "Hoerl and Kennard, Ridge regression: biased estimation for nonorthogonal problems, Technometrics 12", 1970,
            "Least squares held to small weights; the error of rows left out is its variance.", (_, o) => new RidgeRegressor(LinearRidge.Of(o)), needs: ["targets"]);
        Baseline<KernelRidgeOptions>("kernel-ridge-values", "Kernel ridge regression of numbers", "Saunders, Gammerman and Vovk, Ridge regression learning algorithm in dual variables, ICML", 1998,
            "The same on the features of a kernel, whose width and ridge each row left out decides.", (_, o) => new RidgeRegressor(new KernelRidge(o)), needs: ["targets"]);
        Baseline<NearestNeighboursOptions>("nearest-neighbours-values", "Nearest neighbours' mean", "Fix and Hodges, Discriminatory analysis: nonparametric discrimination, USAF School of Aviation Medicine", 1951,
            "The mean of the nearest rows; the error of rows left out is its variance.", (_, o) => new NeighboursMean(o), needs: ["targets"]);
        Baseline<GaussianProcessOptions>("gaussian-process", "Gaussian process", "Williams and Rasmussen, Gaussian processes for regression, NIPS", 1996,
            "The exact posterior of a random function whose length scales and noise make the data likeliest.", (_, o) => new GaussianProcess(o), needs: ["targets"]);

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
        Seed<DeepKernelMachineOptions>("deep-kernel-machine", "Deep kernel machine", "Yang, Robeyns, Milsom, Anson, Schoots and Aitchison, A theory of representation learning gives a deep generalisation of kernel methods, ICML 2023, arXiv 2108.13097", 2021,
            "Several layers whose Gram matrices are learned, held to what the kernel makes of the layer below.", (s, o) => new DeepKernelMachine(s, o), DeepKernelMachine.Claims, ["targets"]);
        Seed<SlimKlOptions>("slim-kl", "Sparse linear multiple kernel", "Suwandi, Lin, Yin, Wang and Theodoridis, Sparsity-aware distributed learning for Gaussian processes with linear multiple kernel, IEEE TNNLS, arXiv 2309.08201", 2023,
            "A sparse mixture of many fixed spectral kernels, whose weights agents learn who never share rows.", (s, o) => new SlimKl(s, o), SlimKl.Claims, ["targets"]);
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
    public override IReadOnlyList<FigureCard> Figures { get; } = [.. ClassificationFigures.Cards, Regression.Curve];

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
