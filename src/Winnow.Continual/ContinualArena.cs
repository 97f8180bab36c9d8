using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Data;

namespace Winnow.Continual;

/// <summary>The arena of continual learning: learning from a sequence without forgetting.</summary>
public sealed class ContinualArena : Arena<LearnerSetup, IContinualLearner>
{
    private const string Boundaries = "task boundaries", NewClasses = "new classes in each task", Pretrained = "a pre-trained encoder", TaskTold = "the task of each test row";

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
        Baseline<NoOptions>("joint", "Joint training", "Caruana, Multitask learning, Machine Learning 28", 1997,
            "Keeps every row and trains on all of them at every step: the upper bound, not a continual learner.", (s, _) => new JointTraining(s), tags: ["upper-bound"]);
        Baseline<GDumbOptions>("gdumb", "GDumb", "Prabhu, Torr and Dokania, GDumb: a simple approach that questions our progress in continual learning, ECCV", 2020,
            "Keeps a class-balanced memory and trains a fresh network on it alone after every task.", (s, o) => new GDumb(s, o), needs: [Boundaries, NewClasses], tags: ["replay"]);
        Baseline<NoOptions>("ncm", "Nearest class mean", "Mensink et al., Distance-based image classification: generalizing to new classes at near-zero cost, TPAMI", 2013,
            "Answers with the class whose mean is nearest, on the encoder's features or the inputs.", (s, _) => new NearestClassMean(s), tags: ["prototypes"]);
        Baseline<StreamingLdaOptions>("slda", "Streaming LDA", "Hayes and Kanan, Lifelong machine learning with deep streaming linear discriminant analysis, CVPR workshops", 2020,
            "Linear discriminant analysis from running class means and one covariance, on the encoder's features or the inputs.", (s, o) => new StreamingLda(s, o), tags: ["prototypes"]);

