using System.Numerics;
using Winnow.Numerics;

namespace Winnow.Learning;

/// <summary>Forward and backward pass of an <see cref="MlpArchitecture"/>. Cost: 6 operations per weight and sample, and one per weight to lay it out.</summary>
internal sealed unsafe class MlpBackpropagation : IBackpropagation
{
    private readonly DenseLayer[] _layers;
    private readonly ChannelNorm[] _norms;
    private readonly IHeadLayer _head;
    private AlignedBuffer[] _inputs = [], _products = [], _derivatives = [];
    private int _batch, _capacity;

    public MlpBackpropagation(IReadOnlyList<NetworkModule> modules, FlatVector parameters, FlatVector gradient, FlatVector buffers)
    {
        var hidden = Enumerable.Range(0, modules.Count - 1).Where(i => modules[i].Kind == ModuleKind.Linear).ToList();
        _layers = [.. hidden.Select(i => new DenseLayer(parameters, gradient, modules[i]))];
        _norms = [.. hidden.Select(i => new ChannelNorm(parameters, gradient, buffers, modules[i], modules[i + 1].Kind == ModuleKind.BatchNorm ? modules[i + 1] : null))];
        _head = IHeadLayer.Of(parameters, gradient, buffers, modules[^1]);
    }

    public Rows LogitGradient => _head.Gradient;

    public Rows Forward(ReadOnlySpan<float> x, int batch)
    {
        Reserve(batch);
        _batch = batch;
        int padded = Gemm.PadRows(batch), width = x.Length / batch;
        int stride = _layers.Length == 0 ? _head.InputStride : _layers[0].InputStride;
        for (int i = 0; i < batch; i++)
            x.Slice(i * width, width).CopyTo(_inputs[0].Values[(i * stride)..]);
        for (int l = 0; l < _layers.Length; l++)
        {
            _layers[l].Forward(_inputs[l].Data, _products[l].Data, padded);
            var z = Batch(_products[l].Data, _layers[l]);
            _norms[l].Forward(z);
            Activate(_norms[l], z, _inputs[l + 1].Data);
        }
        return _head.Forward(_inputs[^1].Data, batch);
    }

    public void Backward()
    {
        _head.Backward(_inputs[^1].Data, _layers.Length == 0 ? null : _derivatives[^1].Data);
        for (int l = _layers.Length - 1; l >= 0; l--)
        {
            var z = Batch(_products[l].Data, _layers[l]);
            var dy = Batch(_derivatives[l].Data, _layers[l]);
            Gate(_norms[l], z, dy);
            _norms[l].Backward(z, dy);
            _layers[l].Backward(_derivatives[l].Data, _inputs[l].Data, l == 0 ? null : _derivatives[l - 1].Data, _batch);
        }
    }

    private Pixels Batch(float* data, DenseLayer layer) => new(data, 1, 0, 1, 0, _batch, layer.OutputStride);

    /// <summary>h = max(0, scale·z + shift).</summary>
    private static void Activate(ChannelNorm norm, Pixels z, float* h)
    {
        float* value = z.Row(0, 0);
        for (int p = 0; p < z.Count; p++, value += z.Channels, h += z.Channels)
        {
            for (int c = 0; c < z.Channels; c += Vector<float>.Count)
            {
                var y = Vector.FusedMultiplyAdd(Vector.Load(value + c), Vector.Load(norm.Scale + c), Vector.Load(norm.Shift + c));
                Vector.Store(Vector.Max(y, Vector<float>.Zero), h + c);
            }
        }
    }

    /// <summary>dy = dh where the unit is active, else 0; with its sums.</summary>
    private static void Gate(ChannelNorm norm, Pixels z, Pixels dy)
    {
        for (int c = 0; c < z.Channels; c += Vector<float>.Count)
        {
            Vector<float> scale = Vector.Load(norm.Scale + c), shift = Vector.Load(norm.Shift + c), mean = Vector.Load(norm.Mean + c);
            Vector<float> sum = Vector<float>.Zero, product = Vector<float>.Zero;
            float* value = z.Row(0, 0) + c, derivative = dy.Row(0, 0) + c;
            for (int p = 0; p < z.Count; p++, value += z.Channels, derivative += z.Channels)
            {
                var v = Vector.Load(value);
                var active = Vector.GreaterThan(Vector.FusedMultiplyAdd(v, scale, shift), Vector<float>.Zero);
                var d = Vector.ConditionalSelect(active, Vector.Load(derivative), Vector<float>.Zero);
                Vector.Store(d, derivative);
                sum += d;
                product = Vector.FusedMultiplyAdd(d, v - mean, product);
            }
            Vector.Store(sum, norm.Sum + c);
            Vector.Store(product, norm.Product + c);
        }
    }

    private void Reserve(int batch)
    {
        if (batch <= _capacity)
            return;
        _capacity = batch;
        int padded = Gemm.PadRows(batch);
        _inputs = [.. _layers.Select(l => new AlignedBuffer(padded * l.InputStride)), new AlignedBuffer(padded * _head.InputStride)];
        _products = [.. _layers.Select(l => new AlignedBuffer(padded * l.OutputStride))];
        _derivatives = [.. _layers.Select(l => new AlignedBuffer(padded * l.OutputStride))];
    }
}
