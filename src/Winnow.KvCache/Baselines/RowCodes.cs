using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics.Tensors;

namespace Winnow.KvCache;

/// <summary>A code for one row of numbers that needs no other row.</summary>
internal interface IRowCode
{
    /// <summary>Bytes, and scales in half precision, of a row.</summary>
    (int Bytes, int Scales) Sizes(int width);

    void Encode(ReadOnlySpan<float> row, Span<byte> bytes, Span<Half> scales);

    void Decode(ReadOnlySpan<byte> bytes, ReadOnlySpan<Half> scales, Span<float> row);
}

/// <summary>Rows that are coded one by one, each as soon as attention has gone to it. Products decode a row at a time.</summary>
internal sealed class CodedRows(int width, IRowCode code) : IRows
{
    private readonly (int Bytes, int Scales) _sizes = code.Sizes(width);
    private GrowingBuffer<byte> _codes = new();
    private GrowingBuffer<Half> _scales = new();
    private ExactRows _pending = new(width);

    private int Coded => _codes.Count / _sizes.Bytes;

    public int Count => Coded + _pending.Count;

    public KvBytes Bytes => new KvBytes(_codes.Bytes, _scales.Bytes, Padding: _codes.Slack + _scales.Slack) + _pending.AsWindow;

    public void Fill(ReadOnlySpan<float> rows)
    {
        int count = rows.Length / width;
        _codes.Reserve(count * _sizes.Bytes);
        _scales.Reserve(count * _sizes.Scales);
        for (int i = 0; i < count; i++)
            code.Encode(rows.Slice(i * width, width), _codes.Add(_sizes.Bytes), _scales.Add(_sizes.Scales));
    }

    public void Append(ReadOnlySpan<float> row) => _pending.Append(row);

    public void Settle()
    {
        Span<float> row = stackalloc float[width];
        while (_pending.Count > 0)
        {
            _pending.Read(0, row);
            code.Encode(row, _codes.Add(_sizes.Bytes), _scales.Add(_sizes.Scales));
            _pending.RemoveFirst(1);
        }
    }

    public void Read(int index, Span<float> row)
    {
        if (index < Coded)
            code.Decode(_codes.Span.Slice(index * _sizes.Bytes, _sizes.Bytes), _scales.Span.Slice(index * _sizes.Scales, _sizes.Scales), row);
        else
            _pending.Read(index - Coded, row);
    }

    public void Remove(int index)
    {
        if (index < Coded)
        {
            _codes.Remove(index * _sizes.Bytes, _sizes.Bytes);
            _scales.Remove(index * _sizes.Scales, _sizes.Scales);
        }
        else
        {
            _pending.Remove(index - Coded);
        }
    }

    public void Dot(ReadOnlySpan<float> queries, int groups, Span<float> scores, int stride)
    {
        Span<float> row = stackalloc float[width];
        for (int i = 0; i < Count; i++)
        {
            Read(i, row);
            for (int g = 0; g < groups; g++)
                scores[g * stride + i] = TensorPrimitives.Dot(queries.Slice(g * width, width), row);
        }
    }

    public void AddWeighted(ReadOnlySpan<float> weights, int groups, int stride, Span<float> sums)
    {
        Span<float> row = stackalloc float[width];
        for (int i = 0; i < Count; i++)
        {
            Read(i, row);
            for (int g = 0; g < groups; g++)
                Scaled.Add(weights[g * stride + i], row, sums.Slice(g * width, width));
        }
    }

    public IRows Clone() => new CodedRows(width, code) { _codes = _codes.Clone(), _scales = _scales.Clone(), _pending = (ExactRows)_pending.Clone() };
}

/// <summary>Options of <see cref="RoundToNearest"/>.</summary>
public sealed record RoundToNearestOptions : BudgetOptions
{
    /// <summary>Bits.</summary>
    [AllowedValues(2, 4, 8), Description("bits of a number")]
    public int Bits { get; init; } = 4;
}

/// <summary>
/// Keys and values of each token and head rounded to whole multiples of one step: <c>s = max |x| / (2^(bits-1) - 1)</c>, in half precision.
/// </summary>
public sealed class RoundToNearest(RoundToNearestOptions options) : IEncoder, IRowCode, IScaled
{
    private int Most => (1 << (options.Bits - 1)) - 1;

    /// <inheritdoc/>
    public bool Removes => true;

    /// <inheritdoc/>
    public IRows Keys(int width) => new CodedRows(width, this);

    /// <inheritdoc/>
    public IRows Values(int width) => new CodedRows(width, this);

    /// <inheritdoc/>
    public IKvStage At(double share) => new RoundToNearest(options with { Bits = share >= 0.6 ? 8 : share >= 0.34 ? 4 : 2 });

    (int Bytes, int Scales) IRowCode.Sizes(int width) => (PackedCodes.Bytes(width, options.Bits), 1);

