using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using Winnow.Core;

namespace Winnow.Continual;

/// <summary>The techniques of the thesis.</summary>
public enum ThesisTechnique
{
    /// <summary><see cref="Continual.Mas"/>: hold important weights.</summary>
    Mas,

    /// <summary><see cref="SelflessSparsity"/> with <see cref="Continual.Mas"/>: leave room for tasks to come.</summary>
    Ssl,

    /// <summary><see cref="TaskFreeConsolidation"/>: find out when to hold weights.</summary>
    TaskFree,

    /// <summary><see cref="GradientSampleSelection"/>: choose what to keep.</summary>
    Gss,

    /// <summary><see cref="MaximallyInterferedRetrieval"/>: choose what to replay.</summary>
    Mir,

    /// <summary><see cref="Continual.ExpertGate"/>: a network for each task and a gate before them.</summary>
    ExpertGate,
}

/// <summary>How a step on the anchor of weights is taken.</summary>
public enum AnchorStep
{
    /// <summary>Where the step ends: stable at any strength, see <see cref="QuadraticPenalty"/>.</summary>
    Implicit,

    /// <summary>Where the step starts, as in the released code: diverges when step size · strength · importance exceeds 2.</summary>
    Explicit,
}

/// <summary>Options of the techniques of <see cref="ContinualThesis"/>; each says whose it is.</summary>
public sealed record ContinualThesisOptions : INeeds
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Needs => Technique is ThesisTechnique.Mas or ThesisTechnique.Ssl or ThesisTechnique.ExpertGate ? [ContinualArena.Boundaries] : [];

    /// <summary>The technique.</summary>
    [Description("mas, ssl and expert-gate need task boundaries; task-free, gss and mir do not")]
    public ThesisTechnique Technique { get; init; } = ThesisTechnique.Mir;

    /// <summary>How the anchor's step is taken.</summary>
    [Description("mas, ssl, task-free: the step on the anchor, implicit (stable at any strength) or explicit as in the released code")]
    public AnchorStep AnchorStep { get; init; } = AnchorStep.Implicit;

    /// <summary>Strength λ of MAS.</summary>
    [Range(0.0, 1e9), Description("mas, ssl: strength λ of the anchor λ Σ Ω (θ − θ*)²; 1 in the paper, which on permuted digits stops learning")]
    public double Lambda { get; init; } = 0.01;

    /// <summary>Which importance.</summary>
    [Description("mas, ssl: importance by the paper's equation, by the released code (absolute value of a batch's sum), or local (Hebbian)")]
    public MasImportance Importance { get; init; } = MasImportance.Paper;

    /// <summary>Rows of a task that importance is computed on.</summary>
    [Range(1, 1_000_000), Description("mas, ssl: rows of each task, at even distances, on which importance is computed")]
    public int ImportanceRows { get; init; } = 1000;

    /// <summary>Rows of a batch of the released importance.</summary>
    [Range(1, 100_000), Description("mas, ssl with importance=released: rows of a batch")]
    public int ImportanceBatch { get; init; } = 20;

    /// <summary>Strength λ_SSL.</summary>
    [Range(0.0, 1e6), Description("ssl: strength of the inhibition between neurons; 1e-8 to 5e-4 in the paper, by the size of the layers")]
    public double Sparsity { get; init; } = 1e-3;

    /// <summary>N / σ.</summary>
    [Range(0.0, 1e6, MinimumIsExclusive = true), Description("ssl: neurons of a layer divided by the reach σ of the inhibition; null inhibits all pairs alike")]
    public double? Locality { get; init; } = 4;

    /// <summary>How important neurons are spared.</summary>
    [Description("ssl: how neurons that earlier tasks need are spared, by the paper's product or the released code's minimum")]
    public SparsityDiscount Discount { get; init; } = SparsityDiscount.Paper;

    /// <summary>Rows kept.</summary>
    [Range(1, 1_000_000), Description("gss, mir: rows kept")]
    public int BufferSize { get; init; } = 100;

    /// <summary>Rows replayed with each mini-batch.</summary>
    [Range(1, 100_000), Description("gss, mir: rows replayed with each mini-batch, and rows of a chunk of gss; by default as many as it has")]
    public int? ReplayBatch { get; init; }

    /// <summary>Steps on each mini-batch.</summary>
    [Range(1, 1000), Description("gss, mir: steps taken on each mini-batch")]
    public int Iterations { get; init; } = 1;

    /// <summary>How gss selects.</summary>
    [Description("gss: selection by the greedy rule or by the integer quadratic program")]
    public GssSelection Selection { get; init; } = GssSelection.Greedy;

    /// <summary>Gradients of kept rows that a new row is compared with.</summary>
    [Range(1, 100_000), Description("gss, greedy: chunks of kept rows whose gradients new rows are compared with")]
    public int Chunks { get; init; } = 10;

    /// <summary>Candidates C.</summary>
    [Range(1, 1_000_000), Description("mir: rows of the memory that are scored in each step")]
    public int Candidates { get; init; } = 50;

    /// <summary>Whether the best loss is remembered.</summary>
    [Description("mir: score against the best loss a row ever had instead of its present one")]
    public bool BestLoss { get; init; }

    /// <summary>Rows R of a round.</summary>
    [Range(1, 100_000), Description("task-free: rows gathered before they are learned together")]
    public int RecentBuffer { get; init; } = 20;

    /// <summary>Rows H of the hard buffer.</summary>
    [Range(0, 100_000), Description("task-free: rows with the largest losses that are kept and learned again; 0 for none")]
    public int HardBuffer { get; init; } = 30;

    /// <summary>Steps G of a round.</summary>
    [Range(1, 1000), Description("task-free: steps on each round's rows")]
    public int RoundSteps { get; init; } = 5;

    /// <summary>Step size of a round.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("task-free: step size on the summed loss, 0.005 in the paper's synthetic experiment; by default the stream's divided by the rows of both buffers")]
    public double? RoundLearningRate { get; init; }

    /// <summary>What task-free minimises.</summary>
    [Description("task-free: loss of a row")]
    public TaskFreeLoss Loss { get; init; } = TaskFreeLoss.CrossEntropy;

    /// <summary>Strength λ of the task-free anchor.</summary>
    [Range(0.0, 1e9), Description("task-free: strength λ of the anchor (λ/2) Σ Ω (θ − θ*)², beside the summed loss")]
    public double Anchor { get; init; } = 0.5;

    /// <summary>Losses looked at.</summary>
    [Range(1, 10_000), Description("task-free: rounds whose losses are looked at to find plateaus")]
    public int Window { get; init; } = 5;

    /// <summary>In which loss plateaus are looked for.</summary>
    [Description("task-free: plateaus are looked for in the loss of the rows, as in the paper, or in the total with the anchor's penalty, as the released code does")]
    public PlateauLoss PlateauLoss { get; init; } = PlateauLoss.Data;

    /// <summary>Largest mean of a plateau.</summary>
    [Range(0.0, 1e9), Description("task-free: a plateau's mean summed loss is below this; 0.2 in the paper's synthetic experiment, grows with the rows of both buffers")]
    public double PlateauMean { get; init; } = 0.2;

    /// <summary>Largest variance of a plateau.</summary>
    [Range(0.0, 1e12), Description("task-free: a plateau's variance is below this; 0.1 in the paper's synthetic experiment")]
    public double PlateauVariance { get; init; } = 0.1;

    /// <summary>Values of the auto-encoder's code.</summary>
    [Range(1, 10_000), Description("expert-gate: values of the auto-encoders' code; 100 in the paper, less than the features in any case")]
    public int CodeSize { get; init; } = 10;

    /// <summary>Epochs of the auto-encoders.</summary>
    [Range(1, 100_000), Description("expert-gate: epochs of each auto-encoder")]
    public int GateEpochs { get; init; } = 50;

    /// <summary>Step size of the auto-encoders.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("expert-gate: step size of Adam for the auto-encoders")]
    public double GateLearningRate { get; init; } = 0.01;

    /// <summary>Loss of the auto-encoders.</summary>
    [Description("expert-gate: what the auto-encoders are trained on")]
    public GateLoss GateLoss { get; init; } = GateLoss.SquaredError;

    /// <summary>Temperature T of the gate.</summary>
    [Range(0.0, 1000.0, MinimumIsExclusive = true), Description("expert-gate: temperature of the softmax over the auto-encoders' errors")]
    public double Temperature { get; init; } = 2;

    /// <summary>Experts k that answer.</summary>
    [Range(1, 1000), Description("expert-gate: experts that answer together, weighted by the gate")]
    public int Experts { get; init; } = 1;

    /// <summary>Relatedness from which the old expert is distilled.</summary>
    [Range(-1000.0, 1.0), Description("expert-gate: relatedness to an old task above which its expert's answers are distilled into the new one")]
    public double Relatedness { get; init; } = 0.85;

    /// <summary>Weight of the distillation.</summary>
    [Range(0.0, 1000.0), Description("expert-gate: weight of this distillation, at temperature 2")]
    public double Distillation { get; init; } = 1;
}

