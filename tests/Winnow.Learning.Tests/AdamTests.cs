using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Learning.Tests;

public sealed class AdamTests
{
    [Theory, InlineData(0.9, 0.999, 0.0), InlineData(0.9, 0.99, 0.05), InlineData(0.0, 0.5, 0.1)]
    public void It_steps_as_the_one_of_libtorch_does(double beta1, double beta2, double weightDecay)
    {
        using var scope = NewDisposeScope();
        var random = new SeededRandom(1, "adam");
        float[] ours = [.. Enumerable.Range(0, 37).Select(_ => (float)random.NextNormal())];
        using var theirs = new TorchSharp.Modules.Parameter(tensor(ours), requires_grad: true);
        using var reference = optim.Adam([theirs], 0.03, beta1, beta2, 1e-8, weightDecay);
        using var adam = new Adam(37, 0.03, beta1, beta2, weightDecay);
        for (int step = 0; step < 20; step++)
        {
            float[] gradient = [.. Enumerable.Range(0, 37).Select(_ => (float)random.NextNormal())];
            reference.zero_grad();
            (theirs * tensor(gradient)).sum().backward();
            reference.step();
            adam.Step(ours, gradient);
        }
        float[] expected = theirs.data<float>().ToArray();
        Assert.All(Enumerable.Range(0, 37), i => Assert.Equal(expected[i], ours[i], 1e-5f));
    }

    [Fact]
    public void It_begins_anew_after_a_reset_and_a_parameter_without_gradient_keeps_its_bytes()
    {
        float[] gradient = [0.3f, 0, -2], first = [1, 2, 3], again = [1, 2, 3];
        using var adam = new Adam(3, 0.1);
        for (int i = 0; i < 3; i++)
            adam.Step(first, gradient);
        adam.Reset();
        for (int i = 0; i < 3; i++)
            adam.Step(again, gradient);
        Assert.Equal(first, again);
        Assert.Equal(2, again[1]);
        Assert.NotEqual(1, again[0]);
    }

    [Fact]
    public void The_candidate_is_what_the_next_step_adds_and_moves_nothing()
    {
        float[] values = [1, 2, 3], gradient = [0.3f, -1, 2], change = new float[3];
        using var adam = new Adam(3, 0.1);
        adam.Step(values, gradient);
        float[] before = [.. values];
        adam.Candidate(gradient, change);
        adam.Candidate(gradient, change);
        Assert.Equal(before, values);
        adam.Step(values, gradient);
        Assert.All(Enumerable.Range(0, 3), i => Assert.Equal(values[i], before[i] + change[i], 1e-6f));
        Assert.Contains("expected 3", Assert.Throws<ArgumentException>(() => adam.Candidate(gradient, new float[2])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_vector_of_another_length_and_numbers_that_make_no_sense_are_refused()
    {
        using var adam = new Adam(3, 0.1);
        Assert.Contains("expected 3", Assert.Throws<ArgumentException>(() => adam.Step(new float[2], new float[3])).Message, StringComparison.Ordinal);
        Assert.Contains("expected 3", Assert.Throws<ArgumentException>(() => adam.Step(new float[3], new float[4])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new Adam(3, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Adam(3, 0.1, beta1: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Adam(3, 0.1, beta2: 1));
    }
}
