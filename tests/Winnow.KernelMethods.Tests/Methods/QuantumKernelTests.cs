using System.Numerics;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class QuantumKernelTests
{
    // gates as matrices, one after the other
    private static Complex[] State(double[] x, QuantumKernelOptions o)
    {
        int q = x.Length, size = 1 << q;
        Complex[] state = new Complex[size];
        state[0] = 1;
        var pairs = o.Map == "z" ? [] : o.Entanglement == "full" ? Enumerable.Range(0, q).SelectMany(j => Enumerable.Range(j + 1, q - j - 1).Select(k => (j, k))) : Enumerable.Range(0, q - 1).Select(k => (k, k + 1)).Concat(o.Entanglement == "circular" && q > 2 ? [(q - 1, 0)] : []);
        for (int r = 0; r < o.Repetitions; r++)
        {
            for (int k = 0; k < q; k++)
                state = Times((a, b) => (a ^ b & ~(1 << k)) != 0 && (a & ~(1 << k)) != (b & ~(1 << k)) ? 0 : ((a >> k & 1) & (b >> k & 1)) == 1 ? -Math.Sqrt(0.5) : Math.Sqrt(0.5), state);
            for (int k = 0; k < q; k++)
                state = Times((a, b) => a != b ? 0 : (a >> k & 1) == 1 ? Complex.Exp(new Complex(0, 2 * x[k])) : 1, state);
            foreach (var (j, k) in pairs)
            {
                Complex Cnot(int a, int b) => a == ((b >> j & 1) == 1 ? b ^ 1 << k : b) ? 1 : 0;
                state = Times(Cnot, state);
                state = Times((a, b) => a != b ? 0 : (a >> k & 1) == 1 ? Complex.Exp(new Complex(0, 2 * (Math.PI - x[j]) * (Math.PI - x[k]))) : 1, state);
                state = Times(Cnot, state);
            }
        }
        return state;

        static Complex[] Times(Func<int, int, Complex> gate, Complex[] state) =>
            [.. Enumerable.Range(0, state.Length).Select(a => Enumerable.Range(0, state.Length).Aggregate(Complex.Zero, (sum, b) => sum + gate(a, b) * state[b]))];
    }

    [Theory, InlineData("zz", "full", 2), InlineData("zz", "linear", 1), InlineData("zz", "circular", 3), InlineData("z", "full", 2)]
    public void A_state_is_what_the_gates_make_of_it_one_matrix_after_the_other(string map, string entanglement, int repetitions)
    {
        using var scope = NewDisposeScope();
        var options = new QuantumKernelOptions { Map = map, Entanglement = entanglement, Repetitions = repetitions };
        var x = Rows.Normal(3, 4);
        var (real, imaginary) = new QuantumKernel(options).States(x);
        Rows.Close(ones(3, dtype: ScalarType.Float64), (real.square() + imaginary.square()).sum(1), 1e-12);
        double[] re = Rows.Values(real), im = Rows.Values(imaginary);
        for (int i = 0; i < 3; i++)
        {
            var state = State(Rows.Values(x[i]), options);
            for (int b = 0; b < 16; b++)
                Assert.Equal(0, (new Complex(re[i * 16 + b], im[i * 16 + b]) - state[b]).Magnitude, 1e-12);
        }
    }

    [Fact]
    public void One_qubit_gives_the_square_of_a_cosine_and_the_plain_map_repeats_itself()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (Rows.Normal(5, 1), Rows.Normal(4, 1, 2));
        Rows.Close((x - y.t()).cos().square(), new QuantumKernel(new() { Repetitions = 1 }).Gram(x, y), 1e-12);
        var z = new QuantumKernel(new() { Map = "z" });
        var a = Rows.Normal(5, 3);
        Rows.Close(z.Gram(a, a), z.Gram(a, a + tensor(new double[] { 0, Math.PI, 0 })), 1e-12);
        var (real, imaginary) = new QuantumKernel(new() { Repetitions = 1 }).States(a);
        Rows.Close(full([5, 8], 1.0 / 8, dtype: ScalarType.Float64), real.square() + imaginary.square(), 1e-12);
    }

    [Fact] // mean within five deviations over 300 measurements of 10 pairs: false alarm below 1e-5; the variance within a fifth
    public void Counting_shots_gives_the_overlap_on_average_with_the_spread_of_counting()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (Rows.Normal(5, 2), Rows.Normal(2, 2, 2));
        foreach (int shots in (int[])[50, 1000])
        {
            double[] exact = Rows.Values(new QuantumKernel(new()).Gram(x, y));
            var kernel = new QuantumKernel(new() { Shots = shots }, new SeededRandom(1, "shots"));
            double[][] drawn = [.. Enumerable.Range(0, 300).Select(_ => Rows.Values(kernel.Gram(x, y)))];
            double spread = 0, expected = 0;
            for (int i = 0; i < 10; i++)
            {
                double variance = exact[i] * (1 - exact[i]) / shots;
                Assert.Equal(exact[i], drawn.Average(d => d[i]), 5 * Math.Sqrt(variance / 300) + 1e-9);
                (spread, expected) = (spread + drawn.Average(d => Math.Pow(d[i] - exact[i], 2)), expected + variance);
            }
            Assert.InRange(spread / expected, 0.8, 1.2);
        }
        var same = new QuantumKernel(new() { Shots = 20 }, new SeededRandom(2, "shots")).Gram(x, x);
        Assert.True(linalg.eigvalsh(same)[0].item<double>() > -1e-12);
        Assert.Throws<InvalidOperationException>(() => new QuantumKernel(new() { Shots = 5 }).Gram(x, y));
    }

    [Fact]
    public void More_qubits_than_can_be_simulated_and_angles_that_are_none_are_refused()
    {
        using var scope = NewDisposeScope();
        Assert.Contains("1 to 14 qubits", Assert.Throws<InputException>(() => new QuantumKernel(new()).States(Rows.Normal(2, 15))).Message);
        var bad = Rows.Normal(2, 2);
        bad[1, 0] = double.NaN;
        Assert.Contains("row 1, column 0", Assert.Throws<InputException>(() => new QuantumKernel(new()).States(bad)).Message);
    }
}
