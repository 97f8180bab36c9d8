using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Data;
using Winnow.Learning;

namespace Winnow.Continual;

/// <summary>The arena of continual learning: learning from a sequence without forgetting.</summary>
public sealed class ContinualArena : Arena<LearnerSetup, IContinualLearner>
{
    /// <summary>That tasks are announced.</summary>
    internal const string Boundaries = "task boundaries";

    private const string ClassLabels = "class labels", Frames = "frames", NewClasses = "new classes in each task", Pretrained = "a pre-trained encoder", TaskTold = "the task of each test row";

    /// <summary>The catalogue.</summary>
    public ContinualArena()
    {
        Baseline<NoOptions>("naive", "Sequential fine-tuning", "McCloskey and Cohen, Catastrophic interference in connectionist networks", 1989,
            "Trains on each task as it comes and does nothing against forgetting.", (s, _) => new Learner(s), tags: ["lower-bound"]);
        Baseline<ExperienceReplayOptions>("er", "Experience replay", "Chaudhry et al., On tiny episodic memories in continual learning, arXiv 1902.10486", 2019,
            "Keeps a reservoir of past rows and learns from them beside every new batch.", (s, o) => new Learner(s, new ExperienceReplay(s, o)), tags: ["replay"]);
        Baseline<DerPlusPlusOptions>("der-pp", "DER++", "Buzzega et al., Dark experience for general continual learning, NeurIPS 2020, arXiv 2004.07211", 2020,
            "Replays past rows with the logits the network gave them then, and holds it to both labels and logits.", (s, o) => new Learner(s, new DerPlusPlus(s, o)), tags: ["replay", "distillation"]);
        Baseline<ErAceOptions>("er-ace", "ER-ACE", "Caccia et al., New insights on reducing abrupt representation change in online continual learning, ICLR 2022, arXiv 2104.05025", 2022,
            "Replay in which new rows compete only among the classes of their own mini-batch, so that old classes are not pushed away.", (s, o) => new Learner(s, new ErAce(s, o)), tags: ["replay"]);
        Baseline<AGemOptions>("agem", "A-GEM", "Chaudhry et al., Efficient lifelong learning with A-GEM, ICLR 2019, arXiv 1812.00420", 2019,
            "Removes from each gradient the part that would increase the loss on a batch from memory.", (s, o) => new Learner(s, new AGem(s, o)), tags: ["replay", "gradient projection"]);
        Baseline<OnlineEwcOptions>("ewc", "Online EWC", "Kirkpatrick et al., Overcoming catastrophic forgetting in neural networks, PNAS 2017, arXiv 1612.00796; Schwarz et al., Progress and compress, ICML 2018, arXiv 1805.06370", 2018,
            "Holds each weight near its old value as firmly as the network's answers depend on it: the Fisher information.", (s, o) => new Learner(s, new OnlineEwc(s, o)), [Boundaries], ["regularisation"]);
        Baseline<SynapticIntelligenceOptions>("si", "Synaptic intelligence", "Zenke et al., Continual learning through synaptic intelligence, ICML 2017, arXiv 1703.04200", 2017,
            "Holds each weight near its old value as firmly as its path lowered the loss while training.", (s, o) => new Learner(s, new SynapticIntelligence(s, o)), [Boundaries], ["regularisation"]);
        Baseline<LearningWithoutForgettingOptions>("lwf", "Learning without forgetting", "Li and Hoiem, Learning without forgetting, ECCV 2016, arXiv 1606.09282", 2016,
            "Keeps a copy of the network at the end of each task and holds the answers on new rows to what it would have said.", (s, o) => new Learner(s, new LearningWithoutForgetting(s, o)), [Boundaries], ["distillation"]);
        Baseline<GpmOptions>("gpm", "Gradient projection memory", "Saha, Garg and Roy, Gradient projection memory for continual learning, ICLR 2021, arXiv 2103.09762", 2021,
            "Moves weights only in directions that the inputs of earlier tasks do not have.", (s, o) => new Learner(s, new Gpm(s, o)), [Boundaries], ["gradient projection", "no stored rows"]);
        Baseline<NoOptions>("joint", "Joint training", "Caruana, Multitask learning, Machine Learning 28", 1997,
            "Keeps every row and trains on all of them at every step: the upper bound, not a continual learner.", (s, _) => new JointTraining(s), tags: ["upper-bound"]);
        Baseline<GDumbOptions>("gdumb", "GDumb", "Prabhu, Torr and Dokania, GDumb: a simple approach that questions our progress in continual learning, ECCV", 2020,
            "Keeps a class-balanced memory and trains a fresh network on it alone after every task.", (s, o) => new GDumb(s, o), needs: [Boundaries, NewClasses], tags: ["replay"]);
        Baseline<ICarlOptions>("icarl", "iCaRL", "Rebuffi, Kolesnikov, Sperl and Lampert, iCaRL: incremental classifier and representation learning, CVPR 2017, arXiv 1611.07725", 2017,
            "Keeps the rows whose mean feature is nearest to their class's, learns beside them under distillation, and answers with the nearest mean.", (s, o) => new ICarl(s, o), needs: [Boundaries, NewClasses], tags: ["replay", "distillation", "prototypes"]);
        Baseline<NoOptions>("ncm", "Nearest class mean", "Mensink et al., Distance-based image classification: generalizing to new classes at near-zero cost, TPAMI", 2013,
            "Answers with the class whose mean is nearest, on the encoder's features or the inputs.", (s, _) => new NearestClassMean(s), tags: ["prototypes"]);
        Baseline<StreamingLdaOptions>("slda", "Streaming LDA", "Hayes and Kanan, Lifelong machine learning with deep streaming linear discriminant analysis, CVPR workshops", 2020,
            "Linear discriminant analysis from running class means and one covariance, on the encoder's features or the inputs.", (s, o) => new StreamingLda(s, o), tags: ["prototypes"]);

        Seed<FpfOptions>("fpf", "Forgetting Prioritized Finetuning", "Zhao, Zhou, Long, Jiang and Zhang, Does Continual Learning Equally Forget All Parameters?, ICML, arXiv 2304.04158", 2023,
            "Repairs the few modules that forget, such as normalisation and head, by a short fine-tune on a small reservoir, once or a few times.", Fpf.Learner, Fpf.Claims, tags: ["replay", "repair"]);
        Seed<SlcaOptions>("slca", "Slow Learner with Classifier Alignment", "Zhang, Wang, Kang, Chen and Wei, SLCA: Slow Learner with Classifier Alignment for Continual Learning on a Pre-trained Model, ICCV, arXiv 2303.05118", 2023,
            "Tunes a pre-trained encoder slowly and re-balances the head with features drawn from one normal distribution a class.", (s, o) => new Slca(s, o), Slca.Claims,
            needs: [Boundaries, NewClasses, Pretrained], tags: ["pre-trained", "no stored rows"]);
        Seed<CuberOptions>("cuber", "CUBER", "Lin, Yang, Fan and Zhang, Beyond Not-Forgetting: Continual Learning with Backward Knowledge Transfer, NeurIPS, arXiv 2211.00789", 2022,
            "Keeps updates out of the input subspaces of old tasks, except where their gradients agree with the new one and old tasks can get better.", (s, o) => new Cuber(s, o), Cuber.Claims,
            needs: [Boundaries, TaskTold], tags: ["gradient projection", "no stored rows"]);
        Seed<ClDstOptions>("cl-dst", "Continual learning with dynamic sparse training", "Yildirim, Gok, Sokar, Mocanu and Vanschoren, Continual Learning with Dynamic Sparse Training: Exploring Algorithms for Effective Model Updates, CPAL, arXiv 2308.14831", 2023,
            "Gives every task a sparse subnetwork of its own, found while training, and never changes the weights of earlier ones: nothing is forgotten.", (s, o) => new ClDst(s, o), ClDst.Claims,
            needs: [Boundaries, TaskTold], tags: ["masks", "no stored rows"]);
        Seed<OnProOptions>("onpro", "Online prototype learning", "Wei, Ye, Huang, Zhang and Shan, Online Prototype Learning for Online Continual Learning, ICCV, arXiv 2308.00301", 2023,
            "Contrasts class prototypes computed on the fly, so that features do not collapse to shortcuts, and replays mixtures of those classes that lie close.", (s, o) => new OnPro(s, o), OnPro.Claims, tags: ["replay", "contrastive", "prototypes"]);
        Seed<ProtoClOptions>("proto-cl", "Prototypical Bayesian continual learning", "Kessler, Cobb, Rudner, Zohren and Roberts, On Sequential Bayesian Inference for Continual Learning, Entropy, arXiv 2301.01828", 2023,
            "Classifies by one Gaussian prototype a class, updated exactly by Bayes' rule, on an embedding trained by the predictive likelihood.", (s, o) => new ProtoCl(s, o), ProtoCl.Claims, needs: [Boundaries], tags: ["prototypes", "replay", "Bayesian"]);
        Seed<ContinualThesisOptions>("continual-thesis", "Continual learning in neural networks: MAS, SSL, task-free, GSS, MIR, Expert Gate", "Aljundi, Continual Learning in Neural Networks, PhD thesis, KU Leuven, arXiv 1910.02718", 2019,
            "Six answers to forgetting: hold important weights, keep room, consolidate at plateaus, choose what to keep, choose what to replay, route to experts.",
            ContinualThesis.Learner, ContinualThesis.Claims, tags: ["replay", "regularisation", "experts"]);
        Seed<GkclOptions>("gkcl", "Generative Kernel Continual Learning", "Derakhshani, Zhen, Shao and Snoek, Generative Kernel Continual Learning, arXiv 2112.13410", 2021,
            "Classifies each task by kernel ridge regression on a few rows that a generator makes when they are needed, instead of storing them.", (s, o) => new Gkcl(s, o), Gkcl.Claims,
            needs: [Boundaries], tags: ["generative", "kernel", "no stored rows"]);
        Seed<DependencyHypernetOptions>("dependency-hypernet", "Dependency Preserving Hypernetworks", "Chandra, Varshney, Srijith and Gupta, Continual Learning with Dependency Preserving Hypernetworks, WACV 2023, arXiv 2209.07712", 2022,
            "An LSTM writes the weights of each task's network from the task's embedding, and is held to what it wrote for earlier tasks.", (s, o) => new DependencyHypernet(s, o), DependencyHypernet.Claims,
            needs: [Boundaries], tags: ["hypernetwork", "no stored rows"]);
        Seed<MambaFscilOptions>("mamba-fscil", "Mamba-FSCIL", "Li, Yang, Wu, Yu, Yang, Nie and Zhang, Mamba-FSCIL: Dynamic Adaptation with Selective State Space Model for Few-Shot Class-Incremental Learning, arXiv 2407.06136", 2024,
            "Adds classes from a few examples each with one extra branch that starts silent, between a frozen encoder and fixed class directions.", (s, o) => new MambaFscil(s, o), MambaFscil.Claims,
            needs: [Boundaries, NewClasses, Pretrained], tags: ["pre-trained", "few-shot", "fixed head"]);
        Seed<LanguageGuidedOptions>("language-guided-cl", "LingoCL", "Ni, Zhao, Zhang, Hu, Meng, Zhang and Xiang, Enhancing Visual Continual Learning with Language-Guided Supervision, CVPR, arXiv 2403.16124", 2024,
            "Replaces the trainable head of any learner by frozen target vectors made from the class names.", (s, o) => new LanguageGuided(s, o), LanguageGuided.Claims, tags: ["fixed head", "class names"]);
        Baseline<NervOptions>("nerv", "NeRV, sequential fine-tuning", "Chen et al., NeRV: neural representations for videos, NeurIPS 2021, arXiv 2110.13903", 2021,
            "Trains one neural video decoder on each video as it comes and does nothing against forgetting.", (s, o) => new Pfnr(s, o), [Frames, Boundaries], ["lower-bound"]);
        Baseline<WsnOptions>("wsn", "Winning subnetworks", "Kang et al., Forget-free continual learning with winning subnetworks, ICML", 2022,
            "Each video picks a sparse subnetwork of one decoder by learned scores and writes only into weights that no earlier video uses.", (s, o) => new Pfnr(s, o), [Frames, Boundaries], ["masks"]);
        Seed<PfnrOptions>("pfnr", "Progressive Fourier Neural Representation", "Kang et al., Progressive Fourier Neural Representation for Sequential Video Compilation, ICLR, arXiv 2306.11305", 2024,
            "Winning subnetworks of one video decoder, one of whose blocks works on frequencies: earlier videos decode exactly as before.", (s, o) => new Pfnr(s, o), Pfnr.Claims, [Frames, Boundaries], ["masks"]);
        Seed<ScoleOptions>("scole", "SCoLe training", "Lesort, Ostapenko, Misra, Arefin, Rodríguez, Charlin and Rish, Challenging Common Assumptions about Catastrophic Forgetting, CoLLAs, arXiv 2207.04543", 2023,
            "Lets only the classes of a mini-batch compete and keeps off momentum, so that knowledge accumulates over tasks that come back.", Scole.Learner, Scole.Claims, tags: ["recurring"]);
        Seed<TameOptions>("tame", "TAME", "Zhu, Majzoubi, Jain and Choromanska, TAME: Task Agnostic Continual Learning using Multiple Experts, CVPR workshops 2024, arXiv 2210.03869", 2022,
            "Notices a change of the data by a jump of its loss, switches to the network that fits or starts a new one, and learns which of them answers what.", (s, o) => new Tame(s, o), Tame.Claims, tags: ["experts", "task-free"]);
        Seed<LifelongFrameworkOptions>("lifelong-framework", "Consolidation policies", "Ling and Bohn, A Deep Learning Framework for Lifelong Machine Learning, arXiv 2105.00157", 2021,
            "Holds groups of weights frozen, elastic or free and lets tasks recruit units: one mechanism, one policy for each ability.", (s, o) => new Learner(s, new LifelongFramework(s, o)), LifelongFramework.Claims,
            [Boundaries, NewClasses], ["regularisation", "expansion", "replay"]);
        Seed<LifelongLlmSurveyOptions>("lifelong-llm-survey", "Techniques for language models", "Zheng, Qiu, Shi and Ma, Towards Lifelong Learning of Large Language Models: A Survey, arXiv 2406.06391", 2024,
            "Orthogonal adapters, retrieval, expansion, replay, EWC or LwF: the survey's recurring techniques, with classes as the vocabulary.", LifelongLlmSurvey.Learner, LifelongLlmSurvey.Claims,
            [Boundaries], ["adapters", "expansion", "retrieval", "replay", "regularisation", "distillation"]);
    }

