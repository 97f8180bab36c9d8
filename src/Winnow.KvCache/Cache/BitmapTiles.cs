using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Winnow.KvCache;

/// <summary>
/// Sparse numbers in tiles of 64: a bitmap whose highest bit is the first number, and the non-zero numbers in order, in half precision, filled up with zeros to a multiple of 8;
/// offsets in units of two numbers say where each tile's begin. Smaller tiles use the highest bits.
/// </summary>
internal sealed unsafe class BitmapTiles
{
    /// <summary>Numbers of a tile, and to what multiple its non-zero ones are filled up.</summary>
    public const int Tile = 64, Fill = 8;

    /// <summary>For each byte of a bitmap: which of the next numbers each lane takes; negative where it takes none.</summary>
    private static readonly int[] Lanes = [.. Enumerable.Range(0, 256).SelectMany(b => Enumerable.Range(0, 8).Select(i => (b >> (7 - i) & 1) != 0 ? BitOperations.PopCount((uint)b >> (8 - i)) : -1))];

    private GrowingBuffer<ulong> _bitmaps = new();
    private GrowingBuffer<int> _offsets = new();
    private GrowingBuffer<Half> _numbers = new();

    public int Count => _bitmaps.Count;

    public KvBytes Bytes => new(_numbers.Bytes, Indices: _bitmaps.Bytes + _offsets.Bytes, Padding: _numbers.Slack + _bitmaps.Slack + _offsets.Slack);

    public ReadOnlySpan<ulong> Bitmaps => _bitmaps.Span;

    public ReadOnlySpan<int> Offsets => _offsets.Span;

    public ReadOnlySpan<Half> Numbers => _numbers.Span;

    /// <summary>Adds a tile of at most 64 numbers.</summary>
    public void Add(ReadOnlySpan<Half> tile)
    {
        ulong bitmap = 0;
        int nonZero = 0;
        Span<Half> kept = stackalloc Half[Tile];
        for (int i = 0; i < tile.Length; i++)
            if (tile[i] != Half.Zero)
            {
                bitmap |= 1UL << (63 - i);
                kept[nonZero++] = tile[i];
            }
        int padded = (nonZero + Fill - 1) / Fill * Fill;
        kept[nonZero..padded].Clear();
        if (_offsets.Count == 0)
            _offsets.Add(1);
        int at = _numbers.Count;
        // eight numbers are read at a time, from any place: the last tile needs room after it
        _numbers.Reserve(at + padded + Fill);
        _numbers.Add(kept[..padded]);
        _bitmaps.Add([bitmap]);
        _offsets.Add([(at + padded) / 2]);
    }

    /// <summary>A tile with its zeros.</summary>
    public void Read(int tile, Span<float> to)
    {
        int at = _offsets.Span[tile] * 2;
        for (int i = 0; i < to.Length; i++)
            to[i] = (_bitmaps.Span[tile] >> (63 - i) & 1) != 0 ? (float)_numbers.Span[at++] : 0;
    }

    /// <summary>One number.</summary>
    public float Read(int tile, int index)
    {
        ulong bitmap = _bitmaps.Span[tile];
        return (bitmap >> (63 - index) & 1) == 0 ? 0 : (float)_numbers.Span[_offsets.Span[tile] * 2 + (index == 0 ? 0 : BitOperations.PopCount(bitmap >> (64 - index)))];
    }

    /// <summary><c>sums[i] += Σ_r weights[r] · tile_(first + r)[i]</c> for so many numbers of each tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void AddTiles(int first, int count, float* weights, float* sums, int width)
    {
        fixed (ulong* bitmaps = _bitmaps.Span)
        fixed (int* offsets = _offsets.Span)
        fixed (Half* numbers = _numbers.Span)
        {
            if (Avx2.IsSupported && width == Tile)
                Whole(bitmaps + first, offsets + first, (short*)numbers, count, weights, sums);
            else if (Avx2.IsSupported && width % 8 == 0)
                for (int from = 0; from < width; from += 32)
                    Vectors(bitmaps + first, offsets + first, (short*)numbers, count, weights, sums + from, from, Math.Min(32, width - from));
            else
                for (int r = 0; r < count; r++)
                {
                    int tile = first + r, at = offsets[tile] * 2;
                    for (int i = 0; i < width; i++)
                        if ((bitmaps[tile] >> (63 - i) & 1) != 0)
                            sums[i] = MathF.FusedMultiplyAdd(weights[r], (float)numbers[at++], sums[i]);
                }
        }
    }

