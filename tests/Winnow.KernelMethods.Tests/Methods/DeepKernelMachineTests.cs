using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class DeepKernelMachineTests
{
    private static readonly KernelSetup Setup = new(purpose => new SeededRandom(1, purpose));

    private static (Tensor X, Tensor Y) Made(int n = 14, int outputs = 1)
    {
        var x = Rows.Normal(n, 3);
        var y = x.narrow(1, 0, 1).sin() + 0.1 * Rows.Normal(n, outputs, 9);
        return (x, y - y.mean([0], keepdim: true));
    }

    private static DeepGram Machine(DeepKernelMachineOptions options, double nu, int n = 14, int outputs = 1)
    {
        var (x, y) = Made(n, outputs);
        return new(x, y, options, nu, new SeededRandom(1, "inputs"));
    }

    /// <summary>Learned tensors moved a little from where they begin.</summary>
    private static void Stir(DeepGram machine)
    {
        using var untracked = no_grad();
        ulong seed = 20;
        foreach (var p in machine.Parameters)
            p.add_(Rows.Normal(1, (int)p.numel(), seed++).reshape(p.shape) * 0.1);
    }

    [Theory, InlineData("squared-exponential", "whitened", 1), InlineData("squared-exponential", "plain", 2), InlineData("relu", "whitened", 2), InlineData("relu", "plain", 1), InlineData("squared-exponential", "sparse", 1), InlineData("relu", "sparse", 2)]
    public void The_gradient_of_the_objective_is_that_of_finite_differences(string kernel, string form, int outputs)
    {
        using var scope = NewDisposeScope();
        var machine = Machine(new() { Kernel = kernel, Form = form, Inducing = 6 }, 5, outputs: outputs);
        Stir(machine);
        var parameters = machine.Parameters;
        var gradients = autograd.grad([machine.Objective()], [.. parameters], allow_unused: true);
        using var untracked = no_grad();
        for (int k = 0; k < parameters.Count; k++)
            for (int i = 0; i < Math.Min(4, parameters[k].numel()); i++)
            {
                long at = i * 7 % parameters[k].numel();
                var flat = parameters[k].view(-1);
                double Moved(double by)
                {
                    flat[at] += by;
                    double value = machine.Objective().item<double>();
                    flat[at] -= by;
                    return value;
                }
                double expected = (Moved(1e-5) - Moved(-1e-5)) / 2e-5;
                Assert.Equal(expected, gradients[k] is { IsInvalid: false } g ? g.reshape(-1)[at].item<double>() : 0, 1e-6 * (1 + Math.Abs(expected)));
            }
    }

    [Theory, InlineData("whitened"), InlineData("plain")]
    public void At_the_start_nothing_is_apart_and_everywhere_else_something_is(string form)
    {
        using var scope = NewDisposeScope();
        var (free, held) = (Machine(new() { Form = form }, 10), Machine(new(), double.PositiveInfinity));
        Assert.Equal(held.Objective().item<double>(), free.Objective().item<double>(), 1e-6);
        Assert.Equal(0, free.Apart, 1e-6);
        Stir(free);
        free.Objective();
        Assert.True(free.Apart > 0.01);
    }

    [Fact]
    public void Whitened_divergence_is_that_of_normal_numbers_with_these_covariances()
    {
        using var scope = NewDisposeScope();
        var (a, b) = (Rows.Normal(6, 9), Rows.Normal(6, 9, 2));
        var (k, g) = (a.mm(a.t()), b.mm(b.t()));
        var factor = linalg.cholesky(k);
        double expected = 0.5 * (linalg.inv(k).mm(g).trace() - linalg.slogdet(linalg.inv(k).mm(g)).Item2 - 6).item<double>();
        Assert.Equal(expected, GramKernels.Divergence(g, factor).item<double>(), 1e-9);
        var r = linalg.solve_triangular(factor, linalg.cholesky(g), upper: false); // G = C R Rᵀ Cᵀ
        Assert.Equal(expected, 0.5 * (r.square().sum() - 2 * r.diagonal().log().sum() - 6).item<double>(), 1e-9);
        Assert.Equal(0, GramKernels.Divergence(k, factor).item<double>(), 1e-9);
    }

    [Fact]
    public void Without_layers_it_is_a_Gaussian_process_and_held_endlessly_one_with_the_deep_kernel()
    {
        using var scope = NewDisposeScope();
        var (x, y) = Made();
        foreach (int layers in (int[])[0, 2])
        {
            var machine = new DeepGram(x, y, new() { Layers = layers }, double.PositiveInfinity, new SeededRandom(1, "inputs"));
            machine.Train(30, 0.02, 1, new SeededRandom(1, "order"), TestContext.Current.CancellationToken);
            double[] Of(int from) => [.. machine.Parameters.Skip(from).Take(layers + 1).Select(p => Math.Exp(p.item<double>()))];
            double[] lengths = Of(0), heights = Of(layers + 1);
            var asked = Rows.Normal(5, 3, 8);
            var all = cat([x, asked]);
            var gram = all.mm(all.t()) / 3;
            for (int l = 0; l <= layers; l++)
                gram = GramKernels.SquaredExponential(new(gram), tensor(lengths[l], dtype: ScalarType.Float64), tensor(heights[l], dtype: ScalarType.Float64)).Own;
            var c = gram.narrow(0, 0, 14).narrow(1, 0, 14) + eye(14, dtype: ScalarType.Float64) * machine.Noise;
            var cross = gram.narrow(0, 14, 5).narrow(1, 0, 14);
            var (mean, variance) = machine.Predict(asked);
            Rows.Close(cross.mv(linalg.inv(c).mv(y.squeeze(1))), mean, 1e-6);
            Rows.Close(gram.diagonal().narrow(0, 14, 5) - (cross.mm(linalg.inv(c)) * cross).sum(1) + machine.Noise, variance, 1e-5);
        }
    }

    [Fact]
    public void A_large_nu_stays_at_the_kernel_and_a_smaller_one_fits_better()
    {
        using var scope = NewDisposeScope();
        double Reached(double nu)
        {
            var machine = Machine(new(), nu, 30);
            machine.Train(60, 0.02, 1, new SeededRandom(1, "order"), TestContext.Current.CancellationToken);
            return machine.Reached;
        }
        double[] reached = [.. new[] { double.PositiveInfinity, 30, 10, 1 }.Select(Reached)];
        Assert.All(reached.Skip(1).Zip(reached), p => Assert.True(p.First > p.Second, $"{p.First} beside {p.Second}"));
        var (x, y) = Made(30);
        using var held = new DeepKernelMachine(Setup, new() { Nu = 1e9, Steps = 60 }).Fit(new(x, y.squeeze(1) / y.std(false)), TestContext.Current.CancellationToken);
        Assert.Equal(0, held.Report["divergence"]);
    }

    [Fact]
    public void A_row_that_is_one_of_those_learned_from_is_carried_along_as_it()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(7, 9);
        var g0 = GramKernels.Inputs(x, x.narrow(0, 2, 3));
        // the jitter of the kernel's own diagonal is not in the cross block: without it the rows are the same
        var (own, cross, diagonal) = (g0.Own, g0.Cross!, g0.Diagonal!);
        var b = Rows.Normal(7, 12, 4);
        var g = b.mm(b.t());
        var carried = GramKernels.Conditional(new(own, cross, diagonal), linalg.cholesky(own), g);
        Rows.Close(g.narrow(1, 2, 3), carried.Cross!, 1e-8);
        Rows.Close(g.diagonal().narrow(0, 2, 3), carried.Diagonal!, 1e-8);
        Rows.Close(cross, GramKernels.Conditional(new(own, cross, diagonal), linalg.cholesky(own), own).Cross!, 1e-8);
    }

    [Fact]
    public void The_kernel_of_rectified_units_keeps_the_diagonal_draws_rows_together_and_is_what_many_units_give()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(6, 10);
        var g = GramKernels.Inputs(x).Own;
        var k = GramKernels.Relu(new(g)).Own;
        Rows.Close(g.diagonal(), k.diagonal(), 2 * GramKernels.Jitter);
        Assert.True(linalg.eigvalsh(k).min().item<double>() > 0);
        Tensor Correlation(Tensor a) => a / a.diagonal().sqrt() / a.diagonal().sqrt().unsqueeze(1);
        Assert.True((Correlation(k) - Correlation(g) + eye(6, dtype: ScalarType.Float64)).min().item<double>() > 0);
        // 2 E relu(f) relu(f') over f ~ N(0, G): four standard errors of 400,000 draws, of products of size about 2
        const int draws = 400_000;
        var units = linalg.cholesky(g).mm(Rows.Normal(6, draws, 3)).clamp_min(0);
        Rows.Close(k, units.mm(units.t()) * (2.0 / draws), 4 * 5 / Math.Sqrt(draws));
    }

    [Fact]
    public void Learned_inputs_that_are_all_rows_reach_what_all_rows_do()
    {
        using var scope = NewDisposeScope();
        var (x, y) = Made(12);
        var (asked, dense) = (Rows.Normal(6, 3, 5), new DeepGram(x, y, new(), 100, new SeededRandom(1, "inputs")));
        var sparse = new DeepGram(x, y, new() { Form = "sparse", Inducing = 12 }, 100, new SeededRandom(1, "inputs"));
        dense.Train(150, 0.02, 1, new SeededRandom(1, "order"), TestContext.Current.CancellationToken);
        sparse.Train(400, 0.03, 1000, new SeededRandom(1, "order"), TestContext.Current.CancellationToken);
        Assert.InRange((dense.Predict(asked).Mean - sparse.Predict(asked).Mean).abs().max().item<double>(), 0, 0.25);
        Assert.True(sparse.Reached <= dense.Reached + 0.05); // a bound
    }

    [Fact]
    public void What_it_cannot_learn_from_is_refused()
    {
        using var scope = NewDisposeScope();
        var (x, y) = Made();
        string Of(DeepKernelMachineOptions o, Tensor rows, Tensor targets) => Assert.Throws<InputException>(() => new DeepKernelMachine(Setup, o).Fit(new(rows, targets.squeeze(1)), TestContext.Current.CancellationToken)).Message;
        Assert.Contains("at most 14, the rows", Of(new() { Form = "sparse", Inducing = 15, Nu = 3 }, x, y / y.std()));
        Assert.Contains("a deviation of", Of(new(), x, y * 100));
        var zero = x.clone();
        zero[3] = zeros(3, dtype: ScalarType.Float64);
        Assert.Contains("row 3", Of(new() { Kernel = "relu" }, zero, y / y.std()));
        Assert.Contains("at least one output", Assert.Throws<ArgumentException>(() => new DeepGram(x, zeros(14, 0, dtype: ScalarType.Float64), new(), 1, new SeededRandom(1, "i"))).Message);
        Assert.Contains("above 0", Assert.Throws<ArgumentOutOfRangeException>(() => new DeepGram(x, y, new(), 0, new SeededRandom(1, "i"))).Message);
    }

    [Theory, InlineData("whitened"), InlineData("plain"), InlineData("sparse")]
    public void Every_form_learns_and_says_what_held_it(string form)
    {
        using var scope = NewDisposeScope();
        var (x, y) = Made(40);
        var (rows, deviation) = (cat([x, x]), y.std().item<double>());
        using var fitted = new DeepKernelMachine(Setup, new() { Form = form, Nu = 30, Steps = 100, Inducing = 10 }).Fit(new(rows, cat([y, y]).squeeze(1) / deviation), TestContext.Current.CancellationToken); // doubled rows
        Assert.Equal(30, fitted.Report["nu"]);
        Assert.InRange((fitted.Predict(x).Mean - y.squeeze(1) / deviation).square().mean().sqrt().item<double>(), 0, 0.4);
    }
}
