using Winnow.Core;
using Winnow.Data;
using Winnow.Learning;

namespace Winnow.Continual;

/// <summary>A stream ready to be learned: its tasks, its rules, and what every method is built from.</summary>
internal sealed class PreparedStream : IDisposable
{
    private readonly Network? _encoder;

    private PreparedStream(ContinualStream stream, StreamRules rules, LearnerSetup setup, Network? encoder) =>
        (Stream, Rules, Setup, _encoder) = (stream, rules, setup, encoder);

    /// <summary>The tasks.</summary>
    public ContinualStream Stream { get; }

    /// <summary>What the stream tells its learner.</summary>
    public StreamRules Rules { get; }

    /// <summary>What every method is built from.</summary>
    public LearnerSetup Setup { get; }

    /// <summary>Splits and orders the data, counts the steps, trains the encoder where the task asks for one.</summary>
    public static PreparedStream Make(LabelledData data, string task, StreamOptions options, TrialContext context)
    {
        var stream = StreamFactory.Make(data, task, options, context.Random("stream"));
        try
        {
            var encoder = options is PretrainedOptions pretrained ? Encoder.Train(data, stream.FirstGroup!, pretrained, context) : null;
            var rules = StreamFactory.Rules(task, options);
            return new(stream, rules, new LearnerSetup
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
