using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>
/// Dynamic sparse training of one task at a time inside a dense network: the working copy, its mask, and the optimiser. Everything here
/// begins anew with each task.
/// </summary>
internal sealed class SparseTraining : IDisposable
{
    private readonly LearnerSetup _setup;
    private readonly ClDstOptions _options;
    private readonly Network _dense, _working, _best;
    private readonly FlatRange[] _layers;
    private readonly double[] _densities;
    private readonly byte[] _mask, _bestMask, _allowed, _fired, _taken;
    private readonly float[] _live; // 1 for active weights and for all parameters that no mask covers
    private readonly Adam? _adam;
    private readonly Sgd? _sgd;
    private SeededRandom? _random;
    private TaskInfo? _task;
    private long _step, _epoch, _right, _seen;
    private double _bestAccuracy;

    /// <summary>Training inside a network, whose owner merges the result.</summary>
    public SparseTraining(Network dense, LearnerSetup setup, ClDstOptions options)
    {
        (_dense, _setup, _options) = (dense, setup, options);
        (_working, _best) = (dense.Clone(), dense.Clone());
        _layers = [.. dense.Modules.Where(m => m.Kind != ModuleKind.BatchNorm).Select(m => m.Parameters[0])];
        _densities = SparseLayout.Densities(options.Init, [.. _layers.Select(l => l.Shape)], options.Density);
        int parameters = dense.ParameterValues.Length;
        (_mask, _bestMask, _allowed, _fired, _taken, _live) = (new byte[parameters], new byte[parameters], new byte[parameters], new byte[parameters], new byte[parameters], new float[parameters]);
        if (options.Optimizer == SparseOptimizer.Adam)
            _adam = new(_working.ParameterValues.Length, options.LearningRate);
        else
            _sgd = new(_working, options.LearningRate, setup.Training.Momentum);
    }

    /// <summary>The active weights, ones among zeros [P]; zero for parameters that no mask covers.</summary>
    public ReadOnlySpan<byte> Mask => _mask;

    /// <summary>The working copy.</summary>
    public Network Working => _working;

    private TaskInfo? Among => _setup.NewClasses ? _task : null;

    private long Steps => _epoch * _setup.Training.Epochs;

    /// <summary>Draws the mask of a task and takes its weights from the dense network.</summary>
    /// <param name="task">The task.</param>
    /// <param name="taken">Which weights earlier tasks use [P].</param>
    /// <param name="epoch">Steps of an epoch.</param>
    public void Begin(TaskInfo task, ReadOnlySpan<byte> taken, long epoch)
    {
        (_task, _epoch, _step, _right, _seen, _bestAccuracy) = (task, epoch, 0, 0, 0, -1);
        _random = _setup.Random($"masks/{task.Id}");
        taken.CopyTo(_taken);
        _mask.AsSpan().Clear();
        _live.AsSpan().Fill(1);
        foreach (var (layer, density) in _layers.Zip(_densities))
            for (int i = layer.Offset; i < layer.Offset + layer.Length; i++)
            {
                _allowed[i] = (byte)(Among is { } own && layer == _layers[^1] && !own.Classes.Contains((i - layer.Offset) / (int)layer.Shape[1]) ? 0 : 1);
                _mask[i] = (byte)(_random.NextDouble() < density ? _allowed[i] : 0);
                _live[i] = _mask[i];
            }
        _mask.CopyTo(_fired.AsSpan());
        _working.CopyStateFrom(_dense);
        Apply();
        _adam?.Reset();
        _sgd?.Reset();
    }

