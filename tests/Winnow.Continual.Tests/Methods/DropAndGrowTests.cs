using Winnow.Core;

namespace Winnow.Continual.Tests.Methods;

public sealed class DropAndGrowTests
{
    private static readonly IReadOnlyList<long>[] Shapes = [[16, 3, 3, 3], [32, 16, 3, 3], [100, 64], [10, 100]];

    private static double Weights(IReadOnlyList<long> shape) => shape.Aggregate(1.0, (a, b) => a * b);

    private static (float[] W, float[] G, byte[] Mask) Layer(int n = 60, ulong seed = 1)
    {
        var random = new SeededRandom(seed, "layer");
        byte[] mask = [.. Enumerable.Range(0, n).Select(_ => (byte)random.Next(2))];
        return ([.. mask.Select(m => m * (float)random.NextNormal())], [.. mask.Select(_ => (float)random.NextNormal())], mask);
    }

    [Theory, InlineData(0.01), InlineData(0.1), InlineData(0.3), InlineData(0.7), InlineData(0.99), InlineData(1.0)]
    public void ERK_spends_the_whole_budget_and_no_layer_has_more_than_all_its_weights(double density)
    {
        double[] densities = SparseLayout.Erk(Shapes, density);
        Assert.Equal(density, densities.Zip(Shapes, (d, s) => d * Weights(s)).Sum() / Shapes.Sum(Weights), 1e-6);
        Assert.All(densities, d => Assert.InRange(d, 0, 1 + 1e-12));
        if (density == 1)
            Assert.All(densities, d => Assert.Equal(1, d, 1e-12));
        Assert.All(SparseLayout.Densities(SparseInit.Uniform, Shapes, density), d => Assert.Equal(density, d));
    }

