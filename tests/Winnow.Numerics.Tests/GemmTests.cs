using CsCheck;

namespace Winnow.Numerics.Tests;

public unsafe class GemmTests
{
    /// <summary>Against three nested loops in double precision, with every stride and number of segments.</summary>
    [Fact]
    public void Equals_the_defining_sum() =>
        Gen.Select(Gen.Int[1, 5], Gen.Int[1, 5], Gen.Int[0, 9], Gen.Int[1, 3], Gen.Bool, Gen.Bool, Gen.Int[0, 1000]).Sample((rows, columns, k, segments, transposed, accumulate, seed) =>
        {
            int m = rows * Gemm.Rows, n = columns * Gemm.Columns, gap = 3;
            int aRow = transposed ? 1 : k + gap, aColumn = transposed ? m + gap : 1, aSegment = transposed ? k * aColumn : m * aRow;
            int bRow = n + gap, bSegment = k * bRow + 1, ldc = n + gap;
            var random = new Random(seed);
            var a = Filled(segments * aSegment + m + k + 1, random);
            var b = Filled(segments * bSegment + n, random);
            var c = Filled(m * ldc, random);
            float[] before = c.Values.ToArray();
            Gemm.Multiply(m, n, k, new(a.Data, aRow, aColumn, aSegment), new(b.Data, bRow, bSegment), c.Data, ldc, accumulate, segments);
            for (int i = 0; i < m; i++)
            {
                for (int j = 0; j < ldc; j++)
                {
                    double expected = accumulate || j >= n ? before[i * ldc + j] : 0;
                    for (int s = 0; s < segments && j < n; s++)
                    {
                        for (int p = 0; p < k; p++)
                            expected += (double)a.Values[i * aRow + s * aSegment + p * aColumn] * b.Values[s * bSegment + p * bRow + j];
                    }
                    Assert.Equal(expected, c.Values[i * ldc + j], 1e-5);
                }
            }
        }, iter: 300, seed: "0000000000001", threads: 1);

    [Fact]
    public void Sizes_that_are_not_padded_are_refused()
    {
        var buffer = new AlignedBuffer(1000);
        Assert.Throws<ArgumentException>(() => Gemm.Multiply(3, Gemm.Columns, 1, new(buffer.Data, 1, 1), new(buffer.Data, 1), buffer.Data, 1, false));
        Assert.Throws<ArgumentException>(() => Gemm.Multiply(4, Gemm.Columns + 1, 1, new(buffer.Data, 1, 1), new(buffer.Data, 1), buffer.Data, 1, false));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(8, 8)]
    [InlineData(9, 17)]
    [InlineData(100, 3)]
    public void A_transpose_swaps_rows_and_columns_and_spares_the_gaps(int rows, int columns)
    {
        var source = Filled(rows * columns, new Random(1));
        int stride = rows + 2;
        var target = new AlignedBuffer(columns * stride);
        target.Values.Fill(float.NaN);
        Transpose.Copy(source.Data, rows, columns, target.Data, stride);
        for (int j = 0; j < columns; j++)
        {
            for (int i = 0; i < stride; i++)
                Assert.Equal(i < rows ? source.Values[i * columns + j] : float.NaN, target.Values[j * stride + i]);
        }
    }

    [Fact]
    public void Buffers_begin_on_a_cache_line_and_are_zero()
    {
        for (int length = 0; length < 40; length++)
        {
            var buffer = new AlignedBuffer(length);
            Assert.Equal(0, (nint)buffer.Data % 64);
            Assert.Equal(new float[length], buffer.Values.ToArray());
        }
    }

    private static AlignedBuffer Filled(int length, Random random)
    {
        var buffer = new AlignedBuffer(length);
        foreach (ref float value in buffer.Values)
            value = random.NextSingle() - 0.5f;
        return buffer;
    }
}
