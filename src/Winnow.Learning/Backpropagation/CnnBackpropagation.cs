using Winnow.Numerics;

namespace Winnow.Learning;

/// <summary>Forward and backward pass of a <see cref="CnnArchitecture"/>, channels innermost.</summary>
internal sealed unsafe class CnnBackpropagation : IBackpropagation
{
    private readonly CnnArchitecture _architecture;
    private readonly ConvLayer[] _layers;
    private readonly ChannelNorm[] _norms;
    private readonly IHeadLayer _head;
    private readonly int _rows, _columns;
    private AlignedBuffer _maps = new(0), _features = new(0), _featureDerivatives = new(0);
    private int _batch;

    public CnnBackpropagation(CnnArchitecture architecture, IReadOnlyList<NetworkModule> modules, FlatVector parameters, FlatVector gradient, FlatVector buffers)
    {
        _architecture = architecture;
        (_rows, _columns) = (architecture.Height / 4, architecture.Width / 4);
        var hidden = Enumerable.Range(0, modules.Count - 1).Where(i => modules[i].Kind == ModuleKind.Convolution).ToList();
        _layers = [.. hidden.Select((module, i) => new ConvLayer(parameters, gradient, modules[module], architecture.Height >> i, architecture.Width >> i))];
        _norms = [.. hidden.Select(i => new ChannelNorm(parameters, gradient, buffers, modules[i], modules[i + 1].Kind == ModuleKind.BatchNorm ? modules[i + 1] : null))];
        _head = IHeadLayer.Of(parameters, gradient, buffers, modules[^1]);
    }

    public Rows LogitGradient => _head.Gradient;

    private int Filters => _architecture.Filters[^1];

    private Pixels Maps => new(_maps.Data, _batch, (nint)_rows * _columns * Filters, _rows, _columns * Filters, _columns, Filters);

    public Rows Forward(ReadOnlySpan<float> x, int batch)
    {
        _batch = batch;
        for (int l = 0; l < _layers.Length; l++)
            _layers[l].Reserve(batch, inputDerivatives: l > 0);
        int maps = Gemm.PadRows(batch) * _head.InputStride;
        if (maps > _maps.Length)
            (_maps, _features, _featureDerivatives) = (new AlignedBuffer(maps), new AlignedBuffer(maps), new AlignedBuffer(maps));
        ChannelsInnermost(x, _layers[0].Input);
        for (int l = 0; l < _layers.Length; l++)
        {
            _layers[l].Forward();
            _norms[l].Forward(_layers[l].Products);
            MaxPool.Forward(_norms[l], _layers[l].Products, l + 1 < _layers.Length ? _layers[l + 1].Input : Maps);
        }
        for (int i = 0; i < batch; i++)
            Transpose.Copy(Maps.Row(i, 0), _rows * _columns, Filters, _features.Data + (nint)i * _head.InputStride, _rows * _columns);
        return _head.Forward(_features.Data, batch);
    }

    public void Backward()
    {
        _head.Backward(_features.Data, _featureDerivatives.Data);
        // The maps are no longer needed: their derivatives take their place.
        for (int i = 0; i < _batch; i++)
            Transpose.Copy(_featureDerivatives.Data + (nint)i * _head.InputStride, Filters, _rows * _columns, Maps.Row(i, 0), Filters);
        for (int l = _layers.Length - 1; l >= 0; l--)
        {
            var layer = _layers[l];
            if (layer.Products.Rows % 2 != 0 || layer.Products.Count % 2 != 0)
                layer.ClearDerivatives();
            MaxPool.Backward(_norms[l], layer.Products, l + 1 < _layers.Length ? _layers[l + 1].InputDerivatives : Maps, layer.Derivatives);
            _norms[l].Backward(layer.Products, layer.Derivatives);
            layer.BackwardWeight();
            if (l > 0)
                layer.BackwardInput();
        }
    }
    private static void ChannelsInnermost(ReadOnlySpan<float> x, Pixels target)
    {
        int at = 0;
        for (int image = 0; image < target.Images; image++)
        {
            for (int channel = 0; channel < target.Channels; channel++)
            {
                for (int row = 0; row < target.Rows; row++)
                {
                    float* to = target.Row(image, row) + channel;
                    for (int p = 0; p < target.Count; p++, to += target.Channels)
                        *to = x[at++];
                }
            }
        }
    }
}
