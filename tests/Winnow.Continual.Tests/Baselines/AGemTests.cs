using CsCheck;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Baselines;

public sealed class AGemTests
{
    [Fact]
    public void The_projection_equals_its_twin_in_double_precision_and_never_points_against_the_reference() =>
        Gen.Select(Gen.Float[-10, 10].Array[7], Gen.Float[-10, 10].Array[7]).Sample((g, r) =>
        {
            using var scope = NewDisposeScope();
            float[] projected = AGem.Project(tensor(g), tensor(r)).data<float>().ToArray();
            double dot = Dot(g, r), square = Dot(r, r);
            double scale = Math.Sqrt(Dot(g, g) * square) + 1e-6;
            if (Math.Abs(dot) < 1e-5 * scale)
                return; // on the edge either answer is right
            for (int i = 0; i < 7; i++)
                Assert.Equal(dot < 0 ? g[i] - dot / square * r[i] : g[i], projected[i], 1e-4);
            Assert.True(Dot(projected, r) >= -1e-5 * scale);
        }, iter: 2000);

    [Fact]
    public void A_reference_of_zero_changes_nothing()
    {
        using var scope = NewDisposeScope();
        var g = TestData.Rows(1).X;
        ByHand.Same(g[0], AGem.Project(g[0], zeros(TestData.Width)));
    }

    [Fact]
    public void Without_conflict_a_step_is_fine_tuning_to_the_bit()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 6);
        using var naive = new Learner(setup);
        using var learner = new Learner(setup, new AGem(setup, new()));
        var rows = TestData.Rows(8);
        for (int i = 0; i < 5; i++) // memory and mini-batch are the same rows: g·g_ref is |g|²
        {
            naive.Observe(rows with { FirstPass = i == 0 });
            learner.Observe(rows with { FirstPass = i == 0 });
        }
        Assert.True(naive.Network.ParameterValues.SequenceEqual(learner.Network.ParameterValues));
    }

    [Fact]
    public void In_conflict_a_step_keeps_the_loss_on_the_memory_from_rising()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 6);
        using var learner = new Learner(setup, new AGem(setup, new() { BufferSize = 8 }));
        var past = TestData.Rows(8);
        for (int i = 0; i < 20; i++) // until it knows the rows: other labels for them are then in conflict
            learner.Observe(past with { FirstPass = i == 0 });
        var contrary = new Batch(past.X, (past.Y + 1) % ByHand.Classes, FirstPass: false);

        using var twin = learner.Network.Clone();
        var reference = ByHand.Gradient(twin, past).to_type(ScalarType.Float64);
        var g = ByHand.Gradient(twin, contrary).to_type(ScalarType.Float64);
        double dot = g.dot(reference).item<double>();
        Assert.True(dot < 0);
        var expected = twin.Parameters.to_type(ScalarType.Float64) - ByHand.Rate * (g - dot / reference.dot(reference).item<double>() * reference);

        var report = learner.Observe(contrary);
        ByHand.Close(expected, learner.Network.Parameters);
        Assert.Equal((16, 16, 8), (report.Forward, report.Gradients, report.Replayed));
    }

    private static double Dot(float[] a, float[] b) => a.Zip(b).Sum(p => (double)p.First * p.Second);
}