    /// <inheritdoc/>
    public override string Id => "continual";

    /// <inheritdoc/>
    public override string Question => "How much of what was learned first is still known after learning the rest?";

    /// <inheritdoc/>
    public override IReadOnlyList<TaskCard> Tasks { get; } =
    [
        new("class-incremental", "Class-incremental", "New classes arrive task by task; at the end every test row is classified among all classes, and nobody tells which task it came from.",
            OptionsSchema.Of<StreamOptions>(), [ClassLabels, Boundaries, NewClasses]),
        new("task-incremental", "Task-incremental", "New classes arrive task by task; a test row comes with its task and is classified among that task's classes.",
            OptionsSchema.Of<StreamOptions>(), [ClassLabels, Boundaries, NewClasses, TaskTold]),
        new("permuted", "Domain-incremental, permuted inputs", "Every task has all classes, its inputs shuffled by a permutation of its own; the first task is not shuffled.",
            OptionsSchema.Of<DomainOptions>(), [ClassLabels, Boundaries]),
        new("permuted-told", "Permuted inputs, the permutation told", "As 'permuted', but a test row comes with its task: for methods that keep something of their own for each task.",
            OptionsSchema.Of<DomainOptions>(), [ClassLabels, Boundaries, TaskTold]),
        new("rotated", "Domain-incremental, rotated images", "Every task has all classes, its images rotated further than those of the task before.",
            OptionsSchema.Of<RotatedOptions>(), [ClassLabels, Boundaries]),
        new("drift", "Domain-incremental, the data's own domains", "Every task has all classes, its rows those of one of the data's own domains (--domain), or of one part of their time.",
            OptionsSchema.Of<DriftOptions>(), [ClassLabels, Boundaries]),
        new("online", "Online class-incremental", "New classes arrive task by task, in batches of ten rows that are seen once.",
            OptionsSchema.Of<OnlineOptions>(), [ClassLabels, Boundaries, NewClasses]),
        new("blurry", "Blurry boundaries", "Classes fade in and out, rows are seen once, and nobody announces a task.",
            OptionsSchema.Of<BlurryOptions>(), [ClassLabels, NewClasses]),
        new("pretrained", "Class-incremental on a pre-trained encoder", "An encoder is trained on some classes; the others arrive task by task.",
            OptionsSchema.Of<PretrainedOptions>(), [ClassLabels, Boundaries, NewClasses, Pretrained]),
        new("recurring", "Recurring classes", "Hundreds of short tasks of a few classes that come back, one pass each; every few tasks each test row is classified among all classes, seen or not.",
            OptionsSchema.Of<RecurringOptions>(), [ClassLabels, Boundaries]),
        new("returning", "Permuted inputs that return, unannounced", "All classes all the time, the inputs shuffled by one permutation after another, some of which come back; nobody announces a change.",
            OptionsSchema.Of<ReturningOptions>(), [ClassLabels]),
        new("few-shot", "Few-shot class-incremental", "An encoder is trained on most classes, which come first with all their rows; then sessions bring a few classes each with a few rows of them.",
            OptionsSchema.Of<FewShotOptions>(), [ClassLabels, Boundaries, NewClasses, Pretrained]),
        new("video", "Videos one after another", "Each task is a video, learned as a function from session and time to a frame and asked for after every later one: scenes of moving images, or a folder with one folder of frames a video.",
            OptionsSchema.Of<VideoOptions>(), [Frames, Boundaries]) { Metrics = Scoring.FrameCards, Data = "FOLDER" },
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<MetricCard> Metrics => AccuracyMatrix.Cards;

    /// <inheritdoc/>
    public override IReadOnlyList<FigureCard> Figures { get; } =
    [
        new("accuracy", FigureKind.Lines, "Accuracy as tasks arrive", "accuracy", "tasks seen", "accuracy over the tasks seen", "A method that forgets falls; the band is the 95% interval over seeds."),
        new("plane", FigureKind.Plane, "Stability and plasticity", "plasticity", "forgetting: stable to the right", "accuracy just after learning: plastic upwards", "A learner that keeps everything by learning nothing new stands at the lower right, one that learns everything and forgets it at the upper left; whiskers are 95% intervals.") { Across = "forgetting" },
        new("matrix", FigureKind.Heatmap, "What is known of each task, and when", "R", "tested on", "after training on task", "Read a column downwards: how a task's accuracy fades after it was learned, which is on the diagonal; where tasks come back there is a column for each class or domain."),
        new("harmonic", FigureKind.Lines, "Base and new classes in balance", "harmonic_mean", "tasks seen", "harmonic mean of base and new accuracy", "Few-shot only: high where the new classes are learned and the base is kept; the band is the 95% interval over seeds."),
        new("psnr", FigureKind.Lines, "PSNR as videos arrive", "psnr", "videos seen", "PSNR over the videos seen, dB", "A method that forgets falls; the band is the 95% interval over seeds."),
        new("psnr-matrix", FigureKind.Heatmap, "What is left of each video, and when", "psnr-matrix", "asked for video", "after learning video", "PSNR in dB. Read a column downwards: a method that does not forget keeps the value on the diagonal."),
        new("sensitivity", FigureKind.Bars, "Which modules change at task boundaries", "sensitivity", "module", "change at boundaries / mean change", "The modules with tall bars are those that forget; they are worth repairing."),
        new("overlap", FigureKind.Heatmap, "Which weights tasks share", "overlap", "also used by task", "of the weights of task", "A row says which share of a task's weights each task uses: what is left of the diagonal was reused, not learned anew."),
        new("expert", FigureKind.Lines, "Which expert is learning", "expert", "steps", "expert", "Each level is an expert; in 'returning' the line should come back to the level it had when the same permutation came before."),
        new("detection", FigureKind.Bars, "Boundaries found without being told", "detection", "", "batches, or boundaries", "delay: mini-batches from a true boundary to its detection, on average; missed: true boundaries not found; false: detections that no boundary explains."),
    ];

    /// <inheritdoc/>
    public override DataSummary Inspect(string? source, TaskCard task, object taskOptions, DataReading reading, CancellationToken cancellation)
    {
        var data = DataSources.Open(source, reading, cancellation);
        // the protocol must fit the data: says so now, not in every trial
        if (taskOptions is VideoOptions)
            Videos.Check(data);
        else
        {
            _ = StreamFactory.Groups(data, (StreamOptions)taskOptions);
            StreamFactory.Check(data, task.Id, (StreamOptions)taskOptions);
        }
        string where = source is null ? "digits" : Path.Exists(source) ? Path.GetFullPath(source) : source;
        return data.Summary(where, reading);
    }

    /// <inheritdoc/>
    public override TrialResult Run(Trial trial, TrialContext context)
    {
        object options = this.Task(trial.Task).Options.Bind(trial.TaskOptions, "task");
        var data = DataSources.Open(trial.Data.Source, trial.Data.Reading, context.Cancellation);
        trial.Data.Require(data.Hash);
        using var prepared = PreparedStream.Make(data, trial.Task, options, context);
        using var learner = Create(trial.Method, trial.Options, prepared.Setup);
        var result = Protocol.Run(learner, prepared, context);
        if (learner.Inner is IReportsBoundaries detector)
            foreach (var (name, value) in BoundaryReport.Of(detector.Boundaries, Protocol.Starts(prepared.Stream, prepared.Setup.Training)))
                context.Metric(name, value, prepared.Setup.Training.Steps);
        if (learner.Inner is IReportsSeries reports)
            foreach (var (name, value, step) in reports.Series)
                context.Metric(name, value, step);
        if (learner.Inner is IReportsAccount accounts)
            foreach (var (kind, amount) in accounts.Account)
                context.Account.Add(kind, amount);
        KeptLearner.Save(learner, trial, prepared, context);
        return result;
    }

    /// <inheritdoc/>
    public override string Program(Trial trial, string version) => $$"""
        // dotnet run Use.cs -- rows.csv
        #:package Winnow.Continual@{{version}}
        #:package {{NativeTorch.Package.Id}}@{{NativeTorch.Package.Version}}
        #:property PublishAot=false
        using Winnow.Continual;

        using var learner = KeptLearner.Load(".");
        foreach (var prediction in learner.Predict(args[0]))
            Console.WriteLine($"{prediction.Row},{prediction.Label},{prediction.Confidence:F3}");

        """;

    /// <inheritdoc/>
    public override IEnumerable<Prediction> Predict(string kept, string source, DataReading reading, CancellationToken cancellation)
    {
        using var learner = KeptLearner.Load(kept);
        foreach (var prediction in learner.Predict(source, reading, cancellation))
            yield return prediction;
    }

    /// <summary>Builds a method as a trial would, from its id and bound options.</summary>
    internal CheckedLearner Create(string method, JsonObject options, LearnerSetup setup)
    {
        var card = (MethodCard<LearnerSetup, IContinualLearner>)this.Method(method);
        return new(card.Create(setup, card.Options.Bind(options, card.Id)), setup);
    }

    /// <summary>What a service, which has no protocol, gives to a method: see <see cref="ContinualClassifier"/>.</summary>
    internal static IReadOnlyList<string> ServiceOffers(bool encoder, bool boundaries) =>
        [ClassLabels, NewClasses, TaskTold, .. boundaries ? [Boundaries] : Array.Empty<string>(), .. encoder ? [Pretrained] : Array.Empty<string>()];

    private void Baseline<TOptions>(string id, string title, string paper, int year, string summary, Func<LearnerSetup, TOptions, IContinualLearner> create,
        IReadOnlyList<string>? needs = null, IReadOnlyList<string>? tags = null) where TOptions : class, new() =>
        Add(MethodKind.Baseline, id, title, paper, year, summary, create, null, WithTargets(needs), tags);

    private void Seed<TOptions>(string id, string title, string paper, int year, string summary, Func<LearnerSetup, TOptions, IContinualLearner> create,
        IReadOnlyList<Claim> claims, IReadOnlyList<string>? needs = null, IReadOnlyList<string>? tags = null) where TOptions : class, new() =>
        Add(MethodKind.Seed, id, title, paper, year, summary, create, claims, WithTargets(needs), tags);

    /// <summary>A method that does not learn frames learns class labels.</summary>
    private static IReadOnlyList<string> WithTargets(IReadOnlyList<string>? needs) => needs?.Contains(Frames) == true ? needs : [ClassLabels, .. needs ?? []];
}

/// <summary>A learner that finds out by itself when the data change.</summary>
public interface IReportsBoundaries
{
    /// <summary>The steps, zero-based, before whose mini-batches it saw a boundary, ascending.</summary>
    IReadOnlyList<long> Boundaries { get; }
}

/// <summary>Options of a method that has none.</summary>
public sealed record NoOptions;

/// <summary>A learner, or a part of one, with measurements of its own to record at the end of a stream.</summary>
public interface IReportsSeries
{
    /// <summary>Points (name, value, step); names with a slash make a family.</summary>
    IEnumerable<(string Name, double Value, long Step)> Series { get; }
}

/// <summary>A learner with costs of its own to account for at the end of a stream.</summary>
public interface IReportsAccount
{
    /// <summary>Amounts by kind.</summary>
    IEnumerable<(string Kind, double Amount)> Account { get; }
}
