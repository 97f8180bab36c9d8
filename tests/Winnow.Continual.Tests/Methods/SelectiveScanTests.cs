using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class SelectiveScanTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory, InlineData(1), InlineData(4), InlineData(SelectiveScan.Piece), InlineData(SelectiveScan.Piece + 1), InlineData(40)]
    public void A_scan_of_any_length_equals_the_recurrence_step_by_step(int length)
    {
        var s = new Case(length);
        var (y, state) = s.Run();
        var (expected, last) = s.StepByStep();
        ByHand.Close(expected, y, relative: 1e-10, absolute: 1e-12);
        ByHand.Close(last, state, relative: 1e-10, absolute: 1e-12);
    }

    [Fact]
    public void The_gradient_of_every_input_equals_that_of_the_recurrence_across_pieces()
    {
        var s = new Case(SelectiveScan.Piece + 3);
        Tensor[] inputs = [s.U, s.Delta, s.A, s.B, s.C, s.D, s.Z];
        foreach (var input in inputs)
            input.requires_grad_(true);
        var weights = randn_like(s.U);
        var gradients = autograd.grad([(s.Run().Y * weights).sum()], inputs);
        var expected = autograd.grad([(s.StepByStep().Y * weights).sum()], inputs);
        foreach (var (e, g) in expected.Zip(gradients))
            ByHand.Close(e, g, relative: 1e-9, absolute: 1e-11);
    }

    [Fact]
    public void Steps_of_zero_pass_the_input_through_D_alone()
    {
        var s = new Case(9);
        var (y, _) = SelectiveScan.Run(s.U, zeros_like(s.Delta), s.A, s.B, s.C, s.D);
        Assert.Equal((s.D.unsqueeze(1) * s.U).data<double>().ToArray(), y.data<double>().ToArray());
    }

    [Fact]
    public void A_very_negative_A_leaves_no_memory()
    {
        var s = new Case(20);
        var delta = s.Delta + 0.1;
        var (y, _) = SelectiveScan.Run(s.U, delta, full_like(s.A, -1e6), s.B, s.C, s.D);
        ByHand.Close(delta * (s.C * s.B).sum(1).unsqueeze(1) * s.U + s.D.unsqueeze(1) * s.U, y, absolute: 1e-12);
    }

    [Fact]
    public void A_position_is_not_changed_by_later_ones()
    {
        var s = new Case(24);
        var (y, _) = s.Run();
        s.U.narrow(2, 18, 6).add_(5);
        ByHand.Same(y.narrow(2, 0, 18), s.Run().Y.narrow(2, 0, 18));
    }

    [Fact]
    public void Shapes_that_do_not_fit_are_refused()
    {
        var s = new Case(5);
        Assert.Contains("do not fit", Assert.Throws<ArgumentException>(() => SelectiveScan.Run(s.U, s.Delta.narrow(2, 0, 4), s.A, s.B, s.C)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => SelectiveScan.Run(s.U, s.Delta, s.A.t(), s.B, s.C));
        Assert.Throws<ArgumentException>(() => SelectiveScan.Run(s.U, s.Delta, s.A, s.B, s.C.narrow(1, 0, 1)));
    }

    /// <summary>Two sequences, three channels, four states, float64.</summary>
    private sealed class Case
    {
        private readonly SeededRandom _random = new(5, "scan");

        public Case(int length)
        {
            (U, Delta, A) = (Normal(2, 3, length), Normal(2, 3, length).exp() * 0.2, -Normal(3, 4).exp());
            (B, C, D, Z) = (Normal(2, 4, length), Normal(2, 4, length), Normal(3), Normal(2, 3, length));
        }

        public Tensor U { get; }
        public Tensor Delta { get; }
        public Tensor A { get; }
        public Tensor B { get; }
        public Tensor C { get; }
        public Tensor D { get; }
        public Tensor Z { get; }

        public (Tensor Y, Tensor State) Run() => SelectiveScan.Run(U, Delta, A, B, C, D, Z);

        public (Tensor Y, Tensor State) StepByStep()
        {
            var h = zeros(2, 3, 4, ScalarType.Float64);
            var outputs = new List<Tensor>();
            for (long l = 0; l < U.shape[2]; l++)
            {
                var step = Delta.select(2, l).unsqueeze(2);
                h = (step * A).exp() * h + step * B.select(2, l).unsqueeze(1) * U.select(2, l).unsqueeze(2);
                outputs.Add((h * C.select(2, l).unsqueeze(1)).sum(2) + D * U.select(2, l));
            }
            return (stack(outputs, 2) * Z / (1 + (-Z).exp()), h);
        }

        private Tensor Normal(params long[] shape) =>
            tensor([.. Enumerable.Range(0, (int)shape.Aggregate((a, b) => a * b)).Select(_ => _random.NextNormal())]).reshape(shape);
    }
}
