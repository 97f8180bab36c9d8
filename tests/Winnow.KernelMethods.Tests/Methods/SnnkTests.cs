using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class SnnkTests
{
    private static double Error(int m, bool orthogonal, ulong seed)
    {
        using var scope = NewDisposeScope();
        var (x, w) = (Rows.Normal(20, 16), Rows.Normal(12, 16, 2));
        using var features = new Snnk(Snnk.Projections(m, 16, orthogonal, new SeededRandom(seed, "g")));
        var exact = Snnk.ArcCosine(x, w);
        return (features.Of(x).mm(features.Of(w).t()) - exact).norm().item<double>() / exact.norm().item<double>();
    }

    [Fact] // means of 10 draws; the error of a mean is a tenth of the differences asked for
    public void Products_of_relu_features_are_the_arc_cosine_kernel_at_the_rate_of_counting_and_sooner_for_orthogonal_ones()
    {
        double[] plain = [.. ((int[])[64, 256, 1024]).Select(m => Enumerable.Range(0, 10).Average(s => Error(m, false, (ulong)s)))];
        Assert.InRange(plain[0] / plain[1], 1.6, 2.5);
        Assert.InRange(plain[1] / plain[2], 1.6, 2.5);
        Assert.True(Enumerable.Range(0, 10).Average(s => Error(256, true, (ulong)s)) < 0.95 * plain[1]);
    }

    [Fact]
    public void Of_a_vector_with_itself_the_kernel_is_half_its_square_and_without_a_floor_products_are_products()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(5, 4);
        Rows.Close(x.square().sum(1) / 2, Snnk.ArcCosine(x, x).diagonal(), 1e-12);
        using var linear = new Snnk(Snnk.Projections(200_000, 4, true, new SeededRandom(1, "g")), double.NegativeInfinity);
        Rows.Close(x.mm(x.t()), linear.Of(x).mm(linear.Of(x).t()), 0.1); // deviation below 0.01
        using var relu = new Snnk(Snnk.Projections(64, 4, false, new SeededRandom(1, "g")));
        Rows.Close(relu.Of(x) * 3, relu.Of(x * 3), 1e-12);
    }

    [Theory, InlineData(3), InlineData(8), InlineData(20)]
    public void Orthogonal_projections_are_so_in_blocks(int count)
    {
        using var scope = NewDisposeScope();
        var g = Snnk.Projections(count, 8, true, new SeededRandom(1, "g"));
        Assert.Equal([count, 8], g.shape);
        var block = g.narrow(0, 0, Math.Min(8, count));
        var products = block.mm(block.t());
        Assert.InRange((products - products.diagonal().diag()).abs().max().item<double>(), 0, 1e-10);
    }

    [Fact] // a mean of 400,000 features; five deviations of it, measured from the features themselves
    public void Cosine_features_give_the_cosine_on_average_and_nothing_imaginary()
    {
        using var scope = NewDisposeScope();
        const int m = 400_000;
        var (x, w) = (Rows.Normal(3, 4) * 0.5, Rows.Normal(2, 4, 2) * 0.5);
        var random = new SeededRandom(3, "xi");
        var xi = tensor(Enumerable.Range(0, m).Select(_ => (random.Next(2) == 0 ? 1 : -1) / (2 * Math.PI)).ToArray());
        var (real, imaginary, psi) = Snnk.CosineFeatures(x, w, Rows.Normal(m, 4, 5), xi);
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 2; j++)
            {
                var terms = real[i] * psi[j] * m;
                double deviation = terms.std().item<double>() / Math.Sqrt(m);
                Assert.Equal(Math.Cos((x[i] * w[j]).sum().item<double>()), terms.mean().item<double>(), 5 * deviation);
                Assert.Equal(0, (imaginary[i] * psi[j]).sum().item<double>(), 5 * deviation + 0.02);
            }
        Assert.Contains("exponent", Assert.Throws<InputException>(() => Snnk.CosineFeatures(x * 100, w, Rows.Normal(4, 4), xi.narrow(0, 0, 4))).Message);
    }

    [Fact] // oracle: the normal equations
    public void The_bundled_network_is_one_ridge_on_its_features()
    {
        using var scope = NewDisposeScope();
        var rows = Rows.Clusters(40, 5, 3);
        var setup = new KernelSetup(purpose => new SeededRandom(7, purpose));
        using var fitted = Snnk.Method(setup, new() { Features = 30, Ridge = 0.01 }).Fit(rows, TestContext.Current.CancellationToken);
        using var features = new Snnk(Snnk.Projections(30, 5, true, setup.Random("projections")));
        var z = features.Of(rows.X);
        var theta = PositiveSolve.Solve(z.t().mm(z) + eye(30, dtype: ScalarType.Float64) * (0.01 * z.square().sum().item<double>() / 40), z.t().mm(rows.OneHot() - 1.0 / 3), out _);
        var asked = Rows.Normal(6, 5, 8);
        Rows.Close(features.Of(asked).mm(theta), fitted.Scores(asked), 1e-8);
        Assert.Contains("5 features", Assert.Throws<InputException>(() => features.Of(Rows.Normal(2, 4))).Message);
    }
}
