namespace Winnow.Numerics.Tests;

public sealed class ScratchTests
{
    [Fact]
    public void Live_and_peak_bytes_are_those_taken()
    {
        var scratch = new Scratch();
        using (scratch.Take<float>(1000))
        using (scratch.Take<double>(10))
            Assert.Equal(4080, scratch.LiveBytes);
        using (scratch.Take<byte>(5))
            Assert.Equal(5, scratch.LiveBytes);
        Assert.Equal(0, scratch.LiveBytes);
        Assert.Equal(4080, scratch.PeakBytes);
    }

    [Fact]
    public unsafe void Memory_is_zeroed_and_begins_on_a_cache_line()
    {
        var scratch = new Scratch();
        for (int round = 0; round < 20; round++)
        {
            using Scratch.Block<int> block = scratch.Take<int>(37 + round);
            Assert.Equal(0, (nint)block.Data % 64);
            Assert.False(block.Span.ContainsAnyExcept(0));
            block.Span.Fill(-1);
        }
    }

    [Fact]
    public void Beyond_the_limit_nothing_is_taken_and_the_limit_is_named()
    {
        var scratch = new Scratch(1000);
        using Scratch.Block<byte> held = scratch.Take<byte>(600);
        var error = Assert.Throws<ScratchLimitException>(() => scratch.Take<double>(100));
        Assert.Contains("800 bytes", error.Message);
        Assert.Contains("the limit is 1,000", error.Message);
        Assert.Equal(600, scratch.LiveBytes);
        scratch.Take<byte>(400).Dispose();
    }

    [Fact]
    public void Memory_held_elsewhere_counts_until_it_is_let_go_once()
    {
        var scratch = new Scratch(1000);
        IDisposable held = scratch.Hold(900);
        Assert.Throws<ScratchLimitException>(() => scratch.Take<byte>(200));
        held.Dispose();
        held.Dispose();
        Assert.Equal((0, 900), (scratch.LiveBytes, scratch.PeakBytes));
    }

    [Fact]
    public void Threads_count_together()
    {
        var scratch = new Scratch();
        Parallel.For(0, 1000, i => scratch.Take<byte>(i + 1).Dispose());
        Assert.Equal(0, scratch.LiveBytes);
        Assert.InRange(scratch.PeakBytes, 1000, 500_500);
    }
}
