using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class NtkEnsembleTests
{
    private static readonly NtkOptions Plain = new() { Depth = 1, Normalise = false, WeightDeviation = 1, BiasDeviation = 0 };

    [Fact]
    public void Quadrature_gives_the_closed_forms_of_erf_and_of_the_sine()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (Rows.Normal(6, 5), Rows.Normal(4, 5, 2));
        var erf = new Nonlinearity(z => z.erf(), z => 2 / Math.Sqrt(Math.PI) * z.square().neg().exp());
        foreach (var options in (NtkOptions[])[Plain with { Activation = "erf" }, Plain with { Activation = "erf", Depth = 3, BiasDeviation = 0.3 }])
        {
            Ntk closed = new(options), quadrature = new(options, erf);
            foreach (var other in (Tensor[])[x, y])
            {
                var (expected, actual) = (closed.Both(x, other), quadrature.Both(x, other));
                Rows.Close(expected.Nngp, actual.Nngp, 1e-7);
                Rows.Close(expected.Ntk, actual.Ntk, 1e-7);
            }
            Rows.Close(closed.Diagonal(x), quadrature.Diagonal(x), 1e-7);
        }
        // E[sin u sin v] = exp(−(k_u + k_v)/2) sinh k and E[cos u cos v] the same with cosh
        var k = x.mm(y.t()) / 5;
        var size = ((x.square().sum(1).unsqueeze(1) + y.square().sum(1)) / -10).exp();
        var (nngp, ntk) = new Ntk(Plain with { Activation = "sine" }).Both(x, y);
        Rows.Close(size * k.sinh(), nngp, 1e-7);
        Rows.Close(size * (k.sinh() + k * k.cosh()), ntk, 1e-7);
    }

    [Theory, InlineData("tanh"), InlineData("gelu"), InlineData("softplus")] // oracle: sums over a grid of both numbers, whose error is far below
    public void Other_non_linearities_are_those_of_a_grid_even_of_rows_that_nearly_agree(string activation)
    {
        using var scope = NewDisposeScope();
        Func<double, double> phi = activation switch { "tanh" => Math.Tanh, "gelu" => z => z * Below(z), _ => z => Math.Log(1 + Math.Exp(z)) };
        Func<double, double> slope = activation switch { "tanh" => z => 1 - Math.Tanh(z) * Math.Tanh(z), "gelu" => z => Below(z) + z * Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI), _ => z => 1 / (1 + Math.Exp(-z)) };
        var x = tensor([1.1, -0.6, 0.4], [1, 3]);
        foreach (var y in (Tensor[])[tensor([0.2, 0.9, -1.3], [1, 3]), x + 0.001, -x])
        {
            double kxx = x.square().sum().item<double>() / 3, kyy = y.square().sum().item<double>() / 3, kxy = (x * y).sum().item<double>() / 3;
            double a = Math.Sqrt(kxx), b = kxy / a, c = Math.Sqrt(Math.Max(0, kyy - b * b)), products = 0, slopes = 0;
            const double step = 0.125;
            for (double s = -8; s < 8.01; s += step)
                for (double t = -8; t < 8.01; t += step)
                {
                    double weight = Math.Exp(-(s * s + t * t) / 2) / (2 * Math.PI) * step * step;
                    products += weight * phi(a * s) * phi(b * s + c * t);
                    slopes += weight * slope(a * s) * slope(b * s + c * t);
                }
            var (nngp, ntk) = new Ntk(Plain with { Activation = activation }).Both(x, y);
            Assert.Equal(products, nngp.item<double>(), 1e-7);
            Assert.Equal(products + kxy * slopes, ntk.item<double>(), 1e-7);
        }

        static double Below(double z)
        {
            using var number = tensor(z / Math.Sqrt(2));
            using var value = number.erf();
            return (1 + value.item<double>()) / 2;
        }
    }

    private static (Func<Tensor, Tensor> Of, Tensor[] Parameters) Network(int inputs, int width, int hidden, ulong seed)
    {
        (int Out, int In)[] sizes = [(width, inputs), .. Enumerable.Repeat((width, width), hidden - 1), (1, width)];
        Tensor[] w = [.. sizes.Select((s, i) => Rows.Normal(s.Out, s.In, 100 * seed + (ulong)i).requires_grad_())], b = [.. sizes.Select((s, i) => Rows.Normal(1, s.Out, 100 * seed + 50 + (ulong)i).requires_grad_())];
        Tensor Of(Tensor h)
        {
            for (int l = 0; l < sizes.Length; l++)
                h = (l > 0 ? h.relu() : h).mm(w[l].t()) * Math.Sqrt(2.0 / sizes[l].In) + b[l] * 0.1;
            return h;
        }
        return (Of, [.. w, .. b]);
    }

    private static readonly NtkOptions Trained = new() { Normalise = false, BiasDeviation = 0.1 };

    [Fact] // within four deviations of the ratios, as far as the errors of single networks tell them: false alarm 6e-5 a ratio
    public void Four_times_the_width_halves_the_distance_of_the_kernel_from_the_limit()
    {
        var errors = new List<(double Mean, double Uncertainty)>();
        foreach (var (width, networks) in ((int, ulong)[])[(64, 60), (256, 40), (1024, 12)])
        {
            var each = new List<double>();
            for (ulong seed = 0; seed < networks; seed++)
            {
                using var scope = NewDisposeScope();
                var x = Rows.Normal(4, 6, 77);
                var limit = new Ntk(Trained with { Depth = 2 }).Gram(x, x);
                var (network, parameters) = Network(6, width, 2, seed);
                each.Add(((Ntk.Empirical(network, parameters, x).view(4, 4) - limit).norm() / limit.norm()).item<double>());
            }
            double mean = each.Average();
            errors.Add((mean, Math.Sqrt(each.Sum(e => (e - mean) * (e - mean)) / (each.Count - 1) / each.Count) / mean));
        }
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join(" ", errors));
        foreach (var (wider, expected) in ((int, double)[])[(1, 2), (2, 4)])
        {
            double ratio = errors[0].Mean / errors[wider].Mean, deviation = ratio * Math.Sqrt(errors[0].Uncertainty * errors[0].Uncertainty + errors[wider].Uncertainty * errors[wider].Uncertainty);
            Assert.True(deviation < expected / 5, $"{deviation}: too few networks to tell {expected} from 1");
            Assert.InRange(ratio, expected - 4 * deviation, expected + 4 * deviation);
        }
    }

    // With kernels Θ_s on the way the distance δ from the limit's flow has δ' = −Θδ − (Θ_s − Θ) r_s, so that ‖δ_t‖ ≤ t · max ‖Θ_s − Θ‖₂ · ‖r₀‖ (times in units of η/N); steps of gradient descent instead of a flow
    // add at most half a step of the fastest direction, ‖r₀‖ h/2
    [Fact]
    public void A_trained_network_of_1024_units_stays_within_the_derived_bound_and_a_few_percent_of_the_flow()
    {
        using var scope = NewDisposeScope();
        const int n = 8;
        const double h = 0.02;
        var (x, y) = (Rows.Normal(n, 6, 5), Rows.Normal(n, 1, 6));
        var (train, test) = (new Ntk(Trained with { Depth = 1 }).Gram(x, x), zeros(0, n, ScalarType.Float64));
        var (network, parameters) = Network(6, 1024, 1, 3);
        double rate = h / linalg.eigvalsh(train)[-1].item<double>(), drift = 0, worst = 0; // η / N
        Tensor start;
        using (no_grad())
            start = network(x);
        double size = (start - y).norm().item<double>();
        var elsewhere = zeros(0, 1, ScalarType.Float64);
        for (int step = 0; step <= 1000; step++)
        {
            using var one = NewDisposeScope();
            if (step % 50 == 0 || step is 10 or 25)
            {
                using var untracked = no_grad();
                var kernel = Tracked(() => Ntk.Empirical(network, parameters, x).view(n, n));
                drift = Math.Max(drift, linalg.eigvalsh(kernel - train).abs().max().item<double>());
                double away = (network(x) - Ntk.Flow(train, test, y, start, elsewhere, rate * step).Train).norm().item<double>() / size;
                Assert.InRange(away, 0, rate * step * drift + h / 2 + 1e-12);
                worst = Math.Max(worst, away);
            }
            var gradients = autograd.grad([(network(x) - y).square().sum() / 2], parameters);
            using var still = no_grad();
            for (int i = 0; i < parameters.Length; i++)
                parameters[i].sub_(gradients[i] * rate);
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{worst} {drift / linalg.eigvalsh(train)[-1].item<double>()}");
        Assert.InRange(worst, 0, 0.05);

        static Tensor Tracked(Func<Tensor> of)
        {
            using var tracked = enable_grad();
            return of().detach();
        }
    }

    [Fact] // oracle: the function at the end of training is linear in the start, which is drawn from its covariance
    public void The_covariance_is_that_of_networks_that_are_trained_to_the_end()
    {
        using var scope = NewDisposeScope();
        var (x, asked, y) = (Rows.Normal(5, 3), Rows.Normal(2, 3, 2), Rows.Normal(5, 1, 3).squeeze(1));
        var kernel = new Ntk(Trained);
        var (train, cross, test) = (kernel.Both(x, x), kernel.Both(asked, x), kernel.Both(asked, asked).Nngp);
        foreach (double ridge in (double[])[0, 0.3])
        {
            var (mean, covariance) = NtkEnsemble.Posterior(train, cross, test, y, ridge);
            // f* = f₀* + T(y + ε − f₀), so the covariance of [f₀, f₀*, ε] times the linear map on both sides
            var t = cross.Ntk.mm(linalg.inv(train.Ntk + eye(5, dtype: ScalarType.Float64) * ridge));
            var map = cat([-t, eye(2, dtype: ScalarType.Float64), t], 1);
            var drawn = zeros(12, 12, dtype: ScalarType.Float64);
            var all = cat([x, asked]);
            drawn.narrow(0, 0, 7).narrow(1, 0, 7).copy_(kernel.Both(all, all).Nngp);
            drawn.narrow(0, 7, 5).narrow(1, 7, 5).copy_(eye(5, dtype: ScalarType.Float64) * ridge);
            Rows.Close(map.mm(drawn).mm(map.t()), covariance, 1e-9);
            Rows.Close(t.mv(y), mean, 1e-9);
        }
        // where Θ is K it is the posterior of a Gaussian process
        var (_, process) = NtkEnsemble.Posterior((train.Nngp, train.Nngp), (cross.Nngp, cross.Nngp), test, y, 0.3);
        Rows.Close(test - cross.Nngp.mm(linalg.inv(train.Nngp + eye(5, dtype: ScalarType.Float64) * 0.3)).mm(cross.Nngp.t()), process, 1e-9);
    }

    [Theory, InlineData("ntk"), InlineData("nngp")] // oracle: leaving each row out and asking for it
    public void What_rows_left_out_are_missed_by_is_known_without_leaving_them_out(string which)
    {
        using var scope = NewDisposeScope();
        var (x, y) = (Rows.Normal(6, 3), Rows.Normal(6, 1, 3).squeeze(1));
        var kernel = new Ntk(Trained);
        var (k, theta) = kernel.Both(x, x);
        theta = which == "ntk" ? theta : k;
        const double ridge = 0.2;
        var (errors, variances) = NtkEnsemble.LeftOut(k, theta, y, ridge);
        for (int i = 0; i < 6; i++)
        {
            var others = tensor(Enumerable.Range(0, 6).Where(j => j != i).Select(j => (long)j).ToArray());
            Tensor Inner(Tensor a) => a.index_select(0, others).index_select(1, others);
            Tensor Cross(Tensor a) => a.narrow(0, i, 1).index_select(1, others);
            var (mean, covariance) = NtkEnsemble.Posterior((Inner(k), Inner(theta)), (Cross(k), Cross(theta)), k.narrow(0, i, 1).narrow(1, i, 1), y.index_select(0, others), ridge);
            Assert.Equal((y[i] - mean[0]).item<double>(), errors[i].item<double>(), 1e-9);
            Assert.Equal(covariance.item<double>() + ridge, variances[i].item<double>(), 1e-9);
        }
    }

    [Theory, InlineData("ntk"), InlineData("nngp")] // oracle: the posterior by its definition
    public void What_is_fitted_says_the_posterior_and_rows_near_by_are_surer(string which)
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(30, 2);
        var rows = new RegressionRows(x, (x.select(1, 0) * 1.5).sin() + 0.1 * Rows.Normal(30, 1, 4).squeeze(1));
        var options = new NtkEnsembleOptions { Kernel = which, Ridge = 0.01 };
        using var fitted = new NtkEnsemble(options).Fit(rows, TestContext.Current.CancellationToken);
        var asked = cat([x.narrow(0, 0, 2), x.narrow(0, 0, 2) * 20]);
        var (mean, variance) = fitted.Predict(asked);
        var kernel = new Ntk(options);
        var (train, cross) = (kernel.Both(x, x), kernel.Both(asked, x));
        if (which == "nngp")
            (train.Ntk, cross.Ntk) = (train.Nngp, cross.Nngp);
        double ridge = 0.01 * train.Ntk.diagonal().mean().item<double>();
        var expected = NtkEnsemble.Posterior(train, cross, kernel.Both(asked, asked).Nngp, rows.Y - rows.Y.mean(), ridge);
        Rows.Close(expected.Mean + rows.Y.mean(), mean, 1e-8);
        Rows.Close((expected.Covariance.diagonal() + ridge) * fitted.Report["variance"], variance!, 1e-8);
        Assert.True(variance![0].item<double>() < variance[2].item<double>());
    }

    [Fact]
    public void Rows_that_are_the_same_and_have_other_targets_are_named_where_there_is_no_ridge()
    {
        using var scope = NewDisposeScope();
        var x = cat([Rows.Normal(4, 3), Rows.Normal(4, 3).narrow(0, 1, 1)]);
        var kernel = new Ntk(Trained);
        var both = kernel.Both(x, x);
        var y = tensor([1.0, 2, 3, 4, 5]);
        string Message(Action action) => Assert.Throws<InputException>(action).Message;
        Assert.Contains("1 and 4 are the same", Message(() => NtkEnsemble.Posterior(both, both, both.Nngp, y, 0)));
        var column = y.unsqueeze(1);
        Assert.Contains("1 and 4 are the same", Message(() => Ntk.Flow(both.Ntk, both.Ntk, column, column * 0, column * 0, double.PositiveInfinity)));
        NtkEnsemble.Posterior(both, both, both.Nngp, y, 0.1);
        Ntk.Flow(both.Ntk, both.Ntk, column, column * 0, column * 0, 1);
        y[4] = 2;
        Ntk.Flow(both.Ntk, both.Ntk, column, column * 0, column * 0, double.PositiveInfinity);
    }
}
