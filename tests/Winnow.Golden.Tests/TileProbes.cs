using Winnow.Learning;
using Winnow.Numerics;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of the losses without logits.</summary>
internal static class TileProbes
{
    public static Dictionary<string, GoldenArray> LinearCrossEntropyLoss(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (e, c) = (Input(file, "embeddings"), Input(file, "classifier"));
        var bias = file.Inputs.ContainsKey("bias") ? Input(file, "bias") : null;
        var targets = tensor(file.Input("targets").Integers).reshape([.. file.Input("targets").Shape.Select(s => (long)s)]);
        var settings = new LinearCrossEntropySettings
        {
            IgnoreIndex = file.Param<long>("ignore_index"),
            Shift = file.Param<int>("shift"),
            Reduction = file.Param<string>("reduction") switch { "mean" => nn.Reduction.Mean, "sum" => nn.Reduction.Sum, _ => nn.Reduction.None },
            Kernel = new() { Softcap = file.Param<float?>("softcap"), VocabularyBlock = 8 },
        };
        var (nll, lse) = LinearCrossEntropy.LossAndLogSumExp(e, c, targets, bias, settings with { Reduction = nn.Reduction.None });
        var loss = LinearCrossEntropy.Loss(e, c, targets, bias, settings);
        loss.sum().backward();
        var results = new Dictionary<string, GoldenArray>
        {
            ["loss"] = (settings.Reduction == nn.Reduction.None ? loss : loss.reshape(1)).AsFloat32(),
            ["lse"] = lse.AsFloat32(),
            ["nll"] = nll.AsFloat32(),
            ["grad_embeddings"] = e.grad!.AsFloat32(),
            ["grad_classifier"] = c.grad!.AsFloat32(),
        };
        if (bias is not null)
            results["grad_bias"] = bias.grad!.AsFloat32();
        return results;
    }

    public static unsafe Dictionary<string, GoldenArray> ContrastiveRingLoss(GoldenFile file)
    {
        var shape = file.Input("q").Shape;
        var (n, d, ranks) = (shape[0], shape[1], file.Param<int>("world_size"));
        float[] q = file.Input("q").Singles, k = file.Input("k").Singles, dQ = new float[n * d], dK = new float[n * d];
        RingResult[] results;
        fixed (float* pq = q, pk = k, gq = dQ, gk = dK)
            results = ContrastiveRing.InProcess(ranks, new(pq, n, d), new(pk, n, d), (float)file.Param<double>("scale"), new(gq, n, d), new(gk, n, d), new(), new Scratch());
        return new()
        {
            ["loss_per_rank"] = GoldenArray.Float32([ranks], [.. results.Select(r => (float)r.Loss)]),
            ["dq"] = GoldenArray.Float32(shape, dQ),
            ["dk"] = GoldenArray.Float32(shape, dK),
            ["global_loss"] = GoldenArray.Float32([1], [(float)results.Average(r => r.Loss)]),
            ["dlogscale_per_rank"] = GoldenArray.Float32([ranks], [.. results.Select(r => (float)r.DLogScale)]),
        };
    }

    private static Tensor Input(GoldenFile file, string name) => file.Tensor(name).to_type(ScalarType.Float32).requires_grad_();
}
