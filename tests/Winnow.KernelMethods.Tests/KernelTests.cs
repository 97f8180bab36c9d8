using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests;

public sealed class KernelTests
{
    private static readonly Dictionary<string, (IKernel Kernel, Func<double[], double[], double> Naive)> All = new()
    {
        ["linear"] = (new Linear(), Dot),
        ["rbf"] = (new Rbf(0.3), (x, y) => Math.Exp(-0.3 * Squared(x, y))),
        ["laplacian"] = (new Laplacian(0.3), (x, y) => Math.Exp(-0.3 * x.Zip(y, (a, b) => Math.Abs(a - b)).Sum())),
        ["polynomial"] = (new Polynomial(3, 0.5, 2), (x, y) => Math.Pow(0.5 * Dot(x, y) + 2, 3)),
        ["matern1"] = (new Matern(1, 1.7), (x, y) => Math.Exp(-Math.Sqrt(Squared(x, y)) / 1.7)),
        ["matern3"] = (new Matern(3, 1.7), (x, y) => Math.Sqrt(3 * Squared(x, y)) / 1.7 is var r ? (1 + r) * Math.Exp(-r) : 0),
        ["matern5"] = (new Matern(5, 1.7), (x, y) => Math.Sqrt(5 * Squared(x, y)) / 1.7 is var r ? (1 + r + r * r / 3) * Math.Exp(-r) : 0),
        ["cosine"] = (new Cosine(), (x, y) => Dot(x, y) / Math.Sqrt(Dot(x, x) * Dot(y, y))),
        ["sum"] = (new Sum((2, new Linear()), (3, new Rbf(0.3))), (x, y) => 2 * Dot(x, y) + 3 * Math.Exp(-0.3 * Squared(x, y))),
        ["product"] = (new Product(new Cosine(), new Rbf(0.3)), (x, y) => Dot(x, y) / Math.Sqrt(Dot(x, x) * Dot(y, y)) * Math.Exp(-0.3 * Squared(x, y))),
        ["ntk"] = (new Ntk(new() { Depth = 1, WeightDeviation = 1, BiasDeviation = 0, Normalise = false }), OneHiddenLayer),
        ["quantum"] = (new QuantumKernel(new() { Map = "z", Repetitions = 1 }), (x, y) => x.Zip(y, (a, b) => Math.Pow(Math.Cos(a - b), 2)).Aggregate((a, b) => a * b)),
    };

    public static TheoryData<string> Names => [.. All.Keys];

    private static double Dot(double[] x, double[] y) => x.Zip(y, (a, b) => a * b).Sum();

    private static double Squared(double[] x, double[] y) => x.Zip(y, (a, b) => (a - b) * (a - b)).Sum();

    // Θ = K + Θ⁰ E[φ'φ'] with Cho and Saul's arc-cosine kernels
    private static double OneHiddenLayer(double[] x, double[] y)
    {
        double d = x.Length, kxy = Dot(x, y) / d, n = Math.Sqrt(Dot(x, x) * Dot(y, y)) / d, angle = Math.Acos(Math.Clamp(kxy / n, -1, 1));
        return n / (2 * Math.PI) * (Math.Sin(angle) + (Math.PI - angle) * Math.Cos(angle)) + kxy * (Math.PI - angle) / (2 * Math.PI);
    }

    [Theory, MemberData(nameof(Names))]
    public void A_gram_matrix_is_the_definition_pair_by_pair(string name)
    {
        using var scope = NewDisposeScope();
        var (kernel, naive) = All[name];
        var (x, y) = (Rows.Normal(7, 3), Rows.Normal(5, 3, 2));
        double[][] a = [.. Rows.Values(x).Chunk(3)], b = [.. Rows.Values(y).Chunk(3)];
        Rows.Close(tensor([.. a.SelectMany(p => b.Select(q => naive(p, q)))], [7, 5]), kernel.Gram(x, y), 1e-12);
        Rows.Close(kernel.Gram(x, x).diagonal(), kernel.Diagonal(x), 1e-12);
    }

