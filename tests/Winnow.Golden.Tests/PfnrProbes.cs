using Winnow.Continual;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of progressive Fourier neural representations.</summary>
internal static class PfnrProbes
{
    public static Dictionary<string, GoldenArray> Spectral(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        double kept = file.Param<double>("keep_fraction");
        var results = new Dictionary<string, GoldenArray>();
        var y = SpectralConvolution.Forward(Values(file.Input("x")), (Masked("re_0"), Masked("re_1")), (Masked("im_0"), Masked("im_1")), file.Param<int>("scale"), SpectralPlacement.Released);
        results["y"] = Single(y);
        return results;

        Tensor Masked(string part)
        {
            var mask = Subnetwork.Mask(Values(file.Input($"score_{part}")), kept, signed: true);
            results[$"mask_{part}"] = Single(mask);
            return Subnetwork.InUse(Values(file.Input($"W_{part}")), mask);
        }
    }

    public static Dictionary<string, GoldenArray> Subnet(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (w, b, x, upstream) = (Values(file.Input("W")), Values(file.Input("b")), Values(file.Input("x")), Values(file.Input("upstream")));
        WeightTensor[] tensors = [new("W", 0, w.shape, (int)w.shape[1]), new("b", (int)w.numel(), b.shape, (int)w.shape[1])];
        using var subnetwork = new Subnetwork(tensors, 1, file.Param<double>("keep_fraction"), new SeededRandom(1, "scores"));
        subnetwork.Scores.copy_(cat([Values(file.Input("score_W")).flatten(), Values(file.Input("score_b"))]));
        var weights = cat([w.flatten(), b]);
        var mask = subnetwork.Mask();
        var inUse = Subnetwork.InUse(weights, mask).requires_grad_();
        var y = nn.functional.linear(x, Part(inUse, 0), Part(inUse, 1));
        (y * upstream).sum().backward();
        var none = zeros_like(mask);
        var (byWeights, byScores) = subnetwork.Gradients(inUse.grad!, weights, mask, none);

        // The older mask as a stored session, the new one OR-ed to it.
        var older = tensor(Array.ConvertAll(file.Input("older_mask").Integers, v => v != 0));
        subnetwork.Store(0, cat([older, zeros(b.numel(), ScalarType.Bool)]));
        var consolidated = subnetwork.Union([0]).logical_or(mask);
        var (frozen, _) = subnetwork.Gradients(inUse.grad!, weights, mask, consolidated);

        var levels = file.Param<int>("pe_levels");
        var positions = file.Inputs.TryGetValue("p", out var given) ? Values(given) : tensor(new[] { 0, 0.25f, 0.9f });
        return new()
        {
            ["mask_W"] = Single(Part(mask, 0)),
            ["mask_b"] = Single(Part(mask, 1)),
            ["y"] = Single(y.detach()),
            ["grad_W"] = Single(Part(byWeights, 0)),
            ["grad_b"] = Single(Part(byWeights, 1)),
            ["grad_score_W"] = Single(Part(byScores, 0)),
            ["grad_score_b"] = Single(Part(byScores, 1)),
            ["consolidated"] = GoldenArray.Int64(file.Input("older_mask").Shape, Part(consolidated, 0).to_type(ScalarType.Int64).contiguous().data<long>().ToArray()),
            ["grad_W_after_freeze"] = Single(Part(frozen, 0)),
            ["pe"] = Single(FrameDecoder.Encode(positions, file.Param<double>("pe_base"), levels)),
        };

        Tensor Part(Tensor vector, int i) => vector.narrow(0, tensors[i].Offset, tensors[i].Length).view([.. tensors[i].Shape]);
    }

    private static Tensor Values(GoldenArray array) => tensor(array.Singles).reshape([.. array.Shape.Select(s => (long)s)]);

    private static GoldenArray Single(Tensor values) =>
        GoldenArray.Float32([.. values.shape.Select(s => (int)s)], values.to_type(ScalarType.Float32).contiguous().data<float>().ToArray());
}
