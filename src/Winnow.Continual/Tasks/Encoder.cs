using Winnow.Core;
using Winnow.Data;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Trains the encoder of the pre-trained stream on its base classes: plain epochs of SGD, before the stream begins.</summary>
internal static class Encoder
{
    /// <summary>A network for all classes whose encoder knows the base classes; its head is fresh. The caller owns it.</summary>
    public static Network Train(LabelledData data, Func<Batch> baseRows, PretrainedOptions options, TrialContext context)
    {
        var rows = baseRows();
        using var x = rows.X;
        using var y = rows.Y;
        var network = StreamFactory.Network(data, options, context.Random("weights"));
        var order = context.Random("pre-training");
        using var optimizer = new Sgd(network, options.BaseLearningRate, momentum: 0.9);
        for (int epoch = 0; epoch < options.BaseEpochs; epoch++)
            foreach (long[] batch in ContinualStream.MiniBatches(rows.Count, options.BatchSize, order))
            {
                context.Cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                var part = rows.Rows(tensor(batch));
                network.ZeroGradient();
                network.AddCrossEntropyGradient(part.X, part.Y);
                optimizer.Step();
            }
        // The head that was trained with the encoder is dropped: every learner starts from an equal, untrained one.
        using var fresh = StreamFactory.Network(data, options, context.Random("head"));
        var head = network.Modules[^1];
        fresh.ParameterValues.Slice(head.Offset, head.Length).CopyTo(network.ParameterValues[head.Offset..]);
        context.Log($"encoder pre-trained on {rows.Count} rows of the base classes, {options.BaseEpochs} epochs");
        return network;
    }
}