    /// <summary>One step, and a round of drop and grow when one is due. Returns the loss.</summary>
    public double Step(Batch batch)
    {
        _working.Training = true;
        _working.ZeroGradient();
        double loss = _options.KeepBest ? _working.AddGradient(batch.X, Counted) : TaskLoss.AddGradient(_working, batch, Among);
        if (_options.Isolate)
        {
            var gradient = _working.GradientValues;
            for (int i = 0; i < gradient.Length; i++)
                if (_taken[i] != 0)
                    gradient[i] = 0;
        }
        double rate = _options.LearningRate * (4 * _step >= 3 * Steps ? 0.01 : 2 * _step >= Steps ? 0.1 : 1);
        if (_adam is not null)
        {
            _adam.LearningRate = rate;
            _adam.Step(_working.ParameterValues, _working.GradientValues);
        }
        if (_sgd is not null)
        {
            _sgd.LearningRate = rate;
            _sgd.Step();
        }
        Apply();
        if (++_step % _options.UpdateEvery == 0)
            DropAndGrowLayers(DropAndGrow.Rate(_step, Steps, _options.DropRate, Math.Min(_options.FinalDropRate, _options.DropRate)));
        if (_options.KeepBest && _step % _epoch == 0)
            Remember();
        return loss;

        Tensor Counted(Tensor logits)
        {
            using var scope = NewDisposeScope();
            var answer = Among is { } own ? logits.Among(ClassMask.Of(tensor([.. own.Classes.Select(c => (long)c)]), (int)logits.shape[1])) : logits;
            _right += answer.argmax(1).eq(batch.Y).sum().item<long>();
            _seen += batch.Count;
            return (Among is null ? F.cross_entropy(logits, batch.Y) : TaskLoss.Of(logits, batch.Y, Among)).MoveToOuterDisposeScope();
        }
    }

    /// <summary>The task is over: the working copy and the mask are those to keep.</summary>
    public Network End()
    {
        if (_bestAccuracy >= 0)
        {
            _working.CopyStateFrom(_best);
            _bestMask.CopyTo(_mask.AsSpan());
        }
        return _working;
    }

    private void Remember()
    {
        double accuracy = (double)_right / _seen;
        (_right, _seen) = (0, 0);
        if (accuracy < _bestAccuracy)
            return;
        _bestAccuracy = accuracy;
        _best.CopyStateFrom(_working);
        _mask.CopyTo(_bestMask.AsSpan());
    }

    /// <summary>Inactive weights are zero, and so is their momentum of SGD.</summary>
    private void Apply()
    {
        System.Numerics.Tensors.TensorPrimitives.Multiply(_working.ParameterValues, _live, _working.ParameterValues);
        if (_sgd?.Velocity is { } velocity)
            System.Numerics.Tensors.TensorPrimitives.Multiply(velocity.Values<float>(), _live, velocity.Values<float>());
    }

    private void DropAndGrowLayers(double rate)
    {
        foreach (var layer in _layers)
        {
            var mask = Part<byte>(_mask, layer);
            var gradient = Part(_working.GradientValues, layer);
            int dropped = DropAndGrow.Drop(_options.Drop, Part(_working.ParameterValues, layer), gradient, mask, rate);
            int[] grown = _options.Grow switch
            {
                GrowRule.Random => DropAndGrow.Grow(mask, Part<byte>(_allowed, layer), [], dropped, _random!),
                GrowRule.RandomUnfired => DropAndGrow.Grow(mask, Part<byte>(_allowed, layer), Part<byte>(_fired, layer), dropped, _random!),
                GrowRule.Momentum => DropAndGrow.Grow(DropAndGrow.Momentum(Part(_adam!.First.Values<float>(), layer), Part(_adam.Second.Values<float>(), layer)), mask, Part<byte>(_allowed, layer), dropped),
                _ => DropAndGrow.Grow(DropAndGrow.Gradient(gradient), mask, Part<byte>(_allowed, layer), dropped),
            };
            for (int i = layer.Offset; i < layer.Offset + layer.Length; i++)
                _live[i] = _mask[i];
            foreach (int i in grown)
            {
                int at = layer.Offset + i;
                _fired[at] = 1;
                if (_options.Isolate && _taken[at] != 0)
                    _working.ParameterValues[at] = _dense.ParameterValues[at];
                else
                    _working.ParameterValues[at] = 0;
            }
        }
        Apply();
    }

    private static Span<T> Part<T>(Span<T> flat, FlatRange range) => flat.Slice(range.Offset, range.Length);

    /// <inheritdoc/>
    public void Dispose()
    {
        _adam?.Dispose();
        _sgd?.Dispose();
        _working.Dispose();
        _best.Dispose();
    }
}
