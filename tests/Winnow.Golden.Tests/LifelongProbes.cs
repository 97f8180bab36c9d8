using Winnow.Continual;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of the two lifelong-learning surveys.</summary>
internal static class LifelongProbes
{
    /// <summary>Proximal steps on ½ wᵀHw − cᵀw with the anchor Σ b (w − w0)², until they stand still.</summary>
    public static Dictionary<string, GoldenArray> Quadratic(GoldenFile file)
    {
        double[] h = file.Input("H").Doubles, c = file.Input("c").Doubles, b = file.Input("b").Doubles, anchor = file.Input("w0").Doubles;
        int n = c.Length;
        double rate = 1 / Enumerable.Range(0, n).Max(i => Enumerable.Range(0, n).Sum(j => Math.Abs(h[i * n + j]))); // at most 1 / the largest eigenvalue
        double[] pull = Array.ConvertAll(b, s => Consolidation.Share(s, rate)), w = [.. anchor], last = new double[n];
        for (int step = 0; step < 1_000_000 && !w.AsSpan().SequenceEqual(last); step++)
        {
            w.CopyTo(last, 0);
            for (int i = 0; i < n; i++)
                w[i] -= rate * (System.Numerics.Tensors.TensorPrimitives.Dot<double>(h.AsSpan(i * n, n), last) - c[i]);
            Consolidation.Draw<double>(w, anchor, pull);
        }
        return new() { ["w_star"] = GoldenArray.Float64([n], w) };
    }

    /// <summary>Two tasks of EWC as released, the distillation of LwF without T², and the overlap of O-LoRA, with their gradients.</summary>
    public static Dictionary<string, GoldenArray> Regularisers(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (w, b) = (file.Input("W"), file.Input("b"));
        int classes = w.Shape[0], width = w.Shape[1];
        using var network = Network.Mlp(width, [], classes, batchNorm: false, new SeededRandom(1, "overwritten"));
        ((float[])[.. w.Singles, .. b.Singles]).CopyTo(network.ParameterValues);

        Batch Rows(int task) => new(Matrix($"X{task}"), tensor(file.Input($"y{task}").Integers));
        Tensor Fisher(Batch rows) => FisherInformation.Diagonal(network, rows, FisherKind.Released, new SeededRandom(1, "labels"), rows.Count, CancellationToken.None);
        using var penalty = new QuadraticPenalty(network.ParameterValues.Length);
        var first = Fisher(Rows(1));
        penalty.Importance.copy_(first);
        penalty.Importance.mul_(file.Param<double>("gamma")).add_(Fisher(Rows(2)));
        penalty.Anchor.copy_(network.Parameters);
        foreach (ref float value in network.ParameterValues[..w.Singles.Length]) // the biases stay
            value += 0.1f;
        double strength = OnlineEwc.Strength(file.Param<double>("e_lambda"), FisherKind.Released);
        network.ZeroGradient();
        penalty.Apply(network, strength, learningRate: 0);

        double temperature = file.Param<double>("T");
        var (old, now) = (Matrix("logits_old"), Matrix("logits_new").requires_grad_(true));
        var lwf = LearningWithoutForgetting.Weight(new() { Alpha = 1, Temperature = temperature, TemperatureSquared = false })
            * LearningWithoutForgetting.Distillation(now, old, ones(now.shape[1], ScalarType.Bool), temperature);
        lwf.backward();

        var fresh = Matrix("A_new").requires_grad_(true);
        var overlap = OrthogonalAdapters.Overlap(Matrix("A_old"), fresh);
        overlap.backward();
        return new()
        {
            ["fisher1"] = Float32(first),
            ["fisher2"] = Float32(penalty.Importance),
            ["penalty"] = GoldenArray.Float32([], [(float)penalty.Value(network, strength)]),
            ["penalty_grad"] = Float32(network.Gradient),
            ["lwf"] = Float32(lwf),
            ["lwf_grad"] = Float32(now.grad!),
            ["olora"] = Float32(overlap),
            ["olora_grad"] = Float32(fresh.grad!),
        };

        Tensor Matrix(string name) => tensor(file.Input(name).Singles).reshape([.. file.Input(name).Shape.Select(s => (long)s)]);
        static GoldenArray Float32(Tensor value) => GoldenArray.Float32([.. value.shape.Select(s => (int)s)], value.detach().contiguous().data<float>().ToArray());
    }
}
