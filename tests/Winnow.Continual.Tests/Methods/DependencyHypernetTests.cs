using TorchSharp;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual.Tests.Methods;

public sealed class DependencyHypernetTests
{
    private static readonly DependencyHypernetOptions Small = new() { Hidden = 8, Chunk = 50, TaskEmbedding = 4, ChunkEmbedding = 4, FisherRows = 10 };

    private static SmallStream Stream(string task = "task-incremental") => new(task);

    private static Tensor Doubles(int rows, int width, ulong seed) => TestData.Rows(rows, width, seed: seed).X.to_type(ScalarType.Float64);

    [Fact]
    public void Chunks_depend_on_earlier_ones_exactly_when_the_recurrence_is_on()
    {
        using var scope = NewDisposeScope();
        var bias = zeros(16, ScalarType.Float64);
        var closed = bias.clone();
        closed.narrow(0, 4, 4).fill_(-1e4); // the forget gate
        Assert.Equal(0, Change(zeros(16, 4, ScalarType.Float64), closed), 0.0);
        Assert.True(Change(Doubles(16, 4, 3), bias) > 1e-4);

        double Change(Tensor hiddenWeight, Tensor hiddenBias)
        {
            var (chunks, moved) = (Doubles(3, 2, 1), Doubles(3, 2, 1));
            moved[0] += 1;
            Tensor Second(Tensor l) => WeightGenerators.Lstm(Doubles(2, 3, 2), l, Doubles(16, 5, 4), hiddenWeight, Doubles(16, 1, 5).flatten(), hiddenBias, Doubles(6, 4, 6), zeros(6, ScalarType.Float64)).select(1, 1);
            return (Second(moved) - Second(chunks)).abs().max().ToDouble();
        }
    }

    [Fact]
    public void A_task_generated_with_others_is_that_generated_alone_by_libtorchs_own_LSTM()
    {
        using var scope = NewDisposeScope();
        var (tasks, chunks) = (TestData.Rows(3, 2, seed: 1).X, TestData.Rows(4, 3, seed: 2).X);
        using var lstm = nn.LSTM(5, 6, batchFirst: true);
        var p = lstm.named_parameters().ToDictionary(n => n.name, n => n.parameter.detach());
        var (read, bias) = (TestData.Rows(7, 6, seed: 3).X, TestData.Rows(1, 7, seed: 4).X.flatten());
        var all = WeightGenerators.Lstm(tasks, chunks, p["weight_ih_l0"], p["weight_hh_l0"], p["bias_ih_l0"], p["bias_hh_l0"], read, bias);
        for (int t = 0; t < 3; t++)
        {
            var input = cat([tasks.narrow(0, t, 1).expand(4, -1), chunks], 1).unsqueeze(0);
            ByHand.Close(lstm.call(input, null).Item1[0].matmul(read.t()) + bias, all[t], 1e-4, 1e-5);
        }
    }

