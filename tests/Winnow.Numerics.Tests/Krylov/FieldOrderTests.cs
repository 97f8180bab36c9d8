using System.Numerics;
using Winnow.Core;
using Winnow.Numerics.Krylov;

namespace Winnow.Numerics.Tests.Krylov;

public sealed class FieldOrderTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(40)]
    public void Each_step_goes_to_the_nearest_field_not_visited(int count)
    {
        double[][] fields = [.. Enumerable.Range(0, count).Select(i => Dense.Normals(600, (ulong)i))];
        int[] order = FieldOrder.Greedy(fields, TestContext.Current.CancellationToken);
        Assert.Equal(Enumerable.Range(0, count), order.Order());
        Assert.Equal(0, order[0]);
        for (int place = 1; place < count; place++)
        {
            double[] here = fields[order[place - 1]];
            Assert.Equal(order[place..].MinBy(i => Dense.Norm(Dense.Minus(here, fields[i]))), order[place]);
        }
    }

    [Fact]
    public void The_lowest_index_wins_ties()
    {
        double[][] fields = [[0, 0], [3, 4], [5, 0], [-5, 0], [0, 5]];
        Assert.Equal([0, 1, 4, 2, 3], FieldOrder.Greedy(fields, TestContext.Current.CancellationToken));
        double[][] same = [.. Enumerable.Range(0, 6).Select(_ => new double[] { 1, 2 })];
        Assert.Equal([0, 1, 2, 3, 4, 5], FieldOrder.Greedy(same, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Fields_further_apart_than_any_number_are_ordered()
    {
        // The published loop starts from a distance of 10000 and loses its way beyond it.
        double[][] fields = [[0], [3e5], [1e5], [2e5]];
        Assert.Equal([0, 2, 3, 1], FieldOrder.Greedy(fields, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void A_smooth_family_is_walked_along_its_path()
    {
        var random = new SeededRandom(1, "order");
        double[][] path = new GaussianField(16).SmoothPath(60, random);
        int[] shuffled = [.. Enumerable.Range(0, 60)];
        random.Shuffle(shuffled);
        double[][] fields = [.. shuffled.Select(i => path[i])];
        int[] order = FieldOrder.Greedy(fields, TestContext.Current.CancellationToken);
        double walked = FieldOrder.PathLength(fields, order), unsorted = FieldOrder.PathLength(fields, [.. Enumerable.Range(0, 60)]), whole = FieldOrder.PathLength(path, [.. Enumerable.Range(0, 60)]);
        // From within the path to one end, and back over what is visited to the other: at most twice its length.
        Assert.InRange(walked, whole * 0.999, 2 * whole);
        Assert.True(walked < unsorted / 5);
    }

    [Fact]
    public void Fields_that_cannot_be_compared_are_refused()
    {
        Assert.Contains("field 1", Assert.Throws<ArgumentException>(() => FieldOrder.Greedy([[1, 2], [1]], TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
        Assert.Contains("field 2", Assert.Throws<ArgumentException>(() => FieldOrder.Greedy([[1], [2], [double.NaN]], TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => FieldOrder.GrayCode([[1, 2, 3], [1, 2, 3]], 2, TestContext.Current.CancellationToken));
        Assert.Empty(FieldOrder.Greedy([], TestContext.Current.CancellationToken));
        Assert.Empty(FieldOrder.GrayCode([], 5, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void The_gray_code_visits_every_cell_and_goes_from_one_to_the_next_through_a_face()
    {
        int[] cells = [.. Enumerable.Range(0, 128).OrderBy(FieldOrder.GrayRank)];
        Assert.Equal(Enumerable.Range(0, 128), cells.Order());
        for (int i = 1; i < cells.Length; i++)
            Assert.Equal(1, BitOperations.PopCount((uint)(cells[i] ^ cells[i - 1])));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(12)]
    [InlineData(17)]
    public void Low_frequencies_are_those_of_the_discrete_fourier_transform(int side)
    {
        double[] field = Dense.Normals(side * side, 3);
        int count = Math.Min(12, side), first = Math.Max(-6, -(side / 2));
        double[] frequencies = FieldAddress.LowFrequencies(field, side);
        Assert.Equal(2 * count * count, frequencies.Length);
        for (int k = 0; k < count; k++)
        {
            for (int l = 0; l < count; l++)
            {
                Complex sum = 0;
                for (int i = 0; i < field.Length; i++)
                    sum += field[i] * Complex.Exp(new(0, -2 * Math.PI * ((first + k) * (i / side) + (first + l) * (i % side)) / side));
                Assert.Equal(sum.Real, frequencies[k * count + l], 1e-10);
                Assert.Equal(sum.Imaginary, frequencies[count * count + k * count + l], 1e-10);
            }
        }
    }

    [Theory]
    [InlineData(20)]
    [InlineData(400)]
    public void Addresses_fill_the_unit_cube_and_their_components_are_uncorrelated(int count)
    {
        var field = new GaussianField(16);
        var random = new SeededRandom(2, "addresses");
        double[][] addresses = FieldAddress.Of([.. Enumerable.Range(0, count).Select(_ => field.Sample(random))], 16);
        for (int d = 0; d < FieldAddress.Dimensions; d++)
        {
            double[] column = [.. addresses.Select(a => a[d])];
            Assert.Equal((0.0, 1.0), (column.Min(), column.Max()));
            for (int e = 0; e < d; e++)
                Assert.Equal(0, Covariance(column, [.. addresses.Select(a => a[e])]), 1e-10);
        }

        static double Covariance(double[] x, double[] y) => x.Zip(y, (a, b) => (a - x.Average()) * (b - y.Average())).Average();
    }

    [Fact]
    public void Fields_without_variation_have_the_address_zero_and_keep_their_order()
    {
        double[][] fields = [.. Enumerable.Range(0, 5).Select(_ => Enumerable.Repeat(2.0, 64).ToArray())];
        Assert.All(FieldAddress.Of(fields, 8), a => Assert.All(a, v => Assert.Equal(0, v)));
        Assert.Equal([0, 1, 2, 3, 4], FieldOrder.GrayCode(fields, 8, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void The_gray_code_walk_is_a_permutation_that_takes_cells_one_after_the_other_and_shortens_the_way()
    {
        var random = new SeededRandom(3, "gray");
        double[][] fields = new GaussianField(16).SmoothPath(300, random);
        random.Shuffle(fields);
        int[] order = FieldOrder.GrayCode(fields, 16, TestContext.Current.CancellationToken);
        Assert.Equal(Enumerable.Range(0, 300), order.Order());
        int[] ranks = [.. FieldAddress.Of(fields, 16).Select(a => FieldOrder.GrayRank(FieldOrder.Cell(a)))];
        Assert.Equal(ranks.Order(), order.Select(i => ranks[i]));
        Assert.True(FieldOrder.PathLength(fields, order) < FieldOrder.PathLength(fields, [.. Enumerable.Range(0, 300)]) / 5);
    }
}
