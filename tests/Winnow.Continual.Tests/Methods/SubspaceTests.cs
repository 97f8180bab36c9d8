using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public sealed class SubspaceTests
{
    /// <summary>Inputs [in, n] whose energy lies mostly in a few directions.</summary>
    private static Tensor Inputs(int width, int count, ulong seed)
    {
        var random = new SeededRandom(seed, "inputs");
        double[] values = [.. Enumerable.Range(0, width * count).Select(i => random.NextNormal() * Math.Pow(0.7, i / count))];
        return linalg.qr(rand(width, width, ScalarType.Float64, generator: new Generator(seed))).Q.matmul(tensor(values).reshape(width, count));
    }

    private static double Kept(Tensor inputs, Tensor basis) => basis.T.matmul(inputs).square().sum().item<double>() / inputs.square().sum().item<double>();

    [Theory, InlineData(0.5), InlineData(0.9), InlineData(0.99)]
    public void The_first_basis_is_the_smallest_that_holds_the_share_and_the_released_rule_has_one_direction_less(double threshold)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(8, 40, 1);
        var none = inputs.narrow(1, 0, 0);
        var basis = Subspace.Residual(inputs, none, threshold, RankRule.Reached);
        Assert.True(Kept(inputs, basis) >= threshold - 1e-12);
        Assert.True(Kept(inputs, basis.narrow(1, 0, basis.shape[1] - 1)) < threshold);
        Assert.Equal(basis.shape[1] - 1, Subspace.Residual(inputs, none, threshold, RankRule.Below).shape[1]);
        ByHand.Close(basis, Subspace.Joint(inputs, none, threshold, RankRule.Reached).New, 1e-10, 1e-12);
    }

    [Fact]
    public void Later_directions_are_orthogonal_to_the_old_and_as_many_as_the_share_needs()
    {
        using var scope = NewDisposeScope();
        var (first, second) = (Inputs(8, 40, 1), Inputs(8, 40, 2));
        var old = Subspace.Residual(first, first.narrow(1, 0, 0), 0.9, RankRule.Reached);
        var fresh = Subspace.Residual(second, old, 0.9, RankRule.Below); // the released rule is about the first task only
        var union = cat([old, fresh], 1);
        ByHand.Close(eye(union.shape[1], dtype: ScalarType.Float64), union.T.matmul(union), 0, 1e-12);
        Assert.True(Kept(second, union) >= 0.9 - 1e-12);
        Assert.True(Kept(second, union.narrow(1, 0, union.shape[1] - 1)) < 0.9);
        Assert.Equal(0, Subspace.Residual(first, union, 0.9, RankRule.Reached).shape[1]);
    }

    [Fact]
    public void A_task_takes_the_best_of_old_and_new_directions()
    {
        using var scope = NewDisposeScope();
        var e = eye(4, dtype: ScalarType.Float64);
        // Old directions 0 and 1; the new inputs have energies 9, 1, 4, 0.25 along the four axes.
        var inputs = e * tensor([3.0, 1, 2, 0.5]);
        var (kept, fresh) = Subspace.Joint(inputs, e.narrow(1, 0, 2), 0.9, RankRule.Reached);
        Assert.Equal([true, false], kept);
        ByHand.Close(e.narrow(1, 2, 1), fresh.abs(), 0, 1e-12);
        Assert.Equal([true, true], Subspace.Joint(inputs, e.narrow(1, 0, 2), 0.95, RankRule.Reached).Old);
        Assert.Equal(2, Subspace.Joint(inputs, e.narrow(1, 0, 2), 1, RankRule.Reached).New.shape[1]);
    }

    [Fact]
    public void With_the_share_1_the_rank_of_the_inputs_is_kept_and_no_rounding()
    {
        using var scope = NewDisposeScope();
        var thin = Inputs(8, 3, 1); // rank 3
        Assert.Equal(3, Subspace.Residual(thin, thin.narrow(1, 0, 0), 1, RankRule.Reached).shape[1]);
        var full = Inputs(8, 40, 2);
        var basis = Subspace.Residual(full, full.narrow(1, 0, 0), 1, RankRule.Reached);
        Assert.Equal(8, basis.shape[1]);
        Assert.Equal(0, Subspace.Residual(thin, basis, 1, RankRule.Reached).shape[1]); // no free direction is left
        Assert.Equal(0, Subspace.Joint(thin, basis, 1, RankRule.Reached).New.shape[1]);
    }

    [Theory, InlineData(0.0), InlineData(-0.5), InlineData(1.5), InlineData(double.NaN)]
    public void A_share_outside_0_to_1_is_refused(double threshold)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(4, 5, 1);
        Assert.Throws<ArgumentOutOfRangeException>(() => Subspace.Residual(inputs, inputs.narrow(1, 0, 0), threshold, RankRule.Reached));
        Assert.Throws<ArgumentOutOfRangeException>(() => Subspace.Joint(inputs, inputs.narrow(1, 0, 0), threshold, RankRule.Reached));
    }

    [Fact]
    public void Inputs_of_a_network_that_diverged_are_refused_with_the_remedy()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(4, 5, 1);
        inputs[1, 2] = double.NaN;
        Assert.Contains("Lower the learning rate", Assert.Throws<InvalidOperationException>(() => Subspace.Residual(inputs, inputs.narrow(1, 0, 0), 0.9, RankRule.Reached)).Message, StringComparison.Ordinal);
    }
}
