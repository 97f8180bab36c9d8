using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public sealed class ProtoClTests
{
    private const int Classes = 4, Width = 3;

    [Fact]
    public void Rows_in_any_order_and_any_batches_give_the_same_posterior()
    {
        using var scope = NewDisposeScope();
        var (z, y) = Embeddings(60);
        using var whole = Prior();
        using var shuffled = Prior();
        whole.Add(z, y);
        foreach (long[] rows in ContinualStream.MiniBatches(60, 7, new SeededRandom(5, "order")))
            shuffled.Add(z.index_select(0, tensor(rows)), y.index_select(0, tensor(rows)));
        Same(whole, shuffled);
    }

    [Fact]
    public void A_removed_row_is_as_if_it_had_never_been_learned()
    {
        using var scope = NewDisposeScope();
        var (z, y) = Embeddings(20);
        using var without = Prior();
        using var removed = Prior();
        without.Add(z.narrow(0, 0, 12), y.narrow(0, 0, 12));
        removed.Add(z, y);
        removed.Remove(z.narrow(0, 12, 8), y.narrow(0, 12, 8));
        Same(without, removed);
    }

    [Fact]
    public void The_posterior_is_the_textbooks_and_so_is_the_score()
    {
        using var scope = NewDisposeScope();
        const double S = 0.3;
        var (z, y) = Embeddings(40);
        using var prototypes = Prior(S);
        var (q0, l0, a0) = (prototypes.Posterior.Q.clone(), prototypes.Posterior.L.clone(), prototypes.Posterior.A.clone());
        prototypes.Add(z, y);
        var x = Embeddings(5, seed: 9).Z;
        var scores = prototypes.LogJoint(x);
        double seen = (a0.sum() + 40).item<double>();
        for (int c = 0; c < Classes; c++)
        {
            var rows = z.index_select(0, y.eq(c).nonzero().flatten());
            double n = rows.shape[0], l = l0[c].item<double>(), precision = l + n / S, v = 1 / precision + S;
            var mean = (l * (q0[c] / l) + n / S * rows.mean([0])) / precision;
            for (int i = 0; i < 5; i++)
            {
                double score = Math.Log((a0[c].item<double>() + n) / seen);
                for (int k = 0; k < Width; k++)
                    score += -0.5 * Math.Log(2 * Math.PI * v) - Math.Pow((x[i, k] - mean[k]).item<double>(), 2) / (2 * v);
                Assert.Equal(score, scores[i, c].item<double>(), 1e-9);
            }
        }
    }

    [Fact] // the trapezoidal rule on a Gaussian converges faster than any power of the step
    public void The_evidence_of_a_row_is_the_likelihood_integrated_over_the_prototype()
    {
        using var scope = NewDisposeScope();
        const double S = 0.4;
        using var prototypes = new GaussianPrototypes(S, tensor(new[] { 1.2 }).reshape(1, 1), tensor(new[] { 2.5 }), tensor(new[] { 1.0 }));
        double mean = 1.2 / 2.5, deviation = Math.Sqrt(1 / 2.5), integral = 0;
        const int Nodes = 4000;
        for (int i = 0; i <= Nodes; i++)
        {
            double t = -14 + 28.0 * i / Nodes;
            integral += 28.0 / Nodes * Math.Exp(-t * t / 2) / Math.Sqrt(2 * Math.PI) * Math.Exp(-Math.Pow(2 - mean - deviation * t, 2) / (2 * S)) / Math.Sqrt(2 * Math.PI * S);
        }
        Assert.Equal(Math.Log(integral), prototypes.LogJoint(tensor(new[] { 2.0 }).reshape(1, 1)).item<double>(), 1e-10);
    }

    [Fact]
    public void With_a_flat_prior_and_hardly_any_noise_the_nearest_class_mean_wins()
    {
        using var scope = NewDisposeScope();
        var (z, y) = Embeddings(40);
        var balanced = arange(40, dtype: ScalarType.Int64).remainder(Classes); // equal counts
        using var prototypes = new GaussianPrototypes(1e-6, zeros(Classes, Width, ScalarType.Float64), full(Classes, 1e-9, ScalarType.Float64), ones(Classes, ScalarType.Float64));
        prototypes.Add(z, balanced);
        var means = stack([.. Enumerable.Range(0, Classes).Select(c => z.index_select(0, balanced.eq(c).nonzero().flatten()).mean([0]))]);
        var x = Embeddings(200, seed: 4).Z;
        ByHand.Same(cdist(x, means).argmin(1), prototypes.LogJoint(x).argmax(1));
    }

    [Fact]
    public void With_many_rows_the_prior_fades()
    {
        using var scope = NewDisposeScope();
        var (z, y) = Embeddings(40_000);
        using var prototypes = Prior(0.5);
        prototypes.Add(z, y);
        var (q, l, _) = prototypes.Posterior;
        for (int c = 0; c < Classes; c++)
        {
            // |μ_c − mean| = L₀ |μ₀ − mean| / L ≤ 10 · 5 / (2 · 9,000)
            var mean = z.index_select(0, y.eq(c).nonzero().flatten()).mean([0]);
            Assert.True((q[c] / l[c] - mean).abs().max().item<double>() < 3e-3);
            Assert.InRange(1 / l[c].item<double>(), 0, 1e-4);
        }
    }

    [Fact] // the lesson of the paper: exact inference in a wrong model settles on a compromise
    public void A_class_that_moves_ends_between_its_places_weighted_by_their_rows()
    {
        using var scope = NewDisposeScope();
        using var prototypes = new GaussianPrototypes(0.1, zeros(1, 1, ScalarType.Float64), full(1, 1e-12, ScalarType.Float64), ones(1, ScalarType.Float64));
        prototypes.Add(zeros(30, 1), zeros(30, ScalarType.Int64));
        prototypes.Add(ones(90, 1), zeros(90, ScalarType.Int64));
        Assert.Equal(0.75, (prototypes.Posterior.Q / prototypes.Posterior.L).item<double>(), 1e-9);
    }

    [Fact]
    public void The_gradient_of_the_predictive_likelihood_is_that_of_finite_differences()
    {
        using var scope = NewDisposeScope();
        var (seen, labels) = Embeddings(30);
        using var prototypes = Prior();
        prototypes.Add(seen, labels);
        var (z, y) = Embeddings(3, seed: 8);
        z.requires_grad_(true);
        Loss(z).backward();
        const double H = 1e-5;
        using var _ = no_grad();
        for (int i = 0; i < 3; i++)
            for (int k = 0; k < Width; k++)
            {
                var (up, down) = (z.detach().clone(), z.detach().clone());
                up[i, k] += H;
                down[i, k] -= H;
                double slope = (Loss(up) - Loss(down)).item<double>() / (2 * H);
                Assert.Equal(slope, z.grad![i, k].item<double>(), 1e-6 * Math.Max(1, Math.Abs(slope)));
            }
        Assert.All([prototypes.Posterior.Q, prototypes.Posterior.L, prototypes.Posterior.A], t => Assert.False(t.requires_grad));

        Tensor Loss(Tensor at) => nn.functional.cross_entropy(prototypes.LogJoint(at), y);
    }

    [Fact]
    public void What_prototypes_cannot_use_is_refused_and_changes_nothing()
    {
        using var scope = NewDisposeScope();
        var (z, y) = Embeddings(4);
        using var prototypes = Prior();
        using var before = Prior();
        Assert.Contains("expected 0 to 3", Refusal(() => prototypes.Add(z, y + 3)), StringComparison.Ordinal);
        Assert.Contains("expected Int64 [4]", Refusal(() => prototypes.Add(z, y.narrow(0, 0, 2))), StringComparison.Ordinal);
        Assert.Contains("expected [n, 3]", Refusal(() => prototypes.Add(z.narrow(1, 0, 2), y)), StringComparison.Ordinal);
        Assert.Contains("expected [n, 3]", Refusal(() => prototypes.LogJoint(z.narrow(1, 0, 2))), StringComparison.Ordinal);
        Assert.Contains("not finite", Refusal(() => prototypes.Add(z / 0, y)), StringComparison.Ordinal);
        Assert.Contains("expected rows that were", Refusal(() => prototypes.Remove(z, y)), StringComparison.Ordinal);
        Same(before, prototypes);
        var (q, one) = (zeros(2, 1, ScalarType.Float64), ones(2, ScalarType.Float64));
        Assert.Contains("the noise variance is 0", Refusal(() => Make(0, q, one, one)), StringComparison.Ordinal);
        Assert.Contains("not positive", Refusal(() => Make(1, q, one - 1, one)), StringComparison.Ordinal);
        Assert.Contains("not positive", Refusal(() => Make(1, q, one, -one)), StringComparison.Ordinal);
        Assert.Contains("expected [classes, d]", Refusal(() => Make(1, one, one, one)), StringComparison.Ordinal);

        static string Refusal(Action act) => Assert.ThrowsAny<ArgumentException>(act).Message;
        static void Make(double noise, Tensor q, Tensor l, Tensor a) => new GaussianPrototypes(noise, q, l, a).Dispose();
    }

    [Theory, InlineData("permuted"), InlineData("pretrained")]
    public void With_a_frozen_embedding_the_order_of_the_stream_does_not_matter_and_rows_can_be_deleted(string task)
    {
        using var stream = new SmallStream(task);
        using var scope = NewDisposeScope();
        var options = new ProtoClOptions { Embedding = EmbeddingKind.Frozen };
        using var forwards = new ProtoCl(stream.Setup, options);
        using var backwards = new ProtoCl(stream.Setup, options);
        using var deleted = new ProtoCl(stream.Setup, options);
        Batch[] tasks = [.. stream.Tasks.Select(t => t.Train())];
        foreach (var rows in tasks)
            scope.Attach(rows.X, rows.Y);
        foreach (var rows in tasks)
            forwards.Observe(rows);
        foreach (var rows in tasks.Reverse())
            foreach (var batch in rows.MiniBatches(5, new SeededRandom(3, "order")))
                backwards.Observe(batch);
        Same(forwards.Prototypes, backwards.Prototypes);

        deleted.Observe(tasks[0]);
        deleted.Observe(tasks[1]);
        deleted.Forget(tasks[1]);
        using var never = new ProtoCl(stream.Setup, options);
        never.Observe(tasks[0]);
        Same(never.Prototypes, deleted.Prototypes);
    }

    [Fact]
    public void Rows_that_trained_an_embedding_cannot_be_deleted()
    {
        using var scope = NewDisposeScope();
        using var learner = new ProtoCl(ByHand.Setup(hidden: 6), new());
        learner.Observe(TestData.Rows(8));
        Assert.Contains("frozen", Assert.Throws<InvalidOperationException>(() => learner.Forget(TestData.Rows(8))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_embedding_learns_by_the_likelihood_under_the_posterior_before_the_update_and_the_prototypes_take_the_embeddings_from_before_the_step()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(hidden: 6);
        var rows = TestData.Rows(8);
        using var learner = new ProtoCl(setup, new() { LearningRate = 0.02, WeightDecay = 0, Noise = 0.05, Start = PrototypeStart.Flat });
        using var network = setup.Network();
        using var twin = new GaussianPrototypes(0.05, zeros(ByHand.Classes, 6, ScalarType.Float64), full(ByHand.Classes, 0.01, ScalarType.Float64), full(ByHand.Classes, Math.Exp(0.78), ScalarType.Float64));
        int encoder = network.Modules[^1].Offset;
        using var adam = new Adam(encoder, 0.02);
        for (int i = 0; i < 3; i++)
        {
            network.ZeroGradient();
            var z = network.Features(rows.X);
            var loss = nn.functional.cross_entropy(twin.LogJoint(z), rows.Y);
            loss.backward();
            adam.Step(network.ParameterValues[..encoder], network.GradientValues[..encoder]);
            twin.Add(z.detach(), rows.Y);
            Assert.Equal(loss.item<double>(), learner.Observe(rows).Loss, 1e-4 * Math.Max(1, loss.item<double>()));
        }
        Same(twin, learner.Prototypes, 1e-4);
    }

    [Fact]
    public void Between_tasks_the_answer_comes_from_the_memory_seen_by_the_embedding_of_now()
    {
        using var stream = new SmallStream();
        using var learner = new ProtoCl(stream.Setup, new() { BufferSize = 20, Answer = AnsweringPosterior.Memory });
        var order = new SeededRandom(1, "order");
        stream.Train(learner, 0, order);
        stream.Train(learner, 1, order);
        using var accumulated = new ProtoCl(stream.Setup, new() { BufferSize = 20 });
        stream.Train(accumulated);
        using var scope = NewDisposeScope();
        var (x, y) = (ByHand.StateOf(learner, "proto-cl.x"), ByHand.StateOf(learner, "proto-cl.y"));
        Assert.Equal([10L, 10, 2], ByHand.StateOf(learner, "proto-cl.counts").data<long>().ToArray());
        using var network = stream.Setup.Network();
        using (no_grad())
            foreach (var (name, value) in network.LiveState.SkipLast(2))
                value.copy_(ByHand.StateOf(learner, name));
        network.Training = false;
        using var fresh = new ProtoCl(stream.Setup, new());
        using var _ = no_grad();
        fresh.Prototypes.Add(network.Features(x), y);
        Same(fresh.Prototypes, learner.Prototypes);
        Assert.True(accumulated.Prototypes.Posterior.A.sum().item<double>() > 36 * 2 * 2); // both tasks, twice, and what was replayed
    }

    [Fact]
    public void The_memory_is_shared_equally_by_the_tasks_and_old_ones_keep_their_first_rows()
    {
        using var scope = NewDisposeScope();
        using var memory = new TaskMemory(12, TestData.Width, 3);
        var kept = new List<Batch>();
        for (int task = 0; task < 3; task++)
        {
            memory.Finish(TestData.Rows(30, seed: (ulong)task), new SeededRandom(7, $"{task}"));
            int quota = 12 / (task + 1);
            Assert.Equal(Enumerable.Repeat((long)quota, task + 1), memory.CountPerTask);
            for (int old = 0; old < task; old++)
                ByHand.Same(kept[old].X.narrow(0, 0, quota), memory.Content.X.narrow(0, old * quota, quota));
            kept.Add(new(memory.Content.X.narrow(0, task * quota, quota).clone(), memory.Content.Y.narrow(0, task * quota, quota).clone()));
        }
        Assert.Throws<InvalidOperationException>(() => memory.Finish(TestData.Rows(5), new SeededRandom(7, "more")));
        Assert.Contains("at least one row a task", Assert.Throws<ArgumentException>(() => new TaskMemory(2, TestData.Width, 3)).Message, StringComparison.Ordinal);
    }

    private static GaussianPrototypes Prior(double noise = 0.05)
    {
        var random = new SeededRandom(2, "prior");
        double[] q = [.. Enumerable.Range(0, Classes * Width).Select(_ => random.NextNormal())], l = [.. Enumerable.Range(0, Classes).Select(_ => Math.Exp(random.NextNormal()))];
        return new(noise, tensor(q).reshape(Classes, Width), tensor(l), tensor(new[] { 1.0, 2, 0.5, 2.18 }));
    }

    private static (Tensor Z, Tensor Y) Embeddings(int count, ulong seed = 1)
    {
        var rows = TestData.Rows(count, Width, Classes, seed);
        return (rows.X.to_type(ScalarType.Float64) + rows.Y.unsqueeze(1), rows.Y);
    }

    private static void Same(GaussianPrototypes expected, GaussianPrototypes actual, double tolerance = 1e-12)
    {
        var (e, a) = (expected.Posterior, actual.Posterior);
        foreach (var (x, y) in new[] { (e.Q, a.Q), (e.L, a.L), (e.A, a.A) })
            Assert.True((x - y).abs().max().item<double>() <= tolerance * Math.Max(1, x.abs().max().item<double>()), $"{(x - y).abs().max().item<double>()}");
    }
}
