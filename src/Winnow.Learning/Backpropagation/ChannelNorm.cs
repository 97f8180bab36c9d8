using System.Numerics;
using Winnow.Numerics;

namespace Winnow.Learning;

/// <summary>
/// What stands between a layer's products <c>z</c> and its ReLU, bias or bias and batch normalisation, as one scale and one shift per
/// channel: <c>y = scale·z + shift</c>; and its backward pass. Variances are computed in two passes, sums row by row.
/// </summary>
internal sealed unsafe class ChannelNorm(FlatVector parameters, FlatVector gradient, FlatVector buffers, NetworkModule layer, NetworkModule? norm)
{
    private const float Epsilon = 1e-5f, Momentum = 0.1f;
    private readonly int _channels = layer.Parameters[1].Length;
    private readonly AlignedBuffer _scale = Padded(layer), _shift = Padded(layer), _mean = Padded(layer), _inverse = Padded(layer),
        _sum = Padded(layer), _product = Padded(layer), _squares = Padded(layer);
    private bool _batchStatistics;

    /// <summary>Multiplies a channel's <c>z</c>.</summary>
    public float* Scale => _scale.Data;

    /// <summary>Is added to it.</summary>
    public float* Shift => _shift.Data;

    /// <summary>What is subtracted from <c>z</c> where the backward pass sums <see cref="Product"/>.</summary>
    public float* Mean => _mean.Data;

    /// <summary>The caller's sum of <c>dy</c> per channel, for <see cref="Backward"/>.</summary>
    public float* Sum => _sum.Data;

    /// <summary>The caller's sum of <c>dy·(z − mean)</c> per channel, for <see cref="Backward"/>.</summary>
    public float* Product => _product.Data;

    private ReadOnlySpan<float> Bias => parameters.Values.Slice(layer.Parameters[1].Offset, _channels);

    /// <summary>Finds scale and shift, and records the batch's statistics when the module is training.</summary>
    public void Forward(Pixels z)
    {
        if (norm is null)
        {
            _scale.Values[.._channels].Fill(1);
            Bias.CopyTo(_shift.Values);
            return;
        }
        var recordedMean = buffers.Values.Slice(norm.Buffers[0].Offset, _channels);
        var recordedVariance = buffers.Values.Slice(norm.Buffers[1].Offset, _channels);
        _batchStatistics = norm.Training && z.Total > 1;
        if (_batchStatistics)
            Statistics(z, recordedMean, recordedVariance);
        var gamma = parameters.Values.Slice(norm.Parameters[0].Offset, _channels);
        var beta = parameters.Values.Slice(norm.Parameters[1].Offset, _channels);
        for (int c = 0; c < _channels; c++)
        {
            if (!_batchStatistics)
            {
                Mean[c] = recordedMean[c] - Bias[c];
                _inverse.Data[c] = 1 / MathF.Sqrt(recordedVariance[c] + Epsilon);
            }
            Scale[c] = gamma[c] * _inverse.Data[c];
            Shift[c] = beta[c] - Mean[c] * Scale[c];
        }
    }

    /// <summary>Forgets <see cref="Sum"/> and <see cref="Product"/>.</summary>
    public void ClearSums()
    {
        _sum.Values.Clear();
        _product.Values.Clear();
    }

    /// <summary>Turns <c>dy</c> into <c>dz</c> in place, and adds the gradients of bias, weight of the normalisation and its bias.</summary>
    public void Backward(Pixels z, Pixels dy)
    {
        if (norm is not null)
        {
            float* gammaGradient = gradient.At(norm.Parameters[0].Offset), betaGradient = gradient.At(norm.Parameters[1].Offset);
            for (int c = 0; c < _channels; c++)
            {
                gammaGradient[c] += Product[c] * _inverse.Data[c];
                betaGradient[c] += Sum[c];
            }
            Normalise(z, dy);
        }
        float* biasGradient = gradient.At(layer.Parameters[1].Offset);
        // A batch's own mean takes the bias away again: its gradient is zero.
        for (int c = 0; c < _channels && !(norm is not null && _batchStatistics); c++)
            biasGradient[c] += Scale[c] * Sum[c];
    }

    /// <summary><c>dz = scale·(dy − Σdy/N − (z − mean)·inverse²·Σdy(z − mean)/N)</c>, without the sums when the statistics are recorded ones.</summary>
    private void Normalise(Pixels z, Pixels dy)
    {
        float share = _batchStatistics ? 1f / z.Total : 0;
        for (int c = 0; c < z.Channels; c += Vector<float>.Count)
        {
            var scale = Vector.Load(Scale + c);
            var inverse = Vector.Load(_inverse.Data + c);
            var slope = Vector.Load(Product + c) * inverse * inverse * share;
            var offset = Vector.Load(Sum + c) * share - Vector.Load(Mean + c) * slope;
            for (int image = 0; image < z.Images; image++)
            {
                for (int row = 0; row < z.Rows; row++)
                {
                    float* value = z.Row(image, row) + c, derivative = dy.Row(image, row) + c;
                    for (int p = 0; p < z.Count; p++, value += z.Channels, derivative += z.Channels)
                        Vector.Store(scale * (Vector.Load(derivative) - offset - Vector.Load(value) * slope), derivative);
                }
            }
        }
    }

    private void Statistics(Pixels z, Span<float> recordedMean, Span<float> recordedVariance)
    {
        float count = z.Total;
        for (int c = 0; c < z.Channels; c += Vector<float>.Count)
        {
            var mean = SumOf(z, c, Vector<float>.Zero, squared: false) / count;
            var variance = SumOf(z, c, mean, squared: true) / count;
            Vector.Store(mean, Mean + c);
            Vector.Store(variance, _squares.Data + c);
            Vector.Store(Vector<float>.One / Vector.SquareRoot(variance + new Vector<float>(Epsilon)), _inverse.Data + c);
        }
        for (int c = 0; c < _channels; c++)
        {
            recordedMean[c] += Momentum * (Mean[c] + Bias[c] - recordedMean[c]);
            recordedVariance[c] += Momentum * (_squares.Data[c] * count / (count - 1) - recordedVariance[c]);
        }
    }

    private static Vector<float> SumOf(Pixels z, int channel, Vector<float> mean, bool squared)
    {
        var total = Vector<float>.Zero;
        for (int image = 0; image < z.Images; image++)
        {
            for (int row = 0; row < z.Rows; row++)
            {
                var sum = Vector<float>.Zero;
                float* at = z.Row(image, row) + channel;
                for (int p = 0; p < z.Count; p++, at += z.Channels)
                {
                    var value = Vector.Load(at) - mean;
                    sum = squared ? Vector.FusedMultiplyAdd(value, value, sum) : sum + value;
                }
                total += sum;
            }
        }
        return total;
    }

    private static AlignedBuffer Padded(NetworkModule layer) => new(Gemm.PadColumns(layer.Parameters[1].Length));
}
