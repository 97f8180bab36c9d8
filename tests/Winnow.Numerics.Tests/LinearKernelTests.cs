using Winnow.Core;

namespace Winnow.Numerics.Tests;

public sealed unsafe class LinearKernelTests
{
    private static float[] Numbers(int count, ulong seed)
    {
        var random = new SeededRandom(seed, "numbers");
        return [.. Enumerable.Range(0, count).Select(_ => (float)random.NextNormal())];
    }

    private static void With(WeightType type, int rows, int columns, Action<WeightMatrix, float[]> use)
    {
        float[] dense = Numbers(rows * columns, 1);
        fixed (float* p = dense)
        {
            using var borrowed = WeightMatrix.Over(WeightType.Float32, rows, columns, p);
            using var w = borrowed.As(type);
            use(w, dense);
        }
    }

    public static TheoryData<WeightType, int, int> Sizes => [.. from t in Enum.GetValues<WeightType>() from s in new[] { (1, 32), (7, 64), (33, 96), (5, 160) } select (t, s.Item1, s.Item2),
        .. from t in (WeightType[])[WeightType.Float32, WeightType.BFloat16] from s in new[] { (1, 1), (3, 7), (9, 13), (4, 100) } select (t, s.Item1, s.Item2)];

    [Theory, MemberData(nameof(Sizes))]
    public void Vectors_give_the_bits_of_one_number_at_a_time_and_the_sum_of_the_definition(WeightType type, int rows, int columns) => With(type, rows, columns, (w, _) =>
    {
        float[] x = Numbers(columns, 2), fast = new float[rows], scalar = new float[rows], row = new float[columns];
        fixed (float* px = x, pf = fast, ps = scalar, pr = row)
        {
            LinearKernel.Vector(w, px, pf, 0, rows);
            LinearKernel.Vector(w, px, ps, 0, rows, TilePath.Scalar);
            Assert.Equal(scalar, fast);
            for (int i = 0; i < rows; i++)
            {
                w.Read(i, pr);
                double exact = row.Zip(x, (a, b) => (double)a * b).Sum(), size = row.Zip(x, (a, b) => Math.Abs((double)a * b)).Sum();
                Assert.Equal(exact, fast[i], 1e-6 * size);
            }
        }
    });

    [Theory, MemberData(nameof(Sizes))]
    public void Many_vectors_at_once_are_each_vector_alone(WeightType type, int rows, int columns) => With(type, rows, columns, (w, _) =>
    {
        foreach (int threads in (int[])[1, 2, 3])
        {
            using var crew = new Crew(threads);
            foreach (int count in (int[])[1, 5, 24, 25, 60])
            {
                float[] x = Numbers(count * columns, 3), many = new float[count * rows], one = new float[rows], room = new float[LinearKernel.RoomForMany(columns, count, threads)];
                fixed (float* px = x, pm = many, po = one, pr = room)
                {
                    LinearKernel.Many(w, px, count, pm, pr, crew);
                    for (int t = 0; t < count; t++)
                    {
                        LinearKernel.Vector(w, px + t * columns, po, 0, rows);
                        for (int i = 0; i < rows; i++)
                            Assert.Equal(one[i], many[t * rows + i], count <= 5 ? 0 : 1e-5f * columns); // few keep their bits
                    }
                }
            }
        }
    });

    // Nearest: half a step of scale = max|w| / levels at most; a row of zeros stays so; the largest of a block keeps its size.
    [Theory]
    [InlineData(WeightType.Int8, 127)]
    [InlineData(WeightType.Int4, 7)]
    public void Quantised_weights_are_the_nearest(WeightType type, int levels) => With(type, 6, 96, (w, dense) =>
    {
        float[] row = new float[96];
        fixed (float* p = row)
        {
            for (int i = 0; i < 6; i++)
            {
                w.Read(i, p);
                for (int b = 0; b < 3; b++)
                {
                    var block = dense.AsSpan(i * 96 + b * 32, 32).ToArray();
                    float largest = block.Max(Math.Abs), step = largest / levels;
                    Assert.All(Enumerable.Range(0, 32), j => Assert.InRange(Math.Abs(row[b * 32 + j] - block[j]), 0, step / 2 * 1.0001f));
                    Assert.Equal(largest, row.AsSpan(b * 32, 32).ToArray().Max(Math.Abs), 1e-6f * largest);
                }
            }
        }
        Assert.Equal(6 * 96 * (type == WeightType.Int8 ? 1 : 0.5) + 6 * 3 * 4, w.Bytes);
    });

    [Fact]
    public void Sizes_that_blocks_do_not_fill_and_weights_that_are_no_numbers_are_refused()
    {
        float[] dense = new float[64];
        fixed (float* p = dense)
        {
            using var odd = WeightMatrix.Over(WeightType.Float32, 2, 20, p);
            Assert.Contains("multiple of 32", Assert.Throws<ArgumentException>(() => odd.As(WeightType.Int8)).Message);
            dense[40] = float.NaN;
            using var bad = WeightMatrix.Over(WeightType.Float32, 2, 32, p);
            Assert.Contains("row 1, column 8", Assert.Throws<ArgumentException>(() => bad.As(WeightType.Int4)).Message);
            nint at = (nint)p;
            Assert.Throws<ArgumentException>(() => WeightMatrix.Over(WeightType.Int8, 2, 32, (void*)at));
            Assert.Throws<ArgumentOutOfRangeException>(() => WeightMatrix.Over(WeightType.Float32, 0, 32, (void*)at));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void A_crew_does_each_part_once_however_often_it_is_asked(int size)
    {
        using var crew = new Crew(size);
        long[] counts = new long[64];
        for (int round = 0; round < 3000; round++)
        {
            if (round % 1000 == 999)
                Thread.Sleep(20); // members fall asleep
            crew.Run(in counts, static (in long[] c, int worker, int workers) =>
            {
                for (int i = worker; i < c.Length; i += workers)
                    c[i]++;
            });
        }
        Assert.All(counts, c => Assert.Equal(3000, c));
    }

    [Fact]
    public void A_members_failure_reaches_the_caller_and_the_crew_goes_on()
    {
        using var crew = new Crew(3);
        int none = 0;
        for (int failing = 1; failing < 3; failing++)
        {
            int who = failing;
            var error = Assert.ThrowsAny<Exception>(() => crew.Run(in who, static (in int w, int worker, int _) =>
            {
                if (worker == w)
                    throw new FormatException("bad part");
            }));
            Assert.Contains("bad part", error.Message);
        }
        int[] done = new int[3];
        crew.Run(in done, static (in int[] d, int worker, int _) => d[worker] = 1);
        Assert.Equal([1, 1, 1], done);
        crew.Dispose();
        Assert.Throws<ObjectDisposedException>(() => crew.Run(in none, static (in int _, int _, int _) => { }));
    }

    [Fact]
    public void Runs_of_a_crew_allocate_nothing()
    {
        using var crew = new Crew(2);
        int[] done = new int[2];
        CrewWork<int[]> work = static (in int[] d, int worker, int _) => d[worker]++;
        for (int i = 0; i < 100; i++)
            crew.Run(in done, work);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            crew.Run(in done, work);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
