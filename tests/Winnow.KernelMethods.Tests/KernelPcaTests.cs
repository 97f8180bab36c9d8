using TorchSharp;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests;

public sealed class KernelPcaTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static Tensor Centred(Tensor gram) => gram - gram.mean([0]) - gram.mean([1], keepdim: true) + gram.mean();

    [Fact]
    public void All_components_give_the_centred_matrix_back_and_rows_learned_from_lie_where_they_did()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(40, 5);
        var kernel = new Rbf(0.2);
        using var pca = KernelPca.Fit(kernel, x, 0, cancellation: Cancellation);
        Assert.Equal(39, pca.Components);
        Rows.Close(Centred(kernel.Gram(x, x)), pca.Embedding.mm(pca.Embedding.t()), 1e-10);
        Rows.Close(pca.Embedding, pca.Transform(x), 1e-8);
        Rows.Close(zeros(39, dtype: ScalarType.Float64), pca.Embedding.mean([0]), 1e-12);
        Rows.Close(pca.Values.diag(), pca.Embedding.t().mm(pca.Embedding), 1e-10);
        var z = Rows.Normal(7, 5, 2);
        using var precomputed = KernelPca.Fit(kernel.Gram(x, x), 4, cancellation: Cancellation);
        Rows.Close(pca.Transform(z).narrow(1, 0, 4), precomputed.TransformGram(kernel.Gram(z, x)), 1e-10);
        Assert.InRange(pca.Residual, 0, 1e-12);
        Assert.True(pca.Dense && precomputed.Dense);
    }

    [Fact] // of a linear kernel they are the scores of principal components
    public void A_linear_kernel_gives_principal_components_and_more_than_its_rank_is_refused()
    {
        using var scope = NewDisposeScope();
        foreach (int n in (int[])[30, 500])
        {
            var (x, others) = (Rows.Normal(n, 6) * tensor(new double[] { 6, 5, 4, 3, 2, 1 }), Rows.Normal(9, 6, 2));
            var axes = PrincipalAxes.Of(x, out var variances);
            using var pca = KernelPca.Fit(new Linear(), x, 6, cancellation: Cancellation);
            Assert.Equal(n == 30, pca.Dense);
            Rows.Close(variances * (n - 1), pca.Values, 1e-8 * n);
            Rows.Close((others - x.mean([0])).mm(axes).abs(), pca.Transform(others).abs(), 1e-8);
            Assert.Contains("at most 6, the rank", Assert.Throws<InputException>(() => KernelPca.Fit(new Linear(), x, 7, cancellation: Cancellation)).Message);
            using var fewer = KernelPca.Fit(new Linear(), x, 20, fewer: true, cancellation: Cancellation);
            Assert.Equal(6, fewer.Components);
        }
    }

    [Theory, InlineData(0.02), InlineData(0.2), InlineData(5.0)]
    public void Few_of_many_by_iteration_are_those_of_the_dense_decomposition(double gamma)
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(450, 6);
        var gram = new Rbf(gamma).Gram(x, x);
        using var few = KernelPca.Fit(gram, 10, cancellation: Cancellation);
        using var all = KernelPca.Fit(gram, 0, cancellation: Cancellation);
        Assert.InRange(few.Residual, 0, 1e-9);
        Rows.Close(all.Values.narrow(0, 0, 10), few.Values, 1e-9 * all.Values[0].item<double>());
        Rows.Close(all.Embedding.narrow(1, 0, 10).abs(), few.Embedding.abs(), 1e-5);
        Assert.False(few.Dense);
        Assert.True(all.Smallest <= few.Smallest + 1e-10);
    }

    [Fact]
    public void What_does_not_converge_comes_from_the_dense_decomposition()
    {
        using var scope = NewDisposeScope();
        var gram = linspace(1, 2, 420, dtype: ScalarType.Float64).diag();
        using var pca = KernelPca.Fit(gram, 10, cancellation: Cancellation);
        Assert.True(pca.Dense);
        Rows.Close(linalg.eigvalsh(Centred(gram)).flip(0).narrow(0, 0, 10), pca.Values, 1e-10);
    }

    [Fact]
    public void Eigenvalues_that_are_there_many_times_are_all_found()
    {
        using var scope = NewDisposeScope();
        // twenty directions of 5 and the rest of 1: a space of eight random vectors closes after two steps
        int n = 480;
        var q = linalg.qr(cat([ones(n, 1, dtype: ScalarType.Float64), Rows.Normal(n, 20)], 1)).Q.narrow(1, 1, 20);
        using var pca = KernelPca.Fit(Products.Symmetric(eye(n, dtype: ScalarType.Float64) + q.mm(q.t()) * 4), 30, cancellation: Cancellation);
        Rows.Close(cat([full(20, 5.0, dtype: ScalarType.Float64), ones(10, dtype: ScalarType.Float64)]), pca.Values, 1e-8);
    }

    [Fact]
    public void What_is_below_zero_is_clipped_and_told()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(20, 4);
        var gram = Products.Symmetric(x.mm((x * tensor(new double[] { 1, 1, -1, -1 })).t())); // two directions of each sign
        using var pca = KernelPca.Fit(gram, 2, cancellation: Cancellation);
        var values = linalg.eigvalsh(Centred(gram));
        Assert.Equal(values[0].item<double>(), pca.Smallest, 1e-10);
        Assert.True(pca.Smallest < -1);
        Assert.Contains("at most 2", Assert.Throws<InputException>(() => KernelPca.Fit(gram, 3, cancellation: Cancellation)).Message);
    }

    [Fact]
    public void What_is_no_Gram_matrix_is_refused_and_a_cancelled_fit_stops()
    {
        using var scope = NewDisposeScope();
        string Refused(Func<KernelPca> fit) => Assert.Throws<InputException>(fit).Message;
        var gram = new Rbf(1).Gram(Rows.Normal(5, 2), Rows.Normal(5, 2));
        Assert.Contains("[5, 4]", Refused(() => KernelPca.Fit(gram.narrow(1, 0, 4), 1)));
        gram[1, 2] = 7;
        Assert.Contains("symmetric", Refused(() => KernelPca.Fit(gram, 1)));
        gram[1, 2] = double.NaN;
        Assert.Contains("row 1, column 2", Refused(() => KernelPca.Fit(gram, 1)));
        Assert.Contains("rank", Refused(() => KernelPca.Fit(new Rbf(1), ones(6, 2, dtype: ScalarType.Float64), 1))); // all the same
        Assert.Throws<ArgumentOutOfRangeException>(() => KernelPca.Fit(new Rbf(1), Rows.Normal(5, 2), -1, cancellation: Cancellation));
        using var pca = KernelPca.Fit(new Rbf(1), Rows.Normal(5, 2), 2, cancellation: Cancellation);
        Assert.Contains("[n, 2]", Assert.Throws<InputException>(() => pca.Transform(Rows.Normal(5, 3))).Message);
        Assert.Contains("[m, 5]", Assert.Throws<InputException>(() => pca.TransformGram(Rows.Normal(5, 3))).Message);
        foreach (int n in (int[])[20, 500])
            Assert.Throws<OperationCanceledException>(() => KernelPca.Fit(new Rbf(1), Rows.Normal(n, 2), 2, cancellation: new(true)));
    }

    [Theory, InlineData(30), InlineData(420)]
    public void Two_fits_are_equal_and_no_tensor_outlives_one(int n)
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(n, 4);
        double[] Fitted()
        {
            using var inner = NewDisposeScope();
            using var pca = KernelPca.Fit(new Rbf(0.3), x, 3);
            return Rows.Values(pca.Transform(x));
        }
        double[] first = Fitted();
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Assert.Equal(first, Fitted());
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }
}
