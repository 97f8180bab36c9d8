using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Winnow.Continual;
using Winnow.Core;
using Winnow.Data;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Bench;

/// <summary>
/// Experience replay on the whole online stream of the embedded digits beside the same in eager PyTorch: equal initial weights, rows, order,
/// buffer size and threads. Equal results: the losses of the first mini-batches, replaying the same rows.
/// </summary>
internal static class OnlineReplay
{
    private const int Threads = 1, BufferSize = 100, CheckedSteps = 20, Repetitions = 7;
    private const double Tolerance = 1e-4;

    public static IEnumerable<BenchCase> Cases =>
    [
        new("continual.online-er", $"digits in batches of 10, buffer {BufferSize}, {Threads} thread", "rows/s", Better.Higher, 2, c => Run(PythonPeer.Candidates, c)),
    ];

    /// <summary>Measures, beside the first of the Python programs that has PyTorch.</summary>
    public static BenchMeasurement Run(IReadOnlyList<string> pythons, CancellationToken cancellation)
    {
        NativeTorch.SetThreads(Threads);
        using var scope = NewDisposeScope();
        var options = new OnlineOptions();
        using var stream = ContinualStream.ByClass(EmbeddedDigits.Open(), [2, 2, 2, 2, 2], options.TestFraction, new SeededRandom(1, "stream"));
        var setup = LearnerSetup.For(stream, seed: 1, options);
        var order = new SeededRandom(1, "order");
        Batch[] batches = [.. stream.Tasks.SelectMany(t => t.Train().MiniBatches(options.BatchSize, order).Select(b => new Batch(b.X.clone(), b.Y.clone())))];
        long rows = batches.Sum(b => b.Count);

        // Which row of the stream is replayed: rows are told apart by their values.
        var places = new Dictionary<string, int>();
        foreach (var (x, _, _) in batches)
            foreach (string row in Rows(x))
                places.TryAdd(row, places.Count);
        var replays = new List<int[]>();
        double[] losses;
        using (var learner = new Learner(setup, new Recorded(new ExperienceReplay(setup, new() { BufferSize = BufferSize }), x => replays.Add([.. x is null ? [] : Rows(x).Select(r => places[r])]))))
            losses = [.. batches.Take(CheckedSteps).Select(b => learner.Observe(b).Loss)];

        string file = Path.GetTempFileName();
        try
        {
            using (var network = setup.Network())
                File.WriteAllText(file, Exchange(network, setup.Training.LearningRate, batches, places, replays).ToJsonString());
            using var peer = PythonPeer.Start(pythons, "online_replay.py", file);
            bool? accurate = peer is null ? null : TrainingStep.Agree(losses, peer.Ask($"losses {CheckedSteps}"), Tolerance);
            List<double> ours = [], theirs = [];
            for (int i = 0; i <= Repetitions; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                using var learner = new Learner(setup, new ExperienceReplay(setup, new() { BufferSize = BufferSize }));
                long start = Stopwatch.GetTimestamp();
                foreach (var batch in batches)
                    learner.Observe(batch);
                ours.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
                if (peer is not null)
                    theirs.Add(peer.Ask("seconds")[0]);
            }
            return new BenchMeasurement(rows / TrainingStep.MedianWithoutFirst(ours), peer?.Name ?? "PyTorch", peer is null ? null : rows / TrainingStep.MedianWithoutFirst(theirs), accurate,
                peer is null ? PythonPeer.Missing : null);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static IEnumerable<string> Rows(Tensor x)
    {
        using var dense = x.contiguous();
        byte[] bytes = dense.bytes.ToArray();
        int width = bytes.Length / (int)x.shape[0];
        return [.. Enumerable.Range(0, (int)x.shape[0]).Select(i => Convert.ToBase64String(bytes, i * width, width))];
    }

    private static JsonObject Exchange(Network network, double learningRate, Batch[] batches, Dictionary<string, int> places, List<int[]> replays)
    {
        float[][] x = new float[places.Count][];
        long[] y = new long[places.Count];
        foreach (var batch in batches)
        {
            float[] values = batch.X.data<float>().ToArray();
            long[] labels = batch.Y.data<long>().ToArray();
            foreach (var (row, i) in Rows(batch.X).Select((r, i) => (r, i)))
                (x[places[row]], y[places[row]]) = (values[(i * network.Architecture.Inputs)..((i + 1) * network.Architecture.Inputs)], labels[i]);
        }
        return new()
        {
            ["threads"] = Threads,
            ["learning_rate"] = learningRate,
            ["buffer_size"] = BufferSize,
            ["architecture"] = JsonSerializer.SerializeToNode(network.Architecture),
            ["state"] = TrainingStep.State(network),
            ["x"] = JsonSerializer.SerializeToNode(x),
            ["labels"] = JsonSerializer.SerializeToNode(y),
            ["batches"] = JsonSerializer.SerializeToNode(batches.Select(b => Rows(b.X).Select(r => places[r]).ToArray())),
            ["replays"] = JsonSerializer.SerializeToNode(replays),
        };
    }

    /// <summary>Replay whose rows are told to somebody.</summary>
    private sealed class Recorded(ExperienceReplay inner, Action<Tensor?> tell) : IPart
    {
        public Batch? Replay(Step step)
        {
            var rows = inner.Replay(step);
            tell(rows?.X);
            return rows;
        }

        public void AfterStep(Step step) => inner.AfterStep(step);

        public void Dispose() => inner.Dispose();
    }
}