/// <summary>
/// Six interchangeable answers to forgetting, each in a file of its own: hold important weights (<see cref="Continual.Mas"/>), keep
/// representations sparse (<see cref="SelflessSparsity"/>), detect when to consolidate (<see cref="TaskFreeConsolidation"/>), choose what to keep
/// (<see cref="GradientSampleSelection"/>), choose what to replay (<see cref="MaximallyInterferedRetrieval"/>), route to experts (<see cref="Continual.ExpertGate"/>).
/// <para>Paper: Aljundi, Continual learning in neural networks, PhD thesis, KU Leuven, 2019 (arXiv 1910.02718).</para>
/// </summary>
public static class ContinualThesis
{
    /// <summary>What the papers claim.</summary>
    public static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "MAS forgets less than fine-tuning (here at least 0.08 more accurate on permuted tasks).", Task = "permuted", Metric = "accuracy", Baseline = "naive", Margin = 0.08, MethodOptions = Technique("mas") },
        new() { Text = "ER-MIR improves experience replay (82.1 to 87.6% on split MNIST; here by at least 0.01).", Task = "online", Metric = "accuracy", Baseline = "er", Margin = 0.01, MethodOptions = Technique("mir") },
        new()
        {
            Text = "On an imbalanced stream GSS keeps what a reservoir crowds out (here, one task ten times as long as the others, at least 0.03 more accurate).", Task = "online", Metric = "accuracy", Baseline = "er", Margin = 0.03,
            MethodOptions = new() { ["technique"] = "gss", ["selection"] = "iqp", ["buffer-size"] = 50 }, BaselineOptions = new() { ["buffer-size"] = 50 }, TaskOptions = new() { ["imbalance"] = 10 },
        },
        new() { Text = "Expert Gate finds the right expert (95% of rows and more; here at least 95% of joint training's accuracy on permuted tasks).", Task = "permuted", Metric = "accuracy", Baseline = "joint", BaselineFactor = 0.95, Margin = 0, MethodOptions = Technique("expert-gate") },
        new() { Text = "Selfless sparsity improves MAS (by 4 to 8 points on permuted MNIST; here by at least 0.01).", Task = "permuted", Metric = "accuracy", Baseline = "continual-thesis", Margin = 0.01, MethodOptions = Technique("ssl"), BaselineOptions = Technique("mas") },
    ];

    private static JsonObject Technique(string name) => new() { ["technique"] = name };

    /// <summary>A learner with the technique that is asked for.</summary>
    /// <exception cref="ArgumentException">The technique needs task boundaries, which the stream does not announce.</exception>
    public static IContinualLearner Learner(LearnerSetup setup, ContinualThesisOptions options)
    {
        if (!setup.Boundaries && options.Needs.Count > 0)
            throw new ArgumentException($"The technique {options.Technique} acts when a task ends or begins, and this stream announces no tasks; expected one that needs none: use technique=task-free, gss or mir, or a task with boundaries.", nameof(options));
        return options.Technique switch
        {
            ThesisTechnique.Mas => new Learner(setup, new Mas(setup, options)),
            ThesisTechnique.Ssl => new Learner(setup, new SelflessSparsity(setup, options), new Mas(setup, options)),
            ThesisTechnique.TaskFree => new TaskFreeConsolidation(setup, options),
            ThesisTechnique.Gss => new RepeatedSteps(new Learner(setup, new GradientSampleSelection(setup, options)), options.Iterations),
            ThesisTechnique.Mir => new RepeatedSteps(new Learner(setup, new MaximallyInterferedRetrieval(setup, options)), options.Iterations),
            _ => new ExpertGate(setup, options),
        };
    }
}
