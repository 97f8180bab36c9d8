using System.Numerics.Tensors;
using Winnow.Numerics;

namespace Winnow.Learning;

/// <summary>
/// A head of frozen targets e_c: <c>z_c = η·cos_c</c> with <c>cos_c = p·e_c/‖p‖</c> and p the feature or a linear map of it. Backwards,
/// <c>dη = Σ dz_c cos_c</c> and <c>dp = (Σ η dz_c e_c − Σ η dz_c cos_c · p/‖p‖)/‖p‖</c>, which is at right angles to p.
/// </summary>
internal sealed unsafe class CosineHeadLayer : IHeadLayer
{
    private readonly FlatVector _parameters, _gradient, _buffers;
    private readonly DenseLayer? _map;
    private readonly FlatRange _scale, _targets;
    private readonly int _classes, _width, _stride;
    private AlignedBuffer _logits = new(0), _derivatives = new(0), _cosines = new(0), _products = new(0), _byProducts = new(0);
    private readonly float[] _directions; // the targets at length 1
    private float[] _norms = [];
    private int _batch;

    public CosineHeadLayer(FlatVector parameters, FlatVector gradient, FlatVector buffers, NetworkModule module)
    {
        (_parameters, _gradient, _buffers) = (parameters, gradient, buffers);
        (_scale, _targets) = (module.Parameters[^1], module.Buffers[0]);
        (_classes, _width) = ((int)_targets.Shape[0], (int)_targets.Shape[1]);
        _map = module.Parameters.Count == 1 ? null : new DenseLayer(parameters, gradient, module);
        _stride = Gemm.PadColumns(_classes);
        _directions = new float[_targets.Length];
    }

    /// <inheritdoc/>
    public int InputStride => _map?.InputStride ?? Gemm.PadColumns(_width);

    /// <inheritdoc/>
    public Rows Gradient => new(_derivatives.Data, _batch, _classes, _stride);

    private Rows Cosines => new(_cosines.Data, _batch, _classes, _stride);

    private int ProductStride => _map?.OutputStride ?? InputStride;

    private ReadOnlySpan<float> Target(int c) => _directions.AsSpan(c * _width, _width);

    /// <inheritdoc/>
    public Rows Forward(float* features, int batch)
    {
        Reserve(batch);
        _batch = batch;
        for (int c = 0; c < _classes; c++)
        {
            var target = _buffers.Values.Slice(_targets.Offset + c * _width, _width);
            TensorPrimitives.Multiply(target, Inverse(TensorPrimitives.Norm<float>(target)), _directions.AsSpan(c * _width, _width));
        }
        _map?.Forward(features, _products.Data, Gemm.PadRows(batch));
        var products = Products(features);
        var logits = new Rows(_logits.Data, batch, _classes, _stride);
        float scale = _parameters.Values[_scale.Offset];
        for (int i = 0; i < batch; i++)
        {
            _norms[i] = TensorPrimitives.Norm<float>(products[i]);
            for (int c = 0; c < _classes; c++)
                Cosines[i][c] = TensorPrimitives.Dot(products[i], Target(c)) * Inverse(_norms[i]);
            TensorPrimitives.Multiply(Cosines[i], scale, logits[i]);
        }
        return logits;
    }

    /// <inheritdoc/>
    public void Backward(float* features, float* dFeatures)
    {
        float scale = _parameters.Values[_scale.Offset];
        var products = Products(features);
        for (int i = 0; i < _batch; i++)
            _gradient.Values[_scale.Offset] += TensorPrimitives.Dot<float>(Gradient[i], Cosines[i]);
        if (_map is null && dFeatures is null)
            return;
        var byProducts = new Rows(_map is null ? dFeatures : _byProducts.Data, _batch, _width, ProductStride);
        for (int i = 0; i < _batch; i++)
        {
            byProducts[i].Clear();
            if (_norms[i] < CosineLogits.Least)
                continue;
            for (int c = 0; c < _classes; c++)
                TensorPrimitives.MultiplyAdd(Target(c), scale * Gradient[i][c], byProducts[i], byProducts[i]);
            float along = scale * TensorPrimitives.Dot<float>(Gradient[i], Cosines[i]) / _norms[i];
            TensorPrimitives.MultiplyAdd(products[i], -along, byProducts[i], byProducts[i]);
            TensorPrimitives.Divide(byProducts[i], _norms[i], byProducts[i]);
        }
        _map?.Backward(_byProducts.Data, features, dFeatures, _batch);
    }

    private Rows Products(float* features) => new(_map is null ? features : _products.Data, _batch, _width, ProductStride);

    private static float Inverse(float norm) => norm < CosineLogits.Least ? 0 : 1 / norm;

    private void Reserve(int batch)
    {
        if (batch <= _norms.Length)
            return;
        int rows = Gemm.PadRows(batch);
        _norms = new float[batch];
        (_logits, _derivatives, _cosines) = (new(rows * _stride), new(rows * _stride), new(rows * _stride));
        if (_map is not null)
            (_products, _byProducts) = (new(rows * ProductStride), new(rows * ProductStride));
    }
}
