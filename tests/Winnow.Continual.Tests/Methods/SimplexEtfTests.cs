using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class SimplexEtfTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory, InlineData(2, 2), InlineData(5, 3), InlineData(10, 10), InlineData(64, 17)]
    public void Columns_have_length_1_and_every_two_the_cosine_of_a_simplex(int width, int classes)
    {
        var frame = SimplexEtf.Random(width, classes, new SeededRandom(1, "frame"));
        var expected = (double)classes / (classes - 1) * (eye(classes, dtype: ScalarType.Float64) - 1.0 / classes);
        ByHand.Close(expected, frame.t().mm(frame), absolute: 1e-5);
    }

    [Fact]
    public void More_classes_than_dimensions_are_refused_and_one_class_too()
    {
        Assert.Contains("5 classes in 4 dimensions", Assert.Throws<ArgumentException>(() => SimplexEtf.Random(4, 5, new SeededRandom(1, "f"))).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => SimplexEtf.Of(ones(2, 3)));
        Assert.Throws<ArgumentException>(() => SimplexEtf.Random(4, 1, new SeededRandom(1, "f")));
    }

    [Fact]
    public void The_loss_is_zero_on_the_class_directions_and_largest_opposite_to_them()
    {
        var frame = SimplexEtf.Random(6, 4, new SeededRandom(1, "frame"));
        var labels = arange(4, ScalarType.Int64);
        Assert.Equal(0, SimplexEtf.DotRegression(3 * frame.t(), labels, frame, 10, balanced: false).item<float>(), 1e-6);
        Assert.Equal(10 * 0.5 * 4, SimplexEtf.DotRegression(-frame.t(), labels, frame, 10, balanced: false).item<float>(), 1e-4);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Its_gradient_is_that_of_finite_differences_and_at_right_angles_to_the_feature(bool balanced)
    {
        var frame = SimplexEtf.Random(5, 3, new SeededRandom(1, "frame")).to_type(ScalarType.Float64);
        var x = TestData.Rows(4, width: 5).X.to_type(ScalarType.Float64).requires_grad_(true);
        var labels = tensor((long[])[0, 0, 2, 0]);
        var gradient = autograd.grad([Loss(x)], [x])[0];
        Assert.Equal(0, (gradient * x).sum(1).abs().max().item<double>(), 1e-12);
        using var _ = no_grad();
        const double H = 1e-6;
        for (int i = 0; i < 20; i++)
        {
            var e = zeros_like(x);
            e.view(-1)[i] = H;
            Assert.Equal((Loss(x + e) - Loss(x - e)).item<double>() / (2 * H), gradient.view(-1)[i].item<double>(), 1e-7);
        }

        Tensor Loss(Tensor at) => SimplexEtf.DotRegression(at, labels, frame, 10, balanced);
    }

    [Fact]
    public void Balanced_every_class_of_the_batch_weighs_the_same_and_equal_counts_are_the_plain_loss()
    {
        var frame = SimplexEtf.Random(5, 3, new SeededRandom(1, "frame"));
        var x = TestData.Rows(4, width: 5).X;
        double Of(Tensor rows, bool balanced, params long[] labels) => SimplexEtf.DotRegression(rows, tensor(labels), frame, 10, balanced).item<float>();
        // classes 0 (three rows) and 2 (one row): the mean of the two classes' means
        double zero = Of(x.narrow(0, 0, 3), false, 0, 0, 0), two = Of(x.narrow(0, 3, 1), false, 2);
        Assert.Equal((zero + two) / 2, Of(x, true, 0, 0, 0, 2), 1e-5);
        Assert.Equal(Of(x, false, 0, 1, 0, 1), Of(x, true, 0, 1, 0, 1), 1e-5);
    }

    [Fact]
    public void A_feature_of_zeros_has_cosine_0_and_a_finite_gradient()
    {
        var frame = SimplexEtf.Random(5, 3, new SeededRandom(1, "frame"));
        var x = zeros(2, 5).requires_grad_(true);
        Assert.Equal(new float[6], SimplexEtf.Cosines(x, frame).detach().data<float>().ToArray());
        Assert.Equal(new float[10], autograd.grad([SimplexEtf.DotRegression(x, tensor((long[])[0, 1]), frame, 10, balanced: true)], [x])[0].data<float>().ToArray());
    }
}
