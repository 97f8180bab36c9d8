using Winnow.Core;
using Winnow.Numerics.Krylov;

namespace Winnow.Numerics.Tests.Krylov;

public sealed class SystemSequenceTests
{
    private static double[][] Smooth(int side, int count)
    {
        var random = new SeededRandom(4, "sequence");
        double[][] fields = new GaussianField(side).SmoothPath(count, random);
        random.Shuffle(fields);
        return fields;
    }

    [Theory]
    [InlineData(FieldOrdering.AsGiven, 1)]
    [InlineData(FieldOrdering.Greedy, 1)]
    [InlineData(FieldOrdering.Greedy, 3)]
    [InlineData(FieldOrdering.GrayCode, 2)]
    public void Solutions_come_back_in_the_order_of_the_fields(FieldOrdering ordering, int threads)
    {
        double[][] fields = Smooth(8, 20);
        var told = new List<int>();
        var result = SystemSequence.Solve(fields, 8, ProblemFamily.Darcy, new() { Ordering = ordering, Threads = threads }, TimeProvider.System, new Progress(told), cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(Enumerable.Range(0, 20), result.Systems.Select(s => s.Index));
        Assert.Equal(Enumerable.Range(0, 20), result.Order.Order());
        Assert.Equal(Enumerable.Range(1, 20), told.Order());
        Assert.Equal(0, result.Failures);
        for (int i = 0; i < 20; i++)
        {
            var (a, b) = ProblemFamily.Darcy.Build(fields[i], 8);
            Assert.True(Dense.RelativeResidual(a, b, result.Systems[i].Solution) <= 1.0001e-8);
            // Another field's solution would not do.
            Assert.True(Dense.RelativeResidual(a, b, result.Systems[(i + 1) % 20].Solution) > 1e-4);
        }
    }

    [Fact]
    public void Threads_change_no_bit_between_runs()
    {
        double[][] fields = Smooth(8, 12);
        var options = new SequenceOptions { Threads = 3 };
        var first = SystemSequence.Solve(fields, 8, ProblemFamily.Darcy, options, TimeProvider.System, cancellation: TestContext.Current.CancellationToken);
        var second = SystemSequence.Solve(fields, 8, ProblemFamily.Darcy, options, TimeProvider.System, cancellation: TestContext.Current.CancellationToken);
        Assert.All(first.Systems.Zip(second.Systems), p => Assert.Equal(p.First.Solution, p.Second.Solution));
    }

    [Theory]
    [InlineData("darcy")]
    [InlineData("darcy-released")]
    public void On_a_smooth_family_ordered_recycling_needs_three_quarters_of_the_products_of_deflation_alone(string family)
    {
        double[][] fields = Smooth(24, 30);
        var rows = SystemSequence.Ablation(fields, 24, KrylovSolverTests.Family(family), new() { Krylov = new() { Tolerance = 1e-6 } }, TimeProvider.System, TestContext.Current.CancellationToken);
        double[] products = [.. rows.Select(r => r.Result.ProductsPerSystem)];
        Assert.Equal(4, rows.Count);
        Assert.Equal(0, rows.Skip(1).Sum(r => r.Result.Failures));
        Assert.True(products[1] < products[0], string.Join(" ", products));
        Assert.True(products[3] <= 0.75 * products[1], string.Join(" ", products));
        Assert.True(products[3] <= 1.01 * products[2], string.Join(" ", products));
        Assert.All(rows.Take(2).SelectMany(r => r.Result.Systems), s => Assert.Equal(0, s.Report.SpaceProducts));
        Assert.All(rows.Skip(2).SelectMany(r => r.Result.Systems.Where(s => s.Index != r.Result.Order[0])), s => Assert.Equal(10, s.Report.SpaceProducts));
    }

    [Fact]
    public void Ordering_and_solving_are_timed_apart()
    {
        var clock = new StepClock();
        var result = SystemSequence.Solve(Smooth(4, 3), 4, ProblemFamily.Darcy, new(), clock, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(TimeSpan.FromSeconds(1), result.OrderingTime);
        Assert.Equal(TimeSpan.FromSeconds(1), result.SolvingTime);
        Assert.Equal(4, clock.Asked);
    }

    [Fact]
    public void A_sequence_can_be_taken_one_system_at_a_time()
    {
        double[][] fields = Smooth(8, 6);
        int[] order = [3, 1, 4];
        var systems = SystemSequence.Along(fields, 8, ProblemFamily.Thermal(), order, new(), cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(order, systems.Select(s => s.Index));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Whoever_stops_taking_leaves_nothing_running_and_no_memory_held(int threads)
    {
        var scratch = new Scratch();
        double[][] fields = Smooth(8, 40);
        int taken = SystemSequence.Along(fields, 8, ProblemFamily.Darcy, [.. Enumerable.Range(0, 40)], new() { Threads = threads }, scratch, TestContext.Current.CancellationToken).Take(2).Count();
        Assert.Equal(2, taken);
        Assert.True(scratch.PeakBytes > 0);
        Assert.Equal(0, scratch.LiveBytes);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Bad_fields_and_cancellation_end_a_sequence(int threads)
    {
        double[][] fields = Smooth(4, 4);
        fields[2] = [.. Enumerable.Repeat(-1.0, 16)];
        var options = new SequenceOptions { Threads = threads };
        Assert.Throws<ArgumentException>(() => SystemSequence.Solve(fields, 4, ProblemFamily.Darcy, options, TimeProvider.System, cancellation: TestContext.Current.CancellationToken));
        Assert.ThrowsAny<OperationCanceledException>(() => SystemSequence.Solve(Smooth(4, 4), 4, ProblemFamily.Darcy, options, TimeProvider.System, cancellation: new CancellationToken(true)));
        Assert.Throws<ArgumentOutOfRangeException>(() => SystemSequence.Solve(Smooth(4, 4), 4, ProblemFamily.Darcy, new() { Threads = 0 }, TimeProvider.System, cancellation: TestContext.Current.CancellationToken));
    }

    private sealed class Progress(List<int> told) : IProgress<int>
    {
        public void Report(int value)
        {
            lock (told)
                told.Add(value);
        }
    }

    /// <summary>A second passes whenever it is asked.</summary>
    private sealed class StepClock : TimeProvider
    {
        public int Asked { get; private set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Asked++;
    }
}