    [Theory, InlineData(0.0), InlineData(-0.1), InlineData(1.01), InlineData(double.NaN)]
    public void A_density_outside_0_to_1_is_refused(double density)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => SparseLayout.Densities(SparseInit.Uniform, Shapes, density));
        Assert.Throws<ArgumentOutOfRangeException>(() => SparseLayout.Densities(SparseInit.Erk, Shapes, density));
    }

    [Fact]
    public void The_drop_rate_falls_along_a_cosine_from_first_to_last()
    {
        Assert.Equal(0.5, DropAndGrow.Rate(0, 100, 0.5, 0.005), 1e-12);
        Assert.Equal(0.2525, DropAndGrow.Rate(50, 100, 0.5, 0.005), 1e-12);
        Assert.Equal(0.005, DropAndGrow.Rate(100, 100, 0.5, 0.005), 1e-12);
        Assert.Equal(0.005, DropAndGrow.Rate(1000, 100, 0.5, 0.005), 1e-12);
    }

    [Theory, InlineData(DropRule.Magnitude), InlineData(DropRule.Taylor)]
    public void Exactly_the_least_of_the_active_weights_are_dropped(DropRule rule)
    {
        var (w, g, mask) = Layer();
        byte[] before = [.. mask];
        int active = mask.Count(m => m == 1), dropped = DropAndGrow.Drop(rule, w, g, mask, 0.3);
        Assert.Equal((int)Math.Ceiling(0.3 * active), dropped);
        Assert.Equal(active - dropped, mask.Count(m => m == 1));
        double[] scores = [.. w.Zip(g, (a, b) => rule == DropRule.Taylor ? (double)a * b * a * b : Math.Abs(a))];
        double worstKept = Enumerable.Range(0, w.Length).Where(i => mask[i] == 1).Min(i => scores[i]);
        Assert.All(Enumerable.Range(0, w.Length).Where(i => before[i] == 1 && mask[i] == 0), i => Assert.True(scores[i] <= worstKept));
    }

    [Fact]
    public void SET_drops_half_from_each_side_of_zero_and_as_released_leaves_of_the_negative_ones_only_the_largest()
    {
        float[] w = [-5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7];
        byte[] meant = [.. w.Select(_ => (byte)1)], released = [.. meant];
        Assert.Equal(4, DropAndGrow.Drop(DropRule.Set, w, w, meant, 4 / 12.0));
        Assert.Equal([1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1], meant);
        Assert.Equal(6, DropAndGrow.Drop(DropRule.SetReleased, w, w, released, 4 / 12.0)); // ⌈4/2⌉ − 1 = 1 negative weight stays
        Assert.Equal([1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1], released);
        byte[] positive = [0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0];
        Assert.Equal(1, DropAndGrow.Drop(DropRule.SetReleased, w, w, positive, 0.5));
    }

    [Theory, InlineData(DropRule.Magnitude), InlineData(DropRule.Set), InlineData(DropRule.SetReleased), InlineData(DropRule.Taylor)]
    public void A_rate_of_0_leaves_the_mask_as_it_is_and_an_empty_layer_is_left_alone(DropRule rule)
    {
        var (w, g, mask) = Layer();
        byte[] before = [.. mask];
        Assert.Equal(0, DropAndGrow.Drop(rule, w, g, mask, 0));
        Assert.Equal(before, mask);
        Assert.Equal(0, DropAndGrow.Drop(rule, w, g, new byte[w.Length], 0.5));
    }

    [Fact]
    public void Growing_what_was_dropped_keeps_the_number_of_weights_and_takes_the_best_that_are_allowed()
    {
        var (w, g, mask) = Layer();
        byte[] allowed = [.. Enumerable.Range(0, w.Length).Select(i => (byte)(i % 3 == 0 ? 0 : 1))];
        int active = mask.Count(m => m == 1), dropped = DropAndGrow.Drop(DropRule.Magnitude, w, g, mask, 0.4);
        float[] scores = DropAndGrow.Gradient(g);
        int[] free = [.. Enumerable.Range(0, w.Length).Where(i => mask[i] == 0 && allowed[i] == 1)];
        int[] grown = DropAndGrow.Grow(scores, mask, allowed, dropped);
        Assert.Equal(active, mask.Count(m => m == 1));
        Assert.Equal(free.OrderByDescending(i => Math.Abs(g[i])).Take(dropped).Order(), grown.Order());
        Assert.Equal(mask.Count(m => m == 0), Enumerable.Range(0, w.Length).Count(i => mask[i] == 0));
        int left = Enumerable.Range(0, w.Length).Count(i => mask[i] == 0 && allowed[i] == 1);
        Assert.Equal(left, DropAndGrow.Grow(scores, mask, allowed, 1000).Length); // no more than there are
    }

    [Fact]
    public void Random_growth_is_exact_in_number_even_over_positions_and_takes_first_what_was_never_active()
    {
        var random = new SeededRandom(1, "grow");
        byte[] all = [.. Enumerable.Repeat((byte)1, 20)], fired = [.. Enumerable.Range(0, 20).Select(i => (byte)(i < 12 ? 1 : 0))];
        int[] counts = new int[20];
        for (int run = 0; run < 4000; run++)
        {
            byte[] mask = new byte[20];
            Assert.Equal(5, DropAndGrow.Grow(mask, all, [], 5, random).Length);
            for (int i = 0; i < 20; i++)
                counts[i] += mask[i];
        }
        // Each is binomial(4000, 1/4): 1000 with deviation 27.4; |z| < 4.5 for all 20 fails by chance with probability 1.4e-4.
        Assert.All(counts, c => Assert.InRange(c, 1000 - 124, 1000 + 124));

        byte[] fresh = new byte[20];
        Assert.All(DropAndGrow.Grow(fresh, all, fired, 8, random), i => Assert.True(i >= 12));
        Assert.All(DropAndGrow.Grow(fresh, all, fired, 3, random), i => Assert.True(i < 12));
    }

    [Fact]
    public void The_score_of_momentum_is_the_size_of_Adams_step() =>
        Assert.Equal([2, 0, 3e8f], DropAndGrow.Momentum([-4, 0, 3], [4, 1, 0]));

    [Theory, InlineData(-0.1), InlineData(1.1)]
    public void A_drop_rate_outside_0_to_1_is_refused(double rate) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => DropAndGrow.Drop(DropRule.Magnitude, [1], [1], new byte[] { 1 }, rate));
}
