using TorchSharp;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public sealed class GkclTests
{
    private static SmallStream Stream(string task = "task-incremental") => new(task);

    [Fact]
    public void Divergence_from_the_class_prior_is_zero_when_the_posterior_equals_it_and_the_closed_form_otherwise()
    {
        using var scope = NewDisposeScope();
        using var vae = new ConditionalVae(6, 3, 8, 4, new SeededRandom(1, "vae"));
        var (mean, log) = vae.Prior(tensor(new long[] { 0, 2 }));
        Assert.Equal(0, DiagonalGaussian.Divergence(mean, log, mean, log).ToDouble(), 1e-6);
        Assert.NotEqual(0, (mean[0] - mean[1]).abs().max().ToDouble(), 1e-3); // a prior of its own for each class
        // N(1, 4) against N(0, 1): ½ (−ln 4 + 4 + 1 − 1)
        Assert.Equal(0.5 * (4 - Math.Log(4)), DiagonalGaussian.Divergence(tensor(1.0), tensor(Math.Log(4)), tensor(0.0), tensor(0.0)).ToDouble(), 1e-12);
    }

    [Fact]
    public void With_one_class_and_a_standard_normal_prior_the_loss_is_the_plain_autoencoders()
    {
        using var scope = NewDisposeScope();
        using var vae = new ConditionalVae(6, 1, 8, 4, new SeededRandom(1, "vae"));
        using (no_grad())
        {
            vae.Parameters["prior.weight"].zero_();
            vae.Parameters["prior.bias"].zero_();
            vae.Parameters["prior.bias"].narrow(0, 4, 4).fill_(Math.Log(Math.E - 1)); // softplus gives 1
        }
        var x = TestData.Rows(5, width: 6).X;
        var y = zeros(5, ScalarType.Int64);
        var noise = new SeededRandom(2, "noise").Normal(5, 4);
        var (m, v) = vae.Posterior(x);
        var z = m + (0.5 * v).exp() * noise;
        var plain = (0.5 * (x - vae.Decode(z, y)).square().sum(1) - 0.5 * (1 + v - m.square() - v.exp()).sum(1)).mean();
        ByHand.Close(plain, vae.Loss(new(x, y), noise, 1, 0, 1), 1e-5, 1e-4); // the variance is kept above 1e-6
    }

    [Fact]
    public void The_contrastive_term_is_its_definition_and_falls_when_classes_draw_together()
    {
        using var scope = NewDisposeScope();
        var z = TestData.Rows(5, width: 3).X;
        long[] y = [0, 1, 0, 0, 2]; // row 4 and row 1 have no partner
        double[][] unit = [.. Enumerable.Range(0, 5).Select(i => (z[i] / z[i].norm()).Values<float>().ToArray().Select(v => (double)v).ToArray())];
        double Similarity(int i, int j) => Math.Exp(unit[i].Zip(unit[j], (a, b) => a * b).Sum() / 0.5);
        double expected = new[] { 0, 2, 3 }.Average(i => new[] { 0, 2, 3 }.Where(p => p != i).Average(p => -Math.Log(Similarity(i, p) / Enumerable.Range(0, 5).Where(a => a != i).Sum(a => Similarity(i, a)))));
        Assert.Equal(expected, ConditionalVae.SupervisedContrast(z, tensor(y), 0.5).ToDouble(), 1e-5);
        Assert.Equal(0, ConditionalVae.SupervisedContrast(z, arange(5), 0.5).ToDouble());
        var together = tensor(new[,] { { 1f, 0 }, { 1, 0 }, { -1, 0 }, { -1, 0 } });
        var apart = tensor(new[,] { { 1f, 0 }, { -1, 0 }, { 1, 0 }, { -1, 0 } });
        var pairs = tensor(new long[] { 0, 0, 1, 1 });
        Assert.True(ConditionalVae.SupervisedContrast(together, pairs, 0.5).ToDouble() < ConditionalVae.SupervisedContrast(apart, pairs, 0.5).ToDouble());
    }

    [Theory, InlineData(SupportKind.Vae), InlineData(SupportKind.Gaussians), InlineData(SupportKind.Stored)]
    public void With_encoder_and_generator_frozen_nothing_of_an_earlier_task_is_forgotten(SupportKind generator)
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var learner = new Gkcl(stream.Setup, new() { Generator = generator, SupportPerClass = 3, GeneratorHidden = 8, Latent = 2 });
        var order = stream.Context.Random("batches");
        stream.Train(learner, 0, order);
        var (x, task) = (stream.Tasks[0].Test().X, stream.Tasks[0].Info);
        var before = learner.Predict(x, task);
        var frozen = learner.State.Where(s => !s.Name.Contains("scalars", StringComparison.Ordinal) && s.Name != "gkcl.vae.seen" && !s.Name.StartsWith("gkcl.classes", StringComparison.Ordinal)).Select(s => (s.Value, Then: s.Value.clone())).ToList();
        stream.Train(learner, 1, order);
        Assert.False(before.bytes.SequenceEqual(learner.Predict(x, task).bytes)); // the encoder moved
        using (no_grad())
            foreach (var (value, then) in frozen)
                value.copy_(then);
        ByHand.Same(before, learner.Predict(x, task));
    }

    [Fact]
    public void Stored_support_is_rows_of_its_class_and_the_generator_is_asked_only_for_what_it_saw()
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var stored = new Gkcl(stream.Setup, new() { Generator = SupportKind.Stored, SupportPerClass = 3 });
        using var generated = new Gkcl(stream.Setup, new());
        var order = stream.Context.Random("batches");
        stream.Train(stored, 0, order);
        stream.Train(generated, 0, order);
        var train = stream.Tasks[0].Train();
        var support = stored.Support(0, stream.Context.Random("any"));
        Assert.Equal(3 * stream.Tasks[0].Info.Classes.Count, support.Count);
        for (int i = 0; i < support.Count; i++)
            Assert.True(train.X.eq(support.X[i]).all(1).logical_and(train.Y.eq(support.Y[i])).any().item<bool>());
        int unseen = stream.Tasks[1].Info.Classes[0];
        Assert.Contains("never saw", Assert.Throws<ArgumentException>(() => generated.Source.Rows(1, unseen, 2, stream.Context.Random("any"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_generator_makes_rows_that_are_nearest_to_their_own_class_also_of_the_first_task()
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("task-incremental", o => o with { Epochs = 40 });
        using var learner = new Gkcl(stream.Setup, new() { GeneratorSteps = 2 });
        stream.Train(learner);
        var means = stack([.. Enumerable.Range(0, 4).Select(c => Mean(c))]);
        for (int c = 0; c < 4; c++)
        {
            int task = stream.Tasks.Single(t => t.Info.Classes.Contains(c)).Info.Id;
            var rows = learner.Source.Rows(task, c, 50, new SeededRandom(3, "support"));
            var nearest = cdist(rows, means).argmin(1);
            Assert.InRange(nearest.eq(c).to_type(ScalarType.Float32).mean().ToDouble(), 0.9, 1);
        }

        Tensor Mean(int label)
        {
            var train = stream.Tasks.Single(t => t.Info.Classes.Contains(label)).Train();
            return train.X.index_select(0, train.Y.eq(label).nonzero().flatten()).mean([0]);
        }
    }

    [Theory, InlineData(KernelKind.Linear), InlineData(KernelKind.Rbf), InlineData(KernelKind.Poly), InlineData(KernelKind.Rff)]
    public void Every_kernel_learns_easy_classes(KernelKind kernel)
    {
        using var stream = new SmallStream("task-incremental", o => o with { Epochs = 8 });
        using var learner = new Gkcl(stream.Setup, new() { Kernel = kernel, Generator = SupportKind.Stored, Bases = 64 });
        Assert.InRange(stream.Run(learner)["accuracy"], 0.9, 1);
    }

    [Fact]
    public void Variational_bases_have_a_divergence_of_zero_when_support_and_batch_have_one_mean()
    {
        using var scope = NewDisposeScope();
        using var bases = new VariationalBases(16, 5, new SeededRandom(1, "bases"));
        var rows = TestData.Rows(6, width: 5).X;
        Assert.Equal(0, bases.Divergence(rows, cat([rows, rows])).ToDouble(), 1e-6);
        Assert.True(bases.Divergence(rows, rows + 1).ToDouble() > 1e-6);
    }

    [Fact]
    public void Bad_tasks_and_options_are_refused_with_the_reason()
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var learner = new Gkcl(stream.Setup, new());
        var (first, second) = (stream.Tasks[0], stream.Tasks[1]);
        Refused("has no training row", () => learner.BeginTask(first.Info, second.Train()));
        Refused("is unknown", () => learner.Predict(first.Test().X, first.Info with { Id = 7 }));
        stream.Train(learner, 0, stream.Context.Random("batches"));
        Refused("outside the classes", () => learner.Observe(second.Train()));
        Refused("SupportPerClass", () => new Gkcl(stream.Setup, new() { SupportPerClass = 0 }).Dispose());

        static void Refused(string reason, Action act) => Assert.Contains(reason, Assert.ThrowsAny<ArgumentException>(act).Message, StringComparison.Ordinal);
    }
}