    /// <summary>All 64 numbers of each tile. Where each byte's numbers begin is counted from the bitmap's start, so that no byte waits for the one before it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Whole(ulong* bitmaps, int* offsets, short* numbers, int count, float* weights, float* sums)
    {
        var bits = Halves.Places;
        fixed (int* lanes = Lanes)
        {
            Vector256<float> a0, a1, a2, a3, a4, a5, a6, a7;
            a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = Vector256<float>.Zero;
            for (nint r = 0; r < count; r++)
            {
                ulong m = bitmaps[r];
                short* at = numbers + (nuint)(uint)offsets[r] * 2;
                var w = Vector256.Create(weights[r]);
                a0 = Vector256.FusedMultiplyAdd(w, Eight(at, (byte)(m >> 56), lanes, bits), a0);
                a1 = Vector256.FusedMultiplyAdd(w, Eight(at + (nuint)(uint)BitOperations.PopCount(m >> 56), (byte)(m >> 48), lanes, bits), a1);
                a2 = Vector256.FusedMultiplyAdd(w, Eight(at + (nuint)(uint)BitOperations.PopCount(m >> 48), (byte)(m >> 40), lanes, bits), a2);
                a3 = Vector256.FusedMultiplyAdd(w, Eight(at + (nuint)(uint)BitOperations.PopCount(m >> 40), (byte)(m >> 32), lanes, bits), a3);
                a4 = Vector256.FusedMultiplyAdd(w, Eight(at + (nuint)(uint)BitOperations.PopCount(m >> 32), (byte)(m >> 24), lanes, bits), a4);
                a5 = Vector256.FusedMultiplyAdd(w, Eight(at + (nuint)(uint)BitOperations.PopCount(m >> 24), (byte)(m >> 16), lanes, bits), a5);
                a6 = Vector256.FusedMultiplyAdd(w, Eight(at + (nuint)(uint)BitOperations.PopCount(m >> 16), (byte)(m >> 8), lanes, bits), a6);
                a7 = Vector256.FusedMultiplyAdd(w, Eight(at + (nuint)(uint)BitOperations.PopCount(m >> 8), (byte)m, lanes, bits), a7);
            }
            var scale = Vector256.Create(Halves.Scale);
            Vector256.Store(Vector256.FusedMultiplyAdd(a0, scale, Vector256.Load(sums)), sums);
            Vector256.Store(Vector256.FusedMultiplyAdd(a1, scale, Vector256.Load(sums + 8)), sums + 8);
            Vector256.Store(Vector256.FusedMultiplyAdd(a2, scale, Vector256.Load(sums + 16)), sums + 16);
            Vector256.Store(Vector256.FusedMultiplyAdd(a3, scale, Vector256.Load(sums + 24)), sums + 24);
            Vector256.Store(Vector256.FusedMultiplyAdd(a4, scale, Vector256.Load(sums + 32)), sums + 32);
            Vector256.Store(Vector256.FusedMultiplyAdd(a5, scale, Vector256.Load(sums + 40)), sums + 40);
            Vector256.Store(Vector256.FusedMultiplyAdd(a6, scale, Vector256.Load(sums + 48)), sums + 48);
            Vector256.Store(Vector256.FusedMultiplyAdd(a7, scale, Vector256.Load(sums + 56)), sums + 56);
        }
    }

    /// <summary>Up to 32 neighbouring numbers of each tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Vectors(ulong* bitmaps, int* offsets, short* numbers, int count, float* weights, float* sums, int from, int width)
    {
        var bits = Halves.Places;
        fixed (int* lanes = Lanes)
        {
            var (a0, a1, a2, a3) = (Vector256<float>.Zero, Vector256<float>.Zero, Vector256<float>.Zero, Vector256<float>.Zero);
            for (int r = 0; r < count; r++)
            {
                ulong bitmap = bitmaps[r];
                short* at = numbers + offsets[r] * 2L + (from == 0 ? 0 : BitOperations.PopCount(bitmap >> (64 - from)));
                bitmap <<= from;
                var w = Vector256.Create(weights[r] * Halves.Scale);
                int b = (int)(bitmap >> 56);
                a0 = Vector256.FusedMultiplyAdd(w, Eight(at, (nuint)b, lanes, bits), a0);
                if (width == 8)
                    continue;
                at += BitOperations.PopCount((uint)b);
                b = (int)(bitmap >> 48) & 255;
                a1 = Vector256.FusedMultiplyAdd(w, Eight(at, (nuint)b, lanes, bits), a1);
                if (width == 16)
                    continue;
                at += BitOperations.PopCount((uint)b);
                b = (int)(bitmap >> 40) & 255;
                a2 = Vector256.FusedMultiplyAdd(w, Eight(at, (nuint)b, lanes, bits), a2);
                if (width == 24)
                    continue;
                at += BitOperations.PopCount((uint)b);
                b = (int)(bitmap >> 32) & 255;
                a3 = Vector256.FusedMultiplyAdd(w, Eight(at, (nuint)b, lanes, bits), a3);
            }
            Vector256.Store(Vector256.Load(sums) + a0, sums);
            if (width > 8)
                Vector256.Store(Vector256.Load(sums + 8) + a1, sums + 8);
            if (width > 16)
                Vector256.Store(Vector256.Load(sums + 16) + a2, sums + 16);
            if (width > 24)
                Vector256.Store(Vector256.Load(sums + 24) + a3, sums + 24);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Eight(short* at, nuint b, int* lanes, Vector256<int> bits)
    {
        var lane = Vector256.Load(lanes + 8 * b);
        return Avx.BlendVariable(Avx2.PermuteVar8x32(Halves.Moved(at, bits), lane), Vector256<float>.Zero, lane.AsSingle());
    }

    public BitmapTiles Clone()
    {
        var copy = new BitmapTiles { _bitmaps = _bitmaps.Clone(), _offsets = _offsets.Clone(), _numbers = _numbers.Clone() };
        return copy;
    }
}
