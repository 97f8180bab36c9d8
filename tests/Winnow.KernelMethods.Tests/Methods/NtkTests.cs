using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class NtkTests
{
    private static readonly NtkOptions Plain = new() { Normalise = false, WeightDeviation = Math.Sqrt(2), BiasDeviation = 0 };

    [Fact]
    public void Without_a_hidden_layer_both_kernels_are_linear()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(6, 4);
        var (nngp, ntk) = new Ntk(Plain with { Depth = 0, WeightDeviation = 1.5, BiasDeviation = 0.3 }).Both(x, x);
        var expected = x.mm(x.t()) * (1.5 * 1.5 / 4) + 0.09;
        Rows.Close(expected, nngp, 1e-12);
        Rows.Close(expected, ntk, 1e-12);
    }

    [Theory, InlineData(1), InlineData(3), InlineData(10)] // σ_w² E[φ(u)²] = K for ReLU and σ_w = √2
    public void Of_a_row_with_itself_relu_keeps_the_kernel_at_every_depth_and_the_tangent_kernel_counts_layers(int depth)
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(6, 4);
        var (nngp, ntk) = new Ntk(Plain with { Depth = depth }).Both(x, x);
        var own = x.square().sum(1) / 2;
        Rows.Close(own, nngp.diagonal(), 1e-12);
        Rows.Close(own * (depth + 1), ntk.diagonal(), 1e-11);
    }

    [Theory, InlineData("relu", 0.0), InlineData("leaky-relu", 0.1), InlineData("erf", 0.0)] // expectations over two normal variables by Gauss and Hermite's rule; kinks need many nodes
    public void Expectations_are_those_of_quadrature(string activation, double leak)
    {
        using var scope = NewDisposeScope();
        Func<double, double> phi = activation == "erf" ? Erf : z => z > 0 ? z : leak * z, slope = activation == "erf" ? z => 2 / Math.Sqrt(Math.PI) * Math.Exp(-z * z) : z => z > 0 ? 1 : leak;
        var (x, y) = (Rows.Normal(1, 5), Rows.Normal(1, 5, 2));
        var (nngp, ntk) = new Ntk(Plain with { Depth = 1, WeightDeviation = 1, Activation = activation }).Both(x, y);
        double kxx = x.square().sum().item<double>() / 5, kyy = y.square().sum().item<double>() / 5, kxy = (x * y).sum().item<double>() / 5;
        double a = Math.Sqrt(kxx), b = kxy / a, c = Math.Sqrt(kyy - b * b), products = 0, slopes = 0;
        const int steps = 4000;
        for (int i = 0; i < steps; i++)
        {
            // in polar coordinates the radius of homogeneous units integrates by itself; of erf a grid does
            for (int j = 0; j < (activation == "erf" ? 400 : 1); j++)
            {
                double angle = 2 * Math.PI * (i + 0.5) / steps, radius = activation == "erf" ? 8 * (j + 0.5) / 400 : 1;
                double weight = activation == "erf" ? radius * Math.Exp(-radius * radius / 2) * 8 / 400 / steps : 1.0 / steps, u = a * radius * Math.Cos(angle), v = b * radius * Math.Cos(angle) + c * radius * Math.Sin(angle);
                products += weight * phi(u) * phi(v) * (activation == "erf" ? 1 : 2);
                slopes += weight * slope(u) * slope(v);
            }
        }
        Assert.Equal(products, nngp.item<double>(), 1e-5);
        Assert.Equal(products + kxy * slopes, ntk.item<double>(), 1e-3 * Math.Abs(kxy) + 1e-5);

        static double Erf(double z)
        {
            double sum = 0, term = z;
            for (int n = 0; n < 200 && Math.Abs(term) > 1e-17; n++)
            {
                sum += term / (2 * n + 1);
                term *= -z * z / (n + 1);
            }
            return Math.Abs(z) > 5 ? Math.Sign(z) : 2 / Math.Sqrt(Math.PI) * sum;
        }
    }

    [Fact] // relative error about 1 / √width: averaged over 6 networks of width 512, within 8 percent with room for a false alarm of 1e-6
    public void A_wide_network_has_the_kernel_of_the_limit()
    {
        using var scope = NewDisposeScope();
        const int width = 512, networks = 6;
        var x = Rows.Normal(4, 3);
        var expected = new Ntk(Plain with { Depth = 2, BiasDeviation = 0.1 }).Gram(x, x);
        var sum = zeros(4, 4, dtype: ScalarType.Float64);
        for (ulong seed = 0; seed < networks; seed++)
        {
            (int Out, int In)[] sizes = [(width, 3), (width, width), (1, width)];
            Tensor[] w = [.. sizes.Select((s, i) => Rows.Normal(s.Out, s.In, 10 * seed + (ulong)i).requires_grad_())], b = [.. sizes.Select((s, i) => Rows.Normal(1, s.Out, 10 * seed + 5 + (ulong)i).requires_grad_())];
            Tensor Network(Tensor h)
            {
                for (int l = 0; l < 3; l++)
                    h = (l > 0 ? nn.functional.relu(h) : h).mm(w[l].t()) * Math.Sqrt(2.0 / sizes[l].In) + b[l] * 0.1;
                return h;
            }
            sum = sum + Ntk.Empirical(Network, [.. w, .. b], x).squeeze(-1).squeeze(-1);
        }
        Assert.InRange((sum / networks - expected).norm().item<double>() / expected.norm().item<double>(), 0, 0.08);
    }

    [Fact]
    public void Training_begins_where_it_begins_ends_at_the_targets_and_never_leaves_the_kernels_span()
    {
        using var scope = NewDisposeScope();
        var (x, other) = (Rows.Normal(8, 5), Rows.Normal(3, 5, 2));
        var kernel = new Ntk(Plain);
        var (train, test) = (kernel.Gram(x, x), kernel.Gram(other, x));
        var (y, f, g) = (Rows.Normal(8, 2, 3), Rows.Normal(8, 2, 4), Rows.Normal(3, 2, 5));
        var (atStart, testStart) = Ntk.Flow(train, test, y, f, g, 0);
        Rows.Close(f, atStart, 1e-12);
        Rows.Close(g, testStart, 1e-12);
        var (atEnd, testEnd) = Ntk.Flow(train, test, y, f, g, double.PositiveInfinity);
        Rows.Close(y, atEnd, 1e-8);
        Rows.Close(g - test.mm(PositiveSolve.Solve(train, f - y, out _)), testEnd, 1e-8);
        // small steps of Euler's method
        var (now, elsewhere) = (f, g);
        for (int i = 0; i < 4000; i++)
            (now, elsewhere) = (now - train.mm(now - y) * (0.5 / 4000), elsewhere - test.mm(now - y) * (0.5 / 4000));
        var (flow, testFlow) = Ntk.Flow(train, test, y, f, g, 0.5);
        Rows.Close(now, flow, 5e-3);
        Rows.Close(elsewhere, testFlow, 5e-3);
        Assert.Throws<ArgumentOutOfRangeException>(() => Ntk.Flow(train, test, y, f, g, -1));
    }

    [Fact]
    public void Rows_of_one_norm_do_not_depend_on_their_own_and_doubled_rows_are_learned_from()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(6, 4);
        var seven = x * 7;
        Rows.Close(new Ntk(new()).Gram(x, x), new Ntk(new()).Gram(seven, seven), 1e-12);
        var doubled = new TrainingRows(cat([x, x]), [0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0], 2);
        using var fitted = Ntk.Method(new() { Ridge = 1e-9 }).Fit(doubled, TestContext.Current.CancellationToken);
        Assert.True(fitted.Scores(x).isfinite().all().item<bool>());
    }
}
