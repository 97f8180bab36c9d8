using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Bench;

/// <summary>
/// A training step (forward, cross-entropy, backward, SGD) beside the same step in eager PyTorch: equal initial weights, data and
/// threads; repetitions of both alternate, and medians are compared.
/// </summary>
internal static class TrainingStep
{
    private const int Batch = 32, Threads = 1, CheckedSteps = 20, Repetitions = 9;
    private const double LearningRate = 0.005, Tolerance = 1e-4;

    public static IEnumerable<BenchCase> Cases =>
    [
        Case("mlp-step", "64-100-100-10", 2, new MlpArchitecture(64, [100, 100], 10, false), 500),
        Case("mlp-step", "64-100-100-10, batch norm", 2, new MlpArchitecture(64, [100, 100], 10, true), 500),
        Case("cnn-step", "1x8x8", 1.1, new CnnArchitecture(1, 8, 8, 10, false), 200),
        Case("cnn-step", "1x8x8, batch norm", 1.1, new CnnArchitecture(1, 8, 8, 10, true), 200),
        Case("cnn-step", "1x28x28, batch norm", 1.1, new CnnArchitecture(1, 28, 28, 10, true), 20),
        Case("cnn-step", "3x32x32, batch norm", 1.1, new CnnArchitecture(3, 32, 32, 10, true), 15),
    ];

    /// <summary>Measures one architecture, beside the first of the Python programs that has PyTorch.</summary>
    public static BenchMeasurement Run(Architecture architecture, int steps, IReadOnlyList<string> pythons, CancellationToken cancellation)
    {
        NativeTorch.SetThreads(Threads);
        using var scope = NewDisposeScope();
        var random = new SeededRandom(1, "bench");
        using var network = Network.Create(architecture, random);
        float[] values = [.. Enumerable.Range(0, Batch * architecture.Inputs).Select(_ => (float)random.NextNormal())];
        long[] classes = [.. Enumerable.Range(0, Batch).Select(_ => random.NextInt64(architecture.Outputs))];
        Tensor x = tensor(values, [Batch, architecture.Inputs]), labels = tensor(classes);

        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, Exchange(network, values, classes).ToJsonString());
            using var peer = PythonPeer.Start(pythons, "training_step.py", file);
            using var sgd = new Sgd(network, LearningRate);
            double[] losses = [.. Enumerable.Range(0, CheckedSteps).Select(_ => Step(network, sgd, x, labels))];
            bool? accurate = peer is null ? null : Agree(losses, peer.Ask($"losses {CheckedSteps}"), Tolerance);

            List<double> ours = [], theirs = [];
            for (int i = 0; i <= Repetitions; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                long start = Stopwatch.GetTimestamp();
                for (int j = 0; j < steps; j++)
                    Step(network, sgd, x, labels);
                ours.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
                if (peer is not null)
                    theirs.Add(peer.Ask($"seconds {steps}")[0]);
            }
            return new BenchMeasurement(steps / MedianWithoutFirst(ours), peer?.Name ?? "PyTorch", peer is null ? null : steps / MedianWithoutFirst(theirs), accurate,
                peer is null ? PythonPeer.Missing : null);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static BenchCase Case(string bench, string name, double target, Architecture architecture, int steps) =>
        new(bench, $"{name}, batch {Batch}, {Threads} thread", "steps/s", Better.Higher, target, c => Run(architecture, steps, PythonPeer.Candidates, c));

    private static double Step(Network network, Sgd sgd, Tensor x, Tensor labels)
    {
        network.ZeroGradient();
        double loss = network.AddCrossEntropyGradient(x, labels);
        sgd.Step();
        return loss;
    }

    private static JsonObject Exchange(Network network, float[] x, long[] labels) => new()
    {
        ["threads"] = Threads,
        ["learning_rate"] = LearningRate,
        ["architecture"] = JsonSerializer.SerializeToNode(network.Architecture),
        ["batch"] = Batch,
        ["x"] = JsonSerializer.SerializeToNode(x),
        ["labels"] = JsonSerializer.SerializeToNode(labels),
        ["state"] = State(network),
    };

    /// <summary>The initial weights and statistics, for a peer.</summary>
    public static JsonObject State(Network network) => new(network.State().Select(s => KeyValuePair.Create(s.Name, JsonSerializer.SerializeToNode(s.Values))));

    /// <summary>Whether two courses of training are one.</summary>
    public static bool Agree(double[] ours, double[] theirs, double tolerance) =>
        ours.Length == theirs.Length && ours.Zip(theirs).All(p => Math.Abs(p.First - p.Second) <= tolerance * Math.Max(1, Math.Abs(p.Second)));

    /// <summary>The middle one of the repetitions, the first of which only warms up.</summary>
    public static double MedianWithoutFirst(List<double> seconds) => seconds.Skip(1).Order().ElementAt((seconds.Count - 1) / 2);
}