    [Theory, MemberData(nameof(Names))]
    public void A_gram_matrix_is_symmetric_to_the_bit_has_no_negative_eigenvalue_and_follows_the_order_of_rows(string name)
    {
        using var scope = NewDisposeScope();
        var kernel = All[name].Kernel;
        var x = Rows.Normal(40, 4, 3);
        var gram = kernel.Gram(x, x);
        Assert.Equal(Rows.Values(gram), Rows.Values(gram.t()));
        var values = linalg.eigvalsh(gram);
        Assert.True(values[0].item<double>() >= -1e-12 * values[-1].item<double>());
        var order = tensor(Enumerable.Range(0, 40).Select(i => (long)(i * 7 % 40)).ToArray());
        var turned = x.index_select(0, order);
        Rows.Close(gram.index_select(0, order).index_select(1, order), kernel.Gram(turned, turned), 1e-12);
        Rows.Close(gram, kernel.Gram(x, x.clone()), 1e-7); // another tensor of the same rows: through the general formula
    }

    [Fact]
    public void What_no_kernel_is_made_of_is_refused()
    {
        using var scope = NewDisposeScope();
        foreach (var make in new Action[] { () => _ = new Rbf(0), () => _ = new Rbf(double.NaN), () => _ = new Laplacian(-1), () => _ = new Polynomial(0), () => _ = new Polynomial(2, 1, -1), () => _ = new Matern(2, 1), () => _ = new Matern(1, 0) })
            Assert.Throws<ArgumentOutOfRangeException>(make);
        Assert.Throws<ArgumentException>(() => _ = new Sum((-1, new Linear())));
        Assert.Throws<ArgumentException>(() => _ = new Product());
        Assert.Throws<ArgumentException>(() => new Linear().Gram(Rows.Normal(2, 3), Rows.Normal(2, 4)));
        Assert.Throws<ArgumentException>(() => new Linear().Gram(Rows.Normal(2, 3).to(ScalarType.Float32), Rows.Normal(2, 3)));
        Assert.Contains("GB", Assert.Throws<InputException>(() => new Rbf(1).Gram(zeros(40_000, 1, dtype: ScalarType.Float64), zeros(40_000, 1, dtype: ScalarType.Float64))).Message);
    }

    [Fact]
    public void The_usual_widths_are_those_of_their_definitions()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new double[] { 0, 1, 3 }, [3, 1]); // squared distances 1, 4, 9
        Assert.Equal(0.25, Rbf.Median(x), 12);
        Assert.Equal(1 / (14.0 / 9), Rbf.Scale(x), 12);
        Assert.Equal((1.0, 1.0), (Rbf.Median(ones(4, 2, dtype: ScalarType.Float64)), Rbf.Scale(ones(4, 2, dtype: ScalarType.Float64))));
    }

    [Fact]
    public void A_system_is_solved_and_what_had_to_be_added_is_told()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(30, 5);
        var gram = new Rbf(0.2).Gram(x, x) + eye(30, dtype: ScalarType.Float64) * 0.01;
        var b = Rows.Normal(30, 2, 4);
        Rows.Close(b, gram.mm(PositiveSolve.Solve(gram, b, out double jitter)), 1e-10);
        Assert.Equal(0, jitter);
        var doubled = cat([x, x.narrow(0, 3, 1)]);
        var singular = new Linear().Gram(doubled, doubled); // rank 5 of 31
        PositiveSolve.Factor(singular, out jitter);
        Assert.InRange(jitter, 1e-13, 1e-5);
        var wrong = singular - eye(31, dtype: ScalarType.Float64);
        Assert.Contains("smallest eigenvalue", Assert.Throws<InputException>(() => PositiveSolve.Factor(wrong, out _)).Message);
        Assert.Contains("not symmetric", Assert.Throws<InputException>(() => PositiveSolve.Factor(eye(2, dtype: ScalarType.Float64) - tensor(new double[] { 0, 0, 3, 0.5 }, [2, 2]) - eye(2, dtype: ScalarType.Float64) * 0.6, out _)).Message);
    }

    [Fact]
    public void The_nearest_positive_matrix_keeps_what_is_positive_and_clips_the_rest()
    {
        using var scope = NewDisposeScope();
        var a = tensor(new double[] { 1, 2, 2, 1 }, [2, 2]); // eigenvalues 3 and −1
        var nearest = PositiveSolve.Nearest(a, out double smallest);
        Assert.Equal(-1, smallest, 12);
        Rows.Close(full([2, 2], 1.5, dtype: ScalarType.Float64), nearest, 1e-12);
        Rows.Close(eye(3, dtype: ScalarType.Float64), PositiveSolve.Nearest(eye(3, dtype: ScalarType.Float64), out _), 0);
        Assert.Throws<ArgumentException>(() => PositiveSolve.Nearest(Rows.Normal(2, 3), out _));
    }
}
