using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="ImprintedSegmenter"/>.</summary>
public sealed record ImprintedOptions : SceneTrainingOptions;

/// <summary>A classifier of pixels by the cosine with a learned vector for each base class; a new class gets the mean, over the images that show it, of its mean features (Qi, Brown and Lowe, CVPR 2018). The network is that of <see cref="PrototypicalKernel"/>.</summary>
/// <param name="setup">Draws first weights and the order.</param>
/// <param name="options">How.</param>
public sealed class ImprintedSegmenter(KernelSetup setup, ImprintedOptions options) : ISegmenter
{
    /// <inheritdoc/>
    public ISegmentation Fit(Scenes train, Scenes validation, int classes, CancellationToken cancellation = default) =>
        KernelSegmentation.Fit(setup, Plain(options), train, validation, classes, cancellation);

    /// <summary>No stage and no foreground.</summary>
    internal static PrototypicalKernelOptions Plain(SceneTrainingOptions o) =>
        new() { Channels = o.Channels, Steps = o.Steps, Batch = o.Batch, Rate = o.Rate, Scale = o.Scale, Stages = 0, Foreground = false };
}

/// <summary>Options of <see cref="BaseSegmenter"/>.</summary>
public sealed record BaseSegmenterOptions : SceneTrainingOptions;

/// <summary>The same classifier, which never answers a new class: how well base classes are told where none is added.</summary>
/// <param name="setup">Draws first weights and the order.</param>
/// <param name="options">How.</param>
public sealed class BaseSegmenter(KernelSetup setup, BaseSegmenterOptions options) : ISegmenter
{
    /// <inheritdoc/>
    public ISegmentation Fit(Scenes train, Scenes validation, int classes, CancellationToken cancellation = default) =>
        new Deaf(KernelSegmentation.Fit(setup, ImprintedSegmenter.Plain(options), train, validation, classes, cancellation), 0, options.Scale);

    private sealed class Deaf(ISegmentation known, int more, double scale) : ISegmentation
    {
        public int Classes => known.Classes + more;

        public IReadOnlyDictionary<string, double> Report => known.Report;

        public ISegmentation With(int label, string name, Scenes shown) => label == Classes + 1 ? new Deaf(known, more + 1, scale)
            : throw InputException.At($"class '{name}'", $"label {label}", $"{Classes + 1}, the next one", "Number new classes after those that are known.");

        public Tensor Scores(Tensor images)
        {
            using var scope = NewDisposeScope();
            var scores = known.Scores(images);
            return cat([scores, full([scores.shape[0], more, scores.shape[2], scores.shape[3]], (float)(-2 * scale))], 1).MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
            if (more == 0)
                known.Dispose();
        }
    }
}
