using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public sealed class LifelongLlmSurveyTests
{
    private static SmallStream Stream(int steps = 2) => new("task-incremental", o => o with { Steps = steps, Epochs = 4 }, TestData.Images(classes: 2 * steps));

    [Fact]
    public void The_techniques_at_strength_0_are_fine_tuning_to_the_bit()
    {
        using var stream = new SmallStream("permuted");
        using var naive = new Learner(stream.Setup);
        stream.Train(naive);
        foreach (var options in (LifelongLlmSurveyOptions[])[new() { Technique = LifelongTechnique.Ewc, Lambda = 0 }, new() { Technique = LifelongTechnique.Lwf, Alpha = 0 }])
        {
            using var learner = (Learner)LifelongLlmSurvey.Learner(stream.Setup, options);
            stream.Train(learner);
            Assert.True(naive.Network.ParameterValues.SequenceEqual(learner.Network.ParameterValues));
        }
    }

    [Fact]
    public void Orthogonal_rows_do_not_overlap_and_others_by_the_sum_of_their_products()
    {
        using var scope = NewDisposeScope();
        var old = tensor(new float[,] { { 1, 0, 0, 0 }, { 0, 2, 0, 0 } });
        Assert.Equal(0, OrthogonalAdapters.Overlap(old, tensor(new float[,] { { 0, 0, 3, 1 } })).item<float>());
        Assert.Equal(1 + 4 + 3 + 2, OrthogonalAdapters.Overlap(old, tensor(new float[,] { { 1, -2, 0, 0 }, { -3, 1, 5, 0 } })).item<float>());
    }

    [Fact]
    public void The_gradient_of_the_overlap_agrees_with_finite_differences()
    {
        using var scope = NewDisposeScope();
        var old = TestData.Rows(3, width: 5).X.to_type(ScalarType.Float64);
        var fresh = TestData.Rows(2, width: 5, seed: 2).X.to_type(ScalarType.Float64).requires_grad_(true);
        OrthogonalAdapters.Overlap(old, fresh).backward();
        const double H = 1e-6; // piecewise linear: exact to rounding away from the kinks
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 5; j++)
            {
                double Shifted(double by)
                {
                    var moved = fresh.detach().clone();
                    moved[i, j] = moved[i, j] + by;
                    return OrthogonalAdapters.Overlap(old, moved).item<double>();
                }
                Assert.Equal((Shifted(H) - Shifted(-H)) / (2 * H), fresh.grad![i, j].item<double>(), 1e-6);
            }
    }

    [Fact]
    public void Only_the_new_adapters_move_and_with_the_orthogonality_they_overlap_less()
    {
        double[] overlap = [.. new[] { 0, 0.05 }.Select(strength =>
        {
            using var scope = NewDisposeScope();
            using var stream = Stream(steps: 4);
            using var learner = new OrthogonalAdapters(stream.Setup, new() { Orthogonality = strength, Rank = 2 });
            var order = new SeededRandom(1, "order");
            for (int i = 0; i < 3; i++)
                stream.Train(learner, i, order);
            var (a, b) = learner.Adapters("linear1.weight");
            Tensor old = a.narrow(0, 0, 6).clone(), oldB = b.narrow(1, 0, 6).clone(), weight = ByHand.StateOf(learner, "linear1.weight").clone();
            stream.Train(learner, 3, order);
            ByHand.Same(old, a.narrow(0, 0, 6));
            ByHand.Same(oldB, b.narrow(1, 0, 6));
            ByHand.Same(weight, ByHand.StateOf(learner, "linear1.weight"));
            Assert.True(b.narrow(1, 6, 2).abs().max().item<float>() > 0);
            return OrthogonalAdapters.Overlap(old, a.narrow(0, 6, 2)).item<float>();
        })];
        Assert.True(overlap[1] < overlap[0] / 2, $"{overlap[1]} with, {overlap[0]} without");
    }

    [Fact]
    public void New_adapters_and_blocks_change_no_answer_before_the_first_step()
    {
        using var scope = NewDisposeScope();
        foreach (var technique in (LifelongTechnique[])[LifelongTechnique.OLora, LifelongTechnique.Expansion])
        {
            using var stream = Stream();
            using var learner = LifelongLlmSurvey.Learner(stream.Setup, new() { Technique = technique });
            stream.Train(learner, 0, new(1, "order"));
            var x = stream.Tasks[0].Test().X;
            var old = tensor(stream.Tasks[0].Info.Classes.Select(c => (long)c).ToArray());
            var before = learner.Predict(x).index_select(1, old);
            learner.BeginTask(stream.Tasks[1].Info, stream.Tasks[1].Train());
            ByHand.Close(before, learner.Predict(x).index_select(1, old));
        }
    }

    [Fact]
    public void Merging_changes_the_answers_by_rounding_only()
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var merged = new OrthogonalAdapters(stream.Setup, new() { Merge = true });
        using var apart = new OrthogonalAdapters(stream.Setup, new());
        stream.Train(merged);
        stream.Train(apart);
        var x = stream.Tasks[0].Test().X;
        ByHand.Close(apart.Predict(x), merged.Predict(x), 1e-4, 1e-4);
    }

    [Fact]
    public void Frozen_old_parameters_stay_to_the_byte_while_a_block_is_learned()
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var learner = new ExpandedNetwork(stream.Setup, new());
        var order = new SeededRandom(1, "order");
        stream.Train(learner, 0, order);
        var (weight, norm) = (ByHand.StateOf(learner, "linear2.weight").clone(), ByHand.StateOf(learner, "norm1.running_mean").clone());
        stream.Train(learner, 1, order);
        ByHand.Same(weight, ByHand.StateOf(learner, "linear2.weight"));
        ByHand.Same(norm, ByHand.StateOf(learner, "norm1.running_mean"));
        Assert.True(ByHand.StateOf(learner, "expansion.u")[1].abs().max().item<float>() > 0);
    }

    [Fact]
    public void All_neighbours_at_infinite_temperature_give_the_frequencies_of_the_labels_and_one_equal_key_its_label()
    {
        using var scope = NewDisposeScope();
        var (keys, values) = (TestData.Rows(7, width: 3).X, tensor(new long[] { 0, 1, 1, 3, 3, 3, 0 }));
        ByHand.Close(tensor(new[] { 2f / 7, 2f / 7, 0, 3f / 7 }).repeat(2, 1), NeighbourMixture.Neighbours(TestData.Rows(2, width: 3, seed: 9).X, keys, values, 4, 7, double.PositiveInfinity));
        ByHand.Close(tensor(new[] { 0f, 0, 0, 1 }).unsqueeze(0), NeighbourMixture.Neighbours(keys.narrow(0, 4, 1), keys, values, 4, 1, 1));
    }

    [Fact]
    public void Neighbours_equal_a_naive_twin()
    {
        using var scope = NewDisposeScope();
        var (keys, values, queries) = (TestData.Rows(20, width: 3).X, TestData.Rows(20).Y, TestData.Rows(5, width: 3, seed: 2).X);
        const double Temperature = 2;
        var expected = zeros(5, 4);
        for (int q = 0; q < 5; q++)
        {
            var near = Enumerable.Range(0, 20).Select(i => (i, Square: (queries[q] - keys[i]).square().sum().item<float>())).OrderBy(n => n.Square).Take(6).ToList();
            foreach (var (i, square) in near)
                expected[q, values[i].item<long>()] += Math.Exp(-square / Temperature) / near.Sum(n => Math.Exp(-n.Square / Temperature));
        }
        ByHand.Close(expected, NeighbourMixture.Neighbours(queries, keys, values, 4, 6, Temperature), 1e-4, 1e-5);
    }

    [Fact]
    public void Retrieval_with_a_share_of_0_forgets_nothing_to_the_byte()
    {
        using var scope = NewDisposeScope();
        using var stream = Stream();
        using var learner = new NeighbourMixture(stream.Setup, new() { Mixture = 0 });
        var order = new SeededRandom(1, "order");
        stream.Train(learner, 0, order);
        var x = stream.Tasks[0].Test().X;
        var before = learner.Predict(x);
        stream.Train(learner, 1, order);
        ByHand.Same(before, learner.Predict(x));
    }

    [Fact]
    public void On_two_quadratic_tasks_the_diagonal_of_the_Fisher_information_ends_beside_the_joint_optimum_where_its_closed_form_says()
    {
        // Tasks ½ (w − m_i)ᵀ H_i (w − m_i): the Laplace approximation of the first is exact, its Fisher information H_1.
        using var scope = NewDisposeScope();
        Tensor h1 = tensor(new[,] { { 2.0, 0.8 }, { 0.8, 1 } }), h2 = tensor(new[,] { { 1.0, -0.3 }, { -0.3, 2 } });
        Tensor m1 = tensor(new[] { 1.0, -1 }), m2 = tensor(new[] { -2.0, 0.5 });
        var joint = linalg.solve(h1 + h2, h1.matmul(m1) + h2.matmul(m2));
        // The diagonal by the product's proximal steps, b = F / 2.
        double[] f = [2, 1], w = [1, -1], anchor = [1, -1], pull = [.. f.Select(b => Consolidation.Share(b / 2, 0.1))];
        for (int step = 0; step < 2000; step++)
        {
            double[] gradient = [1.0 * (w[0] + 2) - 0.3 * (w[1] - 0.5), -0.3 * (w[0] + 2) + 2 * (w[1] - 0.5)];
            (w[0], w[1]) = (w[0] - 0.1 * gradient[0], w[1] - 0.1 * gradient[1]);
            Consolidation.Draw<double>(w, anchor, pull);
        }
        var diagonal = linalg.solve(h2 + diag(tensor(f)), h2.matmul(m2) + tensor(f) * m1);
        ByHand.Close(diagonal, tensor(w), 1e-8, 1e-10);
        Assert.True((diagonal - joint).norm().item<double>() > 0.1);
    }

    [Fact]
    public void A_share_of_a_batch_is_replayed()
    {
        using var stream = new SmallStream("class-incremental");
        using var learner = LifelongLlmSurvey.Learner(stream.Setup, new() { Technique = LifelongTechnique.Replay, ReplayShare = 0.2 });
        stream.Train(learner, 0, new(1, "order"));
        using var scope = NewDisposeScope();
        Assert.Equal(2, learner.Observe(TestData.Rows(8)).Replayed); // 2 of the mixed 10
    }

    [Fact]
    public void What_cannot_be_done_is_refused()
    {
        using var scope = NewDisposeScope();
        Assert.Contains("empty datastore", Assert.Throws<ArgumentException>(() => NeighbourMixture.Neighbours(zeros(2, 3), zeros(0, 3), zeros(0, ScalarType.Int64), 4, 1, 1)).Message, StringComparison.Ordinal);
        Assert.Equal(4, OrthogonalAdapters.RankOf(4, 100, 8));
        using var stream = Stream();
        foreach (var technique in (LifelongTechnique[])[LifelongTechnique.OLora, LifelongTechnique.Expansion])
        {
            using var learner = LifelongLlmSurvey.Learner(stream.Setup, new() { Technique = technique });
            stream.Train(learner);
            Assert.Contains("beyond the 2 of the plan", Assert.Throws<ArgumentException>(() => learner.BeginTask(new(2, [0]), TestData.Rows(4))).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_map_of_the_field_has_twelve_scenarios_and_places_every_method()
    {
        Assert.Equal(12, LifelongTaxonomy.Scenarios.Select(s => s.Name).Distinct().Count());
        var tags = LifelongTaxonomy.Groups.SelectMany(g => g.Tags).ToList();
        Assert.Equal(tags.Count, tags.Distinct().Count());
        Assert.All(new ContinualArena().Methods, m => Assert.NotEmpty(LifelongTaxonomy.GroupsOf(m)));
    }
}
