using System.Numerics;
using Winnow.Core;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class SnnkLayerTests
{
    private static SeededRandom Random(string purpose, ulong seed = 3) => new(seed, purpose);

    private static FourierSample Function(string name, int m) => name switch
    {
        "cosine" => FourierSample.Cosine(m, Random("xi")),
        "sine" => FourierSample.Sine(m, Random("xi")),
        _ => FourierSample.Of(xi => Math.Sqrt(2 * Math.PI) * Math.Exp(-2 * Math.PI * Math.PI * xi * xi), 0.2, m, Random("xi")), // of exp(−z²/2)
    };

    private static double Value(string name, double z) => name switch { "cosine" => Math.Cos(z), "sine" => Math.Sin(z), _ => Math.Exp(-z * z / 2) };

    [Theory, InlineData("cosine", false, 0.0, false), InlineData("sine", false, 0.0, false), InlineData("sine", true, 0.0, true), InlineData("sine", true, 0.1, false), InlineData("bell", true, 0.05, true), InlineData("bell", false, 0.0, false)]
    public void Products_are_the_function_on_average(string name, bool symmetric, double damping, bool orthogonal)
    {
        // five deviations of the mean, measured from the terms themselves
        using var scope = NewDisposeScope();
        int m = orthogonal ? 2000 : 200_000;
        var (x, w, bias) = (Rows.Normal(3, 4) * 0.4, Rows.Normal(2, 4, 2) * 0.4, tensor([0.3, -0.8]));
        using var features = new UniversalFeatures(Snnk.Projections(m, 4, orthogonal, Random("g")), Function(name, m), symmetric, damping);
        var (phi, psi) = (features.OfRows(x), features.OfWeights(w, bias));
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 2; j++)
            {
                var terms = (phi[i] * psi[j]).reshape(2, m).sum([0]) * m;
                double expected = Value(name, (x[i] * w[j]).sum().item<double>() + bias[j].item<double>());
                Assert.Equal(expected, terms.mean().item<double>(), 5 * terms.std().item<double>() / Math.Sqrt(m));
            }
    }

    [Theory, InlineData(false), InlineData(true)] // oracle: complex features of ξ and of −ξ over √2, one at a time
    public void The_paired_estimator_is_real_and_is_what_is_computed(bool symmetric)
    {
        using var scope = NewDisposeScope();
        const int m = 6, d = 3;
        const double damping = 0.2, bias = 0.7;
        var (x, w, g) = (Rows.Normal(1, d) * 0.5, Rows.Normal(1, d, 2) * 0.5, Rows.Normal(m, d, 3));
        var function = FourierSample.Of(xi => new Complex(Math.Exp(-xi * xi), xi), 0.3, m, Random("xi"));
        Complex sum = 0;
        for (int k = 0; k < m; k++)
            foreach (int sign in (int[])[1, -1])
            {
                Complex product = new(0, 2 * Math.PI * sign * function.Frequencies[k]), a = symmetric ? Complex.Sqrt(product) : product, b = symmetric ? a : 1;
                var q = sign > 0 ? function.Weights[k] : Complex.Conjugate(function.Weights[k]);
                Complex Feature(Tensor z, Complex c) => Complex.Exp(c * Math.Sqrt(1 + 4 * damping) * (g[k] * z[0]).sum().item<double>() - c * c * z.square().sum().item<double>() / 2)
                    * Math.Pow(1 + 4 * damping, d / 4.0) * Math.Exp(-damping * g[k].square().sum().item<double>()) / Math.Sqrt(2 * m);
                sum += Feature(x, a) * Feature(w, b) * q * Complex.Exp(product * bias);
            }
        using var features = new UniversalFeatures(g, function, symmetric, damping);
        Assert.Equal(0, sum.Imaginary, 1e-12);
        Assert.Equal(sum.Real, features.OfRows(x).mm(features.OfWeights(w, tensor([bias])).t()).item<double>(), 1e-12);
    }

    // E|Φ_k Ψ_k|² m² by the moments of normal numbers, |2πξ| = 1: exp(‖x + w‖²) for a = b; else exp(‖x‖² − ‖w‖² + 2r‖w‖²) (1 + 4M)^d (1 + 8M)^(−d/2), r = (1 + 4M)/(1 + 8M): e^(‖x‖² + ‖w‖²) for M = 0
    [Theory, InlineData(true, 0.0), InlineData(false, 0.0), InlineData(false, 0.1)] // five deviations of a mean of 200,000
    public void Squares_are_on_average_those_of_the_closed_form_so_that_the_symmetric_choice_is_better_only_for_rows_against_weights(bool symmetric, double damping)
    {
        using var scope = NewDisposeScope();
        const int m = 200_000, d = 4;
        var x = tensor([0.4, -0.3, 0.1, 0.2], [1, d]);
        using var features = new UniversalFeatures(Snnk.Projections(m, d, false, Random("g")), FourierSample.Sine(m, Random("xi")), symmetric, damping);
        foreach (var w in (Tensor[])[tensor([0.3, -0.4, 0.2, 0.1], [1, d]), tensor([-0.3, 0.4, -0.2, -0.1], [1, d])])
        {
            Tensor Sizes(Tensor z) => z.reshape(2, m).square().sum([0]) * m;
            var squares = Sizes(features.OfRows(x)) * Sizes(features.OfWeights(w));
            double Square(Tensor z) => z.square().sum().item<double>();
            double expected = symmetric ? Math.Exp(Square(x + w))
                : Math.Pow(1 + 4 * damping, d) * Math.Pow(1 + 8 * damping, -d / 2.0) * Math.Exp(Square(x) - Square(w) + 2 * (1 + 4 * damping) / (1 + 8 * damping) * Square(w));
            Assert.Equal(expected, squares.mean().item<double>(), 5 * squares.std().item<double>() / Math.Sqrt(m));
        }
    }

    [Fact]
    public void Rows_that_float32_would_not_hold_are_refused_with_the_remedy()
    {
        using var scope = NewDisposeScope();
        const int m = 64;
        var (g, x) = (Snnk.Projections(m, 6, false, Random("g")), Rows.Normal(4, 6));
        using var plain = new UniversalFeatures(g, FourierSample.Sine(m, Random("xi")));
        var error = Assert.Throws<InputException>(() => plain.OfRows(15 * x / x.norm(1, keepdim: true))).Message; // 15² / 2 less ½ log 64
        Assert.Contains("an exponent of 110", error);
        Assert.Contains("at most 80", error);
        Assert.Contains("length 1", error);
        Assert.Contains("6]", Assert.Throws<InputException>(() => plain.OfRows(Rows.Normal(2, 5))).Message);
        Assert.Throws<ArgumentException>(() => new UniversalFeatures(g, FourierSample.Sine(3, Random("xi"))));
    }

    [Fact] // errors of 4^k features, 30 draws each: a slope of their logarithms is −½ to 0.05
    public void The_error_falls_as_the_root_of_features()
    {
        using var scope = NewDisposeScope();
        var (x, w) = (Rows.Normal(8, 5) * 0.4, Rows.Normal(8, 5, 2) * 0.4);
        var exact = x.mm(w.t()).sin();
        double Error(int m) => Math.Sqrt(Enumerable.Range(0, 30).Average(s =>
        {
            using var features = new UniversalFeatures(Snnk.Projections(m, 5, false, Random("g", (ulong)s)), FourierSample.Sine(m, Random("xi", (ulong)s)), symmetric: true);
            return (features.OfRows(x).mm(features.OfWeights(w).t()) - exact).square().mean().item<double>();
        }));
        Assert.Equal(-0.5, Math.Log(Error(4096) / Error(64)) / Math.Log(64), 0.05);
    }

    [Fact]
    public void Only_weights_learn_their_gradient_is_features_times_what_comes_back_and_projections_are_saved()
    {
        using var scope = NewDisposeScope();
        var (x, w, upstream) = (Rows.Normal(5, 4), Rows.Normal(3, 4, 2), Rows.Normal(5, 3, 3));
        var g = Snnk.Projections(8, 4, true, Random("g"));
        using var layer = new SnnkLayer(new Snnk(g), w);
        using var features = new Snnk(g);
        Rows.Close(features.Of(x).mm(features.Of(w).t()), layer.forward(x), 1e-12);
        var input = x.clone().requires_grad_();
        (layer.forward(input) * upstream).sum().backward();
        Rows.Close(upstream.t().mm(features.Of(x)), layer.Psi.grad!, 1e-12);
        Assert.NotNull(input.grad);
        Assert.Equal(["psi"], layer.named_parameters().Select(p => p.name));
        Assert.All(layer.named_buffers(), b => Assert.False(b.buffer.requires_grad));
        Assert.Equal(["projections", "psi"], layer.state_dict().Keys.Order());
        Rows.Close(layer.forward(x), layer.forward(x.reshape(5, 1, 4)).reshape(5, 3), 0);
        Assert.Contains("bias", Assert.Throws<InputException>(() => new SnnkLayer(new Snnk(g), w, zeros(3, ScalarType.Float64))).Message);

        // what is saved makes another layer say the same
        using var other = new SnnkLayer(new Snnk(Rows.Normal(8, 4, 9)), Rows.Normal(3, 4, 8));
        other.load_state_dict(layer.state_dict());
        Rows.Close(layer.forward(x), other.forward(x), 0);
    }

    [Fact]
    public void A_layer_of_universal_features_is_the_dense_layer_and_learns()
    {
        using var scope = NewDisposeScope();
        const int m = 4000;
        var (x, w, bias) = (Rows.Normal(6, 4) * 0.3, Rows.Normal(2, 4, 2) * 0.3, tensor([0.2, -0.4]));
        using var layer = new SnnkLayer(new UniversalFeatures(Snnk.Projections(m, 4, true, Random("g")), FourierSample.Sine(m, Random("xi")), symmetric: true), w, bias);
        Rows.Close((x.mm(w.t()) + bias).sin(), layer.forward(x), 0.1); // one term deviates by about 1
        layer.forward(x).sum().backward();
        Assert.Equal([2, 2 * m], layer.Psi.grad!.shape);
        Assert.Equal(["frequencies", "projections", "psi", "weights"], layer.state_dict().Keys.Order());
    }

    [Theory, InlineData(null, "mam"), InlineData(3, "bert"), InlineData(3, "mam")]
    public void An_adapter_begins_as_the_identity_and_learns_to_go_back(int? down, string initialisation)
    {
        using var scope = NewDisposeScope();
        using var block = new SnnkAdapter(6, down, 16, initialisation, Random("block"), ScalarType.Float64);
        var x = Rows.Normal(7, 6);
        Rows.Close(x, block.forward(x), 0);
        Assert.Equal(down is { } k ? [6, k] : [6L], block.Up.shape);
        var names = block.named_parameters().Select(p => p.name).Order().ToArray();
        Assert.Equal(["layer.psi", "up"], names);
        (block.forward(x) - x * 2).square().sum().backward();
        Assert.True(block.Up.grad!.abs().sum().item<double>() > 0);
        using (no_grad())
            block.Up.fill_(0.5);
        var h = ((SnnkLayer)block.named_children().Single().module).forward(x);
        Rows.Close(x + (down is null ? h * 0.5 : h.sum(1, keepdim: true) * 0.5), block.forward(x), 1e-12);
        Assert.Throws<ArgumentException>(() => new SnnkAdapter(6, down, 16, "other", Random("block")));
    }

    [Fact]
    public void A_network_with_the_layer_in_front_learns_what_a_perceptron_learns()
    {
        using var scope = NewDisposeScope();
        var (rows, test) = (Rows.Clusters(90, 12, 3), Rows.Clusters(60, 12, 3, 2));
        var setup = new KernelSetup(purpose => new SeededRandom(7, purpose));
        using var fitted = Snnk.Method(setup, new() { Training = "trained", Features = 24, Hidden = 16 }).Fit(rows, TestContext.Current.CancellationToken);
        long[] answers = fitted.Scores(test.X).argmax(1).data<long>().ToArray();
        Assert.InRange(answers.Zip(test.Labels).Count(p => p.First == p.Second), 57, 60);
        Assert.Equal(24 * 16, fitted.Report["layer"]);
        Assert.Equal(13 * 16, fitted.Report["dense_layer"]);
        Rows.LeaveNothing(() => Snnk.Method(setup, new() { Training = "trained", Features = 24, Hidden = 16, Epochs = 1 }).Fit(rows, TestContext.Current.CancellationToken).Dispose());
        Rows.LeaveNothing(() => new SnnkAdapter(6, 3, 16, "mam", Random("block")).Dispose());
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => Snnk.Method(setup, new() { Training = "trained" }).Fit(rows, stop.Token));
    }
}
