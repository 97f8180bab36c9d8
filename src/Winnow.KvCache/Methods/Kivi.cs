using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics;
using System.Numerics.Tensors;
using Winnow.Core;

namespace Winnow.KvCache;

/// <summary>Options of <see cref="Kivi"/>.</summary>
public sealed record KiviOptions : BudgetOptions
{
    /// <summary>Bits of a key's number.</summary>
    [AllowedValues(2, 4, 8), Description("bits of a number of a key or value")]
    public int Bits { get; init; } = 2;

    /// <summary>Numbers that share a scale.</summary>
    [Range(4, 4096), Description("numbers that share a scale: tokens of a key's channel, channels of a value; narrower heads take a whole value")]
    public int GroupSize { get; init; } = 32;

    /// <summary>Tokens that stay exact.</summary>
    [Range(4, 65536), Description("tokens held exactly, a multiple of the group size")]
    public int Residual { get; init; } = 128;

    /// <summary>Whether groups run the other way.</summary>
    [Description("true: keys token by token and values by channel, the wrong way round, to see what the right way is worth")]
    public bool Swapped { get; init; }
}

/// <summary>
/// KIVI: keys in groups along the tokens of one channel, values in groups along the channels of one token, both in a few bits with the group's own least value and step; the last tokens exactly.
/// <para>Paper: Liu, Yuan, Jin, Zhong, Xu, Braverman, Chen and Hu, KIVI: a tuning-free asymmetric 2bit quantization for KV cache, ICML 2024 (arXiv 2402.02750).
/// Keys are quantised after they are rotated, as released. Keys leave the window in blocks of <see cref="KiviOptions.Residual"/>, values one by one.
/// Steps and least values are rounded to half precision before the codes are made, so that the error stays at half a step.</para>
/// <para>Bits of a number: bits + 32 / group size. Cost O(tokens · width) to store and to attend to; attention multiplies codes as they lie.</para>
/// </summary>
public sealed class Kivi : IEncoder, IScaled
{
    private readonly KiviOptions _options;

