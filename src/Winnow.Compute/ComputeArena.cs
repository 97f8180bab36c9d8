using Winnow.Core;

namespace Winnow.Compute;

/// <summary>The catalogue: problems, methods, baselines and metrics at a glance.</summary>
public sealed class ComputeArena : Arena<ComputeSetup, IComputeMethod>
{
    private readonly TimeProvider _clock;

    /// <summary>The arena, timed by the system's clock.</summary>
    public ComputeArena() : this(TimeProvider.System)
    {
    }

    /// <summary>The arena.</summary>
    /// <param name="clock">What methods are timed by.</param>
    public ComputeArena(TimeProvider clock)
    {
        _clock = clock;

        Baseline<NoOptions>("dense-logits", "Full logits", "Paszke et al., PyTorch: an imperative style, high-performance deep learning library, NeurIPS 2019, arXiv 1912.01703", 2019,
            "Makes the whole matrix of logits and differentiates the library's cross-entropy: what one calls otherwise.", (_, _) => new DenseLogits(), LossHeadKind.Offer);
        Baseline<RowChunksOptions>("row-chunks", "Row-chunked loss", "Hsu et al., Liger kernel: efficient Triton kernels for LLM training, arXiv 2410.10989", 2024,
            "Makes the logits of some rows at a time and their gradients at once.", (_, o) => new RowChunks(o), LossHeadKind.Offer);
        Baseline<NoOptions>("dense-similarities", "Full similarities", "Radford et al., Learning transferable visual models from natural language supervision, ICML, arXiv 2103.00020", 2021,
            "Makes the whole matrix of similarities and differentiates the library's cross-entropy in both directions.", (_, _) => new DenseSimilarities(), ContrastiveKind.Offer);
        Baseline<NoOptions>("dense-attention", "Full attention matrix", "Vaswani et al., Attention is all you need, NeurIPS, arXiv 1706.03762", 2017,
            "Makes the whole matrix of logits, its softmax, and multiplies it with the values.", (_, _) => new DenseAttention(), AttentionKind.Offer);
        Baseline<NoOptions>("sdpa", "Library attention", "Dao et al., FlashAttention: fast and memory-efficient exact attention with IO-awareness, NeurIPS, arXiv 2205.14135", 2022,
            "Calls the tensor library's own fused attention.", (_, _) => new LibraryAttention(), AttentionKind.Offer);
    }

    /// <inheritdoc/>
    public override string Id => "compute";

    /// <inheritdoc/>
    public override string Question => "How few bytes, passes and iterations give the same result?";

    /// <inheritdoc/>
    public override IReadOnlyList<TaskCard> Tasks { get; } = [.. ProblemKinds.All.Select(k => k.Task)];

    /// <inheritdoc/>
    public override IReadOnlyList<MetricCard> Metrics => Protocol.Cards;

    /// <inheritdoc/>
    public override IReadOnlyList<FigureCard> Figures { get; } = [];

    /// <inheritdoc/>
    public override DataSummary Inspect(string? source, TaskCard task, object taskOptions, DataReading reading, CancellationToken cancellation) =>
        ProblemKinds.Of(task.Id).Inspect(source, (ComputeOptions)taskOptions, reading, cancellation);

    /// <inheritdoc/>
    public override TrialResult Run(Trial trial, TrialContext context) =>
        ProblemKinds.Of(trial.Task).Run(Create(trial, new(context.Random)), trial, (ComputeOptions)this.Task(trial.Task).Options.Bind(trial.TaskOptions, "task"), context, _clock);

    private void Baseline<TOptions>(string id, string title, string paper, int year, string summary, Func<ComputeSetup, TOptions, IComputeMethod> create, string problem) where TOptions : class, new() =>
        Add(MethodKind.Baseline, id, title, paper, year, summary, create, null, [problem]);

    private void Seed<TOptions>(string id, string title, string paper, int year, string summary, Func<ComputeSetup, TOptions, IComputeMethod> create, IReadOnlyList<Claim> claims, string problem) where TOptions : class, new() =>
        Add(MethodKind.Seed, id, title, paper, year, summary, create, claims, [problem]);
}

/// <summary>The kinds of problem, in the order of the tasks.</summary>
internal static class ProblemKinds
{
    public static IReadOnlyList<IProblemKind> All { get; } = [LossHeadKind.Kind, ContrastiveKind.Kind, AttentionKind.Kind];

    public static IProblemKind Of(string task) => All.Single(k => k.Task.Id == task);
}

/// <summary>Options of a method that has none.</summary>
public sealed record NoOptions;
