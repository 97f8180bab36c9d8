using Winnow.Core;
using Winnow.Data;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public sealed class ExpertGateTests
{
    private static readonly ContinualThesisOptions Options = new() { Technique = ThesisTechnique.ExpertGate, CodeSize = 6, GateEpochs = 20 };

    [Fact]
    public void At_a_temperature_towards_0_the_smallest_error_answers_alone_and_at_any_it_is_the_most_probable()
    {
        using var scope = NewDisposeScope();
        var errors = TestData.Rows(6, width: 3).X.abs().to_type(ScalarType.Float64);
        var sharp = ExpertGate.Confidence(errors, 1e-6);
        ByHand.Close(nn.functional.one_hot(errors.argmin(1), 3).to_type(ScalarType.Float64), sharp);
        ByHand.Same(errors.argmin(1), ExpertGate.Confidence(errors, 2).argmax(1));
        ByHand.Close((-errors / 2).exp() / (-errors / 2).exp().sum(1, keepdim: true), ExpertGate.Confidence(errors, 2));
    }

    [Fact]
    public void A_task_is_related_to_itself_by_1_and_to_one_with_twice_the_error_by_0()
    {
        Assert.Equal(1, ExpertGate.Relatedness(0.03, 0.03));
        Assert.Equal(0, ExpertGate.Relatedness(0.06, 0.03), 1e-12);
    }

    [Theory, InlineData(GateLoss.SquaredError), InlineData(GateLoss.BinaryCrossEntropy)]
    public void At_least_95_percent_of_the_rows_of_permuted_digits_find_their_expert(GateLoss loss)
    {
        using var scope = NewDisposeScope();
        var data = DataSources.Open(null, new(), TestContext.Current.CancellationToken);
        using var stream = new SmallStream("permuted", o => o with { Steps = 5 }, data);
        using var gate = new ExpertGate(stream.Setup, Options with { CodeSize = 10, GateEpochs = 5, GateLoss = loss });
        foreach (var task in stream.Tasks)
            gate.BeginTask(task.Info, task.Train());
        double[] right = [.. stream.Tasks.Select(t => gate.Route(t.Test().X).eq(t.Info.Id).to_type(ScalarType.Float64).mean().item<double>())];
        Assert.True(right.Average() >= 0.95, string.Join(", ", right));
    }

    [Fact]
    public void Experts_of_earlier_tasks_keep_their_bytes()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("permuted", o => o with { Steps = 3 });
        using var gate = new ExpertGate(stream.Setup, Options);
        var order = stream.Context.Random("batches");
        stream.Train(gate, 0, order);
        var before = State().Select(s => s.Value.clone()).ToArray();
        stream.Train(gate, 1, order);
        stream.Train(gate, 2, order);
        Assert.All(before.Zip(State()), s => ByHand.Same(s.First, s.Second.Value));

        StateEntry[] State() => [.. gate.State.Where(s => s.Name.StartsWith("expert1.", StringComparison.Ordinal) || s.Name.StartsWith("gate1.", StringComparison.Ordinal))];
    }

    [Fact]
    public void A_told_task_is_believed_and_experts_answer_together_by_their_shares()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("class-incremental", o => o with { Steps = 2 });
        using var gate = new ExpertGate(stream.Setup, Options with { Experts = 2, Temperature = 0.01 });
        stream.Train(gate);
        var x = TestData.Rows(10).X;
        Tensor[] alone = [.. stream.Tasks.Select(t => gate.Predict(x, t.Info).softmax(1))];
        foreach (var (task, p) in stream.Tasks.Zip(alone))
            Assert.All(p.argmax(1).Values<long>().ToArray(), c => Assert.Contains((int)c, task.Info.Classes));

        var mixture = gate.Predict(x).softmax(1);
        // Each row's answer is a mean of the two: the same share for every class.
        long[] own = [.. stream.Tasks[0].Info.Classes.Select(c => (long)c)], other = [.. stream.Tasks[1].Info.Classes.Select(c => (long)c)];
        var share = mixture.index_select(1, tensor(own)).sum(1, keepdim: true);
        ByHand.Close(share * alone[0] + (1 - share) * alone[1], mixture, 1e-4, 1e-5);
        ByHand.Same(gate.Route(x), (share.squeeze(1) < 0.5).to_type(ScalarType.Int64));
        Assert.Equal(other.Length + own.Length, mixture.shape[1]);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void A_related_task_is_taught_by_the_old_expert_and_another_one_is_not(bool related)
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("permuted", o => o with { Steps = 2 });
        using var gate = new ExpertGate(stream.Setup, Options with { GateEpochs = 100 });
        stream.Train(gate, 0, stream.Context.Random("batches"));
        gate.BeginTask(stream.Tasks[1].Info, stream.Tasks[related ? 0 : 1].Train());
        Assert.Equal(related ? 0 : -1, ByHand.StateOf(gate, "expert-gate.teacher").item<long>());
        // In both cases the new expert starts where the old one is.
        ByHand.Same(gate.State.Single(s => s.Name == "expert1.head.weight").Value, gate.State.Single(s => s.Name == "expert2.head.weight").Value);
        var cost = gate.Observe(stream.Tasks[1].Train());
        Assert.True(cost.Forward - cost.Gradients >= (related ? stream.Tasks[1].Train().Count : 0));
    }

    [Fact]
    public void What_does_not_fit_is_refused_with_the_reason()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("class-incremental");
        Refused("Lower code-size", () => new ExpertGate(stream.Setup, Options with { CodeSize = TestData.Width }).Dispose());
        using var gate = new ExpertGate(stream.Setup, Options);
        Assert.Throws<InvalidOperationException>(() => gate.Route(TestData.Rows(2).X));
        Assert.Throws<InvalidOperationException>(() => gate.Observe(TestData.Rows(2)));
        gate.BeginTask(stream.Tasks[0].Info, stream.Tasks[0].Train());
        Refused("not among the classes", () => gate.Observe(stream.Tasks[1].Train()));
        stream.Train(gate, 1, stream.Context.Random("batches"));
        Refused("an expert for each", () => gate.BeginTask(stream.Tasks[0].Info, stream.Tasks[0].Train()));
        using var network = Network.Mlp(4, [2], 4, batchNorm: false, new SeededRandom(1, "weights"));
        Refused("expected 0 to 1", () => GateAutoencoder.Errors(network, full(2, 4, 1.5f)));

        static void Refused(string reason, Action act) => Assert.Contains(reason, Assert.Throws<ArgumentException>(act).Message, StringComparison.Ordinal);
    }
}
