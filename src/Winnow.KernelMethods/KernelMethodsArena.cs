using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Data;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>The catalogue: tasks, methods, baselines and metrics at a glance.</summary>
public sealed class KernelMethodsArena : Arena<KernelSetup, IKernelMethod>
{
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
    }

    /// <inheritdoc/>
    public override string Id => "kernel-methods";

    /// <inheritdoc/>
    public override string Question => "Which kernel learns most from few rows?";

    /// <inheritdoc/>
    public override IReadOnlyList<TaskCard> Tasks { get; } =
    [
        new("classify", "Classes from few rows", "Rows of a table or images with labels: some are learned from, others asked for. Scaled by the mean and deviation of those learned from.", OptionsSchema.Of<ClassifyOptions>(), ["rows"]),
        new("few-shot", "Names and a few rows", "A vector for each class is known beforehand, as the embedding of its name would be, and a few rows; others are asked for.", OptionsSchema.Of<FewShotOptions>(), ["rows", "names"]),
        new("ad-hoc", "Classes that a circuit makes", "Angles whose class is the sign of what a random measurement of a circuit's state expects: what a quantum kernel separates by construction.", OptionsSchema.Of<AdHocOptions>(), ["rows"]) { Data = null },
        new("graph", "Groups of a graph", "The nodes of a graph without direction are put into groups; how many is told. Without a file two groups of nodes are drawn, denser within than between.", OptionsSchema.Of<GraphOptions>(), ["graph"]) { Data = "FILE.gml", Metrics = KernelMethods.Metrics.OfGraphs },
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<MetricCard> Metrics => KernelMethods.Metrics.Cards;

    /// <inheritdoc/>
    public override IReadOnlyList<FigureCard> Figures { get; } =
    [
        new("by-class", FigureKind.Bars, "Right answers by class", "class", "class", "share of the class's rows that are answered rightly", "A method may be good on the whole and blind to one class."),
    ];

    /// <inheritdoc/>
    public override DataSummary Inspect(string? source, TaskCard task, object taskOptions, DataReading reading, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(task);
        if (taskOptions is AdHocOptions made)
            return source is null ? new(new("made", DataRef.HashOf(task.Options.Canonical(made).ToJsonString()), reading), "Made by a circuit", $"{made.Qubits} angles, {made.Rows} rows of each of two classes, {made.Test} to test on", null)
                : throw InputException.At("--data", $"'{source}'", "none: this task makes its rows", "Leave it out, or choose --task classify.");
        if (taskOptions is GraphOptions graph)
            return InspectGraph(source, task, graph, reading);
        var data = DataSources.Open(source, reading, cancellation);
        if (data.Count < 4 || data.LabelNames.Count < 2)
            throw InputException.At(source ?? "digits", $"{data.Count} rows of {data.LabelNames.Count} classes", "at least 4 rows of 2 classes", "Give more.");
        return data.Summary(source is null ? "digits" : Path.Exists(source) ? Path.GetFullPath(source) : source, reading);
    }

    /// <inheritdoc/>
    public override TrialResult Run(Trial trial, TrialContext context)
    {
        ArgumentNullException.ThrowIfNull(trial);
        ArgumentNullException.ThrowIfNull(context);
        NativeTorch.Require();
        NativeTorch.SetThreads(trial.Threads);
        object options = this.Task(trial.Task).Options.Bind(trial.TaskOptions, "task");
        using var scope = NewDisposeScope();
        context.Progress(0, "reading");
        if (options is GraphOptions graph)
            return RunGraph(trial, graph, context);
        var problem = options switch
        {
            AdHocOptions o => Problem.Of(o, context.Random),
            FewShotOptions o => Problem.Of(Opened(trial, context.Cancellation), o, context.Random),
            ClassifyOptions o => Problem.Of(Opened(trial, context.Cancellation), o, context.Random),
            _ => throw new InvalidOperationException($"no problem of {options.GetType().Name}"),
        };
        context.Progress(0.1, "learning");
        var method = (IClassifier)Create(trial, new(context.Random));
        long start = _clock.GetTimestamp();
        using var fitted = method.Fit(problem.Train, context.Cancellation);
        double fit = _clock.GetElapsedTime(start).TotalMilliseconds;
        context.Progress(0.8, "asking");
        start = _clock.GetTimestamp();
        var scores = fitted.Scores(problem.X);
        double asked = _clock.GetElapsedTime(start).TotalMicroseconds;
        if (!scores.isfinite().all().item<bool>())
            throw new InvalidOperationException($"'{trial.Method}' gave scores that are no numbers.");
        int[] answers = [.. scores.argmax(1).data<long>().ToArray().Select(a => (int)a)];
        foreach (var (name, value) in fitted.Report)
            context.Metric($"report/{name}", value, 1);
        foreach (var of in problem.Labels.Zip(answers).GroupBy(p => p.First))
            context.Metric($"class/{problem.Names[of.Key]}", of.Average(p => p.First == p.Second ? 1.0 : 0), 1);
        return new(new Dictionary<string, double>
        {
            ["accuracy"] = problem.Labels.Zip(answers).Average(p => p.First == p.Second ? 1.0 : 0),
            ["macro_f1"] = KernelMethods.Metrics.MacroF1(answers, problem.Labels, problem.Names.Count),
            ["kappa"] = KernelMethods.Metrics.Kappa(KernelMethods.Metrics.Table(answers, problem.Labels, problem.Names.Count)),
            ["fit_ms"] = fit,
            ["predict_us"] = asked / problem.Labels.Length,
            ["jitter"] = fitted.Report.GetValueOrDefault("jitter"),
        });
    }

    private static DataSummary InspectGraph(string? source, TaskCard task, GraphOptions o, DataReading reading)
    {
        if (source is null)
            return new(new("made", DataRef.HashOf(task.Options.Canonical(o).ToJsonString()), reading), "A made graph", $"{o.Made} groups of {o.Nodes} nodes", null);
        string path = Path.GetFullPath(source);
        var file = GraphProblem.Read(path);
        return new(new(path, DataRef.HashOf(File.ReadAllText(path)), reading), Path.GetFileName(path), $"GML: {file.Names.Count:N0} nodes, {file.Edges.Count:N0} edges, {file.Values!.Distinct().Count()} groups", null);
    }

    private TrialResult RunGraph(Trial trial, GraphOptions o, TrialContext context)
    {
        if (trial.Data.Source != "made")
            trial.Data.Require(DataRef.HashOf(File.ReadAllText(trial.Data.Source)));
        var problem = trial.Data.Source == "made" ? GraphProblem.Of(o, context.Random("graph")) : GraphProblem.Of(trial.Data.Source);
        using var graph = problem.Graph;
        int groups = problem.Groups(o);
        if (groups > graph.Nodes)
            throw InputException.At("task.groups", $"{groups}", $"at most {graph.Nodes}, the nodes", "Take fewer.");
        context.Progress(0.1, "grouping");
        var method = (IGraphClusterer)Create(trial, new(context.Random));
        long start = _clock.GetTimestamp();
        var found = method.Group(graph, groups, context.Cancellation);
        return new(new Dictionary<string, double>
        {
            ["ari"] = KernelClusters.AdjustedRand(found.Labels, problem.Truth),
            ["best_ari"] = found.Tried.Max(t => KernelClusters.AdjustedRand(t, problem.Truth)),
            ["modularity"] = graph.Modularity(found.Labels),
            ["fit_ms"] = _clock.GetElapsedTime(start).TotalMilliseconds,
        });
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
        if (trial.Task == "graph")
            return $$""""
                // dotnet run -c Release Use.cs FILE.gml GROUPS
                #:package Winnow.KernelMethods@{{version}}
                #:package {{NativeTorch.Package.Id}}@{{NativeTorch.Package.Version}}
                #:property PublishAot=false
                using System.Text.Json.Nodes;
                using Winnow.Data;
                using Winnow.KernelMethods;
                using static TorchSharp.torch;

                Winnow.Learning.NativeTorch.Require();
                var file = GmlFile.Read(args[0]);
                var weights = zeros(file.Names.Count, file.Names.Count, dtype: ScalarType.Float64);
                foreach (var (from, to, weight) in file.Edges)
                    weights[from, to] = weights[to, from] = weight;
                using var graph = new Graph(weights, file.Names);
                var method = (IGraphClusterer)new KernelMethodsArena().Build("{{trial.Method}}", (JsonObject)JsonNode.Parse("""{{trial.Options.ToJsonString()}}""")!);
                var groups = method.Group(graph, int.Parse(args[1]));
                for (int i = 0; i < graph.Nodes; i++)
                    Console.WriteLine($"{graph.Names[i]}\t{groups.Labels[i]}");

                """";
        return $$""""
            // dotnet run -c Release Use.cs FILE.csv: learns from all but the last row in ten, and asks for these
            #:package Winnow.KernelMethods@{{version}}
            #:package {{NativeTorch.Package.Id}}@{{NativeTorch.Package.Version}}
            #:property PublishAot=false
            using System.Text.Json.Nodes;
            using Winnow.Core;
            using Winnow.Data;
            using Winnow.KernelMethods;
            using static TorchSharp.torch;

            Winnow.Learning.NativeTorch.Require();
            var data = DataSources.Open(args.Length > 0 ? args[0] : null, new DataReading(), CancellationToken.None);
            int[] rows = Enumerable.Range(0, data.Count).Where(i => i % 10 != 9).ToArray(), asked = Enumerable.Range(0, data.Count).Where(i => i % 10 == 9).ToArray();
            var scale = Standardiser.Fit(data, rows);
            var method = (IClassifier)new KernelMethodsArena().Build("{{trial.Method}}", (JsonObject)JsonNode.Parse("""{{trial.Options.ToJsonString()}}""")!);
            using var fitted = method.Fit(new TrainingRows(Take(rows), rows.Select(i => data.Labels[i]).ToArray(), data.LabelNames.Count));
            using var answers = fitted.Scores(Take(asked)).argmax(1);
            Console.WriteLine($"{asked.Where((row, i) => answers[i].item<long>() == data.Labels[row]).Count()} of {asked.Length} right");

            Tensor Take(int[] some)
            {
                var values = new float[some.Length * data.Width];
                data.CopyRows(some, values);
                scale.Apply(values);
                return tensor(values.Select(v => (double)v).ToArray(), new long[] { some.Length, data.Width });
            }

            """";
    }

    private static LabelledData Opened(Trial trial, CancellationToken cancellation)
    {
        var data = DataSources.Open(trial.Data.Source, trial.Data.Reading, cancellation);
        trial.Data.Require(data.Hash);
        return data;
    }

    private void Baseline<TOptions>(string id, string title, string paper, int year, string summary, Func<KernelSetup, TOptions, IKernelMethod> create, IReadOnlyList<string>? needs = null) where TOptions : class, new() =>
        Add(MethodKind.Baseline, id, title, paper, year, summary, create, null, needs ?? ["rows"], null);

    private void Seed<TOptions>(string id, string title, string paper, int year, string summary, Func<KernelSetup, TOptions, IKernelMethod> create, IReadOnlyList<Claim> claims, IReadOnlyList<string>? needs = null) where TOptions : class, new() =>
        Add(MethodKind.Seed, id, title, paper, year, summary, create, claims, needs ?? ["rows"], null);
}

/// <summary>Options of a method that has none.</summary>
public sealed record NoKernelOptions;