    void IRowCode.Encode(ReadOnlySpan<float> row, Span<byte> bytes, Span<Half> scales)
    {
        scales[0] = (Half)(TensorPrimitives.MaxMagnitude(row) is var m ? Math.Abs(m) / Most : 0);
        float step = (float)scales[0];
        Span<byte> codes = stackalloc byte[row.Length];
        for (int i = 0; i < row.Length; i++)
            codes[i] = (byte)(Most + (step == 0 ? 0 : (int)Math.Clamp(MathF.Round(row[i] / step), -Most, Most)));
        PackedCodes.Pack(codes, options.Bits, bytes);
    }

    void IRowCode.Decode(ReadOnlySpan<byte> bytes, ReadOnlySpan<Half> scales, Span<float> row)
    {
        Span<byte> codes = stackalloc byte[row.Length];
        PackedCodes.Unpack(bytes, options.Bits, codes);
        for (int i = 0; i < row.Length; i++)
            row[i] = (codes[i] - Most) * (float)scales[0];
    }
}

/// <summary>
/// Blocks of 32 numbers with one step, as llama.cpp's <c>q8_0</c> and <c>q4_0</c> keep them: <c>s = max |x| / 127</c>, or the number of largest size over -8, in half precision.
/// 8.5 and 4.5 bits a number. The last block of a head is shorter where 32 does not divide its width.
/// </summary>
/// <param name="bits">8 or 4.</param>
public sealed class BlockQuantised(int bits) : IEncoder, IRowCode
{
    private const int Block = 32;

    /// <inheritdoc/>
    public bool Removes => true;

    /// <inheritdoc/>
    public IRows Keys(int width) => new CodedRows(width, this);

    /// <inheritdoc/>
    public IRows Values(int width) => new CodedRows(width, this);

    (int Bytes, int Scales) IRowCode.Sizes(int width) => (PackedCodes.Bytes(width, bits), (width + Block - 1) / Block);

    void IRowCode.Encode(ReadOnlySpan<float> row, Span<byte> bytes, Span<Half> scales)
    {
        Span<byte> codes = stackalloc byte[row.Length];
        for (int b = 0; b < scales.Length; b++)
        {
            var block = row[(b * Block)..Math.Min(row.Length, (b + 1) * Block)];
            float largest = TensorPrimitives.MaxMagnitude(block);
            scales[b] = (Half)(bits == 8 ? Math.Abs(largest) / 127 : largest / -8);
            float step = (float)scales[b];
            for (int i = 0; i < block.Length; i++)
                codes[b * Block + i] = step == 0 ? (byte)(1 << (bits - 1))
                    : bits == 8 ? (byte)(128 + Math.Clamp(MathF.Round(block[i] / step), -127, 127)) : (byte)Math.Clamp((int)(block[i] / step + 8.5f), 0, 15);
        }
        PackedCodes.Pack(codes, bits, bytes);
    }

    void IRowCode.Decode(ReadOnlySpan<byte> bytes, ReadOnlySpan<Half> scales, Span<float> row)
    {
        Span<byte> codes = stackalloc byte[row.Length];
        PackedCodes.Unpack(bytes, bits, codes);
        for (int i = 0; i < row.Length; i++)
            row[i] = (codes[i] - (1 << (bits - 1))) * (float)scales[i / Block];
    }
}

/// <summary>Numbers of eight bits with four of exponent (e4m3: up to 448, steps of 1/8 of a power of two), without a scale.</summary>
public sealed class Float8 : IEncoder, IRowCode
{
    /// <inheritdoc/>
    public bool Removes => true;

    /// <inheritdoc/>
    public IRows Keys(int width) => new CodedRows(width, this);

    /// <inheritdoc/>
    public IRows Values(int width) => new CodedRows(width, this);

    (int Bytes, int Scales) IRowCode.Sizes(int width) => (width, 0);

    void IRowCode.Encode(ReadOnlySpan<float> row, Span<byte> bytes, Span<Half> scales)
    {
        for (int i = 0; i < row.Length; i++)
            bytes[i] = Code(row[i]);
    }

    void IRowCode.Decode(ReadOnlySpan<byte> bytes, ReadOnlySpan<Half> scales, Span<float> row)
    {
        for (int i = 0; i < row.Length; i++)
            row[i] = Number(bytes[i]);
    }

    /// <summary>The nearest number of e4m3, halves to even; what is larger than 448 becomes that.</summary>
    internal static byte Code(float x)
    {
        const int Bias = 7, Fraction = 3;
        float size = Math.Min(Math.Abs(x), 448);
        int exponent = size == 0 ? 1 - Bias : Math.Max(1 - Bias, (int)MathF.Floor(MathF.Log2(size)));
        int steps = (int)MathF.Round(MathF.ScaleB(size, Fraction - exponent), MidpointRounding.ToEven);
        if (steps == 16)
            (steps, exponent) = (8, exponent + 1);
        int code = steps < 8 ? steps : ((exponent + Bias) << Fraction) + steps - 8;
        return (byte)((x < 0 ? 0x80 : 0) | code);
    }

    /// <summary>What a code stands for.</summary>
    internal static float Number(byte code)
    {
        int exponent = (code >> 3) & 15, fraction = code & 7;
        float size = exponent == 0 ? MathF.ScaleB(fraction, -9) : MathF.ScaleB(8 + fraction, exponent - 10);
        return code >= 0x80 ? -size : size;
    }
}