    [Theory, InlineData(GeneratorKind.Lstm), InlineData(GeneratorKind.FeedForward)]
    public void The_main_network_run_with_generated_weights_is_a_plain_network_that_holds_them(GeneratorKind kind)
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var learner = new DependencyHypernet(stream.Setup, Small with { Generator = kind });
        stream.Train(learner);
        var x = stream.Tasks[0].Test().X;
        using var plain = stream.Setup.Network();
        var statistics = learner.State.Single(s => s.Name == "hypernet.norm-statistics").Value;
        foreach (var task in stream.Tasks.Select(t => t.Info))
        {
            learner.Generated(task.Id).Values<float>().CopyTo(plain.ParameterValues);
            statistics[task.Id].Values<float>().CopyTo(plain.BufferValues);
            plain.Training = false;
            ByHand.Close(ByHand.Logits(plain, x).Only(task.Classes), learner.Predict(x, task), 1e-6, 1e-6);
            ByHand.Close(ByHand.Logits(plain, x), plain.Forward(x, learner.Hyper.Weights(learner.Generated(task.Id))), 1e-6, 1e-6);
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_strong_regulariser_keeps_the_weights_of_the_first_task_and_none_lets_them_go(bool lookAhead)
    {
        double[] change = [.. new[] { 1e5, 0 }.Select(beta =>
        {
            using var scope = NewDisposeScope();
            using var stream = new SmallStream("permuted-told", o => o with { BatchNorm = false });
            using var learner = new DependencyHypernet(stream.Setup, Small with { Beta = beta, LookAhead = lookAhead, LearningRate = 1e-4 });
            var order = stream.Context.Random("batches");
            stream.Train(learner, 0, order);
            var before = learner.Generated(0);
            stream.Train(learner, 1, order);
            return ((learner.Generated(0) - before).norm() / before.norm()).ToDouble();
        })];
        Assert.InRange(change[0], 0, 1e-3);
        Assert.True(change[1] > 2e-3, $"{change[1]}");
    }

    [Fact]
    public void The_regulariser_is_zero_where_the_task_began_and_ignores_the_heads_of_other_tasks()
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var learner = new DependencyHypernet(stream.Setup, Small);
        stream.Train(learner, 0, stream.Context.Random("batches"));
        learner.BeginTask(stream.Tasks[1].Info, stream.Tasks[1].Train());
        Assert.Equal(0, learner.Regulariser([0]).ToDouble(), 1e-9); // the batch is of another size, so rounding may differ
        var targets = learner.State.Single(s => s.Name == "hypernet.targets").Value;
        using var network = stream.Setup.Network();
        var head = network.Modules[^1].Parameters[0];
        var rows = targets[0].narrow(0, head.Offset, head.Length).view(4, -1);
        foreach (int c in stream.Tasks[1].Info.Classes)
            rows[c].add_(5);
        Assert.Equal(0, learner.Regulariser([0]).ToDouble(), 1e-9);
        rows[stream.Tasks[0].Info.Classes[0], 0].add_(5);
        Assert.Equal(25, learner.Regulariser([0]).ToDouble(), 1e-3);
    }

    [Fact]
    public void Importance_of_ones_is_the_plain_regulariser_and_its_gradient_that_of_finite_differences()
    {
        using var scope = NewDisposeScope();
        var (embeddings, chunks) = (Doubles(2, 3, 1), Doubles(3, 2, 2));
        var importance = Doubles(2, 18, 8).abs().reshape(2, 3, 6);
        Assert.Equal(Value(null).ToDouble(), Value(ones_like(importance)).ToDouble(), 1e-12);
        embeddings.requires_grad_(true);
        Value(importance).backward();
        var values = embeddings.detach();
        double value = values.Values<double>()[4], derivative = embeddings.grad!.flatten()[4].item<double>();
        Assert.Equal((At(value + 1e-5) - At(value - 1e-5)) / 2e-5, derivative, 1e-7);

        Tensor Value(Tensor? weights) => WeightGenerators.OutputRegulariser(Doubles(2, 18, 9).reshape(2, 3, 6), WeightGenerators.Lstm(embeddings, chunks, Doubles(16, 5, 4), Doubles(16, 4, 3), zeros(16, ScalarType.Float64), zeros(16, ScalarType.Float64), Doubles(6, 4, 6), zeros(6, ScalarType.Float64)), weights);
        double At(double moved)
        {
            values.Values<double>()[4] = moved;
            return Value(importance).ToDouble();
        }
    }

