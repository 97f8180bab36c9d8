using System.Numerics.Tensors;
using Winnow.Numerics;

namespace Winnow.Learning;

/// <summary>The products of a fully connected layer, without its bias: <c>z = h·Wᵀ</c>, <c>dh = dz·W</c>, <c>dW = dzᵀ·h</c>.</summary>
internal sealed unsafe class DenseLayer
{
    private readonly FlatVector _parameters, _gradient;
    private readonly FlatRange _weight;
    private readonly AlignedBuffer _columns, _rows, _weightGradient;

    public DenseLayer(FlatVector parameters, FlatVector gradient, NetworkModule module)
    {
        (_parameters, _gradient, _weight) = (parameters, gradient, module.Parameters[0]);
        Outputs = (int)_weight.Shape[0];
        Inputs = (int)_weight.Shape[1];
        _columns = new AlignedBuffer(Inputs * OutputStride);
        _rows = new AlignedBuffer(Outputs * InputStride);
        _weightGradient = new AlignedBuffer(Gemm.PadRows(Outputs) * InputStride);
    }

    public int Inputs { get; }

    public int Outputs { get; }

    /// <summary>Elements from one row of the layer's input to the next.</summary>
    public int InputStride => Gemm.PadColumns(Inputs);

    /// <summary>Elements from one row of the layer's products to the next.</summary>
    public int OutputStride => Gemm.PadColumns(Outputs);

    /// <summary>Products of a batch whose number of rows is padded.</summary>
    public void Forward(float* h, float* z, int paddedBatch)
    {
        Transpose.Copy(_parameters.At(_weight.Offset), Outputs, Inputs, _columns.Data, OutputStride);
        Gemm.Multiply(paddedBatch, OutputStride, Inputs, new(h, InputStride, 1), new(_columns.Data, OutputStride), z, OutputStride, accumulate: false);
    }

    /// <summary>Adds the weight's gradient; computes the input's unless <paramref name="dh"/> is null.</summary>
    public void Backward(float* dz, float* h, float* dh, int batch)
    {
        Gemm.Multiply(Gemm.PadRows(Outputs), InputStride, batch, new(dz, 1, OutputStride), new(h, InputStride), _weightGradient.Data, InputStride, accumulate: false);
        var weightGradient = _gradient.Values.Slice(_weight.Offset, _weight.Length);
        for (int i = 0; i < Outputs; i++)
        {
            var row = weightGradient.Slice(i * Inputs, Inputs);
            TensorPrimitives.Add(row, _weightGradient.Values.Slice(i * InputStride, Inputs), row);
        }
        if (dh is null)
            return;
        var weight = _parameters.Values.Slice(_weight.Offset, _weight.Length);
        for (int i = 0; i < Outputs; i++)
            weight.Slice(i * Inputs, Inputs).CopyTo(_rows.Values[(i * InputStride)..]);
        Gemm.Multiply(Gemm.PadRows(batch), InputStride, Outputs, new(dz, OutputStride, 1), new(_rows.Data, InputStride), dh, InputStride, accumulate: false);
    }
}
