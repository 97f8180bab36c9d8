using Winnow.Continual;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of OnPro.</summary>
internal static class OnProProbes
{
    public static Dictionary<string, GoldenArray> Equilibrium(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (z1, z2) = (Tracked(file.Input("z1")), Tracked(file.Input("z2")));
        int classes = (file.Param<int>("task_id") + 1) * file.Param<int>("class_per_task");
        var (loss, first, second) = OnlinePrototypes.Equilibrium(z1, z2, tensor(file.Input("labels").Integers), classes, file.Param<double>("temperature"));
        loss.backward();
        return new() { ["loss"] = Array(loss), ["proto1"] = Array(first), ["proto2"] = Array(second), ["grad_z1"] = Array(z1.grad!), ["grad_z2"] = Array(z2.grad!) };
    }

    public static Dictionary<string, GoldenArray> InstanceContrast(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (one, two, y) = (Tracked(file.Input("sim")), Tracked(file.Input("sim")), tensor(file.Input("labels").Integers));
        var (temperature, epsilon) = (file.Param<double>("temperature"), file.Param<double>("eps"));
        var ofNew = Winnow.Continual.InstanceContrast.OfNew(one, y, temperature, epsilon);
        var ofReplayed = Winnow.Continual.InstanceContrast.OfReplayed(two, y, temperature, epsilon);
        ofNew.backward();
        ofReplayed.backward();
        return new() { ["loss_n"] = Array(ofNew), ["grad_n"] = Array(one.grad!), ["loss_uni"] = Array(ofReplayed), ["grad_uni"] = Array(two.grad!) };
    }

    public static Dictionary<string, GoldenArray> Feedback(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (classes, probabilities) = PrototypicalFeedback.Pairs(Tracked(file.Input("class_means")));
        int rows = PrototypicalFeedback.PairRows(file.Param<int>("buffer_batch"), file.Param<double>("base_rate"));
        return new()
        {
            ["pair_prob"] = GoldenArray.Float64([probabilities.Length], probabilities),
            ["pair_sample_num"] = GoldenArray.Int64([], [rows]),
            ["classes"] = GoldenArray.Int64([classes.Length], classes),
            ["rounded_counts"] = GoldenArray.Float64([probabilities.Length], [.. PrototypicalFeedback.Rounded(probabilities, rows).Select(c => (double)c)]),
        };
    }

    private static Tensor Tracked(GoldenArray array) => tensor(array.Doubles).reshape([.. array.Shape.Select(s => (long)s)]).requires_grad_(true);

    private static GoldenArray Array(Tensor values) => GoldenArray.Float64([.. values.shape.Select(s => (int)s)], values.detach().contiguous().data<double>().ToArray());
}
