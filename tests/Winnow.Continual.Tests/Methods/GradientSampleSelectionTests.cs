using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests.Methods;

public sealed class GradientSampleSelectionTests
{
    private static readonly ContinualThesisOptions Options = new() { Technique = ThesisTechnique.Gss, BufferSize = 20 };

    private static Batch[] Single(Batch rows) => [.. Enumerable.Range(0, rows.Count).Select(i => rows.Rows(tensor([(long)i])))];

    [Fact]
    public void A_score_is_the_largest_cosine_with_the_chunks_gradients()
    {
        using var scope = NewDisposeScope();
        using var network = ByHand.Setup(hidden: 5).Network();
        Batch[] chunks = [TestData.Rows(3, seed: 2), TestData.Rows(5, seed: 3)];
        var incoming = TestData.Rows(6);
        float[] scores = GradientSampleSelection.Scores(network, incoming, chunks);
        Tensor[] g = [.. chunks.Select(c => ByHand.Gradient(network, c))];
        for (int i = 0; i < 6; i++)
        {
            var own = ByHand.Gradient(network, Single(incoming)[i]);
            Assert.Equal(g.Max(c => own.dot(c).item<float>() / (own.norm().item<float>() * c.norm().item<float>())), scores[i], 1e-5f);
            Assert.InRange(scores[i], -1f, 1f);
        }
    }

