using Winnow.Numerics;

namespace Winnow.Learning;

/// <summary>
/// The products of a 3x3 convolution with padding 1, without its bias, for a batch of images with channels innermost. Inputs and the
/// products' derivatives have a border of zeros, so that every sum over the kernel reads a few runs of memory and nothing is unfolded.
/// </summary>
internal sealed unsafe class ConvLayer
{
    private const int Kernel = 3;
    private readonly FlatVector _parameters, _gradient;
    private readonly FlatRange _weight;
    private readonly int _channels, _filters, _height, _width, _paddedWidth, _borderedWidth;
    private readonly AlignedBuffer _forward, _backward, _weightGradient;
    private AlignedBuffer _input = new(0), _products = new(0), _derivatives = new(0), _inputDerivatives = new(0);
    private int _batch;

    public ConvLayer(FlatVector parameters, FlatVector gradient, NetworkModule module, int height, int width)
    {
        (_parameters, _gradient, _weight) = (parameters, gradient, module.Parameters[0]);
        (_filters, _channels, _height, _width) = ((int)_weight.Shape[0], (int)_weight.Shape[1], height, width);
        _paddedWidth = Gemm.PadRows(width);
        _borderedWidth = _paddedWidth + 2;
        _forward = new AlignedBuffer(_weight.Length);
        _backward = new AlignedBuffer(_weight.Length);
        _weightGradient = new AlignedBuffer(Kernel * GradientRows * _filters);
    }

    /// <summary>The images inside their border: to be filled before <see cref="Forward"/>.</summary>
    public Pixels Input => Bordered(_input, _channels);

    /// <summary>The products.</summary>
    public Pixels Products => Plain(_products, _filters);

    /// <summary>The derivatives by the products inside their border: to be filled before <see cref="BackwardWeight"/>.</summary>
    public Pixels Derivatives => Bordered(_derivatives, _filters);

    /// <summary>What <see cref="BackwardInput"/> computed.</summary>
    public Pixels InputDerivatives => Plain(_inputDerivatives, _channels);

    private int GradientRows => Gemm.PadRows(Kernel * _channels);

    private int ImageStride => (_height + 2) * _borderedWidth;

    /// <summary>Makes room for a batch.</summary>
    public void Reserve(int batch, bool inputDerivatives)
    {
        _batch = batch;
        if (batch * ImageStride * _channels <= _input.Length)
            return;
        int plain = batch * _height * _paddedWidth;
        _input = new AlignedBuffer(batch * ImageStride * _channels);
        _products = new AlignedBuffer(plain * _filters);
        _derivatives = new AlignedBuffer(batch * ImageStride * _filters);
        _inputDerivatives = new AlignedBuffer(inputDerivatives ? plain * _channels : 0);
    }

    /// <summary>Zeroes the derivatives, where not every pixel will be written.</summary>
    public void ClearDerivatives() => _derivatives.Values.Clear();

    public void Forward()
    {
        Span<float> weight = _parameters.Values.Slice(_weight.Offset, _weight.Length), packed = _forward.Values;
        int at = 0;
        for (int f = 0; f < _filters; f++)
        {
            for (int c = 0; c < _channels; c++)
            {
                for (int tap = 0; tap < Kernel * Kernel; tap++)
                    packed[(tap * _channels + c) * _filters + f] = weight[at++];
            }
        }
        Convolve(_input.Data, _channels, _forward.Data, _products.Data, _filters);
    }

    public void BackwardInput()
    {
        Span<float> weight = _parameters.Values.Slice(_weight.Offset, _weight.Length), packed = _backward.Values;
        int at = 0;
        for (int f = 0; f < _filters; f++)
        {
            for (int c = 0; c < _channels; c++)
            {
                for (int tap = Kernel * Kernel - 1; tap >= 0; tap--)
                    packed[(tap * _filters + f) * _channels + c] = weight[at++];
            }
        }
        Convolve(_derivatives.Data, _filters, _backward.Data, _inputDerivatives.Data, _channels);
    }

    public void BackwardWeight()
    {
        for (int image = 0; image < _batch; image++)
        {
            float* input = _input.Data + (nint)image * ImageStride * _channels;
            float* derivatives = _derivatives.Data + ((nint)image * ImageStride + _borderedWidth + 1) * _filters;
            for (int ky = 0; ky < Kernel; ky++)
            {
                Gemm.Multiply(GradientRows, _filters, _width,
                    new(input + ky * _borderedWidth * _channels, 1, _channels, _borderedWidth * _channels),
                    new(derivatives, _filters, _borderedWidth * _filters),
                    _weightGradient.Data + ky * GradientRows * _filters, _filters, accumulate: image > 0, segments: _height);
            }
        }
        Span<float> gradient = _gradient.Values.Slice(_weight.Offset, _weight.Length), packed = _weightGradient.Values;
        int at = 0;
        for (int f = 0; f < _filters; f++)
        {
            for (int c = 0; c < _channels; c++)
            {
                for (int tap = 0; tap < Kernel * Kernel; tap++)
                    gradient[at++] += packed[(tap / Kernel * GradientRows + tap % Kernel * _channels + c) * _filters + f];
            }
        }
    }

    /// <summary>target = source ∗ packed, where a row of the packed weights holds one tap and source channel.</summary>
    private void Convolve(float* source, int channels, float* packed, float* target, int filters)
    {
        for (int image = 0; image < _batch; image++)
        {
            for (int row = 0; row < _height; row++)
            {
                Gemm.Multiply(_paddedWidth, filters, Kernel * channels,
                    new(source + ((nint)image * ImageStride + row * _borderedWidth) * channels, channels, 1, _borderedWidth * channels),
                    new(packed, filters, Kernel * channels * filters),
                    target + ((nint)image * _height + row) * _paddedWidth * filters, filters, accumulate: false, segments: Kernel);
            }
        }
    }

    private Pixels Bordered(AlignedBuffer buffer, int channels) =>
        new(buffer.Data + (_borderedWidth + 1) * channels, _batch, (nint)ImageStride * channels, _height, _borderedWidth * channels, _width, channels);

    private Pixels Plain(AlignedBuffer buffer, int channels) =>
        new(buffer.Data, _batch, (nint)_height * _paddedWidth * channels, _height, _paddedWidth * channels, _width, channels);
}
