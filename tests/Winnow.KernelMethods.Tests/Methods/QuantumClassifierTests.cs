using System.Numerics;
using System.Text.Json.Nodes;
using TorchSharp;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class QuantumClassifierTests : IDisposable
{
    private static readonly KernelMethodsArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-quantum").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static QuantumClassifier Made(QuantumClassifierOptions options, ulong seed = 1) => new(new(p => new SeededRandom(seed, p)), options);

    private static QuantumClassifier.Labelled Labelled(int n, int q)
    {
        var (real, imaginary) = new QuantumKernel(new()).States(Rows.Normal(n, q));
        return new(Rows.Values(real), Rows.Values(imaginary), [.. Enumerable.Range(0, n).Select(i => i % 2 * 2 - 1)], q);
    }

    private static double[] Angles(int count) => Rows.Values(Rows.Normal(1, count, 7));

    private static CircuitNoise Exact => new(new CircuitOptions(), null);

    [Theory, InlineData("full"), InlineData("linear"), InlineData("circular")]
    public void A_parity_is_what_the_gates_as_matrices_give(string entanglement)
    {
        using var scope = NewDisposeScope();
        const int q = 3, size = 8, layers = 2;
        var rows = Labelled(3, q);
        double[] at = Angles(rows.Parameters(layers));
        double[] parity = Made(new() { Layers = layers, Entanglement = entanglement }).Parities(rows.Real, rows.Imaginary, q, at, Exact);
        (int, int)[] pairs = entanglement switch { "linear" => [(0, 1), (1, 2)], "circular" => [(0, 1), (1, 2), (2, 0)], _ => [(0, 1), (0, 2), (1, 2)] };
        for (int row = 0; row < 3; row++)
        {
            Complex[] state = [.. Enumerable.Range(0, size).Select(b => new Complex(rows.Real[row * size + b], rows.Imaginary[row * size + b]))];
            for (int layer = 0; layer <= layers; layer++)
            {
                foreach (var (j, k) in layer > 0 ? pairs : [])
                    state = [.. state.Select((v, b) => (b >> j & b >> k & 1) == 1 ? -v : v)];
                for (int k = 0; k < q; k++)
                {
                    double theta = at[2 * (layer * q + k)], phi = at[2 * (layer * q + k) + 1];
                    Complex[,] ry = { { Math.Cos(theta / 2), -Math.Sin(theta / 2) }, { Math.Sin(theta / 2), Math.Cos(theta / 2) } };
                    Complex[] rz = [Complex.Exp(new(0, -phi / 2)), Complex.Exp(new(0, phi / 2))];
                    state = [.. Enumerable.Range(0, size).Select(a => rz[a >> k & 1] * Enumerable.Range(0, 2).Aggregate(Complex.Zero, (sum, bit) => sum + ry[a >> k & 1, bit] * state[a & ~(1 << k) | bit << k]))];
                }
            }
            Assert.Equal(state.Select((v, b) => (BitOperations.PopCount((uint)b) % 2 == 0 ? 1 : -1) * v.Magnitude * v.Magnitude).Sum(), parity[row], 1e-12);
        }
    }

    [Theory, InlineData(20.0), InlineData(200.0)]
    public void Gradients_from_shifts_are_those_of_finite_differences(double smoothing)
    {
        using var scope = NewDisposeScope();
        var rows = Labelled(6, 2);
        var method = Made(new() { Layers = 2, Smoothing = smoothing });
        double[] at = Angles(rows.Parameters(2)), gradient = method.Gradient(rows, at, Exact);
        const double h = 1e-5;
        for (int p = 0; p < at.Length; p++)
        {
            double Moved(double by)
            {
                double[] there = [.. at];
                there[p] += by;
                return method.Risk(rows, there, Exact);
            }
            Assert.Equal((Moved(h) - Moved(-h)) / (2 * h), gradient[p], 1e-7);
        }
    }

    [Theory, InlineData("spsa", 150), InlineData("gradient", 40)]
    public void Training_lowers_the_risk_and_separates_what_a_circuit_made(string training, int steps)
    {
        using var scope = NewDisposeScope();
        var problem = Problem.Of(new AdHocOptions { Rows = 15, Test = 20, Gap = 0.4 }, p => new SeededRandom(2, p));
        double Right(int many, out double risk)
        {
            using var fitted = Made(new() { Training = training, Steps = many, Starts = many == 1 ? 1 : 3 }).Fit(problem.Train, Cancellation);
            risk = fitted.Report["risk"];
            long[] answers = fitted.Scores(problem.X).argmax(1).data<long>().ToArray();
            return answers.Zip(problem.Labels).Average(p => p.First == p.Second ? 1.0 : 0);
        }
        Right(1, out double first);
        double right = Right(steps, out double risk);
        Assert.True(risk < first);
        Assert.True(risk < 0.35);
        Assert.True(right > 0.7);
    }

    [Fact] // two runs, three classes, every row alone, nothing left, stopped
    public void It_keeps_to_the_contract_of_classifiers()
    {
        using var scope = NewDisposeScope();
        var rows = Rows.Clusters(18, 2, 3);
        foreach (var options in (QuantumClassifierOptions[])[new() { Steps = 5, Layers = 1 }, new() { Steps = 5, Layers = 1, Training = "gradient", Shots = 30, Depolarising = 0.01, Readout = 0.02, Mitigate = true }])
        {
            double[] Scores()
            {
                using var inner = NewDisposeScope();
                using var fitted = Made(options).Fit(rows, Cancellation);
                double[] scores = Rows.Values(fitted.Scores(rows.X));
                Assert.Equal(scores, Rows.Values(fitted.Scores(rows.X)));
                return scores;
            }
            double[] first = Scores();
            Assert.Equal(54, first.Length);
            Assert.All(first, s => Assert.True(double.IsFinite(s)));
            long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
            Assert.Equal(first, Scores());
            Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
            Assert.Throws<OperationCanceledException>(() => Made(options).Fit(rows, new(true)));
        }
        using var learned = Made(new() { Steps = 1 }).Fit(rows, Cancellation);
        Assert.Contains("[n, 2]", Assert.Throws<InputException>(() => learned.Scores(Rows.Normal(2, 3))).Message);
        var bad = rows.X.clone();
        bad[1, 0] = double.NaN;
        Assert.Contains("row 1, column 0", Assert.Throws<InputException>(() => learned.Scores(bad)).Message);
        Assert.Contains("at least two", Assert.Throws<InputException>(() => Made(new()).Fit(new(rows.X, new int[18], 3), Cancellation)).Message);
        Assert.Contains("1 to 14 qubits", Assert.Throws<InputException>(() => Made(new()).Fit(new(Rows.Normal(2, 15), [0, 1], 2), Cancellation)).Message);
    }

    [Fact] // s = (1 − p)^D of a parity, (1 − 2ε)^q of readings; extrapolation leaves p² of the error, inversion nothing
    public void Noise_shrinks_a_parity_as_it_must_and_mitigation_gives_it_back()
    {
        double Of(double p, double e, bool mitigate) => new CircuitNoise(new CircuitOptions { Depolarising = p, Readout = e, Mitigate = mitigate }, null).Parity(0.8, 3, 6);
        Assert.Equal(0.8 * Math.Pow(0.9, 6), Of(0.1, 0, false), 1e-12);
        Assert.Equal(0.8 * Math.Pow(0.9, 3), Of(0, 0.05, false), 1e-12);
        Assert.Equal(0.8, Of(0, 0.05, true), 1e-12);
        double coarse = 0.8 - Of(0.02, 0, true), fine = 0.8 - Of(0.01, 0, true);
        Assert.InRange(coarse / fine, 3.5, 4.5);
        Assert.True(coarse < (0.8 - Of(0.02, 0, false)) / 4);
        Assert.Throws<InvalidOperationException>(() => new CircuitNoise(new CircuitOptions { Shots = 5 }, null).Parity(0, 1, 1));
    }

    [Fact]
    public void A_noisy_kernel_is_the_mixture_that_it_must_be_and_mitigation_gives_the_exact_one_back()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (Rows.Normal(4, 3), Rows.Normal(5, 3, 2));
        Tensor Gram(double p, double e, bool mitigate, int shots = 0) => new QuantumKernel(new() { Depolarising = p, Readout = e, Mitigate = mitigate, Shots = shots }, new SeededRandom(3, "shots")).Gram(x, y);
        var exact = new QuantumKernel(new()).Gram(x, y);
        double kept = Math.Pow(0.95, 4); // two circuits of two layers
        Rows.Close(exact * kept + (1 - kept) / 8, Gram(0.05, 0, false), 1e-12);
        Rows.Close(exact, Gram(0, 0.03, true), 1e-12);
        Assert.True((Gram(0.01, 0.03, true) - exact).abs().max().item<double>() < (Gram(0.01, 0.03, false) - exact).abs().max().item<double>() / 3);
        var same = new QuantumKernel(new() { Readout = 0.1 }).Gram(x, x.clone());
        Assert.Equal(Math.Pow(0.9, 3), same[1, 1].item<double>(), 1e-12); // a row with itself reads zeros but for the errors
        // shots: the mean of 400 within five deviations, of at most 1/2 each times what inversion multiplies
        var mean = zeros(4, 5, dtype: ScalarType.Float64);
        var counted = new QuantumKernel(new() { Readout = 0.03, Mitigate = true, Shots = 100 }, new SeededRandom(4, "shots"));
        for (int i = 0; i < 400; i++)
            mean += counted.Gram(x, y) / 400;
        Rows.Close(exact, mean, 5 * 0.5 / Math.Sqrt(400 * 100) * Math.Pow(0.97 / 0.94, 3) * 1.2);
        var own = new QuantumKernel(new() { Depolarising = 0.05, Readout = 0.05, Shots = 50 }, new SeededRandom(5, "shots")).Gram(x, x);
        Assert.True(linalg.eigvalsh(own)[0].item<double>() > -1e-10);
        Rows.Close(own.t(), own, 0);
    }

    [Fact]
    public void It_runs_on_the_task_of_angles_and_reports_every_metric()
    {
        var card = Arena.Task("ad-hoc");
        object options = card.Options.Bind(new JsonObject { ["rows"] = 8, ["test"] = 10 }, "task");
        var data = Arena.Inspect(null, card, options, new(), Cancellation);
        var method = Arena.Method("quantum-classifier");
        Assert.Contains(Arena.DefaultMethods(card), m => m.Id == method.Id);
        Assert.DoesNotContain(Arena.DefaultMethods(Arena.Task("classify")), m => m.Id == method.Id);
        var trial = new Trial(Arena.Id, "ad-hoc", card.Options.Canonical(options), method.Id, method.Options.Canonical(method.Options.Bind(new JsonObject { ["steps"] = 20 }, method.Id)), 1, data.Reference, "code", 1);
        var metrics = Arena.Run(trial, new(1, _folder, _ => { }, Cancellation)).Metrics;
        Assert.All(Arena.MetricsOf("ad-hoc"), m => Assert.True(double.IsFinite(metrics[m.Name]), m.Name));
    }
}
