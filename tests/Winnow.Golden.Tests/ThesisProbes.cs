using Winnow.Continual;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of the techniques of the thesis on continual learning.</summary>
internal static class ThesisProbes
{
    public static Dictionary<string, GoldenArray> Mas(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var options = new ContinualThesisOptions
        {
            Lambda = file.Param<double>("lambda"),
            Importance = MasImportance.Released,
            ImportanceBatch = file.Param<int>("batch"),
            ImportanceRows = int.MaxValue,
            AnchorStep = AnchorStep.Explicit,
        };
        var setup = Setup(file, file.Param<double>("lr"), file.Param<double>("momentum"));
        using var learner = new Learner(setup, new Mas(setup, options));
        var unlabelled = Single(file.Input("X_unlabelled"));
        var results = new Dictionary<string, GoldenArray>();
        Add(results, file, "omega_{0}", Importance(MasImportance.Released));
        Add(results, file, "omega_per_sample_{0}", Importance(MasImportance.Paper));

        learner.EndTask(new(0, [0]), new(unlabelled, zeros(unlabelled.shape[0], ScalarType.Int64)));
        string after = file.Outputs.Keys.Single(k => k.StartsWith("W1_after", StringComparison.Ordinal))["W1_after".Length..];
        var fresh = new Batch(Single(file.Input("X_new")), tensor(file.Input("y_new").Integers));
        for (int i = 0; i < int.Parse(after, System.Globalization.CultureInfo.InvariantCulture); i++)
            learner.Observe(fresh);
        Add(results, file, "{0}_after" + after, learner.Network.ParameterValues);
        return results;

        ReadOnlySpan<float> Importance(MasImportance rule) =>
            Winnow.Continual.Mas.Importance(learner.Network, unlabelled, rule, options.ImportanceBatch, CancellationToken.None).data<float>().ToArray();
    }

    public static Dictionary<string, GoldenArray> Slnid(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var a = Single(file.Input("A")).requires_grad_(true);
        var neurons = Single(file.Input("neuron_importance"));
        double divisor = file.Param<double>("scale_divisor");
        var penalty = SelflessSparsity.Penalty(a, neurons, divisor, SparsityDiscount.Released);
        penalty.backward();
        return new()
        {
            ["sni"] = Scalar(SelflessSparsity.Penalty(a, null, null, SparsityDiscount.Released)),
            ["slni"] = Scalar(SelflessSparsity.Penalty(a, null, divisor, SparsityDiscount.Released)),
            ["slnid"] = Scalar(penalty),
            ["grad_slnid"] = GoldenArray.Float32(file.Input("A").Shape, a.grad!.data<float>().ToArray()),
        };

        static GoldenArray Scalar(Tensor value) => GoldenArray.Float32([], [value.item<float>()]);
    }

    public static Dictionary<string, GoldenArray> MirAndGss(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        using var network = Network([file.Input("W")], [file.Input("b")]);
        var incoming = new Batch(Single(file.Input("X")), tensor(file.Input("y").Integers));
        var kept = new Batch(Single(file.Input("buf_x")), tensor(file.Input("buf_y").Integers));
        int k = file.Param<int>("k");
        float[] mir = MaximallyInterferedRetrieval.Scores(network, incoming, kept, file.Param<double>("lr"));
        long[] top = MaximallyInterferedRetrieval.Top(mir, k);
        float[] gss = GradientSampleSelection.Scores(network, incoming, [.. Enumerable.Range(0, kept.Count).Select(i => (long)i).Chunk(k).Select(chunk => kept.Rows(tensor(chunk)))]);
        return new()
        {
            ["mir_score"] = GoldenArray.Float32([mir.Length], mir),
            ["mir_topk"] = GoldenArray.Int64([top.Length], top),
            ["gss_score"] = GoldenArray.Float32([gss.Length], gss),
        };
    }

