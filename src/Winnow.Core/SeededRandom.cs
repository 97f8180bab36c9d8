using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace Winnow.Core;

/// <summary>
/// A <see cref="Random"/> whose whole state is four words, so that it can be saved and restored, and whose numbers are the same on
/// every machine and runtime: xoshiro256** (Blackman and Vigna, 2018), seeded by SHA-256 of (seed, purpose).
/// </summary>
public sealed class SeededRandom : Random
{
    private ulong _s0, _s1, _s2, _s3;

    /// <summary>The stream of a purpose under a seed. Streams of different purposes are independent.</summary>
    public SeededRandom(ulong seed, string purpose) : base(0)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{seed}\n{purpose}")).AsSpan();
        State = [BinaryPrimitives.ReadUInt64LittleEndian(hash), BinaryPrimitives.ReadUInt64LittleEndian(hash[8..]),
            BinaryPrimitives.ReadUInt64LittleEndian(hash[16..]), BinaryPrimitives.ReadUInt64LittleEndian(hash[24..])];
    }

    /// <summary>The four words of state: read to save, set to restore.</summary>
    /// <exception cref="ArgumentException">Not four words, or all zero.</exception>
    public IReadOnlyList<ulong> State
    {
        get => [_s0, _s1, _s2, _s3];
        set
        {
            if (value.Count != 4 || value.All(w => w == 0))
                throw new ArgumentException($"The state is {value.Count} words; four are needed, not all zero.", nameof(value));
            (_s0, _s1, _s2, _s3) = (value[0], value[1], value[2], value[3]);
        }
    }

    /// <summary>Copies the four words of state out, without allocation.</summary>
    public void Save(Span<long> words) => (words[0], words[1], words[2], words[3]) = ((long)_s0, (long)_s1, (long)_s2, (long)_s3);

    /// <summary>Takes over four words from <see cref="Save"/>.</summary>
    /// <exception cref="ArgumentException">Not four words, or all zero.</exception>
    public void Load(ReadOnlySpan<long> words)
    {
        if (words.Length != 4 || !words.ContainsAnyExcept(0))
            throw new ArgumentException($"The state is {words.Length} words; four are needed, not all zero.", nameof(words));
        (_s0, _s1, _s2, _s3) = ((ulong)words[0], (ulong)words[1], (ulong)words[2], (ulong)words[3]);
    }

    private ulong NextWord()
    {
        ulong result = BitOperations.RotateLeft(_s1 * 5, 7) * 9;
        ulong t = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= t;
        _s3 = BitOperations.RotateLeft(_s3, 45);
        return result;
    }

    /// <inheritdoc/>
    protected override double Sample() => (NextWord() >> 11) * (1.0 / (1ul << 53));

    /// <inheritdoc/>
    public override double NextDouble() => Sample();

    /// <inheritdoc/>
    public override float NextSingle() => (NextWord() >> 40) * (1.0f / (1u << 24));

    /// <inheritdoc/>
    public override int Next() => Next(int.MaxValue);

    /// <inheritdoc/>
    public override int Next(int maxValue) => (int)NextInt64(0, maxValue);

    /// <inheritdoc/>
    public override int Next(int minValue, int maxValue) => (int)NextInt64(minValue, maxValue);

    /// <inheritdoc/>
    public override long NextInt64() => NextInt64(0, long.MaxValue);

    /// <inheritdoc/>
    public override long NextInt64(long maxValue) => NextInt64(0, maxValue);

    /// <inheritdoc/>
    public override long NextInt64(long minValue, long maxValue)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minValue, maxValue);
        ulong range = (ulong)maxValue - (ulong)minValue;
        return range <= 1 ? minValue : minValue + (long)Math.BigMul(NextWord(), range, out _);
    }

    /// <inheritdoc/>
    public override void NextBytes(byte[] buffer) => NextBytes(buffer.AsSpan());

    /// <inheritdoc/>
    public override void NextBytes(Span<byte> buffer)
    {
        Span<byte> word = stackalloc byte[8];
        for (int i = 0; i < buffer.Length; i += 8)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(word, NextWord());
            word[..Math.Min(8, buffer.Length - i)].CopyTo(buffer[i..]);
        }
    }

    /// <summary>A draw from the standard normal distribution (Box and Muller; one of the pair is used, so that no draw is kept back).</summary>
    public double NextNormal() => Math.Sqrt(-2 * Math.Log(1 - NextDouble())) * Math.Cos(2 * Math.PI * NextDouble());
}
