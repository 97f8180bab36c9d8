using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Baselines;

public sealed class StreamingLdaTests
{
    [Theory, InlineData(1), InlineData(7), InlineData(60)]
    public void Means_and_covariance_equal_the_batch_formulas_in_any_order_and_any_batches(int size)
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream();
        var rows = TestData.Rows(60);
        foreach (var order in (Batch[])[rows, rows.Rows(rows.Y.argsort()), rows.Rows(tensor([.. Enumerable.Range(0, 60).Select(i => (long)(i * 37 % 60))]))])
        {
            using var learner = Learned(stream, order, size);
            var (x, means) = (rows.X.to_type(ScalarType.Float64), zeros(4, TestData.Width, ScalarType.Float64));
            for (int c = 0; c < 4; c++)
                means[c] = x.index_select(0, rows.Y.eq(c).nonzero().flatten()).mean([0]);
            var centred = x - means.index_select(0, rows.Y);
            Assert.True(learner.Means.allclose(means, rtol: 1e-12, atol: 1e-12));
            Assert.True(learner.Covariance.allclose(centred.t().mm(centred) / 60, rtol: 1e-10, atol: 1e-12));
        }
    }

    [Fact] // Mahalanobis distance with the shrunk covariance: w·x + b differs from −d²/2 by what is the same for all classes
    public void Decisions_equal_closed_form_discriminant_analysis()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream();
        using var learner = Learned(stream, TestData.Rows(80), 8, shrinkage: 0.05);
        var probe = TestData.Rows(25, seed: 4).X;
        var precision = linalg.inv(0.95 * learner.Covariance + 0.05 * eye(TestData.Width, dtype: ScalarType.Float64));
        var distances = zeros(25, 4, ScalarType.Float64);
        for (int c = 0; c < 4; c++)
        {
            var d = probe.to_type(ScalarType.Float64) - learner.Means[c];
            distances[TensorIndex.Colon, c] = (d.mm(precision) * d).sum(1);
        }
        var logits = learner.Predict(probe);
        Assert.True(nn.functional.softmax(logits, 1).allclose(nn.functional.softmax(distances / -2, 1).to_type(ScalarType.Float32), atol: 1e-4));
        Assert.Equal(distances.argmin(1).data<long>().ToArray(), logits.argmax(1).data<long>().ToArray());
    }

    [Fact] // why it beats the nearest mean: a direction of great common variance does not count
    public void A_noisy_direction_is_ignored()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream();
        var rows = TestData.Rows(400, classes: 2);
        var x = rows.X.clone();
        x.select(1, 0).mul_(50);
        x.select(1, 1).copy_(rows.Y.to_type(ScalarType.Float32) * 2 + 0.3 * rows.X.select(1, 1));
        var train = rows with { X = x };
        using var lda = Learned(stream, train, 20);
        using var ncm = new NearestClassMean(stream.Setup);
        ncm.Observe(train);
        double Right(IContinualLearner learner) => learner.Predict(x).argmax(1).eq(rows.Y).to_type(ScalarType.Float64).mean().item<double>();
        Assert.True(Right(lda) > 0.98);
        Assert.True(Right(ncm) < 0.8);
    }

    [Fact]
    public void One_row_is_enough_to_predict()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream();
        using var learner = Learned(stream, TestData.Rows(1), 1);
        Assert.False(learner.Predict(TestData.Rows(3).X).isnan().any().item<bool>());
    }

    private static StreamingLda Learned(SmallStream stream, Batch rows, int size, double shrinkage = 1e-4)
    {
        var learner = new StreamingLda(stream.Setup, new() { Shrinkage = shrinkage });
        foreach (long[] part in ContinualStream.MiniBatches(rows.Count, size, null))
            learner.Observe(rows.Rows(tensor(part)));
        return learner;
    }
}
