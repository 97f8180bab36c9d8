using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests;

public sealed class LogisticRegressionTests
{
    private static readonly KernelMethodsArena Arena = new();

    private static IFitted Fitted(TrainingRows rows, double c) => ((IClassifier)Arena.Build("logistic-regression", new() { ["c"] = c })).Fit(rows, TestContext.Current.CancellationToken);

    private static double Loss(TrainingRows rows, double c, Tensor w)
    {
        var x = cat([rows.X, ones(rows.X.shape[0], 1, dtype: ScalarType.Float64)], 1);
        return (w.narrow(0, 0, w.shape[0] - 1).square().sum() / 2 - (x.mm(w).log_softmax(1) * rows.OneHot()).sum() * c).item<double>();
    }

    [Theory, InlineData(0.01), InlineData(1), InlineData(1000)] // weights are read off scores of unit rows, up to what all classes share; the gradient of the loss by differences is 0 there
    public void Weights_are_where_the_loss_is_flat_and_scores_are_logarithms_of_probabilities(double c)
    {
        using var scope = NewDisposeScope();
        var rows = Rows.Clusters(40, 3, 3, spread: 3);
        using var fitted = Fitted(rows, c);
        Rows.Close(ones(40, dtype: ScalarType.Float64), fitted.Scores(rows.X).exp().sum(1), 1e-12);
        var asked = cat([eye(3, dtype: ScalarType.Float64), zeros(1, 3, dtype: ScalarType.Float64)]);
        var scores = fitted.Scores(asked);
        var logits = scores - scores.mean([1], keepdim: true);
        var w = cat([logits.narrow(0, 0, 3) - logits[3], logits.narrow(0, 3, 1)]);
        double loss = Loss(rows, c, w);
        for (int i = 0; i < 12; i++)
            foreach (double step in (double[])[1e-4, -1e-4])
            {
                var moved = w.clone();
                moved[i / 3, i % 3] += step;
                Assert.True(Loss(rows, c, moved) >= loss - 1e-10 * Math.Max(1, loss));
            }
        var up = w.clone();
        up[0, 0] += 1e-4;
        var down = w.clone();
        down[0, 0] -= 1e-4;
        Assert.Equal(0, (Loss(rows, c, up) - Loss(rows, c, down)) / 2e-4 / Math.Max(1, loss), 1e-6);
    }

    [Fact] // by symmetry W = (−u, u) and no intercept: u is the root of the one equation that is left, by bisection
    public void Two_mirrored_rows_have_the_weight_of_their_one_equation()
    {
        using var scope = NewDisposeScope();
        var rows = new TrainingRows(tensor(new double[] { -1, 1 }, [2, 1]), [0, 1], 2);
        using var fitted = Fitted(rows, 5);
        // 0 = d/du [u² + 2 C log(1 + exp(−2u))]
        double low = 0, high = 50;
        for (int i = 0; i < 200; i++)
        {
            double u = (low + high) / 2;
            (low, high) = 2 * u - 4 * 5 / (1 + Math.Exp(2 * u)) < 0 ? (u, high) : (low, u);
        }
        var s = fitted.Scores(tensor(new double[] { 1 }, [1, 1]));
        Assert.Equal(2 * low, (s[0, 1] - s[0, 0]).item<double>(), 1e-7);
    }

    [Fact]
    public void A_class_without_rows_has_no_probability_and_one_class_alone_has_all()
    {
        using var scope = NewDisposeScope();
        var rows = Rows.Clusters(30, 3, 2);
        using var three = Fitted(new(rows.X, [.. rows.Labels.Select(l => 2 * l)], 3), 1);
        using var two = Fitted(rows, 1);
        Rows.Close(two.Scores(rows.X), three.Scores(rows.X).index_select(1, tensor(new long[] { 0, 2 })), 1e-12);
        Assert.True(three.Scores(rows.X).exp()[0, 1].item<double>() < 1e-300);
        using var one = Fitted(new(rows.X, [.. rows.Labels.Select(_ => 1)], 2), 0);
        Rows.Close(ones(30, dtype: ScalarType.Float64), one.Scores(rows.X).exp().select(1, 1), 1e-12);
    }

    [Fact] // closed form: log density and prior of each class
    public void Nearest_mean_with_own_variances_is_gaussian_naive_Bayes_and_without_the_nearest_mean()
    {
        using var scope = NewDisposeScope();
        var rows = new TrainingRows(tensor(new double[] { 0, 2, 4, 8, 6 }, [5, 1]), [0, 0, 1, 1, 1], 2);
        var asked = tensor(new double[] { 3, 5 }, [2, 1]);
        using var bayes = ((IClassifier)Arena.Build("nearest-mean", new() { ["variances"] = "own", ["smoothing"] = 0 })).Fit(rows, TestContext.Current.CancellationToken);
        double Density(double x, double mean, double variance, double share) => -(x - mean) * (x - mean) / (2 * variance) - Math.Log(2 * Math.PI * variance) / 2 + Math.Log(share);
        Rows.Close(tensor(new double[] { Density(3, 1, 1, 0.4), Density(3, 6, 8.0 / 3, 0.6), Density(5, 1, 1, 0.4), Density(5, 6, 8.0 / 3, 0.6) }, [2, 2]), bayes.Scores(asked), 1e-12);
        using var nearest = ((IClassifier)Arena.Build("nearest-mean")).Fit(rows, TestContext.Current.CancellationToken);
        Rows.Close(tensor(new double[] { -2, -4.5, -8, -0.5 }, [2, 2]), nearest.Scores(asked), 1e-12);
    }
}
