using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class SubnetworkTests
{
    private static readonly WeightTensor[] Tensors = [new("a", 0, [5, 6], 6), new("b", 30, [7], 6, SignedScores: true)];

    [Theory, InlineData(0.05), InlineData(0.3), InlineData(0.5), InlineData(0.999), InlineData(1)]
    public void Kept_weights_of_a_tensor_are_n_minus_k_plus_one_the_largest(double kept)
    {
        using var scope = NewDisposeScope();
        using var subnetwork = Make(kept);
        var mask = subnetwork.Mask();
        foreach (var t in Tensors)
        {
            var (m, s) = (mask.narrow(0, t.Offset, t.Length), subnetwork.Scores.narrow(0, t.Offset, t.Length));
            int k = 1 + (int)Math.Round((1 - kept) * (t.Length - 1));
            float[] ranked = [.. (t.SignedScores ? s : s.abs()).data<float>().ToArray().OrderDescending()];
            Assert.Equal(t.Length - k + 1, m.sum().item<long>());
            Assert.True((t.SignedScores ? s : s.abs()).ge(ranked[t.Length - k]).eq(m).all().item<bool>());
        }
    }

    [Fact]
    public void Selection_finds_what_sorting_finds_with_ties()
    {
        var random = new SeededRandom(1, "values");
        for (int n = 1; n <= 40; n++)
        {
            float[] values = [.. Enumerable.Range(0, n).Select(_ => (float)random.Next(8))];
            float[] sorted = [.. values.Order()];
            for (int k = 1; k <= n; k++)
                Assert.Equal(sorted[k - 1], Subnetwork.Smallest([.. values], k));
        }
    }

    [Fact] // ∂L/∂m by finite differences: m is treated as real
    public void Gradient_of_the_scores_goes_straight_through_the_threshold()
    {
        using var scope = NewDisposeScope();
        using var subnetwork = Make(0.4);
        var (weights, target) = (randn(37, generator: new Generator(1)), randn(37, generator: new Generator(2)));
        var mask = subnetwork.Mask();
        double Loss(Tensor m) => (m * weights - target).to_type(ScalarType.Float64).square().sum().item<double>() / 2;
        var byInUse = Subnetwork.InUse(weights, mask) - target;
        var (byWeights, byScores) = subnetwork.Gradients(byInUse, weights, mask, zeros(37, ScalarType.Bool));
        for (int i = 0; i < 37; i++)
        {
            using var inner = NewDisposeScope();
            var (up, down) = (mask.to_type(ScalarType.Float32), mask.to_type(ScalarType.Float32));
            up[i] += 1e-2f;
            down[i] -= 1e-2f;
            double sign = i >= 30 ? 1 : Math.Sign(subnetwork.Scores[i].item<float>());
            Assert.Equal((Loss(up) - Loss(down)) / 2e-2 * sign, byScores[i].item<float>(), 3);
            Assert.Equal(mask[i].item<bool>() ? byInUse[i].item<float>() : 0, byWeights[i].item<float>());
        }
    }

    [Fact]
    public void Stored_masks_come_back_and_their_union_only_grows_and_freezes()
    {
        using var scope = NewDisposeScope();
        using var subnetwork = Make(0.3);
        var union = subnetwork.Union([]);
        Assert.Equal(0, union.sum().item<long>());
        for (int j = 0; j < 3; j++)
        {
            Subnetwork.Draw(Tensors, subnetwork.Scores, new SeededRandom((ulong)j + 5, "scores"));
            var mask = subnetwork.Mask();
            subnetwork.Store(j, mask);
            Assert.True(mask.eq(subnetwork.Stored(j)).all().item<bool>());
            var next = subnetwork.Union(Enumerable.Range(0, j + 1));
            Assert.True(next.eq(union.logical_or(mask)).all().item<bool>()); // 1 − (1 − union)(1 − m)
            union = next;
        }
        var (free, _) = subnetwork.Gradients(ones(37), ones(37), subnetwork.Mask(), union);
        Assert.Equal(0, free.sum().item<float>()); // the last mask lies within the union
    }

    [Theory, InlineData(0), InlineData(-0.1), InlineData(1.01), InlineData(double.NaN)]
    public void A_kept_fraction_that_is_none_is_refused(double kept) =>
        Assert.Contains("above 0 and at most 1", Assert.Throws<ArgumentOutOfRangeException>(() => Make(kept)).Message, StringComparison.Ordinal);

    private static Subnetwork Make(double kept) => new(Tensors, 3, kept, new SeededRandom(1, "scores"));
}
