using TorchSharp;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public sealed class KernelRidgeTests
{
    private static Tensor Rows(int count, int width, ulong seed) => TestData.Rows(count, width, seed: seed).X.to_type(ScalarType.Float64);

    private static Tensor Scalars(double lambda = 0.1) => tensor(new[] { lambda, 1.5, 0.25 });

    private static readonly long[] Labels = [0, 1, 2, 0, 1, 2, 3, 3];

    [Fact]
    public void The_linear_kernel_is_primal_ridge_regression()
    {
        using var scope = NewDisposeScope();
        var (s, q) = (Rows(8, 5, 1), Rows(6, 5, 2));
        var y = ByHand.OneHot(tensor(Labels)).to_type(ScalarType.Float64);
        var w = linalg.solve(s.t().mm(s) + 0.11 * eye(5, dtype: ScalarType.Float64), s.t().mm(y));
        ByHand.Close(1.5 * q.mm(w) + 0.25, KernelRidge.Predict(KernelKind.Linear, s, tensor(Labels), q, 4, Scalars()).Scores, 1e-9, 1e-10);
    }

    [Fact]
    public void Without_a_ridge_distinct_support_rows_are_interpolated()
    {
        using var scope = NewDisposeScope();
        var s = Rows(8, 5, 1);
        var (scores, jitter) = KernelRidge.Predict(KernelKind.Rbf, s, tensor(Labels), s, 4, tensor(new[] { 0.0, 1, 0 }), floor: 0);
        ByHand.Close(ByHand.OneHot(tensor(Labels)), scores, 0, 1e-9);
        Assert.Equal(0, jitter);
    }

    [Theory, InlineData(KernelKind.Linear), InlineData(KernelKind.Rbf), InlineData(KernelKind.Poly)]
    public void The_order_of_the_support_does_not_matter(KernelKind kind)
    {
        using var scope = NewDisposeScope();
        var (s, q, y) = (Rows(8, 5, 1), Rows(6, 5, 2), tensor(Labels));
        var order = tensor(new long[] { 5, 0, 7, 2, 1, 6, 3, 4 });
        ByHand.Close(KernelRidge.Predict(kind, s, y, q, 4, Scalars()).Scores, KernelRidge.Predict(kind, s.index_select(0, order), y.index_select(0, order), q, 4, Scalars()).Scores, 1e-9, 1e-11);
    }

    [Theory, InlineData(KernelKind.Linear), InlineData(KernelKind.Rbf), InlineData(KernelKind.Poly)]
    public void Gradients_by_support_query_and_ridge_are_those_of_finite_differences(KernelKind kind)
    {
        using var scope = NewDisposeScope();
        var weights = Rows(6, 4, 3);
        Tensor[] inputs = [Rows(8, 5, 1), Rows(6, 5, 2), Scalars(-0.3)]; // of |λ| too
        foreach (var input in inputs)
            input.requires_grad_(true);
        Value().backward();
        foreach (var input in inputs)
        {
            var values = input.detach();
            int at = (int)values.numel() / 3;
            double derivative = input.grad!.flatten()[at].item<double>(), value = values.Values<double>()[at];
            // A central difference of step 1e-5 errs by about 1e-10 times the third derivative and 1e-11 by rounding.
            Assert.Equal((At(value + 1e-5) - At(value - 1e-5)) / 2e-5, derivative, 1e-6);

            double At(double moved)
            {
                values.Values<double>()[at] = moved;
                double result = Value().ToDouble();
                values.Values<double>()[at] = value;
                return result;
            }
        }

        Tensor Value() => (weights * KernelRidge.Predict(kind, inputs[0], tensor(Labels), inputs[1], 4, inputs[2]).Scores).sum();
    }

    [Fact]
    public void Random_features_tend_to_the_gaussian_kernel_with_one_over_the_root_of_their_number()
    {
        using var scope = NewDisposeScope();
        var x = Rows(12, 3, 1) / 2;
        var exact = (-0.5 * (x.unsqueeze(1) - x.unsqueeze(0)).square().sum(2)).exp();
        var random = new SeededRandom(5, "bases");
        double few = Error(100), many = Error(10_000);
        // Of each of the 144 entries the deviation is at most 1/√L. A ratio of 10 is expected, of root mean squares with a spread below 40% each
        // (of 78 correlated entries, at least 6 independent ones): 3 and 33 are farther than 3 spreads of both, false alarms below 1e-3; the seed is fixed.
        Assert.InRange(few / many, 3, 33);
        Assert.InRange(many, 0, 0.02);

        double Error(int bases)
        {
            var features = KernelRidge.RandomFeatures(x, random.Normal(bases, 3).to_type(ScalarType.Float64), tensor(Enumerable.Range(0, bases).Select(_ => 2 * Math.PI * random.NextDouble()).ToArray()));
            return (KernelRidge.Matrix(KernelKind.Rff, features, features) - exact).square().mean().sqrt().ToDouble();
        }
    }

    [Fact]
    public void Duplicate_support_without_a_ridge_needs_jitter_which_is_told()
    {
        using var scope = NewDisposeScope();
        var s = Rows(3, 5, 1);
        var (alpha, jitter) = KernelRidge.Solve(KernelRidge.Matrix(KernelKind.Linear, cat([s, s]), cat([s, s])), tensor(0.0), ones(6, 1, ScalarType.Float64));
        Assert.True(jitter > 0);
        Assert.True(alpha.isfinite().all().item<bool>());
        Assert.Equal(0, KernelRidge.Solve(KernelRidge.Matrix(KernelKind.Linear, cat([s, s]), cat([s, s])), tensor(0.01), ones(6, 1, ScalarType.Float64)).Jitter);
    }

    [Fact]
    public void What_has_no_solution_is_refused_with_the_reason()
    {
        using var scope = NewDisposeScope();
        Refused("no support rows", () => KernelRidge.Solve(zeros(0, 0, ScalarType.Float64), tensor(0.1), zeros(0, 4, ScalarType.Float64)));
        Refused("NaN or infinite", () => KernelRidge.Matrix(KernelKind.Poly, full(1, 2, 1e200, ScalarType.Float64), full(1, 2, 1e200, ScalarType.Float64)));
        Refused("singular", () => KernelRidge.Solve(tensor(new[,] { { 1.0, 2 }, { 2, 1 } }), tensor(0.0), zeros(2, 4, ScalarType.Float64)));

        static void Refused(string reason, Action act) => Assert.Contains(reason, Assert.ThrowsAny<ArgumentException>(act).Message, StringComparison.Ordinal);
    }
}
