using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Winnow.Continual;

/// <summary>What a branch of <see cref="MambaFscil"/> does with the tokens.</summary>
public enum ProjectorKind
{
    /// <summary>A selective scan in four directions: the paper's.</summary>
    Scan,

    /// <summary>A linear map of each token: the control without a state-space model.</summary>
    Linear,
}

/// <summary>What is trained in the sessions after the first.</summary>
public enum SessionBranch
{
    /// <summary>A second branch; the first is frozen: the paper's.</summary>
    Added,

    /// <summary>The one branch there is: the control.</summary>
    Single,
}

/// <summary>Options of <see cref="MambaFscil"/>.</summary>
public sealed record MambaFscilOptions
{
    /// <summary>The projector.</summary>
    [Description("what a branch does with the tokens: the selective scan, or a linear map of each as a control")]
    public ProjectorKind Projector { get; init; } = ProjectorKind.Scan;

    /// <summary>What is trained in the sessions.</summary>
    [Description("what is trained after the base session: an added branch beside the frozen one, or the single branch as a control")]
    public SessionBranch Branch { get; init; } = SessionBranch.Added;

    /// <summary>Whether the added branch is silent at first.</summary>
    [Description("start the added branch with a gate of zero, so that it contributes nothing at first")]
    public bool ZeroInit { get; init; } = true;

    /// <summary>States N of a channel, and rank of Δ.</summary>
    [Range(1, 1024), Description("states N of each channel of the scan, and rank of its step; 256 in the paper, whose features are 20 times as wide")]
    public int StateSize { get; init; } = 8;

    /// <summary>1×1 convolutions before the scan.</summary>
    [Range(2, 3), Description("1×1 convolutions that make the tokens")]
    public int Layers { get; init; } = 2;

    /// <summary>Step size of the base session.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("step size of the base session at the top of its schedule, 0.25 in the paper")]
    public double LearningRate { get; init; } = 0.05;

    /// <summary>Share of the step size that the encoder takes in the base session.</summary>
    [Range(0.0, 1.0), Description("step size of the encoder in the base session as a share of the projector's; afterwards it is frozen")]
    public double EncoderScale { get; init; } = 0.1;

    /// <summary>SGD momentum.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true), Description("momentum of SGD")]
    public double Momentum { get; init; } = 0.9;

    /// <summary>SGD weight decay.</summary>
    [Range(0.0, 1.0), Description("weight decay of SGD")]
    public double WeightDecay { get; init; } = 5e-4;

    /// <summary>Largest norm of the gradient.</summary>
    [Range(0.0, 1e6, MinimumIsExclusive = true), Description("largest norm of the gradient of all parameters together; null for none, as in the paper, whose step sizes diverge on narrow maps")]
    public double? GradientClip { get; init; } = 1;

    /// <summary>Steps of linear warm-up.</summary>
    [Range(0, 1_000_000), Description("steps of linear warm-up before the cosine schedule of the base session, 100 in the paper")]
    public int WarmUp { get; init; } = 20;

    /// <summary>Share of base batches that are mixed with themselves.</summary>
    [Range(0.0, 1.0), Description("share of the base session's batches whose rows are mixed in pairs, λ from Beta(0.8, 0.8); 0.4 in the paper")]
    public double MixUp { get; init; }

    /// <summary>Share of base batches in which a box is exchanged.</summary>
    [Range(0.0, 1.0), Description("share of the base session's batches whose images exchange a box in pairs; 0.4 in the paper; images in a cnn only")]
    public double CutMix { get; init; }

    /// <summary>Steps of a session.</summary>
    [Range(0, 1_000_000), Description("steps of each session after the first, 200 in the paper")]
    public int SessionSteps { get; init; } = 100;

    /// <summary>Rows of a session's mini-batch.</summary>
    [Range(2, 100_000), Description("rows of a session's mini-batch at most, drawn from the new rows and the memory")]
    public int SessionBatch { get; init; } = 64;

    /// <summary>Step size of a session.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("step size of the sessions at the top of their cosine schedule, 0.25 in the paper")]
    public double SessionLearningRate { get; init; } = 0.1;

    /// <summary>Rows kept of each class after the base.</summary>
    [Range(1, 100_000), Description("feature maps kept of each class that comes after the base; of a base class its mean map is kept")]
    public int Shots { get; init; } = 5;

    /// <summary>Times a kept map counts in the draw.</summary>
    [Range(1, 1000), Description("times each kept map is repeated in what a session draws from")]
    public int Copies { get; init; } = 1;

    /// <summary>Probability of mixing maps.</summary>
    [Range(0.0, 1.0), Description("share of the sessions' batches whose maps are averaged in pairs")]
    public double FeatureMixUp { get; init; } = 0.75;

    /// <summary>Weight of the dot regression.</summary>
    [Range(0.0, 1e6, MinimumIsExclusive = true), Description("weight w of the dot-regression loss")]
    public double LossWeight { get; init; } = 10;

    /// <summary>Suppression on base classes.</summary>
    [Range(0.0, 1e6), Description("weight of the gate's norm on base classes: keeps the added branch quiet there; 100 in the paper, on gates with 30 times as many values")]
    public double SuppressBase { get; init; } = 10;

    /// <summary>Encouragement on new classes.</summary>
    [Range(0.0, 1e6), Description("weight with which the gate's norm on new classes is enlarged; unbounded below, so keep it tiny")]
    public double EncourageNovel { get; init; } = 1e-5;

    /// <summary>Separation.</summary>
    [Range(0.0, 1e6), Description("weight of the separation of the added branch's input-dependent parameters between base and new classes")]
    public double Separation { get; init; } = 1e-3;
}
