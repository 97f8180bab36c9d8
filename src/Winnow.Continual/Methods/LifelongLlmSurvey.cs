using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;

namespace Winnow.Continual;

/// <summary>The techniques that recur across the survey's scenarios.</summary>
public enum LifelongTechnique
{
    /// <summary>Orthogonal low-rank adapters, one set a task.</summary>
    OLora,

    /// <summary>Nearest neighbours among stored features, mixed with the network's answer.</summary>
    Retrieval,

    /// <summary>A new block a task that changes nothing at first.</summary>
    Expansion,

    /// <summary>A share of every mini-batch from a reservoir.</summary>
    Replay,

    /// <summary>Elastic weight consolidation.</summary>
    Ewc,

    /// <summary>Learning without forgetting.</summary>
    Lwf,
}

/// <summary>Options of the survey's techniques; each names the technique it belongs to.</summary>
public sealed record LifelongLlmSurveyOptions
{
    /// <summary>Which technique.</summary>
    [Description("which of the survey's techniques learns")]
    public LifelongTechnique Technique { get; init; } = LifelongTechnique.OLora;

    /// <summary>Rank r of an adapter.</summary>
    [Range(1, 1024), Description("o-lora: rank r of a task's adapters; a layer with fewer inputs or outputs has as many")]
    public int Rank { get; init; } = 8;

    /// <summary>Strength λ₁ of the orthogonality.</summary>
    [Range(0.0, 1e6), Description("o-lora: strength λ₁ of the orthogonality of new adapters to old ones")]
    public double Orthogonality { get; init; } = 0.5;

    /// <summary>Strength λ₂ of the norm.</summary>
    [Range(0.0, 1e6), Description("o-lora: strength λ₂ of the norm of new adapters")]
    public double Norm { get; init; }

    /// <summary>Whether a task's adapters are added to the weights at its end.</summary>
    [Description("o-lora: add a task's adapters to the weights at its end")]
    public bool Merge { get; init; }

    /// <summary>Neighbours k.</summary>
    [Range(1, 10_000), Description("retrieval: neighbours k")]
    public int Neighbours { get; init; } = 8;

    /// <summary>Share λ of the neighbours in the answer.</summary>
    [Range(0.0, 1.0), Description("retrieval: share λ of the neighbours in the answer; language models use 0.25, but a classifier that never saw a class gives it no probability to mix with")]
    public double Mixture { get; init; } = 0.9;

    /// <summary>Temperature τ of squared distances, per feature.</summary>
    [Range(0.0, 1e9, MinimumIsExclusive = true), Description("retrieval: temperature τ of the squared distances, as a multiple of the number of features")]
    public double Temperature { get; init; } = 0.1;

    /// <summary>Width of a new block.</summary>
    [Range(1, 4096), Description("expansion: units of the block that a task adds")]
    public int BlockWidth { get; init; } = 32;

    /// <summary>Step size of old parameters, relative to new ones.</summary>
    [Range(0.0, 1.0), Description("expansion: step size of old parameters as a share of the new ones'; 0 freezes them")]
    public double OldScale { get; init; }

    /// <summary>Share ρ of a mini-batch that is replayed.</summary>
    [Range(0.0, 0.9, MinimumIsExclusive = true), Description("replay: share ρ of each mixed mini-batch that comes from the reservoir")]
    public double ReplayShare { get; init; } = 0.5;

    /// <summary>Rows stored.</summary>
    [Range(1, 1_000_000), Description("replay: rows in the reservoir, by default 100; retrieval: features in the datastore, by default all")]
    public int? StoredRows { get; init; }

    /// <summary>Strength λ of EWC.</summary>
    [Range(0.0, 1e9), Description("ewc: strength λ of the anchor")]
    public double Lambda { get; init; } = 30;

    /// <summary>How much of the old importance stays.</summary>
    [Range(0.0, 1.0), Description("ewc: share γ of the importance of earlier tasks that stays")]
    public double Gamma { get; init; } = 1;

    /// <summary>Labels of the Fisher information.</summary>
    [Description("ewc: labels of the Fisher information: drawn from the network, all of them, the data's, or as in released code")]
    public FisherKind Fisher { get; init; } = FisherKind.Sampled;

