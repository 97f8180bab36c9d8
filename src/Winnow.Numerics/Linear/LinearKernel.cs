using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Winnow.Numerics;

/// <summary>
/// Products of a <see cref="WeightMatrix"/> with a vector, which read each weight once and are bound by that, and with many vectors, which read a block of rows once
/// for all of them. A row has 32 partial sums, over columns j, j + 32, ..., of quantised weights 8 within each block, whatever the machine: the scalar path gives the same bits.
/// </summary>
public static unsafe class LinearKernel
{
    private const int Lanes = 8;

    /// <summary>Rows of weights that are made float32 at a time for many vectors: with 1,024 columns 256 kB, which a second cache holds.</summary>
    private const int RowBlock = 64;

    /// <summary>Bytes of weights that few vectors share.</summary>
    private const int FewBytes = 24 << 10;

    /// <summary><c>y[i] = Σⱼ W[i, j] · x[j]</c> for some rows. Nothing is allocated.</summary>
    /// <param name="w">The weights.</param>
    /// <param name="x">As many numbers as columns.</param>
    /// <param name="y">Row i goes to y[i].</param>
    /// <param name="first">First row.</param>
    /// <param name="end">The row after the last.</param>
    /// <param name="path">Scalar, or vectors.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Vector(WeightMatrix w, float* x, float* y, int first, int end, TilePath path = TilePath.Vector256)
    {
        ArgumentNullException.ThrowIfNull(w);
        if (path == TilePath.Scalar)
        {
            for (int i = first; i < end; i++)
                y[i] = Scalar(w, i, x);
            return;
        }
        switch (w.Type)
        {
            case WeightType.Float32:
                Plain<Float32>(w, x, y, first, end);
                break;
            case WeightType.BFloat16:
                Plain<BFloat16>(w, x, y, first, end);
                break;
            case WeightType.Int8:
                Blocks<Int8>(w, x, y, first, end);
                break;
            default:
                Blocks<Int4>(w, x, y, first, end);
                break;
        }
    }

