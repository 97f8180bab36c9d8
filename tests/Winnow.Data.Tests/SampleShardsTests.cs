using Winnow.Core;

namespace Winnow.Data.Tests;

public sealed class SampleShardsTests
{
    private const int Samples = 57, Side = 3;
    private static readonly SampleTensor[] Tensors = [new("field", [Side, Side]), new("solution", [4])];

    [Fact]
    public void Samples_come_back_as_they_were_written_in_any_order()
    {
        using var scratch = new Scratch();
        var told = new List<int>();
        var shards = Open(scratch);
        Assert.Equal(Samples, shards.Write(missing => missing.Reverse().Select(Make), 10, new Progress(told), TestContext.Current.CancellationToken));
        Assert.Equal([10, 20, 30, 40, 50, 57], told);
        Assert.Equal(6, Directory.GetFiles(scratch.Path("set")).Length);
        AssertComplete(shards);
        Assert.Equal(0, shards.Write(_ => throw new InvalidOperationException("nothing is missing"), cancellation: TestContext.Current.CancellationToken));
        using var file = SafetensorsFile.Open(scratch.Path("set/shard-00005.safetensors"));
        Assert.Equal([7, 3, 3], file["field"].Shape);
        Assert.Equal([7, 4], file["solution"].Shape);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Cancelled_or_broken_off_at_random_points_it_goes_on_without_a_lost_or_doubled_sample(ulong seed)
    {
        using var scratch = new Scratch();
        var random = new SeededRandom(seed, "cancel");
        int runs = 0, written = 0;
        for (bool complete = false; !complete; runs++)
        {
            using var source = new CancellationTokenSource();
            int last = random.Next(1, 12), made = 0;
            bool cancels = random.Next(2) == 0;
            var before = Open(scratch).Stored();
            try
            {
                Open(scratch).Write(Stopping, 1 + random.Next(8), cancellation: source.Token);
                complete = true;
            }
            catch (OperationCanceledException)
            {
                Assert.Equal(before.Count(s => s) + made, Open(scratch).Stored().Count(s => s));
            }
            catch (TimeoutException)
            {
                Assert.Equal(before.Count(s => s) + made, Open(scratch).Stored().Count(s => s));
            }
            written += made;

            IEnumerable<(int, double[][])> Stopping(IReadOnlyList<int> missing)
            {
                Assert.All(missing, i => Assert.False(before[i]));
                foreach (int i in missing.OrderBy(_ => random.Next()))
                {
                    if (made == last && cancels)
                        source.Cancel();
                    if (made == last && !cancels)
                        throw new TimeoutException();
                    made++;
                    yield return Make(i);
                }
            }
        }
        Assert.InRange(runs, 4, 100);
        AssertComplete(Open(scratch));
    }

    [Fact]
    public void A_killed_writer_leaves_whole_shards_and_the_next_one_goes_on()
    {
        // What is left when the process dies while a shard is written: a temporary file cut short, and the lock's file.
        using var scratch = new Scratch();
        using var source = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => Open(scratch).Write(Some, 5, cancellation: source.Token));
        byte[] whole = File.ReadAllBytes(scratch.Path("set/shard-00000.safetensors"));
        scratch.Write("set/shard-00003.safetensors.1234.tmp", whole[..(whole.Length / 2)]);
        scratch.Write("set/writing.lock", "");
        Assert.Equal(13, Open(scratch).Stored().Count(s => s));
        Assert.Equal(Samples - 13, Open(scratch).Write(missing => missing.Select(Make), 5, cancellation: TestContext.Current.CancellationToken));
        AssertComplete(Open(scratch));

        IEnumerable<(int, double[][])> Some(IReadOnlyList<int> missing)
        {
            foreach (int i in missing)
            {
                if (i == 12)
                    source.Cancel();
                yield return Make(i);
            }
        }
    }