        Seed<FpfOptions>("fpf", "Forgetting Prioritized Finetuning", "Zhao, Zhou, Long, Jiang and Zhang, Does Continual Learning Equally Forget All Parameters?, ICML, arXiv 2304.04158", 2023,
            "Repairs the few modules that forget, such as normalisation and head, by a short fine-tune on a small reservoir, once or a few times.", Fpf.Learner, Fpf.Claims, tags: ["replay", "repair"]);
        Seed<SlcaOptions>("slca", "Slow Learner with Classifier Alignment", "Zhang, Wang, Kang, Chen and Wei, SLCA: Slow Learner with Classifier Alignment for Continual Learning on a Pre-trained Model, ICCV, arXiv 2303.05118", 2023,
            "Tunes a pre-trained encoder slowly and re-balances the head with features drawn from one normal distribution a class.", (s, o) => new Slca(s, o), Slca.Claims,
            needs: [Boundaries, NewClasses, Pretrained], tags: ["pre-trained", "no stored rows"]);
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
            OptionsSchema.Of<StreamOptions>(), [Boundaries, NewClasses]),
        new("task-incremental", "Task-incremental", "New classes arrive task by task; a test row comes with its task and is classified among that task's classes.",
            OptionsSchema.Of<StreamOptions>(), [Boundaries, NewClasses, TaskTold]),
        new("permuted", "Domain-incremental, permuted inputs", "Every task has all classes, its inputs shuffled by a permutation of its own; the first task is not shuffled.",
            OptionsSchema.Of<DomainOptions>(), [Boundaries]),
        new("permuted-told", "Permuted inputs, the permutation told", "As 'permuted', but a test row comes with its task: for methods that keep something of their own for each task.",
            OptionsSchema.Of<DomainOptions>(), [Boundaries, TaskTold]),
        new("rotated", "Domain-incremental, rotated images", "Every task has all classes, its images rotated further than those of the task before.",
            OptionsSchema.Of<RotatedOptions>(), [Boundaries]),
        new("online", "Online class-incremental", "New classes arrive task by task, in batches of ten rows that are seen once.",
            OptionsSchema.Of<OnlineOptions>(), [Boundaries, NewClasses]),
        new("blurry", "Blurry boundaries", "Classes fade in and out, rows are seen once, and nobody announces a task.",
            OptionsSchema.Of<BlurryOptions>(), [NewClasses]),
        new("pretrained", "Class-incremental on a pre-trained encoder", "An encoder is trained on some classes; the others arrive task by task.",
            OptionsSchema.Of<PretrainedOptions>(), [Boundaries, NewClasses, Pretrained]),
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<MetricCard> Metrics => AccuracyMatrix.Cards;

    /// <inheritdoc/>
    public override IReadOnlyList<FigureCard> Figures { get; } =
    [
        new("accuracy", FigureKind.Lines, "Accuracy as tasks arrive", "accuracy", "tasks seen", "accuracy over the tasks seen", "A method that forgets falls; the band is the 95% interval over seeds."),
        new("matrix", FigureKind.Heatmap, "What is known of each task, and when", "R", "tested on task", "after training on task", "Read a column downwards: how a task's accuracy fades after it was learned, which is on the diagonal."),
        new("sensitivity", FigureKind.Bars, "Which modules change at task boundaries", "sensitivity", "module", "change at boundaries / mean change", "The modules with tall bars are those that forget; they are worth repairing."),
    ];

    /// <inheritdoc/>
    public override DataSummary Inspect(string? source, TaskCard task, object taskOptions, DataReading reading, CancellationToken cancellation)
    {
        var data = DataSources.Open(source, reading, cancellation);
        var options = (StreamOptions)taskOptions;
        _ = StreamFactory.Groups(data, options); // the protocol must fit the data: says so now, not in every trial
        StreamFactory.Check(data, task.Id, options);
        string where = source is null ? "digits" : Path.Exists(source) ? Path.GetFullPath(source) : source;
        return data.Summary(where, reading);
    }

    /// <inheritdoc/>
    public override TrialResult Run(Trial trial, TrialContext context)
    {
        var options = (StreamOptions)this.Task(trial.Task).Options.Bind(trial.TaskOptions, "task");
        var data = DataSources.Open(trial.Data.Source, trial.Data.Reading, context.Cancellation);
        if (data.Hash != trial.Data.Hash)
            throw InputException.At(trial.Data.Source, $"content {data.Hash[..12]}", $"the content the study was planned with, {trial.Data.Hash[..12]}", "The file changed: start the study anew.");
        using var prepared = PreparedStream.Make(data, trial.Task, options, context);
        using var learner = Create(trial.Method, trial.Options, prepared.Setup);
        var result = Protocol.Run(learner, prepared, context);
        if (learner.Inner is IReportsSeries reports)
            foreach (var (name, value, step) in reports.Series)
                context.Metric(name, value, step);
        KeptLearner.Save(learner, trial, prepared, context);
        return result;
    }

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

    private void Baseline<TOptions>(string id, string title, string paper, int year, string summary, Func<LearnerSetup, TOptions, IContinualLearner> create,
        IReadOnlyList<string>? needs = null, IReadOnlyList<string>? tags = null) where TOptions : class, new() =>
        Add(MethodKind.Baseline, id, title, paper, year, summary, create, null, needs, tags);

    private void Seed<TOptions>(string id, string title, string paper, int year, string summary, Func<LearnerSetup, TOptions, IContinualLearner> create,
        IReadOnlyList<Claim> claims, IReadOnlyList<string>? needs = null, IReadOnlyList<string>? tags = null) where TOptions : class, new() =>
        Add(MethodKind.Seed, id, title, paper, year, summary, create, claims, needs, tags);
}

/// <summary>Options of a method that has none.</summary>
public sealed record NoOptions;

/// <summary>A learner, or a part of one, with measurements of its own to record at the end of a stream.</summary>
public interface IReportsSeries
{
    /// <summary>Points (name, value, step); names with a slash make a family.</summary>
    IEnumerable<(string Name, double Value, long Step)> Series { get; }
}