    /// <summary>A row after the other, so that memory is one stream; four sums of eight lanes hide the latency of additions.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Plain<T>(WeightMatrix w, float* x, float* y, int first, int end) where T : struct, INumbers
    {
        int n = w.Columns, whole = n - n % (4 * Lanes), eights = n - n % Lanes;
        byte* p = (byte*)w.Data + (nint)first * n * T.Size;
        for (int i = first; i < end; i++)
        {
            Vector256<float> s0, s1, s2, s3;
            s0 = s1 = s2 = s3 = Vector256<float>.Zero;
            int j = 0;
            for (; j < whole; j += 4 * Lanes, p += 4 * Lanes * T.Size)
            {
                s0 = Vector256.FusedMultiplyAdd(T.Load(p), Vector256.Load(x + j), s0);
                s1 = Vector256.FusedMultiplyAdd(T.Load(p + Lanes * T.Size), Vector256.Load(x + j + Lanes), s1);
                s2 = Vector256.FusedMultiplyAdd(T.Load(p + 2 * Lanes * T.Size), Vector256.Load(x + j + 2 * Lanes), s2);
                s3 = Vector256.FusedMultiplyAdd(T.Load(p + 3 * Lanes * T.Size), Vector256.Load(x + j + 3 * Lanes), s3);
            }
            // what is left goes on where the columns are: eight to the first sum, eight to the second, ...
            for (; j < eights; j += Lanes, p += Lanes * T.Size)
            {
                var product = Vector256.FusedMultiplyAdd(T.Load(p), Vector256.Load(x + j), s0);
                (s0, s1, s2, s3) = (s1, s2, s3, product);
            }
            int turned = (eights - whole) / Lanes;
            if (j < n)
            {
                var rest = Vector256<float>.Zero;
                var others = Vector256<float>.Zero;
                for (int l = 0; j < n; j++, l++, p += T.Size)
                    (rest, others) = (rest.WithElement(l, T.One(p)), others.WithElement(l, x[j]));
                s0 = Vector256.FusedMultiplyAdd(rest, others, s0);
            }
            y[i] = turned switch
            {
                0 => Total(s0, s1, s2, s3),
                1 => Total(s3, s0, s1, s2),
                2 => Total(s2, s3, s0, s1),
                _ => Total(s1, s2, s3, s0),
            };
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Total(Vector256<float> s0, Vector256<float> s1, Vector256<float> s2, Vector256<float> s3) => Total(s0 + s1 + (s2 + s3));

    /// <summary>Asks for memory that is read soon: four rows side by side are no stream that the hardware foresees. Reading beyond the end is no fault.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* at, int bytes)
    {
        if (!Sse.IsSupported)
            return;
        Sse.Prefetch0(at);
        if (bytes > 64)
            Sse.Prefetch0(at + 64);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Blocks<T>(WeightMatrix w, float* x, float* y, int first, int end) where T : struct, IBlock
    {
        int blocks = w.Columns / WeightMatrix.BlockSize, i = first;
        nint row = (nint)blocks * T.Size;
        byte* at = (byte*)w.Data + first * row;
        float* scale = w.Scales + (nint)first * blocks;
        for (; i + 4 <= end; i += 4, at += 4 * row, scale += 4 * (nint)blocks)
        {
            Vector256<float> s0, s1, s2, s3;
            s0 = s1 = s2 = s3 = Vector256<float>.Zero;
            byte* p = at, next = at + 4 * row;
            float* v = x;
            for (int b = 0; b < blocks; b++, p += T.Size, v += WeightMatrix.BlockSize, next += 4 * T.Size)
            {
                Prefetch(next, 4 * T.Size);
                s0 = Vector256.FusedMultiplyAdd(Vector256.Create(scale[b]), T.Sum(p, v), s0);
                s1 = Vector256.FusedMultiplyAdd(Vector256.Create(scale[b + (nint)blocks]), T.Sum(p + row, v), s1);
                s2 = Vector256.FusedMultiplyAdd(Vector256.Create(scale[b + 2 * (nint)blocks]), T.Sum(p + 2 * row, v), s2);
                s3 = Vector256.FusedMultiplyAdd(Vector256.Create(scale[b + 3 * (nint)blocks]), T.Sum(p + 3 * row, v), s3);
            }
            (y[i], y[i + 1], y[i + 2], y[i + 3]) = (Total(s0), Total(s1), Total(s2), Total(s3));
        }
        for (; i < end; i++, at += row, scale += blocks)
        {
            var sum = Vector256<float>.Zero;
            for (int b = 0; b < blocks; b++)
                sum = Vector256.FusedMultiplyAdd(Vector256.Create(scale[b]), T.Sum(at + (nint)b * T.Size, x + b * WeightMatrix.BlockSize), sum);
            y[i] = Total(sum);
        }
    }

    /// <summary>Numbers that stand for themselves.</summary>
    private interface INumbers
    {
        static abstract int Size { get; }

        static abstract Vector256<float> Load(byte* at);

        static abstract float One(byte* at);
    }

    private readonly struct Float32 : INumbers
    {
        public static int Size => 4;

        public static Vector256<float> Load(byte* at) => Vector256.Load((float*)at);

        public static float One(byte* at) => *(float*)at;
    }

    private readonly struct BFloat16 : INumbers
    {
        public static int Size => 2;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Load(byte* at) => Vector256.ShiftLeft(
            Avx2.IsSupported ? Avx2.ConvertToVector256Int32((ushort*)at) : Vector256.Create(Vector128.WidenLower(Vector128.Load((ushort*)at)), Vector128.WidenUpper(Vector128.Load((ushort*)at))).AsInt32(), 16).AsSingle();

        public static float One(byte* at) => BitConverter.UInt32BitsToSingle((uint)*(ushort*)at << 16);
    }

    /// <summary>A block of 32 numbers that share a scale: their products with 32 others, in 8 sums.</summary>
    private interface IBlock
    {
        static abstract int Size { get; }

        static abstract Vector256<float> Sum(byte* at, float* x);
    }

    private readonly struct Int8 : IBlock
    {
        public static int Size => 32;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Sum(byte* at, float* x)
        {
            var sum = Single(at) * Vector256.Load(x);
            sum = Vector256.FusedMultiplyAdd(Single(at + 8), Vector256.Load(x + 8), sum);
            sum = Vector256.FusedMultiplyAdd(Single(at + 16), Vector256.Load(x + 16), sum);
            return Vector256.FusedMultiplyAdd(Single(at + 24), Vector256.Load(x + 24), sum);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector256<float> Single(byte* at) => Vector256.ConvertToSingle(Avx2.IsSupported ? Avx2.ConvertToVector256Int32((sbyte*)at) : Widened(Vector128.CreateScalarUnsafe(*(long*)at).AsSByte()));
    }

    private readonly struct Int4 : IBlock
    {
        public static int Size => 16;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Sum(byte* at, float* x)
        {
            var bytes = Vector128.Load(at);
            var low = (bytes & Vector128.Create((byte)15)).AsSByte() - Vector128.Create((sbyte)8);
            var high = Vector128.ShiftRightLogical(bytes, 4).AsSByte() - Vector128.Create((sbyte)8);
            var sum = Single(low) * Vector256.Load(x);
            sum = Vector256.FusedMultiplyAdd(Single(Upper(low)), Vector256.Load(x + 8), sum);
            sum = Vector256.FusedMultiplyAdd(Single(high), Vector256.Load(x + 16), sum);
            return Vector256.FusedMultiplyAdd(Single(Upper(high)), Vector256.Load(x + 24), sum);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector128<sbyte> Upper(Vector128<sbyte> bytes) => Vector128.CreateScalarUnsafe(bytes.AsInt64()[1]).AsSByte();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector256<float> Single(Vector128<sbyte> bytes) => Vector256.ConvertToSingle(Avx2.IsSupported ? Avx2.ConvertToVector256Int32(bytes) : Widened(bytes));
    }

    /// <summary>The lower eight.</summary>
    private static Vector256<int> Widened(Vector128<sbyte> bytes)
    {
        var words = Vector128.WidenLower(bytes);
        return Vector256.Create(Vector128.WidenLower(words), Vector128.WidenUpper(words));
    }

    /// <summary>The same sums one number at a time: what the vectors are tested against.</summary>
    private static float Scalar(WeightMatrix w, int row, float* x)
    {
        Span<float> sums = stackalloc float[4 * Lanes];
        Span<float> block = stackalloc float[Lanes];
        float[] weights = new float[w.Columns];
        fixed (float* p = weights)
            w.Read(row, p);
        if (w.Type is WeightType.Float32 or WeightType.BFloat16)
        {
            for (int j = 0; j < w.Columns; j++)
                sums[j % (4 * Lanes)] = MathF.FusedMultiplyAdd(weights[j], x[j], sums[j % (4 * Lanes)]);
            for (int l = 0; l < Lanes; l++)
                sums[l] = sums[l] + sums[l + Lanes] + (sums[l + 2 * Lanes] + sums[l + 3 * Lanes]);
            return Total(sums);
        }
        for (int b = 0; b < w.Columns / WeightMatrix.BlockSize; b++)
        {
            float scale = w.Scales[(long)row * (w.Columns / WeightMatrix.BlockSize) + b];
            block.Clear();
            for (int j = 0; j < WeightMatrix.BlockSize; j++)
            {
                float q = scale == 0 ? 0 : MathF.Round(weights[b * WeightMatrix.BlockSize + j] / scale);
                block[j % Lanes] = MathF.FusedMultiplyAdd(q, x[b * WeightMatrix.BlockSize + j], block[j % Lanes]);
            }
            for (int l = 0; l < Lanes; l++)
                sums[l] = MathF.FusedMultiplyAdd(scale, block[l], sums[l]);
        }
        return Total(sums);
    }

    private static float Total(ReadOnlySpan<float> s) => s[0] + s[4] + (s[2] + s[6]) + (s[1] + s[5] + (s[3] + s[7]));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Total(Vector256<float> s)
    {
        var four = s.GetLower() + s.GetUpper();
        return four[0] + four[2] + (four[1] + four[3]);
    }

    /// <summary>Floats that <see cref="Many"/> needs to work with: the packed vectors, and for each thread a block of rows and a tile of results.</summary>
    public static long RoomForMany(int columns, int count, int threads)
    {
        int width = TilePaths.Best.PanelWidth();
        return (long)Packing.RoundUp(count, width) * columns + (long)threads * RowBlock * (columns + width);
    }

    /// <summary><c>Y[t, i] = Σⱼ W[i, j] · X[t, j]</c> for many vectors at once; for few, which would leave most of a panel empty, with the bits of <see cref="Vector"/>. Nothing is allocated.</summary>
    /// <param name="w">The weights.</param>
    /// <param name="x">Vectors, one after the other.</param>
    /// <param name="count">How many.</param>
    /// <param name="y">Results, one after the other, as many numbers each as rows.</param>
    /// <param name="room">As many floats as <see cref="RoomForMany"/> says.</param>
    /// <param name="crew">The threads.</param>
    public static void Many(WeightMatrix w, float* x, int count, float* y, float* room, Crew crew)
    {
        ArgumentNullException.ThrowIfNull(w);
        ArgumentNullException.ThrowIfNull(crew);
        int width = TilePaths.Best.PanelWidth(), panels = (count + width - 1) / width;
        if (2 * count <= width)
        {
            crew.Run(new Job { W = w, X = x, Y = y, Count = count }, static (in Job job, int worker, int workers) => Few(job.W, job.X, job.Count, job.Y, Workers.Part(job.W.Rows, worker, workers)));
            return;
        }
        var job = new Job { W = w, X = x, Y = y, Count = count, Width = width, Panels = room, PerThread = room + (long)panels * width * w.Columns };
        for (int panel = 0; panel < panels; panel++)
            Pack(x, panel * width, Math.Min(width, count - panel * width), w.Columns, width, room + (long)panel * width * w.Columns);
        crew.Run(in job, static (in Job job, int worker, int workers) =>
        {
            var (from, end) = Workers.Part(job.W.Rows, worker, workers);
            float* rows = job.PerThread + worker * (long)RowBlock * (job.W.Columns + job.Width), tile = rows + (long)RowBlock * job.W.Columns;
            for (int first = from; first < end; first += RowBlock)
            {
                int taken = Math.Min(RowBlock, end - first);
                float* block = rows;
                if (job.W.Type == WeightType.Float32)
                    block = (float*)job.W.Data + (long)first * job.W.Columns;
                else
                    for (int i = 0; i < taken; i++)
                        job.W.Read(first + i, rows + (long)i * job.W.Columns);
                for (int panel = 0; panel * job.Width < job.Count; panel++)
                {
                    TileProduct.Multiply(TilePaths.Best, taken, job.W.Columns, new(block, job.W.Columns, 1), new(job.Panels + (long)panel * job.Width * job.W.Columns), new(1), tile, job.Width, accumulate: false);
                    int vectors = Math.Min(job.Width, job.Count - panel * job.Width);
                    for (int t = 0; t < vectors; t++)
                    {
                        float* to = job.Y + (long)(panel * job.Width + t) * job.W.Rows + first;
                        for (int i = 0; i < taken; i++)
                            to[i] = tile[(long)i * job.Width + t];
                    }
                }
            }
        });
    }

    /// <summary>One vector after the other over rows that stay in the first cache, so that memory is read once.</summary>
    private static void Few(WeightMatrix w, float* x, int count, float* y, (int First, int End) rows)
    {
        int some = Math.Max(4, (int)(FewBytes / (w.Bytes / w.Rows + 1)) / 4 * 4);
        for (int first = rows.First; first < rows.End; first += some)
            for (int t = 0; t < count; t++)
                Vector(w, x + (long)t * w.Columns, y + (long)t * w.Rows, first, Math.Min(rows.End, first + some));
    }

    private struct Job
    {
        public WeightMatrix W;
        public float* X, Y, Panels, PerThread;
        public int Count, Width;
    }

    /// <summary>Vectors become columns; missing ones zeros.</summary>
    private static void Pack(float* x, int first, int taken, int columns, int width, float* panel)
    {
        for (int j = 0; j < columns; j++)
        {
            float* to = panel + (long)j * width;
            for (int t = 0; t < taken; t++)
                to[t] = x[(long)(first + t) * columns + j];
            for (int t = taken; t < width; t++)
                to[t] = 0;
        }
    }
}
