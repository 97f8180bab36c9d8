using Winnow.Core;
using Winnow.Data;
using Winnow.Learning;

namespace Winnow.Continual;

/// <summary>A stream ready to be learned: its tasks, its rules, and what every method is built from.</summary>
internal sealed class PreparedStream : IDisposable
{
    private readonly Network? _encoder;

    private PreparedStream(ContinualStream stream, StreamRules rules, Scoring scoring, LearnerSetup setup, Network? encoder) =>
        (Stream, Rules, Scoring, Setup, _encoder) = (stream, rules, scoring, setup, encoder);

    /// <summary>The tasks.</summary>
    public ContinualStream Stream { get; }

    /// <summary>What the stream tells its learner.</summary>
    public StreamRules Rules { get; }

    /// <summary>How answers are scored.</summary>
    public Scoring Scoring { get; }

    /// <summary>What every method is built from.</summary>
    public LearnerSetup Setup { get; }

    /// <summary>The stream of a task from its options.</summary>
    public static PreparedStream Make(LabelledData data, string task, object options, TrialContext context) => options switch
    {
        VideoOptions video => Make(data, video, context),
        StreamOptions stream => Make(data, task, stream, context),
        _ => throw new ArgumentException($"The options are {options.GetType().Name}; expected those of a task of the arena.", nameof(options)),
    };

    private static PreparedStream Make(LabelledData data, VideoOptions options, TrialContext context)
    {
        var stream = ContinualStream.OfVideos(Videos.Make(data, options, context.Random("stream")));
        var setup = Videos.Setup(stream.Data.Shape, stream.Data.LabelNames.Count, Videos.Plan(stream, options), purpose => context.Random($"method/{purpose}"), context.Cancellation);
        return new(stream, new StreamRules(Boundaries: true, TaskKnownAtTest: false, ClassesArrive: false, BaseFirst: false), Scoring.Frames, setup, null);
    }

    /// <summary>Splits and orders the data, counts the steps, trains the encoder where the task asks for one.</summary>
    private static PreparedStream Make(LabelledData data, string task, StreamOptions options, TrialContext context)
    {
        var stream = StreamFactory.Make(data, task, options, context.Random("stream"));
        try
        {
            var encoder = options is PretrainedOptions pretrained ? Encoder.Train(data, stream.FirstGroup!, pretrained, context) : null;
            var rules = StreamFactory.Rules(task, options);
            return new(stream, rules, Scoring.Labels, new LearnerSetup
            {
                Network = () => encoder?.Clone() ?? StreamFactory.Network(data, options, context.Random("weights")),
                Boundaries = rules.Boundaries,
                NewClasses = rules.ClassesArrive,
                Pretrained = encoder is not null,
                Width = data.Width,
                Shape = StreamFactory.RowShape(data.Shape, task),
                Classes = data.LabelNames.Count,
                LabelNames = data.LabelNames,
                Training = StreamFactory.Plan(stream, options),
                Random = purpose => context.Random($"method/{purpose}"),
                Cancellation = context.Cancellation,
            }, encoder);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _encoder?.Dispose();
        Stream.Dispose();
    }
}