    [Fact]
    public void Importance_is_the_mean_squared_derivative_of_the_log_likelihood_scaled_to_mean_one()
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var learner = new DependencyHypernet(stream.Setup, Small with { Protection = HypernetProtection.Importance });
        stream.Train(learner, 0, stream.Context.Random("batches"));
        var task = stream.Tasks[0].Info;
        var train = stream.Tasks[0].Train();
        var rows = new Batch(train.X.narrow(0, 0, 3), train.Y.narrow(0, 0, 3));
        var theta = learner.Generated(0).requires_grad_(true);
        using var network = stream.Setup.Network();
        learner.State.Single(s => s.Name == "hypernet.norm-statistics").Value[0].Values<float>().CopyTo(network.BufferValues);
        network.Training = false;
        var expected = zeros_like(theta);
        for (int i = 0; i < 3; i++)
        {
            var gradient = autograd.grad([F.cross_entropy(network.Forward(rows.X.narrow(0, i, 1), learner.Hyper.Weights(theta)).index_select(1, tensor(task.Classes.Select(c => (long)c).ToArray())), tensor(new[] { (long)task.Classes.ToList().IndexOf((int)rows.Y[i].item<long>()) }))], [theta])[0];
            expected += gradient.square() / 3;
        }
        var actual = learner.Importance(task, rows);
        ByHand.Close(expected / expected.sum() * actual.sum(), actual, 1e-3, 1e-5);
        Assert.True(actual.greater_equal(0).all().item<bool>());
        Assert.Equal(1, (actual.sum() / (actual.numel() - stream.Tasks[1].Info.Classes.Count * (network.Architecture.Features + 1))).ToDouble(), 1e-4);
    }

    [Theory, InlineData(GeneratorKind.Lstm), InlineData(GeneratorKind.FeedForward)]
    public void With_growth_earlier_tasks_are_generated_to_the_bit_and_the_recurrence_is_frozen_after_the_first(GeneratorKind kind)
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("permuted-told", o => o with { Steps = 4 });
        using var learner = new DependencyHypernet(stream.Setup, Small with { Protection = HypernetProtection.Growth, Generator = kind });
        var order = stream.Context.Random("batches");
        float[] initial = Recurrent();
        stream.Train(learner, 0, order);
        float[] frozen = Recurrent();
        Assert.Equal(kind == GeneratorKind.Lstm, !initial.SequenceEqual(frozen));
        var kept = new List<byte[]> { learner.Generated(0).bytes.ToArray() };
        var answers = new List<byte[]> { learner.Predict(stream.Tasks[0].Test().X, stream.Tasks[0].Info).bytes.ToArray() };
        for (int t = 1; t < 4; t++)
        {
            stream.Train(learner, t, order);
            kept.Add(learner.Generated(t).bytes.ToArray());
            answers.Add(learner.Predict(stream.Tasks[t].Test().X, stream.Tasks[t].Info).bytes.ToArray());
            Assert.Equal(frozen, Recurrent());
            for (int j = 0; j < t; j++)
            {
                Assert.Equal(kept[j], learner.Generated(j).bytes.ToArray());
                Assert.Equal(answers[j], learner.Predict(stream.Tasks[j].Test().X, stream.Tasks[j].Info).bytes.ToArray());
            }
        }
        Assert.NotEqual(kept[0], kept[1]);

        float[] Recurrent() => learner.Hyper.Parameters.Values.Values<float>()[..learner.Hyper.Recurrent].ToArray();
    }

    [Fact]
    public void A_new_task_leaves_the_embeddings_of_the_others_as_they_are()
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var learner = new DependencyHypernet(stream.Setup, Small);
        var order = stream.Context.Random("batches");
        stream.Train(learner, 0, order);
        var before = learner.Hyper.Parameters["tasks"].detach().clone();
        stream.Train(learner, 1, order);
        ByHand.Same(before[0], learner.Hyper.Parameters["tasks"].detach()[0]);
        Assert.False(before[1].bytes.SequenceEqual(learner.Hyper.Parameters["tasks"].detach()[1].bytes));
    }

    [Fact]
    public void Both_generators_have_as_many_parameters_and_start_with_the_spread_of_plain_weights()
    {
        using var scope = NewDisposeScope();
        using var network = Network.Mlp(64, [100, 100], 10, batchNorm: true, new SeededRandom(1, "weights"));
        using var lstm = new Hypernetwork(network, new(), 5, new SeededRandom(2, "lstm"));
        using var forward = new Hypernetwork(network, new() { Generator = GeneratorKind.FeedForward }, 5, new SeededRandom(2, "forward"));
        Assert.InRange((double)forward.Parameters.Length / lstm.Parameters.Length, 0.985, 1);
        foreach (var hyper in new[] { lstm, forward })
        {
            var theta = hyper.Generate(hyper.Embeddings(0, 1, 2, 3, 4));
            foreach (var module in network.Modules.Where(m => m.Kind == ModuleKind.Linear))
            {
                double plain = network.Parameters.narrow(0, module.Offset, module.Length).std().ToDouble();
                Assert.InRange(theta.narrow(1, module.Offset, module.Length).std().ToDouble() / plain, 0.6, 1.6);
            }
            var scale = network.Modules.First(m => m.Kind == ModuleKind.BatchNorm).Parameters[0];
            Assert.InRange(theta.narrow(1, scale.Offset, scale.Length).mean().ToDouble(), 0.9, 1.1);
        }
    }

    [Fact]
    public void The_surest_task_answers_and_ties_go_to_the_first()
    {
        using var scope = NewDisposeScope();
        var sure = tensor(new[,] { { 5f, 0, 0, 0 } }).Only([0, 1]);
        var unsure = tensor(new[,] { { 0f, 0, 1, 0 } }).Only([2, 3]);
        ByHand.Same(sure, TaskInference.Surest([sure, unsure]));
        ByHand.Same(sure, TaskInference.Surest([unsure, sure]));
        ByHand.Same(unsure, TaskInference.Surest([unsure]));
        var tied = tensor(new[,] { { 0f, 0, 5, 0 } }).Only([2, 3]);
        ByHand.Same(sure, TaskInference.Surest([sure, tied]));
        ByHand.Same(tied, TaskInference.Surest([tied, sure]));
        ByHand.Same(cat([sure, unsure]), TaskInference.Surest([cat([sure, unsure + 0]), cat([unsure, unsure])])); // row by row; the second row ties
        Assert.Contains("no tasks", Assert.Throws<ArgumentException>(() => TaskInference.Surest([])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_look_ahead_is_the_step_that_Adam_takes()
    {
        using var scope = NewDisposeScope();
        using var tensors = new TrainableTensors("t", ("w", [3], () => 1));
        for (int i = 0; i < 3; i++)
        {
            tensors.ZeroGradient();
            (tensors["w"].pow(3) * tensor(new[] { 1f, 2, -3 })).sum().backward();
            var candidate = tensors.Values + tensors.Candidate(0.1);
            tensors.AdamStep(0.1);
            ByHand.Close(candidate, tensors.Values, 1e-6, 1e-6);
        }
        Assert.Equal(0.7, tensors.Values[0].item<float>(), 2e-2); // three steps of about the step size
    }

    [Fact]
    public void Only_some_earlier_tasks_are_regularised_when_asked_for()
    {
        using var stream = new SmallStream("permuted-told", o => o with { Steps = 4 });
        using var all = new DependencyHypernet(stream.Setup, Small);
        using var some = new DependencyHypernet(stream.Setup, Small with { RegularisedTasks = 1 });
        using var many = new DependencyHypernet(stream.Setup, Small with { RegularisedTasks = 3 });
        foreach (var learner in new[] { all, some, many })
            stream.Train(learner);
        Assert.Equal(Protocol.Hash(all), Protocol.Hash(many));
        Assert.NotEqual(Protocol.Hash(all), Protocol.Hash(some));
    }

    [Fact]
    public void Bad_tasks_sizes_and_options_are_refused_with_the_reason()
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var learner = new DependencyHypernet(stream.Setup, Small);
        Refused("is unknown", () => learner.Predict(stream.Tasks[0].Test().X, stream.Tasks[0].Info with { Id = 2 }));
        Refused("is unknown", () => learner.BeginTask(stream.Tasks[0].Info with { Id = -1 }, stream.Tasks[0].Train()));
        learner.BeginTask(stream.Tasks[0].Info, stream.Tasks[0].Train());
        Refused("outside the classes", () => learner.Observe(stream.Tasks[1].Train()));
        Refused("Beta", () => new DependencyHypernet(stream.Setup, Small with { Beta = -1 }).Dispose());
        Refused("Chunk", () => new DependencyHypernet(stream.Setup, Small with { Chunk = 0 }).Dispose());
        Refused("the generator expects 7", () => WeightGenerators.FeedForward(zeros(1, 3), zeros(2, 2), (zeros(4, 7), zeros(4))));
        Refused("importance is negative", () => WeightGenerators.OutputRegulariser(zeros(1, 2), zeros(1, 2), full(1, 2, -1f)));
        Refused("expected equal ones", () => WeightGenerators.OutputRegulariser(zeros(1, 2), zeros(1, 3)));

        static void Refused(string reason, Action act) => Assert.Contains(reason, Assert.ThrowsAny<ArgumentException>(act).Message, StringComparison.Ordinal);
    }
}
