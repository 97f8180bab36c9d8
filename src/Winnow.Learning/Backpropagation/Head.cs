using System.Numerics.Tensors;
using Winnow.Numerics;

namespace Winnow.Learning;

/// <summary>The last layer with its bias: features to logits and back.</summary>
internal sealed unsafe class Head(FlatVector parameters, FlatVector gradient, NetworkModule module) : IHeadLayer
{
    private readonly DenseLayer _layer = new(parameters, gradient, module);
    private readonly FlatRange _bias = module.Parameters[1];
    private AlignedBuffer _logits = new(0), _derivatives = new(0);
    private int _batch;

    /// <inheritdoc/>
    public int InputStride => _layer.InputStride;

    /// <inheritdoc/>
    public Rows Gradient => new(_derivatives.Data, _batch, _layer.Outputs, _layer.OutputStride);

    /// <inheritdoc/>
    public Rows Forward(float* features, int batch)
    {
        int length = Gemm.PadRows(batch) * _layer.OutputStride;
        if (length > _logits.Length)
            (_logits, _derivatives) = (new AlignedBuffer(length), new AlignedBuffer(length));
        _batch = batch;
        _layer.Forward(features, _logits.Data, Gemm.PadRows(batch));
        var logits = new Rows(_logits.Data, batch, _layer.Outputs, _layer.OutputStride);
        var bias = parameters.Values.Slice(_bias.Offset, _bias.Length);
        for (int i = 0; i < batch; i++)
            TensorPrimitives.Add(logits[i], bias, logits[i]);
        return logits;
    }

    /// <inheritdoc/>
    public void Backward(float* features, float* dFeatures)
    {
        var bias = gradient.Values.Slice(_bias.Offset, _bias.Length);
        for (int i = 0; i < _batch; i++)
            TensorPrimitives.Add(bias, Gradient[i], bias);
        _layer.Backward(_derivatives.Data, features, dFeatures, _batch);
    }
}