    [Fact]
    public void A_row_that_is_kept_already_scores_1_and_a_gradient_of_zero_0()
    {
        using var scope = NewDisposeScope();
        using var network = ByHand.Setup(hidden: 5).Network();
        var rows = TestData.Rows(6);
        Assert.All(GradientSampleSelection.Scores(network, rows, Single(rows)), s => Assert.Equal(1f, s, 1e-5f));
        Assert.Equal(0f, GradientSampleSelection.Cosines(zeros(1, 3), ones(2, 3)).abs().max().item<float>());
        Assert.Contains("No chunk", Assert.Throws<ArgumentException>(() => GradientSampleSelection.Scores(network, rows, [])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(GssSelection.Greedy, 3)]
    [InlineData(GssSelection.Greedy, 30)]
    [InlineData(GssSelection.Iqp, 3)]
    [InlineData(GssSelection.Iqp, 30)]
    public void Never_more_rows_are_kept_than_there_is_room_for_and_each_is_a_row_of_the_stream(GssSelection selection, int room)
    {
        using var scope = NewDisposeScope();
        using var stream = new SmallStream("blurry");
        using var part = new GradientSampleSelection(stream.Setup, Options with { BufferSize = room, Selection = selection });
        using var learner = new Learner(stream.Setup, part);
        stream.Train(learner);
        Assert.Equal(room, ByHand.StateOf(part, "gss.count").item<long>());
        var seen = stream.Tasks.SelectMany(t => Single(t.Train()).Select(r => (Key(r.X), r.Y.item<long>()))).ToHashSet();
        Batch kept = new(ByHand.StateOf(part, "gss.x"), ByHand.StateOf(part, "gss.y"));
        Assert.All(Single(kept), row => Assert.Contains((Key(row.X), row.Y.item<long>()), seen));

        static string Key(Tensor row) => Convert.ToHexString(row.contiguous().bytes);
    }

    [Fact]
    public void Candidates_are_drawn_in_proportion_to_their_scores_above_the_least()
    {
        var random = new SeededRandom(1, "draws");
        float[] scores = [-0.5f, 0f, 0.5f];
        int[] counts = new int[3];
        const int Draws = 20_000;
        for (int i = 0; i < Draws; i++)
            counts[GradientSampleSelection.Candidates(scores, 1, random)[0]]++;
        // Weights 0 : 0.5 : 1. A binomial with p = 1/3 strays more than 5 standard deviations with probability 6e-7.
        Assert.Equal(0, counts[0]);
        Assert.InRange(counts[1], Draws / 3.0 - 5 * Math.Sqrt(Draws * 2 / 9.0), Draws / 3.0 + 5 * Math.Sqrt(Draws * 2 / 9.0));
        Assert.Equal([1, 2], GradientSampleSelection.Candidates(scores, 3, random).Order());
        Assert.Empty(GradientSampleSelection.Candidates([0.1f, 0.1f], 2, random));
    }

    [Fact]
    public void A_batch_that_points_where_the_memory_points_is_passed_over()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup();
        using var part = new GradientSampleSelection(setup, Options with { BufferSize = 8 });
        using var network = setup.Network();
        var rows = TestData.Rows(8);
        part.AfterStep(new() { Network = network, New = rows, Index = 0 });
        Assert.All(ByHand.StateOf(part, "gss.scores").Values<float>().ToArray(), s => Assert.Equal(0.1f, s));
        var step = new Step { Network = network, New = rows, Index = 1 };
        part.AfterStep(step);
        Assert.All(ByHand.StateOf(part, "gss.scores").Values<float>().ToArray(), s => Assert.Equal(0.1f, s));
        Assert.Equal(16, step.Report.Gradients); // one chunk of all rows kept, and the batch
    }

    [Fact]
    public void The_quadratic_program_keeps_one_row_of_each_direction()
    {
        using var scope = NewDisposeScope();
        var setup = ByHand.Setup(learningRate: 1e-6);
        using var part = new GradientSampleSelection(setup, Options with { BufferSize = 5, Selection = GssSelection.Iqp });
        using var network = setup.Network();
        // Rows along different axes have gradients whose cosines are those of the bias alone; rows of one kind agree.
        long[] kinds = [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4];
        for (int i = 0; i < kinds.Length; i += 4)
        {
            var x = zeros(4, TestData.Width);
            for (int j = 0; j < 4; j++)
                x[j, kinds[i + j]] = 10;
            part.AfterStep(new() { Network = network, New = new(x, tensor(kinds[i..(i + 4)].Select(k => k % 4).ToArray())), Index = i });
        }
        Assert.Equal([0, 1, 2, 3, 4], ByHand.StateOf(part, "gss.x").argmax(1).Values<long>().ToArray().Order());
    }

    [Fact]
    public void The_chosen_subset_cannot_be_bettered_by_an_exchange_and_is_better_than_chance()
    {
        for (ulong seed = 0; seed < 50; seed++)
        {
            using var scope = NewDisposeScope();
            var vectors = TestData.Rows(9, width: 4, seed: seed).X;
            float[] cosines = GradientSampleSelection.Cosines(vectors, vectors).Values<float>().ToArray();
            int[] chosen = MinimumCosineSubset.Select(cosines, 9, 4);
            Assert.Equal(4, chosen.Distinct().Count());
            double sum = Sum(chosen);
            Assert.All(chosen, leaves => Assert.All(Enumerable.Range(0, 9).Except(chosen), enters => Assert.True(Sum([.. chosen.Except([leaves]), enters]) >= sum - 1e-6)));
            Assert.InRange(sum, Subsets(9, 4).Min(Sum) - 1e-6, Subsets(9, 4).Average(Sum)); // the program is NP-hard: a local optimum, better than chance

            double Sum(int[] set) => set.Sum(i => set.Where(j => j != i).Sum(j => (double)cosines[i * 9 + j]));
        }

        static IEnumerable<int[]> Subsets(int n, int m) => Enumerable.Range(0, 1 << n).Where(b => int.PopCount(b) == m).Select(b => Enumerable.Range(0, n).Where(i => (b >> i & 1) == 1).ToArray());
    }

    [Fact]
    public void A_subset_that_does_not_exist_is_refused()
    {
        Assert.Throws<ArgumentException>(() => MinimumCosineSubset.Select(new float[4], 2, 3));
        Assert.Throws<ArgumentException>(() => MinimumCosineSubset.Select(new float[3], 2, 1));
    }
}