    [Fact]
    public void Two_writers_at_once_are_refused()
    {
        using var scratch = new Scratch();
        Open(scratch).Write(missing =>
        {
            Scratch.Refused(() => Open(scratch).Write(m => m.Select(Make), cancellation: TestContext.Current.CancellationToken), "being written");
            return missing.Select(Make);
        }, cancellation: TestContext.Current.CancellationToken);
        AssertComplete(Open(scratch));
    }

    [Fact]
    public void Shards_of_other_settings_or_damaged_ones_are_refused()
    {
        using var scratch = new Scratch();
        Open(scratch).Write(m => m.Select(Make), 20, cancellation: TestContext.Current.CancellationToken);
        string folder = scratch.Path("set");
        Scratch.Refused(() => new SampleShards(folder, Samples, Tensors, "darcy, seed 2").Stored(), "darcy, seed 1", "darcy, seed 2");
        Scratch.Refused(() => new SampleShards(folder, Samples + 1, Tensors, "darcy, seed 1").Stored(), "57", "58");
        Scratch.Refused(() => new SampleShards(folder, Samples, [Tensors[0], new("solution", [5])], "darcy, seed 1").Stored(), "solution", "[20, 5]");
        Scratch.Refused(() => new SampleShards(folder, Samples, [Tensors[0], new("solutions", [4])], "darcy, seed 1").Stored(), "solutions", "Did you mean 'solution'?");
        File.Copy(Path.Combine(folder, "shard-00000.safetensors"), Path.Combine(folder, "shard-00007.safetensors"));
        Scratch.Refused(() => Open(scratch).Stored(), "shard-00007", "sample 0");
        byte[] whole = File.ReadAllBytes(Path.Combine(folder, "shard-00001.safetensors"));
        File.WriteAllBytes(Path.Combine(folder, "shard-00001.safetensors"), whole[..(whole.Length / 2)]);
        Scratch.Refused(() => Open(scratch).Stored(), "shard-00001");
    }

    [Fact]
    public void Samples_that_were_not_asked_for_or_do_not_fit_are_refused()
    {
        using var scratch = new Scratch();
        Assert.Throws<ArgumentException>(() => Open(scratch).Write(_ => [Make(Samples)], cancellation: TestContext.Current.CancellationToken));
        Assert.Throws<ArgumentException>(() => Open(scratch).Write(_ => [Make(3), Make(3)], cancellation: TestContext.Current.CancellationToken));
        Assert.Throws<ArgumentException>(() => Open(scratch).Write(_ => [(0, [new double[9]])], cancellation: TestContext.Current.CancellationToken));
        Assert.Throws<ArgumentException>(() => Open(scratch).Write(_ => [(0, [new double[9], new double[5]])], cancellation: TestContext.Current.CancellationToken));
        using var other = new Scratch();
        Assert.Contains("1 of 57", Assert.Throws<ArgumentException>(() => Open(other).Write(_ => [Make(3)], cancellation: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new SampleShards("x", 1, [], ""));
        Assert.Throws<ArgumentException>(() => new SampleShards("x", 1, [new("index", [1])], ""));
    }

    private static SampleShards Open(Scratch scratch) => new(scratch.Path("set"), Samples, Tensors, "darcy, seed 1");

    private static (int Index, double[][] Values) Make(int i) =>
        (i, [[.. Enumerable.Range(0, Side * Side).Select(j => i + j / 16.0)], [.. Enumerable.Range(0, 4).Select(j => -i - j / 8.0)]]);

    private static void AssertComplete(SampleShards shards)
    {
        var samples = shards.Read().ToList();
        Assert.Equal(Enumerable.Range(0, Samples), samples.Select(s => s.Index).Order());
        Assert.All(samples, s => Assert.Equal(Make(s.Index).Values, s.Values));
        Assert.All(shards.Stored(), Assert.True);
    }

    private sealed class Progress(List<int> told) : IProgress<int>
    {
        public void Report(int value) => told.Add(value);
    }
}