    /// <summary>Weight α of the distillation.</summary>
    [Range(0.0, 1000.0), Description("lwf: weight α of the distillation, at temperature 2 and without the factor T²")]
    public double Alpha { get; init; } = 0.5;
}

/// <summary>
/// The recurring techniques of lifelong learning for language models, on a classifier whose classes are its vocabulary: replay, regularisation by
/// weights and by answers, low-rank adapters, expansion and retrieval.
/// <para>Paper: Zheng, Qiu, Shi and Ma, Towards Lifelong Learning of Large Language Models: A Survey, 2024 (arXiv 2406.06391). Its scenarios and
/// groups are <see cref="LifelongTaxonomy"/>. Implemented here: <see cref="OrthogonalAdapters"/> (O-LoRA), <see cref="NeighbourMixture"/> (kNN-LM) and
/// <see cref="ExpandedNetwork"/>; replay, EWC and LwF are the baselines with the survey's settings. Left out: token models and their
/// perplexities, knowledge editing, generated replay and prompts.</para>
/// <para>Cost and memory are those of the technique.</para>
/// </summary>
public static class LifelongLlmSurvey
{
    /// <summary>What the survey's techniques are expected to do.</summary>
    public static IReadOnlyList<Claim> Claims { get; } =
    [
        new()
        {
            Text = "O-LoRA removes at least 40% of the forgetting of sequential fine-tuning while later tasks train a few adapters only (new classes, task told).",
            Task = "task-incremental", Metric = "forgetting", Baseline = "naive", BaselineFactor = 0.6, Margin = 0, TaskOptions = new() { ["epochs"] = 20 },
        },
        new()
        {
            Text = "O-LoRA removes at least 40% of the forgetting over sequential domains with the same classes.",
            Task = "permuted", Metric = "forgetting", Baseline = "naive", BaselineFactor = 0.6, Margin = 0,
        },
        new()
        {
            Text = "Replay removes at least 60% of the forgetting of sequential fine-tuning.",
            Task = "class-incremental", Metric = "forgetting", Baseline = "naive", BaselineFactor = 0.4, Margin = 0, MethodOptions = new() { ["technique"] = "replay" },
        },
        new()
        {
            Text = "Retrieval with frozen weights keeps what was learned and learns new classes by storing them (here at least 0.5 above sequential fine-tuning).",
            Task = "class-incremental", Metric = "accuracy", Baseline = "naive", Margin = 0.5, MethodOptions = new() { ["technique"] = "retrieval" },
        },
        new()
        {
            Text = "EWC removes at least 20% of the forgetting of sequential fine-tuning over domains.",
            Task = "permuted", Metric = "forgetting", Baseline = "naive", BaselineFactor = 0.8, Margin = 0, MethodOptions = new() { ["technique"] = "ewc" },
        },
        new()
        {
            Text = "LwF removes at least 20% of the forgetting of sequential fine-tuning (new classes, task told).",
            Task = "task-incremental", Metric = "forgetting", Baseline = "naive", BaselineFactor = 0.8, Margin = 0, TaskOptions = new() { ["epochs"] = 20 }, MethodOptions = new() { ["technique"] = "lwf" },
        },
    ];

    /// <summary>The learner of a technique.</summary>
    public static IContinualLearner Learner(LearnerSetup setup, LifelongLlmSurveyOptions options) => options.Technique switch
    {
        LifelongTechnique.OLora => new OrthogonalAdapters(setup, options),
        LifelongTechnique.Retrieval => new NeighbourMixture(setup, options),
        LifelongTechnique.Expansion => new ExpandedNetwork(setup, options),
        LifelongTechnique.Replay => new Learner(setup, new ExperienceReplay(setup, new()
        {
            BufferSize = options.StoredRows ?? 100,
            ReplayBatch = Math.Max(1, (int)Math.Round(options.ReplayShare / (1 - options.ReplayShare) * setup.Training.BatchSize)),
        })),
        LifelongTechnique.Ewc => new Learner(setup, new OnlineEwc(setup, new() { Lambda = options.Lambda, Gamma = options.Gamma, Fisher = options.Fisher })),
        _ => new Learner(setup, new LearningWithoutForgetting(setup, new() { Alpha = options.Alpha, TemperatureSquared = false })),
    };
}
