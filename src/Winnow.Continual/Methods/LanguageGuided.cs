using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>The learner whose head is replaced.</summary>
public enum LanguageGuidedHost
{
    /// <summary>Plain fine-tuning.</summary>
    Naive,

    /// <summary>Experience replay.</summary>
    Er,

    /// <summary>ER-ACE.</summary>
    ErAce,

    /// <summary>DER++.</summary>
    DerPp,

    /// <summary>Learning without forgetting; needs task boundaries.</summary>
    Lwf,

    /// <summary>Online EWC; needs task boundaries.</summary>
    Ewc,
}

/// <summary>Options of <see cref="LanguageGuided"/>.</summary>
public sealed record LanguageGuidedOptions : INeeds
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Needs => On is LanguageGuidedHost.Lwf or LanguageGuidedHost.Ewc ? [ContinualArena.Boundaries] : [];

    /// <summary>The learner whose head is replaced.</summary>
    [Description("the learner whose head is replaced, with its own defaults")]
    public LanguageGuidedHost On { get; init; } = LanguageGuidedHost.Er;

    /// <summary>What features are compared with.</summary>
    [Description("what features are compared with: vectors of the class names, or as controls the same shuffled, random orthogonal ones, a simplex, or a trainable linear head")]
    public TargetKind Targets { get; init; } = TargetKind.Semantic;

    /// <summary>File of word vectors.</summary>
    [Description("text file of word vectors, a line 'word v1 v2 ...' each; by default vectors from the co-occurrence of words in a small text that comes with the library")]
    public string? Vectors { get; init; }

    /// <summary>Text that is embedded for a class.</summary>
    [Description("text that is embedded for a class; {name} is its name")]
    public string Prompt { get; init; } = "{name}";

    /// <summary>Width of targets that come from no file.</summary>
    [Range(1, 256), Description("values of a target that comes from no file; random ones have at least as many as there are classes")]
    public int Width { get; init; } = 32;

    /// <summary>Whether the mean of all word vectors is taken off.</summary>
    [Description("take the mean of all word vectors off each; not in the paper, for vectors that share a large common direction")]
    public bool Centre { get; init; }

    /// <summary>Scale η at first.</summary>
    [Range(0.0, 1000.0), Description("scale η of the cosines at first; it is learned, between 0 and max-scale")]
    public double Scale { get; init; } = 10;

    /// <summary>Largest scale.</summary>
    [Range(0.0, 1000.0, MinimumIsExclusive = true), Description("largest scale η")]
    public double MaxScale { get; init; } = 100;

    /// <summary>Rows kept by hosts that replay.</summary>
    [Range(1, 1_000_000), Description("rows kept by the hosts that replay")]
    public int BufferSize { get; init; } = 100;
}

/// <summary>
/// Language-guided supervision: the trainable head of a learner gives way to frozen target vectors made from the class names, so that the classes of all
/// tasks live in one space from the start; the logits are <c>z_c = η · f̂ · e_c</c> with a learned scale η (<see cref="CosineHead"/>).
/// <para>Paper: Ni, Zhao, Zhang, Hu, Meng, Zhang and Xiang, Enhancing Visual Continual Learning with Language-Guided Supervision, CVPR 2024
/// (arXiv 2403.16124). Implemented: the head over any host, unchanged otherwise; a linear map, trained, where the targets are not as wide as the
/// features; a class's target is set when its first rows arrive, so that no name is used early (its logit is 0 until then). The paper's language model is
/// replaced by any <see cref="IClassNameEmbedding"/>; η starts at 10, where the paper's value is unknown. Left out: several prototypes a class.</para>
/// <para>Cost: that of the host, less C·d trained weights; targets C·d values.</para>
/// </summary>
public sealed class LanguageGuided : IContinualLearner, IReportsSeries
{
    private readonly LanguageGuidedOptions _options;
    private readonly Learner _host;
    private readonly NetworkModule? _head; // null with the linear control
    private readonly Tensor? _targets;     // of all classes; a row is used from its class's arrival on
    private bool _begun;

    /// <summary>A learner on the set-up's network with another head.</summary>
    /// <param name="setup">What the arena gives, with the class names.</param>
    /// <param name="options">Options.</param>
    /// <param name="embedding">Vectors of the class names; by default those that the options name.</param>
    /// <exception cref="InputException">A class name that cannot be embedded, or that cannot be told from another.</exception>
    public LanguageGuided(LearnerSetup setup, LanguageGuidedOptions options, IClassNameEmbedding? embedding = null)
    {
        _options = options;
        if (options.Targets == TargetKind.Linear)
        {
            _host = Host(setup, options);
            return;
        }
        using var scope = NewDisposeScope();
        _targets = LanguageTargets.Of(setup.LabelNames, setup.Classes, options, embedding ?? new Named(options), setup.Random("targets")).DetachFromDisposeScope();
        _host = Host(setup with { Network = () => WithHead(setup, (int)_targets.shape[1]) }, options);
        _head = _host.Network.Modules[^1];
        SetScale(options.Scale);
    }