    public static Dictionary<string, GoldenArray> TaskFree(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var options = new ContinualThesisOptions
        {
            RecentBuffer = file.Param<int>("recent_buffer"),
            HardBuffer = file.Param<int>("hard_buffer"),
            RoundSteps = file.Param<int>("gradient_steps"),
            RoundLearningRate = file.Param<double>("lr"),
            Window = file.Param<int>("window"),
            PlateauMean = file.Param<double>("mean_threshold"),
            PlateauVariance = file.Param<double>("variance_threshold"),
            Anchor = file.Param<double>("lambda"),
            AnchorStep = AnchorStep.Explicit,
            Loss = TaskFreeLoss.SquaredError,
            PlateauLoss = PlateauLoss.Total,
        };
        using var learner = new TaskFreeConsolidation(Setup(file, options.RoundLearningRate.Value, 0), options);
        var last = learner.Network.Modules[^1].Parameters[1];
        if (!file.Inputs.ContainsKey($"b{Layers(file)}_0"))
            learner.Optimizer.SetFactor(last.Offset, last.Length, 0);
        var stream = new Batch(Single(file.Input("X")), tensor(file.Input("y").Integers));
        var (means, variances, updates) = (new List<float>(), new List<float>(), new List<long>());
        foreach (long[] round in Enumerable.Range(0, stream.Count).Select(i => (long)i).Chunk(options.RecentBuffer).Where(r => r.Length == options.RecentBuffer))
        {
            long before = learner.Consolidations;
            learner.Observe(stream.Rows(tensor(round)));
            means.Add((float)learner.Detector.Mean);
            variances.Add((float)learner.Detector.Variance);
            updates.Add(learner.Consolidations - before);
        }
        var results = new Dictionary<string, GoldenArray>
        {
            ["window_mean"] = GoldenArray.Float32([means.Count], [.. means]),
            ["window_var"] = GoldenArray.Float32([means.Count], [.. variances]),
            ["update"] = GoldenArray.Int64([means.Count], [.. updates]),
        };
        Add(results, file, "{0}", learner.Network.ParameterValues);
        return results;
    }

    /// <summary>Layers of the network whose first weights are the inputs W1_0, b1_0, W2_0, ...; the last may have no bias.</summary>
    private static int Layers(GoldenFile file) => Enumerable.Range(1, file.Inputs.Count).TakeWhile(i => file.Inputs.ContainsKey($"W{i}_0")).Count();

    private static LearnerSetup Setup(GoldenFile file, double learningRate, double momentum)
    {
        GoldenArray[] weights = [.. Enumerable.Range(1, Layers(file)).Select(i => file.Input($"W{i}_0"))];
        GoldenArray?[] biases = [.. Enumerable.Range(1, Layers(file)).Select(i => file.Inputs.GetValueOrDefault($"b{i}_0"))];
        return new()
        {
            Network = () => Network(weights, biases),
            Width = weights[0].Shape[1],
            Classes = weights[^1].Shape[0],
            Training = new(learningRate, momentum, BatchSize: 1, Epochs: 1, Tasks: 1, Steps: 1, Rows: 1),
            Random = purpose => new SeededRandom(0, purpose),
        };
    }

    private static Network Network(IReadOnlyList<GoldenArray> weights, IReadOnlyList<GoldenArray?> biases)
    {
        var network = Learning.Network.Mlp(weights[0].Shape[1], [.. weights.SkipLast(1).Select(w => w.Shape[0])], weights[^1].Shape[0], batchNorm: false, new SeededRandom(0, "overwritten"));
        for (int i = 0; i < weights.Count; i++)
        {
            var (weight, bias) = (network.Modules[i].Parameters[0], network.Modules[i].Parameters[1]);
            weights[i].Singles.CopyTo(network.ParameterValues[weight.Offset..]);
            (biases[i]?.Singles ?? new float[bias.Length]).CopyTo(network.ParameterValues[bias.Offset..]);
        }
        return network;
    }

    /// <summary>The pieces of a flat vector under the names W1, b1, W2, ... in a format, as far as the network of the file has them.</summary>
    private static void Add(Dictionary<string, GoldenArray> results, GoldenFile file, string format, ReadOnlySpan<float> flat)
    {
        int offset = 0;
        for (int i = 1; i <= Layers(file); i++)
            foreach (string name in (string[])[$"W{i}", $"b{i}"])
            {
                int[] shape = file.Inputs.TryGetValue($"{name}_0", out var initial) ? [.. initial.Shape] : [file.Input($"W{i}_0").Shape[0]];
                int length = shape.Aggregate(1, (a, b) => a * b);
                if (initial is not null)
                    results.Add(string.Format(System.Globalization.CultureInfo.InvariantCulture, format, name), GoldenArray.Float32(shape, flat.Slice(offset, length)));
                offset += length;
            }
    }

    private static Tensor Single(GoldenArray array) => tensor(array.Singles).reshape([.. array.Shape.Select(s => (long)s)]);
}
