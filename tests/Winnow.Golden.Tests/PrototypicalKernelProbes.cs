using Winnow.KernelMethods;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of prototypes and of kernels of classes.</summary>
internal static class PrototypicalKernelProbes
{
    public static Dictionary<string, GoldenArray> PrototypeLogits(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (support, query) = (Of(file, "support_feat"), Of(file, "query_feat").unsqueeze(0));
        var shape = file.Input("support_mask").Shape;
        var mask = tensor(file.Input("support_mask").Integers, [.. shape.Select(s => (long)s)]);
        var prototype = PrototypicalKernel.Prototype(support, mask, "new");
        var each = stack([.. Enumerable.Range(0, shape[0]).Select(s => PrototypicalKernel.Prototype(support.narrow(0, s, 1), mask.narrow(0, s, 1), "new"))]);
        var logits = PrototypicalKernel.Logits(cat([Of(file, "base_kernels"), prototype.unsqueeze(0)]), query, file.Param<double>("tau"));
        var shares = logits.softmax(1);
        var said = logits.argmax(1);
        var table = new PixelTable((int)logits.shape[1] - 1);
        foreach (var (truth, answer) in file.Input("gt").Integers.Zip(said.flatten().data<long>().ToArray()))
            table.Add(truth, answer);
        double[] iou = table.Iou();
        return new()
        {
            ["prototype"] = To(prototype),
            ["per_image_prototypes"] = To(each),
            ["logits"] = To(logits.squeeze(0)),
            ["probs"] = To(shares.squeeze(0)),
            ["group_features"] = To(PrototypicalKernel.Groups(shares, query)),
            ["pred"] = GoldenArray.Int64([.. said.shape.Skip(1).Select(s => (int)s)], said.flatten().data<long>().ToArray()),
            ["iou"] = GoldenArray.Float64([iou.Length], iou),
        };
    }

    private static Tensor Of(GoldenFile file, string name) => tensor(file.Input(name).Doubles, [.. file.Input(name).Shape.Select(s => (long)s)]);

    private static GoldenArray To(Tensor x) => GoldenArray.Float64([.. x.shape.Select(s => (int)s)], x.contiguous().data<double>().ToArray());
}