    /// <summary>What the paper claims.</summary>
    public static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "On ImageNet-100 forgetting falls by 2.6 to 13.1 points (here by at least 2).", Task = "class-incremental", Metric = "forgetting", Baseline = "er", Margin = 0.02 },
        new() { Text = "The gain comes from language: targets of the class names beat the same targets shuffled.", Task = "class-incremental", Metric = "accuracy", Baseline = "language-guided-cl", Margin = 0, BaselineOptions = new() { ["targets"] = "shuffled" } },
        new() { Text = "The gain comes from language, not from freezing: targets of the class names beat random orthogonal ones.", Task = "class-incremental", Metric = "accuracy", Baseline = "language-guided-cl", Margin = 0, BaselineOptions = new() { ["targets"] = "orthogonal" } },
    ];

    /// <summary>The network with the frozen head.</summary>
    internal Network Network => _host.Network;

    /// <summary>The scale η, kept between 0 and the largest.</summary>
    internal double Scale => Network.ParameterValues[_head!.Parameters[^1].Offset];

    private void SetScale(double value) => Network.ParameterValues[_head!.Parameters[^1].Offset] = (float)Math.Clamp(value, 0, _options.MaxScale);

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => _host.State;

    /// <inheritdoc/>
    public IEnumerable<(string Name, double Value, long Step)> Series => _host.Series;

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        _begun = true;
        Admit(task.Classes.Select(c => (long)c));
        _host.BeginTask(task, train);
    }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        if (!_begun && _options.Needs.Count > 0)
            throw InputException.At("language-guided-cl.on", $"{_options.On.ToString().ToLowerInvariant()} on a stream without task boundaries", "a host that needs none", "Choose on=er, er-ace, der-pp or naive, or a task with boundaries.");
        using (var labels = batch.Y.contiguous())
            Admit(labels.Values<long>().ToArray());
        var report = _host.Observe(batch);
        if (_head is not null)
            SetScale(Scale);
        return report;
    }

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train) => _host.EndTask(task, train);

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null) => _host.Predict(x, task);

    /// <summary>Sets the targets of classes that are met for the first time.</summary>
    private void Admit(IEnumerable<long> classes)
    {
        if (_targets is null)
            return;
        int width = (int)_targets.shape[1];
        var rows = Network.BufferValues[_head!.Buffers[0].Offset..];
        foreach (int c in classes.Distinct())
            _targets.Values<float>().Slice(c * width, width).CopyTo(rows[(c * width)..]);
    }

    /// <summary>The set-up's network with its layers before the head, and a head of targets yet to be set.</summary>
    private static Network WithHead(LearnerSetup setup, int width)
    {
        using var plain = setup.Network();
        var network = Network.Create(plain.Architecture with { Cosine = new(width, Projected: width != plain.Architecture.Features) }, setup.Random("map"));
        plain.ParameterValues[..plain.Modules[^1].Offset].CopyTo(network.ParameterValues);
        plain.BufferValues.CopyTo(network.BufferValues);
        return network;
    }

    private static Learner Host(LearnerSetup s, LanguageGuidedOptions o) => o.On switch
    {
        LanguageGuidedHost.Er => new(s, new ExperienceReplay(s, new() { BufferSize = o.BufferSize })),
        LanguageGuidedHost.ErAce => new(s, new ErAce(s, new() { BufferSize = o.BufferSize })),
        LanguageGuidedHost.DerPp => new(s, new DerPlusPlus(s, new() { BufferSize = o.BufferSize })),
        LanguageGuidedHost.Lwf => new(s, new LearningWithoutForgetting(s, new())),
        LanguageGuidedHost.Ewc => new(s, new OnlineEwc(s, new())),
        _ => new(s),
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        _host.Dispose();
        _targets?.Dispose();
    }

    /// <summary>The vectors that the options name, read when they are asked for.</summary>
    private sealed class Named(LanguageGuidedOptions options) : IClassNameEmbedding
    {
        public IReadOnlyList<float[]> Embed(IReadOnlyList<string> texts)
        {
            var vectors = options.Vectors is { } file ? WordVectors.Read(file) : CooccurrenceVectors.BuiltIn(options.Width);
            return (options.Centre ? vectors.Centred() : vectors).Embed(texts);
        }
    }
}
