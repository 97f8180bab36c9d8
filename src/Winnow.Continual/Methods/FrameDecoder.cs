using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>
/// A neural video decoder after NeRV: coordinates to frames, as a function of a flat vector of weights.
/// <para>Session and time are encoded as <c>[sin(π 1.25^i p), cos(π 1.25^i p)]</c>, pass two dense layers to a small map, and every block doubles
/// the map: 3×3 convolution, pixel shuffle, swish; or, in the Fourier block, <see cref="SpectralConvolution"/> and swish. A 1×1
/// convolution of the session and a sigmoid give the frame.</para>
/// </summary>
public sealed class FrameDecoder
{
    private const double Base = 1.25;
    private readonly List<WeightTensor> _tensors = [];
    private readonly IReadOnlyList<int> _frame;
    private readonly NervOptions _options;
    private readonly PfnrOptions? _fourier;
    private readonly int[] _channels;
    private readonly int _height, _width;

    /// <summary>The decoder for frames [channels, height, width].</summary>
    /// <exception cref="ArgumentException">The frame is not divisible by the product of the strides, or the Fourier block does not exist or has too many modes.</exception>
    public FrameDecoder(IReadOnlyList<int> frame, NervOptions options)
    {
        (_frame, _options, _fourier) = (frame, options, options as PfnrOptions);
        int blocks = options.Blocks ?? Enumerable.Range(1, 3).LastOrDefault(b => frame[1] % (1 << b) == 0 && frame[2] % (1 << b) == 0, 1), stride = 1 << blocks;
        if (frame[1] % stride != 0 || frame[2] % stride != 0)
            throw new ArgumentException($"Frames of {frame[1]}x{frame[2]} with {blocks} doubling blocks; expected a height and width divisible by {stride}: resize the frames or use fewer blocks.", nameof(options));
        if (_fourier is { } f && f.FourierBlock > blocks)
            throw new ArgumentException($"Fourier block {f.FourierBlock} of {blocks} blocks; expected one from 1 to {blocks}.", nameof(options));
        (_height, _width) = (frame[1] / stride, frame[2] / stride);
        _channels = [.. Enumerable.Range(0, blocks + 1).Select(b => b == 0 ? options.Channels : Math.Max(options.Channels >> b, Math.Min(options.Channels, options.LowerChannels)))];
        Dense("stem.0", options.Hidden, 4 * options.Levels);
        Dense("stem.1", _channels[0] * _height * _width, options.Hidden);
        for (int b = 0; b < blocks; b++)
            if (b + 1 == _fourier?.FourierBlock)
                Spectral($"blocks.{b}", b);
            else
                Add($"blocks.{b}", 9 * _channels[b], 4 * _channels[b + 1], _channels[b], 3, 3);
        Head = [new("weight", 0, [frame[0], _channels[^1], 1, 1], _channels[^1]), new("bias", frame[0] * _channels[^1], [frame[0]], _channels[^1])];
    }

    /// <summary>The tensors that all sessions share.</summary>
    public IReadOnlyList<WeightTensor> Tensors => _tensors;

    /// <summary>The tensors of a session's head.</summary>
    public IReadOnlyList<WeightTensor> Head { get; }

    /// <summary>Weights that all sessions share.</summary>
    public int Length => _tensors[^1].Offset + _tensors[^1].Length;

    /// <summary>Weights of a head.</summary>
    public int HeadLength => Head.Sum(t => t.Length);

    /// <summary>Encodes positions [B] as [B, 2 · levels], sine and cosine of each frequency beside each other; computed in double precision.</summary>
    public static Tensor Encode(Tensor positions, double @base, int levels)
    {
        var angles = positions.to_type(ScalarType.Float64).unsqueeze(1) * tensor([.. Enumerable.Range(0, levels).Select(i => Math.PI * Math.Pow(@base, i))]);
        return stack([angles.sin(), angles.cos()], 2).flatten(1).to_type(ScalarType.Float32);
    }

    /// <summary>Frames [B, channels, height, width] in (0, 1) for coordinates [B, 2], on the tape.</summary>
    /// <param name="x">Session and time.</param>
    /// <param name="weights">Weights in use [Length].</param>
    /// <param name="head">The session's head [HeadLength].</param>
    public Tensor Forward(Tensor x, Tensor weights, Tensor head)
    {
        int next = 0;
        Tensor Next() => Part(weights, _tensors[next++]);
        var h = cat([Encode(x.select(1, 1), Base, _options.Levels), Encode(x.select(1, 0), Base, _options.Levels)], 1);
        h = F.silu(F.linear(h, Next(), Next()));
        h = F.silu(F.linear(h, Next(), Next())).view(-1, _channels[0], _height, _width);
        for (int b = 0; b + 1 < _channels.Length; b++)
            h = F.silu(b + 1 == _fourier?.FourierBlock
                ? SpectralConvolution.Forward(h, (Next(), Next()), (Next(), Next()), 2, _fourier.Placement)
                : F.pixel_shuffle(F.conv2d(h, Next(), Next(), padding: [1, 1]), 2));
        return F.conv2d(h, Part(head, Head[0]), Part(head, Head[1])).sigmoid();
    }

    private static Tensor Part(Tensor vector, WeightTensor part) => vector.narrow(0, part.Offset, part.Length).view([.. part.Shape]);

    private void Dense(string name, int outputs, int inputs) => Add(name, inputs, outputs, inputs);

    private void Add(string name, int fanIn, params long[] shape)
    {
        Put($"{name}.weight", fanIn, shape);
        Put($"{name}.bias", fanIn, [shape[0]]);
    }

    private void Spectral(string name, int block)
    {
        int height = _height << block, width = _width << block;
        int rows = (_fourier!.Modes ?? height) / 2, columns = (_fourier.Modes ?? width) / 2;
        if (rows == 0 || columns == 0 || 2 * rows > height || 2 * columns > width)
            throw new ArgumentException($"{_fourier.Modes ?? Math.Min(height, width)} modes for the Fourier block's maps of {height}x{width}; expected from 2 to {Math.Min(height, width)}.", nameof(block));
        foreach (string part in (string[])["real.first", "real.last", "imaginary.first", "imaginary.last"])
            Put($"{name}.{part}", 2 * _channels[block], [_channels[block], _channels[block + 1], rows, columns], signed: true);
    }

    private void Put(string name, int fanIn, long[] shape, bool signed = false) => _tensors.Add(new(name, _tensors.Count == 0 ? 0 : Length, shape, fanIn, signed));
}