    /// <summary>An encoder.</summary>
    /// <exception cref="InputException">The window is no multiple of the group size, or a group fills no whole bytes.</exception>
    public Kivi(KiviOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Residual % options.GroupSize != 0)
            throw InputException.At("kivi.residual", $"{options.Residual}", $"a multiple of the group size, {options.GroupSize}", "Keys leave the window in whole groups.");
        if (options.GroupSize * options.Bits % 8 != 0)
            throw InputException.At("kivi.group-size", $"{options.GroupSize}", "whole bytes of codes", "Take a multiple of 4.");
        _options = options;
    }

    /// <inheritdoc/>
    public IRows Keys(int width) => _options.Swapped ? new TokenRows(width, _options) : new ChannelRows(width, _options);

    /// <inheritdoc/>
    public IRows Values(int width) => _options.Swapped ? new ChannelRows(width, _options) : new TokenRows(width, _options);

    /// <inheritdoc/>
    public IKvStage At(double share) => new Kivi(_options with { Bits = share >= 0.6 ? 8 : share >= 0.34 ? 4 : 2 });

    /// <summary>
    /// A group in a few bits: <c>c = round((x - min) / s)</c> with <c>s = (max - min) / (2^bits - 1)</c>, halves to even; read back as <c>c · s + min</c>. A constant group has s = 0 and codes 0.
    /// </summary>
    /// <param name="group">The numbers.</param>
    /// <param name="bits">Bits of a code.</param>
    /// <param name="codes">Room for the codes.</param>
    /// <returns>The step and the least number.</returns>
    public static (T Scale, T Min) Quantise<T>(ReadOnlySpan<T> group, int bits, Span<byte> codes) where T : IFloatingPointIeee754<T>
    {
        T min = TensorPrimitives.Min(group), scale = (TensorPrimitives.Max(group) - min) / T.CreateChecked((1 << bits) - 1);
        Encode(group, bits, scale, min, codes);
        return (scale, min);
    }

    private static void Encode<T>(ReadOnlySpan<T> group, int bits, T scale, T min, Span<byte> codes) where T : IFloatingPointIeee754<T>
    {
        T most = T.CreateChecked((1 << bits) - 1);
        for (int i = 0; i < group.Length; i++)
            codes[i] = scale == T.Zero ? (byte)0 : byte.CreateTruncating(T.Round(T.Clamp((group[i] - min) / scale, T.Zero, most), MidpointRounding.ToEven));
    }

    /// <summary>A group with step and least value in half precision, packed.</summary>
    private static void Store(Span<float> group, int bits, Span<byte> codes, Span<byte> packed, out Half scale, out Half min)
    {
        for (int i = 0; i < group.Length; i++)
            group[i] = (float)(Half)group[i]; // as the window has them, so that a token is stored alike whenever it leaves it
        float least = TensorPrimitives.Min<float>(group);
        (scale, min) = ((Half)((TensorPrimitives.Max<float>(group) - least) / ((1 << bits) - 1)), (Half)least);
        Encode<float>(group, bits, (float)scale, least, codes);
        PackedCodes.Pack(codes[..group.Length], bits, packed);
    }

    /// <summary>Groups along the tokens of one channel: a block of tokens at a time.</summary>
    private sealed unsafe class ChannelRows(int width, KiviOptions o) : IRows
    {
        private readonly int _bytes = PackedCodes.Bytes(o.GroupSize, o.Bits);
        private GrowingBuffer<byte> _codes = new(); // [group of tokens][channel][bytes]
        private GrowingBuffer<Half> _scales = new(), _mins = new(); // [group of tokens][channel]
        private ExactRows _window = new(width);

        private int Quantised => _scales.Count / width * o.GroupSize;

        public int Count => Quantised + _window.Count;

        public KvBytes Bytes => new KvBytes(_codes.Bytes, _scales.Bytes + _mins.Bytes, Padding: _codes.Slack + _scales.Slack + _mins.Slack) + _window.AsWindow;

        public void Fill(ReadOnlySpan<float> rows)
        {
            int whole = rows.Length / width / o.Residual * o.Residual;
            for (int t = 0; t < whole; t += o.GroupSize)
                Add(rows.Slice(t * width, o.GroupSize * width));
            _window.Append(rows[(whole * width)..]);
        }

        public void Append(ReadOnlySpan<float> row) => _window.Append(row);

        public void Settle()
        {
            if (_window.Count < o.Residual)
                return;
            float[] group = new float[o.GroupSize * width];
            for (int first = 0; first < o.Residual; first += o.GroupSize)
            {
                for (int t = 0; t < o.GroupSize; t++)
                    _window.Read(first + t, group.AsSpan(t * width, width));
                Add(group);
            }
            _window.RemoveFirst(o.Residual);
        }

        private void Add(ReadOnlySpan<float> group)
        {
            var packed = _codes.Add(width * _bytes);
            Span<Half> scales = _scales.Add(width), mins = _mins.Add(width);
            Span<float> column = stackalloc float[o.GroupSize];
            Span<byte> codes = stackalloc byte[o.GroupSize];
            for (int c = 0; c < width; c++)
            {
                for (int t = 0; t < column.Length; t++)
                    column[t] = group[t * width + c];
                Store(column, o.Bits, codes, packed.Slice(c * _bytes, _bytes), out scales[c], out mins[c]);
            }
        }

        public void Dot(ReadOnlySpan<float> queries, int groups, Span<float> scores, int stride)
        {
            Span<float> scale = stackalloc float[width], min = stackalloc float[width], weights = stackalloc float[width];
            int quantised = Quantised;
            fixed (byte* codes = _codes.Span)
            fixed (float* w = weights, to = scores)
                for (int t = 0; t < quantised; t += o.GroupSize)
                {
                    int at = t / o.GroupSize * width;
                    Halves.ToSingle(_scales.Span.Slice(at, width), scale);
                    Halves.ToSingle(_mins.Span.Slice(at, width), min);
                    for (int g = 0; g < groups; g++)
                    {
                        var q = queries.Slice(g * width, width);
                        scores.Slice(g * stride + t, o.GroupSize).Fill(TensorPrimitives.Dot(q, min));
                        TensorPrimitives.Multiply(q, scale, weights);
                        PackedCodes.AddRows(codes + (long)at * _bytes, _bytes, width, w, to + g * stride + t, o.GroupSize, o.Bits);
                    }
                }
            _window.Dot(queries, groups, scores[quantised..], stride);
        }

        public void AddWeighted(ReadOnlySpan<float> weights, int groups, int stride, Span<float> sums)
        {
            Span<float> row = stackalloc float[width];
            int quantised = Quantised;
            for (int t = 0; t < quantised; t++)
            {
                Read(t, row);
                for (int g = 0; g < groups; g++)
                    Scaled.Add(weights[g * stride + t], row, sums.Slice(g * width, width));
            }
            _window.AddWeighted(weights[quantised..], groups, stride, sums);
        }

        public void Read(int index, Span<float> row)
        {
            if (index >= Quantised)
            {
                _window.Read(index - Quantised, row);
                return;
            }
            int at = index / o.GroupSize * width, bit = index % o.GroupSize * o.Bits;
            for (int c = 0; c < width; c++)
                row[c] = ((_codes.Span[(at + c) * _bytes + bit / 8] >> (bit % 8)) & ((1 << o.Bits) - 1)) * (float)_scales.Span[at + c] + (float)_mins.Span[at + c];
        }

        public IRows Clone() => new ChannelRows(width, o) { _codes = _codes.Clone(), _scales = _scales.Clone(), _mins = _mins.Clone(), _window = (ExactRows)_window.Clone() };
    }

    /// <summary>Groups along the channels of one token: token by token.</summary>
    private sealed unsafe class TokenRows : IRows
    {
        /// <summary>Tokens whose steps lie together.</summary>
        private const int Block = 64;

        private readonly int _width, _group, _groups, _bytes;
        private readonly KiviOptions _o;
        private GrowingBuffer<byte> _codes = new(); // [token][bytes]
        private GrowingBuffer<Half> _scales = new(), _mins = new(); // [block of tokens][group][token]
        private ExactRows _window;

        public TokenRows(int width, KiviOptions o)
        {
            (_width, _o, _group, _window) = (width, o, Math.Min(o.GroupSize, width), new(width));
            (_groups, _bytes) = ((width + _group - 1) / _group, PackedCodes.Bytes(width, o.Bits));
        }

        private int Quantised => _codes.Count / _bytes;

        public int Count => Quantised + _window.Count;

        /// <summary>Steps and least numbers of tokens that are not there yet.</summary>
        private long Waiting => 2L * (_scales.Bytes - (long)sizeof(ushort) * Quantised * _groups);

        public KvBytes Bytes => new KvBytes(_codes.Bytes, _scales.Bytes + _mins.Bytes - Waiting, Padding: _codes.Slack + _scales.Slack + _mins.Slack + Waiting) + _window.AsWindow;

        private int Place(int token, int group) => (token / Block * _groups + group) * Block + token % Block;

        public void Fill(ReadOnlySpan<float> rows)
        {
            int whole = Math.Max(0, rows.Length / _width - _o.Residual), blocks = (whole + Block - 1) / Block;
            _codes.Reserve(whole * _bytes);
            _scales.Reserve(blocks * _groups * Block);
            _mins.Reserve(blocks * _groups * Block);
            for (int t = 0; t < whole; t++)
                Add(rows.Slice(t * _width, _width));
            _window.Append(rows[(whole * _width)..]);
        }

        public void Append(ReadOnlySpan<float> row) => _window.Append(row);

        public void Settle()
        {
            Span<float> row = stackalloc float[_width];
            while (_window.Count > _o.Residual)
            {
                _window.Read(0, row);
                Add(row);
                _window.RemoveFirst(1);
            }
        }

        private void Add(ReadOnlySpan<float> row)
        {
            int token = Quantised;
            var packed = _codes.Add(_bytes);
            if (token % Block == 0)
            {
                _scales.Add(_groups * Block);
                _mins.Add(_groups * Block);
            }
            Span<float> numbers = stackalloc float[_group];
            Span<byte> codes = stackalloc byte[_group];
            for (int g = 0; g < _groups; g++)
            {
                var group = numbers[..Size(g)];
                row.Slice(g * _group, group.Length).CopyTo(group);
                Store(group, _o.Bits, codes, packed[(g * _group * _o.Bits / 8)..], out _scales.Span[Place(token, g)], out _mins.Span[Place(token, g)]);
            }
        }

        /// <summary>Channels of a group: fewer in the last one where whole ones do not fill a row.</summary>
        private int Size(int group) => Math.Min(_group, _width - group * _group);

        public void Dot(ReadOnlySpan<float> queries, int groups, Span<float> scores, int stride)
        {
            Span<float> row = stackalloc float[_width];
            int quantised = Quantised;
            for (int t = 0; t < quantised; t++)
            {
                Read(t, row);
                for (int g = 0; g < groups; g++)
                    scores[g * stride + t] = TensorPrimitives.Dot(queries.Slice(g * _width, _width), row);
            }
            _window.Dot(queries, groups, scores[quantised..], stride);
        }

        public void AddWeighted(ReadOnlySpan<float> weights, int groups, int stride, Span<float> sums)
        {
            int quantised = Quantised;
            Span<float> scale = stackalloc float[Block], min = stackalloc float[Block], w = stackalloc float[Block];
            fixed (byte* codes = _codes.Span)
            fixed (float* pw = w, to = sums)
                for (int first = 0; first < quantised; first += Block)
                {
                    int tokens = Math.Min(Block, quantised - first);
                    for (int part = 0; part < _groups; part++)
                    {
                        Halves.ToSingle(_scales.Span.Slice(Place(first, part), tokens), scale);
                        Halves.ToSingle(_mins.Span.Slice(Place(first, part), tokens), min);
                        for (int g = 0; g < groups; g++)
                        {
                            var p = weights.Slice(g * stride + first, tokens);
                            TensorPrimitives.Multiply(p, scale[..tokens], w);
                            float* sum = to + g * _width + part * _group;
                            PackedCodes.AddRows(codes + (long)first * _bytes + part * _group * _o.Bits / 8, _bytes, tokens, pw, sum, Size(part), _o.Bits);
                            TensorPrimitives.Add(new ReadOnlySpan<float>(sum, Size(part)), TensorPrimitives.Dot(p, min[..tokens]), new(sum, Size(part)));
                        }
                    }
                }
            _window.AddWeighted(weights[quantised..], groups, stride, sums);
        }

        public void Read(int index, Span<float> row)
        {
            if (index >= Quantised)
            {
                _window.Read(index - Quantised, row);
                return;
            }
            Span<byte> codes = stackalloc byte[_width];
            PackedCodes.Unpack(_codes.Span.Slice(index * _bytes, _bytes), _o.Bits, codes);
            for (int c = 0; c < _width; c++)
                row[c] = codes[c] * (float)_scales.Span[Place(index, c / _group)] + (float)_mins.Span[Place(index, c / _group)];
        }

        public IRows Clone() => new TokenRows(_width, _o) { _codes = _codes.Clone(), _scales = _scales.Clone(), _mins = _mins.Clone(), _window = (ExactRows)_window.Clone() };
    }
}
