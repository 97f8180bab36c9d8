using Winnow.Continual;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of the continual arena.</summary>
internal static class ContinualProbes
{
    public static Dictionary<string, GoldenArray> ModuleDynamics(GoldenFile file)
    {
        // A module's checkpoints lie behind one another: [checkpoints, ...].
        var modules = file.Numbered("module");
        int steps = modules[0].Shape[0] - 1;
        double[][] change = [.. modules.Select(m => Winnow.Continual.ModuleDynamics.Changes(m.Doubles, checkpoints: m.Shape[0]))];
        double[] mean = [.. change.Select(c => c.Average())];
        return new()
        {
            ["change"] = GoldenArray.Float64([modules.Count, steps], [.. change.SelectMany(c => c)]),
            ["mean_change"] = GoldenArray.Float64([modules.Count], mean),
            ["ranking_desc"] = GoldenArray.Int64([modules.Count], [.. Winnow.Continual.ModuleDynamics.Ranking(mean).Select(i => (long)i)]),
        };
    }

    public static Dictionary<string, GoldenArray> ClassifierAlignment(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        int samples = file.Param<int>("samples_per_class");
        var plan = new AlignmentPlan
        {
            LearningRate = file.Param<double>("lr"),
            Momentum = file.Param<double>("momentum"),
            WeightDecay = file.Param<double>("weight_decay"),
            Epochs = file.Param<int>("ca_epochs"),
            SamplesPerClass = samples,
            BatchSize = file.Param<int>("minibatch"),
            LogitNorm = file.Param<double?>("logit_norm_tau"),
            TaskIndex = TaskIndexRule.Released,
        };
        var (weight, bias) = (file.Input("W0"), file.Input("b0"));
        var (noise, order) = (Doubles("eps"), file.Input("perms"));
        var orders = tensor(order.Integers).reshape([.. order.Shape.Select(s => (long)s)]);
        using var gaussians = new ClassGaussians(CovarianceKind.Full, classes: weight.Shape[0], width: weight.Shape[1]);
        var (means, covariances) = (Doubles("class_means"), Doubles("class_covs"));
        for (int c = 0; c < weight.Shape[0]; c++)
            gaussians.Set(c, means[c], covariances[c]);
        var (w, b) = Winnow.Continual.ClassifierAlignment.Align(
            tensor(weight.Singles).reshape(weight.Shape[0], weight.Shape[1]), tensor(bias.Singles), file.Param<int[]>("task_sizes"), gaussians,
            [.. Enumerable.Range(0, weight.Shape[0])], plan, epoch => (noise[epoch], orders[epoch]), CancellationToken.None);
        return new()
        {
            ["W"] = GoldenArray.Float32(weight.Shape, w.data<float>().ToArray()),
            ["b"] = GoldenArray.Float32(bias.Shape, b.data<float>().ToArray()),
        };

        Tensor Doubles(string name) => tensor(file.Input(name).Doubles).reshape([.. file.Input(name).Shape.Select(s => (long)s)]);
    }
}
