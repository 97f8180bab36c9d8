using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>The catalogue: tasks, methods, baselines and metrics at a glance.</summary>
public sealed class KernelMethodsArena : Arena<KernelSetup, IKernelMethod>
{
    private static readonly IReadOnlyList<IKernelTask> All =
    [
        new ClassifyTask(),
        new FewShotTask(),
        new AdHocTask(),
        new GraphTask(),
        new ClusterTask(),
        new BarsTask(),
        new DictionaryTask(),
        new DesignTask(),
        new UnseenClassesTask(),
        new NextClassTask(),
        new SequenceTask(),
        new CurveEpisodesTask(),
        new LinearEpisodesTask(),
        new ImageEpisodesTask(),
        new RegressTask(),
        new SeriesTask(),
        new SegmentTask(),
        new RasterTask(),
        new NodesTask(),
        new GraphsTask(),
    ];

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
            "The nearest rows vote, or their mean is expected.", (_, o) => new NearestNeighbours(o), needs: ["examples"]);
        Baseline<NearestMeanOptions>("nearest-mean", "Nearest mean", "Maron, Automatic indexing: an experimental inquiry, Journal of the ACM 8", 1961,
            "The class whose mean is nearest, or Gaussian naive Bayes.", (_, o) => new NearestMean(o));
        Baseline<LogisticRegressionOptions>("logistic-regression", "Logistic regression", "Cox, The regression analysis of binary sequences, Journal of the Royal Statistical Society B 20", 1958,
            "Linear log-odds of the classes, held to small weights.", (s, o) => new LogisticRegression(s, o));
        Baseline<RidgeOptions>("linear-ridge", "Linear ridge regression", "Hoerl and Kennard, Ridge regression: biased estimation for nonorthogonal problems, Technometrics 12", 1970,
            "Least squares, held to small weights; classes are ones and zeros.", (_, o) => new LinearRidge(o), needs: ["examples"]);
        Baseline<KernelRidgeOptions>("kernel-ridge", "Kernel ridge regression", "Saunders, Gammerman and Vovk, Ridge regression learning algorithm in dual variables, ICML", 1998,
            "The same on the features of a kernel, whose width and ridge each row left out decides.", (_, o) => new KernelRidge(o), needs: ["examples"]);
        Baseline<SvmOptions>("svm", "Support vector machine", "Cortes and Vapnik, Support-vector networks, Machine Learning 20", 1995,
            "Separates each pair of classes by the widest margin; width and bound by three folds.", (s, o) => new SupportVectorMachine(s, o));
        Baseline<RandomFourierOptions>("random-fourier", "Random Fourier features", "Rahimi and Recht, Random features for large-scale kernel machines, NIPS", 2007,
            "Ridge regression on cosines of random projections.", (s, o) => RandomFourier.Method(s, o), needs: ["examples"]);
        Baseline<NystromOptions>("nystrom", "Nyström features", "Williams and Seeger, Using the Nyström method to speed up kernel machines, NIPS", 2000,
            "Ridge regression on similarities with some rows.", (s, o) => Nystrom.Method(s, o), needs: ["examples"]);
        Baseline<PerceptronOptions>("perceptron", "Perceptron", "Rumelhart, Hinton and Williams, Learning representations by back-propagating errors, Nature 323", 1986,
            "A network with one hidden layer, trained.", (s, o) => new Perceptron(s, o));
        Baseline<DecisionTreeOptions>("decision-tree", "Decision tree", "Breiman, Friedman, Olshen and Stone, Classification and regression trees, Wadsworth", 1984,
            "Asks for one feature after the other, cut back to the questions that hold up.", (s, o) => new DecisionTree(s, o));
        Baseline<RandomForestOptions>("random-forest", "Random forest", "Breiman, Random forests, Machine Learning 45", 2001,
            "Averages trees that saw other rows and features.", (s, o) => new RandomForest(s, o), needs: ["examples"]);
        Baseline<GaussianProcessClassifierOptions>("gp-classifier", "Gaussian process classifier", "Williams and Barber, Bayesian classification with Gaussian processes, IEEE TPAMI 20", 1998,
            "The posterior of a random function for each class, by Laplace's approximation.", (_, o) => new GaussianProcessClassifier(o));
        Baseline<NoKernelOptions>("zero-shot", "Names alone", "Radford et al., Learning transferable visual models from natural language supervision, ICML, arXiv 2103.00020", 2021,
            "The class whose name is nearest.", (_, _) => new ZeroShot(), needs: ["rows", "names"]);
        Baseline<TipAdapterOptions>("tip-adapter", "Tip-Adapter", "Zhang et al., Tip-Adapter: training-free adaption of CLIP for few-shot classification, ECCV, arXiv 2207.09519", 2022,
            "Adds labels of similar rows to what the names say.", (_, o) => new TipAdapter(o), needs: ["rows", "names"]);
        Baseline<NoKernelOptions>("spectral", "Spectral clustering", "Ng, Jordan and Weiss, On spectral clustering: analysis and an algorithm, NIPS", 2001,
            "Groups nodes by the first eigenvectors of the graph.", (s, _) => new SpectralClustering(s), needs: ["graph"]);
        Baseline<KMeansOptions>("k-means", "k-means", "Lloyd, Least squares quantization in PCM, IEEE Transactions on Information Theory 28", 1982,
            "Each row to the nearest mean, means of their rows, in turn.", (s, o) => new KMeans(s, o), needs: ["points"]);
        Baseline<GaussianMixtureOptions>("gaussian-mixture", "Gaussian mixture by EM", "Dempster, Laird and Rubin, Maximum likelihood from incomplete data via the EM algorithm, Journal of the Royal Statistical Society B 39", 1977,
            "Groups with means and covariances under which the rows are likeliest.", (s, o) => new GaussianMixture(s, o), needs: ["points"]);
        Baseline<NoKernelOptions>("ward", "Ward's rule", "Ward, Hierarchical grouping to optimize an objective function, Journal of the American Statistical Association 58", 1963,
            "Unites two groups at a time, at the least cost.", (_, _) => new WardClusters(), needs: ["points"]);
        Baseline<RbfClustersOptions>("spectral-rows", "Spectral clustering of rows", "Ng, Jordan and Weiss, On spectral clustering: analysis and an algorithm, NIPS", 2001,
            "Groups rows by the first eigenvectors of the graph of what is near.", (s, o) => new SpectralRows(s, o), needs: ["points"]);
        Baseline<RbfClustersOptions>("kernel-k-means", "Kernel k-means", "Dhillon, Guan and Kulis, Kernel k-means, spectral clustering and normalized cuts, KDD", 2004,
            "k-means in the space of a kernel.", (s, o) => new KernelKMeans(s, o), needs: ["points"]);
        Baseline<SdpKMeansOptions>("sdp-k-means", "k-means as a semidefinite program", "Peng and Wei, Approximating k-means-type clustering via semidefinite programming, SIAM Journal on Optimization 18", 2007,
            "The best of all matrices that a grouping's would be one of, without starts.", (s, o) => new SdpKMeans(s, o), needs: ["points"]);
        Baseline<NoKernelOptions>("pca", "Principal components", "Pearson, On lines and planes of closest fit to systems of points in space, Philosophical Magazine 2", 1901,
            "Directions in which rows differ most.", (_, _) => new PcaDictionary(), needs: ["signals"]);
        Baseline<IcaDictionaryOptions>("ica", "Independent components", "Hyvärinen, Fast and robust fixed-point algorithms for independent component analysis, IEEE Transactions on Neural Networks 10", 1999,
            "Directions along which rows are least like normal numbers.", (s, o) => new IcaDictionary(s, o), needs: ["signals"]);
        Baseline<NmfDictionaryOptions>("nmf", "Non-negative factors", "Lee and Seung, Algorithms for non-negative matrix factorization, NIPS", 2000,
            "Parts that are only added, never taken away.", (s, o) => new NmfDictionary(s, o), needs: ["signals"]);
        Baseline<KMeansOptions>("k-means-parts", "Means of k-means", "Lloyd, Least squares quantization in PCM, IEEE Transactions on Information Theory 28", 1982,
            "One part a row: the nearest mean.", (s, o) => new KMeansDictionary(s, o), needs: ["signals"]);
        Baseline<NoKernelOptions>("uniform-sampling", "Uniform sampling", "Cochran, Sampling techniques, Wiley", 1953,
            "Points are drawn evenly and each alone.", (_, _) => new UniformSampling(), needs: ["basis"]);
        Baseline<LeverageSamplingOptions>("leverage-sampling", "Leverage sampling", "Cohen and Migliorati, Optimal weighted least-squares methods, SMAI Journal of Computational Mathematics 3, arXiv 1608.00512", 2017,
            "Points are drawn by how much the functions depend on them, each alone.", (_, o) => new LeverageSampling(o), needs: ["basis"]);
        Baseline<RandomClassOptions>("random-class", "A class at random", "Cochran, Sampling techniques, Wiley", 1953,
            "The next class to label is drawn.", (_, o) => new RandomClass(o), needs: ["picks"]);

        Baseline<KernelPcaOptions>("kernel-pca", "Kernel principal components", "Schölkopf, Smola and Müller, Nonlinear component analysis as a kernel eigenvalue problem, Neural Computation 10", 1998,
            "A linear ridge on the directions in which a kernel sees rows differ most.", (_, o) => OnFeatures.KernelPcaRidge(o));
        Baseline<OnFeaturesOptions>("one-hot-pca", "Principal components of residues", "Pearson, On lines and planes of closest fit to systems of points in space, Philosophical Magazine 2", 1901,
            "A classifier on principal components of residues as ones and zeros.", (s, o) => SequenceBaselines.OneHotPca(s, o), needs: ["sequences"]);
        Baseline<SiteShareOptions>("p-distance", "Share of differing sites", "Cortes and Vapnik, Support-vector networks, Machine Learning 20", 1995,
            "A support vector machine on the share of sites that differ; width and bound by three folds.", (s, o) => SequenceBaselines.SiteShare(s, o), needs: ["sequences"]);
        Baseline<SpectrumOptions>("spectrum", "Spectrum kernel", "Leslie, Eskin and Noble, The spectrum kernel: a string kernel for SVM protein classification, Pacific Symposium on Biocomputing", 2002,
            "A support vector machine on how often sequences have each word of residues.", (s, o) => SequenceBaselines.Spectrum(s, o), needs: ["sequences"]);
        Baseline<NoKernelOptions>("nearest-sequence", "Nearest sequence", "Cover and Hart, Nearest neighbor pattern classification, IEEE Transactions on Information Theory 13", 1967,
            "The class of the sequence with most residues in common.", (_, _) => new NearestSequences(), needs: ["sequences"]);
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
        Baseline<GaussianProcessOptions>("gaussian-process", "Gaussian process", "Williams and Rasmussen, Gaussian processes for regression, NIPS", 1996,
            "The exact posterior of a random function whose length scales and noise make the data likeliest.", (_, o) => new GaussianProcess(o), needs: ["targets"]);
        Baseline<ImprintedOptions>("imprinted-segmenter", "Imprinted prototypes", "Qi, Brown and Lowe, Low-shot learning with imprinted weights, CVPR, arXiv 1712.07136", 2018,
            "Learned vectors for base classes, mean features for new ones.", (s, o) => new ImprintedSegmenter(s, o), needs: ["scenes"]);
        Baseline<BaseSegmenterOptions>("base-segmenter", "Base classes only", "Long, Shelhamer and Darrell, Fully convolutional networks for semantic segmentation, CVPR, arXiv 1411.4038", 2015,
            "Tells base classes and never says a new one.", (s, o) => new BaseSegmenter(s, o), needs: ["scenes"]);

        Baseline<NodeKernelOptions>("node-kernel", "Kernels of nodes", "Smola and Kondor, Kernels and regularization on graphs, COLT", 2003,
            "How near nodes are, with their words or without, is a kernel that any solver takes.", (s, o) => new NodeKernel(s, o), needs: ["nodes"]);
        Baseline<NodeWordsOptions>("node-words", "Words of nodes", "Joachims, Text categorization with support vector machines, ECML", 1998,
            "A kernel of the words that nodes have in common, without a look at the edges.", (s, o) => new NodeWords(s, o), needs: ["nodes"]);
        Baseline<LabelPropagationOptions>("label-propagation", "Label propagation", "Zhou, Bousquet, Lal, Weston and Schölkopf, Learning with local and global consistency, NIPS", 2003,
            "Known classes spread along edges.", (_, o) => new LabelPropagation(o), needs: ["nodes"]);
        Baseline<GraphKernelOptions>("graph-kernel", "Kernels of graphs", "Shervashidze, Schweitzer, van Leeuwen, Mehlhorn and Borgwardt, Weisfeiler-Lehman graph kernels, JMLR 12", 2011,
            "What whole graphs have in common, nodes with the same surroundings as a rule, is a kernel that any solver takes.", (s, o) => new GraphKernelMethod(s, o), needs: ["graphs"]);
        Baseline<SvmOptions>("graph-counts", "Numbers of nodes and edges", "Cortes and Vapnik, Support-vector networks, Machine Learning 20", 1995,
            "A support vector machine on how many nodes and edges a graph has.", (s, o) => new GraphCounts(s, o), needs: ["graphs"]);
        Baseline<NoKernelOptions>("majority", "Most frequent class", "Cover and Hart, Nearest neighbor pattern classification, IEEE Transactions on Information Theory 13", 1967,
            "Always the class that most known items have.", (_, _) => new Majority(), needs: ["items"]);

        Seed<NtkOptions>("ntk", "Neural tangent kernel", "Jacot, Gabriel and Hongler, Neural tangent kernel: convergence and generalization in neural networks, NeurIPS, arXiv 1806.07572", 2018,
            "What an infinitely wide network learns, by one linear system.", (_, o) => Ntk.Method(o), Ntk.Claims, ["examples"]);
        Seed<NtkEnsembleOptions>("ntk-ensemble", "Ensemble of infinitely wide networks", "Jacot, Gabriel and Hongler, Neural tangent kernel: convergence and generalization in neural networks, NeurIPS, arXiv 1806.07572", 2018,
            "What infinitely wide networks say on average once they are trained, and how far they differ.", (_, o) => new NtkEnsemble(o), NtkEnsemble.Claims, ["targets"]);
        Seed<QuantumKernelOptions>("quantum-kernel", "Quantum-enhanced feature spaces", "Havlíček, Córcoles, Temme, Harrow, Kandala, Chow and Gambetta, Supervised learning with quantum enhanced feature spaces, Nature 567, arXiv 1804.11326", 2019,
            "The overlap of the states that a small circuit makes of two rows.", (s, o) => QuantumKernel.Method(s, o), QuantumKernel.Claims);
        Seed<QuantumClassifierOptions>("quantum-classifier", "Variational quantum classifier", "Havlíček, Córcoles, Temme, Harrow, Kandala, Chow and Gambetta, Supervised learning with quantum enhanced feature spaces, Nature 567, arXiv 1804.11326", 2019,
            "The parity of a trained circuit's qubits after the circuit that makes states of rows.", (s, o) => new QuantumClassifier(s, o), QuantumClassifier.Claims, ["angles"]);
        Seed<ProKerOptions>("proker", "ProKeR", "Bendou, Ouasfi, Gripon and Boukhayma, ProKeR: a kernel perspective on few-shot adaptation of large vision-language models, CVPR, arXiv 2501.11175", 2025,
            "A kernel ridge on what the names of classes are wrong by.", (_, o) => new ProKer(o), ProKer.Claims, ["rows", "names"]);
        Seed<ForestRcOptions>("forest-rc", "Rotated random forests", "Pande, Land use/land cover classification of fused Sentinel-1 and Sentinel-2 imageries using ensembles of random forests, arXiv 2312.10798", 2023,
            "Averages forests that see the features turned each its own way.", (s, o) => new ForestRc(s, o), ForestRc.Claims);
        Seed<LogProximityOptions>("log-proximity", "Logarithmic proximities", "Ivashkin and Chebotarev, Do logarithmic proximity measures outperform plain ones in graph clustering?, NET 2016, arXiv 1605.01046", 2016,
            "Groups nodes by the logarithm of how near they are.", (s, o) => new LogProximity(s, o), LogProximity.Claims, ["graph"]);
        Seed<Pcd2VecOptions>("pcd2vec", "PCD2Vec", "Ali, Murad and Patterson, PCD2Vec: a Poisson correction distance-based approach for viral host classification, arXiv 2304.06731", 2023,
            "Vectors of sequences by how many substitutions lie between them.", (s, o) => new Pcd2Vec(s, o), Pcd2Vec.Claims, ["sequences"]);
        Seed<SnnkOptions>("snnk", "Scalable neural network kernels", "Sehanobish, Choromanski, Zhao, Dubey and Likhosherstov, Scalable neural network kernels, ICLR 2024, arXiv 2310.13225", 2023,
            "A network as a product of random features, whose weights are one linear system.", (s, o) => Snnk.Method(s, o), Snnk.Claims, ["examples"]);
        Seed<IlaSdpOptions>("ila-sdp", "Likelihood-adjusted semidefinite programs", "Zhuang, Chen and Yang, Likelihood adjusted semidefinite programs for clustering heterogeneous data, ICML 2023, arXiv 2209.15097", 2022,
            "Groups of different shapes by a convex program that needs no means.", (s, o) => new IlaSdp(s, o), IlaSdp.Claims, ["points"]);
        Seed<ProsperOptions>("prosper", "ProSper", "Exarchakis, Bornschein, Sheikh, Dai, Henniges, Drefs and Lücke, ProSper: a Python library for probabilistic sparse coding with non-standard priors and superpositions, arXiv 1908.06843", 2019,
            "The parts that rows are sums or maxima of, how often each is there, and the noise.", (s, o) => new Prosper(s, o), Prosper.Claims, ["signals"]);
        Seed<LokiOptions>("loki", "Loki", "Roberts, Li, Huang, Adila, Schoenberg, Liu, Pick, Ma and Sala, Geometry-aware adaptation for pretrained models, NeurIPS, arXiv 2307.12226", 2023,
            "The label with the least expected squared distance, so that classes without rows are answered, too.", (s, o) => new Loki(s, o), Loki.Claims, ["distances"]);
        Seed<WlsDppOptions>("wls-dpp", "Least squares with determinantal point processes", "Nouy and Michel, Weighted least-squares approximation with determinantal point processes and generalized volume sampling, arXiv 2312.14057", 2023,
            "Points that differ from each other, so that barely more of them than functions are enough.", (_, o) => new WlsDpp(o), WlsDpp.Claims, ["basis"]);
        Seed<NiwMetaOptions>("niw-meta", "NIW-Meta", "Kim and Hospedales, A hierarchical Bayesian model for deep few-shot meta learning, ICLR 2024, arXiv 2306.09702", 2023,
            "A Gaussian prior over networks, learned from many tasks, to which a new one shrinks.", (s, o) => new NiwMeta(s, o), NiwMeta.Claims, ["episodes"]);
        Seed<DeepKernelMachineOptions>("deep-kernel-machine", "Deep kernel machine", "Yang, Robeyns, Milsom, Anson, Schoots and Aitchison, A theory of representation learning gives a deep generalisation of kernel methods, ICML 2023, arXiv 2108.13097", 2021,
            "Several layers whose Gram matrices are learned, held to what the kernel makes of the layer below.", (s, o) => new DeepKernelMachine(s, o), DeepKernelMachine.Claims, ["targets"]);
        Seed<SlimKlOptions>("slim-kl", "Sparse linear multiple kernel", "Suwandi, Lin, Yin, Wang and Theodoridis, Sparsity-aware distributed learning for Gaussian processes with linear multiple kernel, IEEE TNNLS, arXiv 2309.08201", 2023,
            "A sparse mixture of many fixed spectral kernels, whose weights agents learn who never share rows.", (s, o) => new SlimKl(s, o), SlimKl.Claims, ["targets"]);
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
    public override IReadOnlyList<FigureCard> Figures { get; } = [.. All.SelectMany(t => t.Figures)];

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
