using System.Numerics;
using Winnow.Core;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class QuantumNoiseTests
{
    private const double Mixed = 0.07, Falls = 0.04;

    private static readonly Complex[] H = [Math.Sqrt(0.5), Math.Sqrt(0.5), Math.Sqrt(0.5), -Math.Sqrt(0.5)];

    private static Complex[] P(double angle) => [1, 0, 0, Complex.Exp(new(0, angle))];

    private static Complex[] Y(double angle) => [Math.Cos(angle / 2), -Math.Sin(angle / 2), Math.Sin(angle / 2), Math.Cos(angle / 2)];

    private static Complex[] Z(double angle) => [Complex.Exp(new(0, -angle / 2)), 0, 0, Complex.Exp(new(0, angle / 2))];

    /// <summary>Matrices of two qubits as they are multiplied: a state goes through gates, each followed by the Kraus operators of its noise.</summary>
    private sealed class Twin
    {
        private Complex[,] _rho = new Complex[4, 4];

        public Twin() => _rho[0, 0] = 1;

        public double this[int b] => _rho[b, b].Real;

        private static Complex[,] On(int qubit, Complex[] u)
        {
            var full = new Complex[4, 4];
            for (int r = 0; r < 4; r++)
                for (int c = 0; c < 4; c++)
                    full[r, c] = (qubit == 0 ? (r ^ c) >> 1 : (r ^ c) & 1) != 0 ? 0 : u[2 * (r >> qubit & 1) + (c >> qubit & 1)];
            return full;
        }

        private void Sum(params Complex[][,] kraus)
        {
            var sum = new Complex[4, 4];
            foreach (var k in kraus)
                for (int r = 0; r < 4; r++)
                    for (int c = 0; c < 4; c++)
                        for (int i = 0; i < 4; i++)
                            for (int j = 0; j < 4; j++)
                                sum[r, c] += k[r, i] * _rho[i, j] * Complex.Conjugate(k[c, j]);
            _rho = sum;
        }

        private void Noise(int qubit)
        {
            double rest = Math.Sqrt(1 - 0.75 * Mixed), each = Math.Sqrt(Mixed / 4);
            Sum(On(qubit, [rest, 0, 0, rest]), On(qubit, [0, each, each, 0]), On(qubit, [0, new(0, -each), new(0, each), 0]), On(qubit, [each, 0, 0, -each]));
            Sum(On(qubit, [1, 0, 0, Math.Sqrt(1 - Falls)]), On(qubit, [0, Math.Sqrt(Falls), 0, 0]));
        }

        public void Gate(int qubit, Complex[] u)
        {
            Sum(On(qubit, u));
            Noise(qubit);
        }

        public void Pair(Func<int, int, Complex> gate)
        {
            var full = new Complex[4, 4];
            for (int r = 0; r < 4; r++)
                for (int c = 0; c < 4; c++)
                    full[r, c] = gate(r, c);
            Sum(full);
            Noise(0);
            Noise(1);
        }

        public void Not() => Pair((a, b) => a == ((b & 1) == 1 ? b ^ 2 : b) ? 1 : 0);

        public void Map(double[] x)
        {
            for (int r = 0; r < 2; r++)
            {
                Gate(0, H);
                Gate(1, H);
                Gate(0, P(2 * x[0]));
                Gate(1, P(2 * x[1]));
                Not();
                Gate(1, P(2 * (Math.PI - x[0]) * (Math.PI - x[1])));
                Not();
            }
        }

        public void Undo(double[] x)
        {
            for (int r = 0; r < 2; r++)
            {
                Not();
                Gate(1, P(-2 * (Math.PI - x[0]) * (Math.PI - x[1])));
                Not();
                Gate(1, P(-2 * x[1]));
                Gate(0, P(-2 * x[0]));
                Gate(1, H);
                Gate(0, H);
            }
        }
    }

    [Fact] // oracle: Kraus operators after each gate of the whole circuit
    public void Overlaps_of_noisy_gates_are_those_of_Kraus_operators_one_gate_after_the_other()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (Rows.Normal(3, 2), Rows.Normal(2, 2, 2));
        foreach (double readout in (double[])[0, 0.1])
        {
            double[] actual = Rows.Values(new QuantumKernel(new() { GateDepolarising = Mixed, GateDamping = Falls, Readout = readout }).Gram(x, y));
            for (int i = 0; i < 3; i++)
                for (int j = 0; j < 2; j++)
                {
                    var twin = new Twin();
                    twin.Map(Rows.Values(y[j]));
                    twin.Undo(Rows.Values(x[i]));
                    double expected = Enumerable.Range(0, 4).Sum(b => twin[b] * Math.Pow(readout, BitOperations.PopCount((uint)b)) * Math.Pow(1 - readout, 2 - BitOperations.PopCount((uint)b)));
                    Assert.Equal(expected, actual[i * 2 + j], 1e-12);
                }
        }
    }

    [Fact]
    public void Parities_of_noisy_gates_are_those_of_Kraus_operators_and_their_gradient_is_that_of_differences()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(3, 2);
        var method = new QuantumClassifier(new(purpose => new SeededRandom(1, purpose)), new() { Layers = 2, GateDepolarising = Mixed, GateDamping = Falls });
        double[] at = [.. Rows.Values(Rows.Normal(1, 13, 4))];
        var (real, imaginary) = method.States(x);
        var noise = new CircuitNoise(new() { GateDepolarising = Mixed, GateDamping = Falls }, null);
        double[] parity = method.Parities(real, imaginary, 2, at, noise);
        for (int i = 0; i < 3; i++)
        {
            var twin = new Twin();
            twin.Map(Rows.Values(x[i]));
            for (int layer = 0; layer <= 2; layer++)
            {
                if (layer > 0)
                    twin.Pair((a, b) => a != b ? 0 : a == 3 ? -1 : 1);
                for (int k = 0; k < 2; k++)
                {
                    twin.Gate(k, Y(at[2 * (layer * 2 + k)]));
                    twin.Gate(k, Z(at[2 * (layer * 2 + k) + 1]));
                }
            }
            Assert.Equal(twin[0] - twin[1] - twin[2] + twin[3], parity[i], 1e-12);
        }
        var rows = new QuantumClassifier.Labelled(real, imaginary, [1, -1, 1], 2);
        double[] gradient = method.Gradient(rows, at, noise);
        for (int p = 0; p < at.Length; p++)
        {
            double[] up = [.. at], down = [.. at];
            (up[p], down[p]) = (at[p] + 1e-5, at[p] - 1e-5);
            Assert.Equal((method.Risk(rows, up, noise) - method.Risk(rows, down, noise)) / 2e-5, gradient[p], 1e-7);
        }
    }

    [Fact]
    public void Without_noise_it_is_the_exact_kernel_of_one_qubit_it_is_a_closed_form_and_many_qubits_are_refused()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (Rows.Normal(4, 3), Rows.Normal(3, 3, 2));
        Rows.Close(new QuantumKernel(new()).Gram(x, y), new QuantumKernel(new() { GateDepolarising = 1e-13 }).Gram(x, y), 1e-10);
        var (a, b) = (Rows.Normal(4, 1), Rows.Normal(3, 1, 2));
        double kept = Math.Pow(0.9, 4); // four gates, each of which leaves an even mixture in a tenth of cases
        Rows.Close((a - b.t()).cos().square() * kept + (1 - kept) / 2, new QuantumKernel(new() { Repetitions = 1, GateDepolarising = 0.1 }).Gram(a, b), 1e-12);
        var own = new QuantumKernel(new() { GateDepolarising = 0.1, GateDamping = 0.1 }).Gram(x, x);
        Rows.Close(own, own.t(), 0);
        Assert.True(linalg.eigvalsh(own)[0].item<double>() > -1e-12);
        Assert.Contains("at most 6", Assert.ThrowsAny<Exception>(() => new QuantumKernel(new() { GateDamping = 0.1 }).Gram(Rows.Normal(1, 7), Rows.Normal(1, 7))) is var error && error is AggregateException many ? many.InnerException!.Message : error.Message);
    }

    [Fact] // the first angle decides and the second is chance: a product of cosines, of which the second only blurs; classes have a gap, without which a blur that tells rows apart is worth having
    public void Alignment_widens_margins_by_its_gradient_and_turns_from_what_says_nothing()
    {
        using var scope = NewDisposeScope();
        var setup = new KernelSetup(purpose => new SeededRandom(3, purpose));
        var options = new QuantumKernelOptions { Map = "z", Repetitions = 1, C = 10, Align = 30 };
        TrainingRows Made(ulong seed)
        {
            var drawn = Rows.Normal(200, 2, seed) * tensor([2, 0.8]);
            var x = drawn.index_select(0, (drawn.select(1, 0) * 2).cos().abs().gt(0.4).nonzero().squeeze(1)).narrow(0, 0, 60);
            return new(x, [.. Rows.Values(x.select(1, 0)).Select(v => Math.Cos(2 * v) > 0 ? 1 : 0)], 2);
        }
        var (rows, test) = (Made(1), Made(2));
        Tensor Gram(double[] at)
        {
            var moved = rows.X * tensor([Math.Exp(at[0]), Math.Exp(at[1])]) + tensor([at[2], at[3]]);
            return new QuantumKernel(options).Gram(moved, moved);
        }
        double[] at = [0.2, -0.3, 0.1, 0], gradient = new double[4], unused = new double[4];
        double value = KernelAlignment.Dual(Gram, rows.Labels, 10, at, gradient);
        for (int p = 0; p < 4; p++)
        {
            const double step = 0.005; // machines are solved to a thousandth
            double[] up = [.. at], down = [.. at];
            (up[p], down[p]) = (at[p] + step, at[p] - step);
            double expected = (KernelAlignment.Dual(Gram, rows.Labels, 10, up, unused) - KernelAlignment.Dual(Gram, rows.Labels, 10, down, unused)) / (2 * step);
            Assert.Equal(expected, gradient[p], 1e-3 * value / step + 0.01 * Math.Abs(expected));
        }
        using var aligned = QuantumKernel.Method(setup, options).Fit(rows, TestContext.Current.CancellationToken);
        using var plain = QuantumKernel.Method(setup, options with { Align = 0 }).Fit(rows, TestContext.Current.CancellationToken);
        int Right(IFitted fitted) => fitted.Scores(test.X).argmax(1).data<long>().ToArray().Zip(test.Labels).Count(p => p.First == p.Second);
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join(" ", aligned.Report.Select(r => $"{r.Key}={r.Value:G4}")) + $" right {Right(aligned)} {Right(plain)}");
        Assert.True(aligned.Report["dual_after"] < aligned.Report["dual_before"]);
        Assert.True(aligned.Report["scale_1"] < 0.3 * aligned.Report["scale_0"]);
        Rows.LeaveNothing(() => QuantumKernel.Method(setup, options with { Align = 2 }).Fit(rows, TestContext.Current.CancellationToken).Dispose());
        Assert.True(Right(aligned) >= 57 && Right(aligned) >= Right(plain), $"{Right(aligned)} {Right(plain)}");
    }
}
