using Winnow.Continual;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of SCoLe.</summary>
internal static class ScoleProbes
{
    public static Dictionary<string, GoldenArray> Mask(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var logits = file.Input("logits");
        var labels = tensor(file.Input("labels").Integers);
        var allowed = GroupMask.Allowed(labels, logits.Shape[1]).nonzero().flatten().data<long>().ToArray();
        var (masked, maskedGradient) = Of(GroupMask.Loss);
        var (plain, plainGradient) = Of((z, y) => nn.functional.cross_entropy(z, y));
        return new()
        {
            ["allowed_classes"] = GoldenArray.Int64([allowed.Length], allowed),
            ["loss_masked"] = GoldenArray.Float64([], [masked]),
            ["grad_masked"] = GoldenArray.Float64(logits.Shape, maskedGradient),
            ["loss_plain"] = GoldenArray.Float64([], [plain]),
            ["grad_plain"] = GoldenArray.Float64(logits.Shape, plainGradient),
        };

        (double, double[]) Of(Func<Tensor, Tensor, Tensor> loss)
        {
            var z = tensor(logits.Doubles).reshape(logits.Shape[0], logits.Shape[1]).requires_grad_(true);
            var value = loss(z, labels);
            value.backward();
            return (value.item<double>(), z.grad!.contiguous().data<double>().ToArray());
        }
    }

    public static Dictionary<string, GoldenArray> Probability(GoldenFile file)
    {
        var results = new Dictionary<string, GoldenArray>();
        foreach (var (i, given) in file.Numbered("case").Index())
        {
            double[] p = RecurringClasses.Probabilities((int)given.Doubles[0], given.Doubles[1]);
            results[$"p_sorted{i}"] = GoldenArray.Float64([p.Length], p);
            results[$"entropy{i}"] = GoldenArray.Float64([], [RecurringClasses.Entropy(p)]);
        }
        return results;
    }

    public static Dictionary<string, GoldenArray> FrequencyReplay(GoldenFile file)
    {
        var tasks = file.Input("task_classes");
        int count = tasks.Shape[0], width = tasks.Shape[1];
        long[] trained = new long[file.Param<int>("num_classes")];
        var replay = new List<long>();
        for (int t = 0; t < count; t++)
        {
            int[] classes = [.. tasks.Integers.AsSpan(t * width, width).ToArray().Select(c => (int)c)];
            var chosen = Continual.FrequencyReplay.Choose(trained, t, classes, file.Param<double>("low"), file.Param<double>("high"), file.Param<int>("occurrence_trigger"));
            replay.AddRange(chosen.Select(c => (long)c).Concat(Enumerable.Repeat(-1L, width - chosen.Count)));
            Continual.FrequencyReplay.Count(trained, classes.Concat(chosen));
        }
        return new()
        {
            ["replay"] = GoldenArray.Int64(tasks.Shape, [.. replay]),
            ["freq"] = GoldenArray.Float64([trained.Length], [.. trained.Select(n => (double)n / count)]),
        };
    }
}
