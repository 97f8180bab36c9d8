namespace Winnow.Compute.Tests.Methods;

public sealed class SpatialArrayTests
{
    private static readonly SpatialArray Published = new();

    /// <summary>BERT, TrXL, T5 and XLM: batch 64, lengths 1K to 1M.</summary>
    private static IEnumerable<AttentionShape> Workloads =>
        from model in new (int Heads, int Width)[] { (12, 64), (16, 64), (8, 64), (16, 128) }
        from length in new[] { 1L << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20 }
        select new AttentionShape(64, model.Heads, model.Width, model.Width, length, length);

    [Fact] // the paper says 6.7 on average
    public void Fusemax_is_6_72_times_as_fast_as_flat_on_the_mean_of_the_published_rows() =>
        Assert.Equal(6.72, Workloads.Average(w => Published.Cost(AttentionDesign.Flat, w).Seconds / Published.Cost(AttentionDesign.Fusemax, w).Seconds), 0.005);

    [Fact]
    public void Utilisation_tends_to_the_share_of_the_array_in_the_two_bounds_of_a_block()
    {
        double far = Published.Cost(AttentionDesign.Fusemax, new(1, 1, 64, 64, 1 << 24, 1 << 10)).Utilisation;
        Assert.Equal((64 + 64 + 9.0) / (64 + 64 + 10), far, 1e-4);
        Assert.Equal(0.99264, Published.Cost(AttentionDesign.Fusemax, new(64, 12, 64, 64, 1 << 20, 1 << 20)).Utilisation, 5e-6);
    }

    [Fact]
    public void With_all_queries_in_the_buffer_each_operand_passes_once()
    {
        var shape = new AttentionShape(64, 12, 64, 64, 1024, 1024);
        Assert.Equal(2.0 * 64 * 12 * 4 * 1024 * 64, Published.Cost(AttentionDesign.Fusemax, shape).TrafficBytes);
    }

    [Fact]
    public void Without_a_bound_on_moving_time_is_cycles_and_a_slow_memory_makes_it_traffic()
    {
        var shape = new AttentionShape(64, 12, 64, 64, 4096, 4096);
        var free = Published with { Bandwidth = double.PositiveInfinity };
        var slow = Published with { Bandwidth = 1e6 };
        Assert.Equal(2 * free.Cost(AttentionDesign.Fusemax, shape).Seconds, (free with { Clock = 470e6 }).Cost(AttentionDesign.Fusemax, shape).Seconds, 1e-12);
        Assert.Equal(slow.Cost(AttentionDesign.Fusemax, shape).TrafficBytes / 1e6, slow.Cost(AttentionDesign.Fusemax, shape).Seconds, 1e-6);
    }

    [Fact] // of FLAT: a product on N² elements, then four passes on N
    public void A_larger_array_is_faster_by_its_square_in_products_and_by_its_side_in_the_softmax()
    {
        var free = Published with { Bandwidth = double.PositiveInfinity };
        double Time(long side, long width) => (free with { Elements = side }).Cost(AttentionDesign.Flat, new(1, 1, width, width, 4096, 4096)).Seconds;
        Assert.Equal(4, Time(256, 4096) / Time(512, 4096), 1e-12);
        Assert.Equal(2, Time(256, 64) / Time(512, 64), 1e-12);
    }

    [Fact]
    public void Each_step_of_the_design_is_faster_or_as_fast_at_every_published_row() =>
        Assert.All(Workloads, w =>
        {
            double full = Published.Cost(AttentionDesign.Fusemax, w).Seconds;
            Assert.True(full < Published.Cost(AttentionDesign.Architecture, w).Seconds && Published.Cost(AttentionDesign.Architecture, w).Seconds < Published.Cost(AttentionDesign.Cascade, w).Seconds);
        });

    [Theory]
    [InlineData(1000, 1024, "1000 keys")]
    [InlineData(1024, 100, "100 queries")]
    [InlineData(0, 1024, "expected positive sizes")]
    public void Sizes_without_a_published_rule_are_refused(long keys, long queries, string expected) =>
        Assert.Contains(expected, Assert.Throws<ArgumentException>(() => Published.Cost(AttentionDesign.Fusemax, new(1, 1, 64, 64, keys, queries))).Message);

    [Fact]
    public void A_buffer_without_room_for_a_block_is_refused() =>
        Assert.Contains("holds no block", Assert.Throws<ArgumentException>(() => (Published with { Buffer = 100_000 }).Cost(AttentionDesign.Fusemax, new(1, 1, 64, 64, 1024, 1024))).Message);
}
