using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests;

public sealed class BaselineTests
{
    [Fact]
    public void Beyond_a_thousand_rows_some_are_taken_evenly()
    {
        using var scope = NewDisposeScope();
        var rows = Rows.Clusters(1100, 2, 2);
        Assert.Equal([0, 1, 2, 4, 5, 6], Rows.Values(Evenly.Taken(arange(0, 8, dtype: ScalarType.Float64).unsqueeze(1), 6)));
        using var fitted = ((IClassifier)new KernelMethodsArena().Build("kernel-ridge")).Fit(rows, TestContext.Current.CancellationToken);
        Assert.Equal(rows.Labels, fitted.Scores(rows.X).argmax(1).data<long>().ToArray().Select(l => (int)l));
    }

    [Fact] // oracle: every row really left out, and the rest solved anew
    public void The_error_of_rows_left_out_is_that_of_leaving_them_out()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(12, 3);
        var (gram, y) = (new Rbf(0.4).Gram(x, x), Rows.Normal(12, 2, 5));
        double[] ridges = [1e-3, 0.1], errors = KernelRidge.LeftOut(gram, y, ridges);
        for (int r = 0; r < ridges.Length; r++)
        {
            double sum = 0;
            for (int i = 0; i < 12; i++)
            {
                var others = tensor(Enumerable.Range(0, 12).Where(j => j != i).Select(j => (long)j).ToArray());
                var k = gram.index_select(0, others).index_select(1, others) + eye(11, dtype: ScalarType.Float64) * ridges[r];
                var f = gram[i].index_select(0, others).unsqueeze(0).mm(PositiveSolve.Solve(k, y.index_select(0, others), out _));
                sum += (y[i] - f.squeeze(0)).square().sum().item<double>();
            }
            Assert.Equal(sum / 24, errors[r], 1e-9 * errors[r]);
        }
    }

    [Fact] // oracle: the normal equations in the features
    public void Linear_ridge_is_least_squares_in_the_features_and_an_intercept()
    {
        using var scope = NewDisposeScope();
        var rows = Rows.Clusters(30, 4, 3);
        using var fitted = new LinearRidge(new() { Ridge = 0.02 }).Fit(rows, TestContext.Current.CancellationToken);
        var z = cat([rows.X / 2, ones(30, 1, dtype: ScalarType.Float64)], 1); // ⟨x, y⟩ / 4 + 1
        double ridge = 0.02 * (z.square().sum().item<double>() / 30);
        var w = PositiveSolve.Solve(z.t().mm(z) + eye(5, dtype: ScalarType.Float64) * ridge, z.t().mm(rows.OneHot() - 1.0 / 3), out _);
        var asked = Rows.Normal(6, 4, 8);
        Rows.Close(cat([asked / 2, ones(6, 1, dtype: ScalarType.Float64)], 1).mm(w), fitted.Scores(asked), 1e-9);
    }

    [Fact] // by hand: rows -1 and 1 have the weight one half each, the margin is x
    public void Two_rows_are_separated_by_the_widest_margin()
    {
        var machine = BinaryMachine.Train([1, -1, -1, 1], [-1, 1], 10);
        Assert.Equal([0.5, 0.5], machine.Alpha.Select(a => Math.Round(a, 9)));
        Assert.Equal((0, 0), (Math.Round(machine.Bias, 9), Math.Round(machine.Gap, 9)));
        Assert.Equal([0.2, 0.2], BinaryMachine.Train([1, -1, -1, 1], [-1, 1], 0.2).Alpha); // at the bound
    }

    [Theory, InlineData(0.1), InlineData(1), InlineData(100)] // Karush, Kuhn and Tucker, and what the primal is above the dual
    public void A_machine_is_at_its_optimum(double c)
    {
        using var scope = NewDisposeScope();
        var rows = Rows.Clusters(60, 3, 2, spread: 3);
        double[] gram = Rows.Values(new Rbf(0.3).Gram(rows.X, rows.X));
        int[] labels = [.. rows.Labels.Select(l => l == 0 ? 1 : -1)];
        var machine = BinaryMachine.Train(gram, labels, c);
        // a violation of 1e-3 costs at most half of it and C a row
        double[] margins = [.. Enumerable.Range(0, 60).Select(i => labels[i] * (machine.Bias + Enumerable.Range(0, 60).Sum(j => machine.Alpha[j] * labels[j] * gram[i * 60 + j])))];
        double quadratic = Enumerable.Range(0, 60).Sum(i => machine.Alpha[i] * (margins[i] - labels[i] * machine.Bias)), primal = quadratic / 2 + c * margins.Sum(m => Math.Max(0, 1 - m));
        Assert.Equal((primal - machine.Alpha.Sum() + quadratic / 2) / primal, machine.Gap, 1e-9);
        Assert.InRange(machine.Gap, -1e-9, 60 * c * 0.5e-3 / primal);
        Assert.Equal(0, machine.Alpha.Zip(labels, (a, y) => a * y).Sum(), 1e-9 * c);
        for (int i = 0; i < 60; i++)
        {
            double margin = margins[i];
            Assert.InRange(machine.Alpha[i], 0, c);
            if (machine.Alpha[i] == 0)
                Assert.True(margin > 1 - 2e-3);
            else if (machine.Alpha[i] == c)
                Assert.True(margin < 1 + 2e-3);
            else
                Assert.Equal(1, margin, 2e-3);
        }
    }

    [Fact] // a naive twin
    public void The_nearest_rows_vote_and_the_nearest_of_them_breaks_ties()
    {
        using var scope = NewDisposeScope();
        var rows = Rows.Clusters(40, 2, 4, spread: 3);
        var asked = Rows.Normal(50, 2, 6) * 3;
        double[][] x = [.. Rows.Values(rows.X).Chunk(2)], q = [.. Rows.Values(asked).Chunk(2)];
        foreach (int k in (int[])[1, 4, 5])
        {
            using var fitted = new NearestNeighbours(new() { Neighbours = k }).Fit(rows, TestContext.Current.CancellationToken);
            long[] answers = fitted.Scores(asked).argmax(1).data<long>().ToArray();
            for (int i = 0; i < q.Length; i++)
            {
                int[] near = [.. Enumerable.Range(0, 40).OrderBy(j => x[j].Zip(q[i], (a, b) => (a - b) * (a - b)).Sum()).Take(k).Select(j => rows.Labels[j])];
                int most = near.GroupBy(l => l).Max(g => g.Count());
                Assert.Contains((int)answers[i], near.GroupBy(l => l).Where(g => g.Count() == most).Select(g => g.Key));
                if (k == 1)
                    Assert.Equal(near[0], (int)answers[i]);
            }
        }
    }

    [Fact]
    public void Names_alone_answer_by_the_angle_and_tip_adapter_adds_labels_of_similar_rows()
    {
        using var scope = NewDisposeScope();
        var rows = Rows.Clusters(9, 4, 3, names: true);
        var asked = Rows.Normal(5, 4, 7);
        using var zero = new ZeroShot().Fit(rows, TestContext.Current.CancellationToken);
        var expected = Cosine.Unit(asked).mm(Cosine.Unit(rows.Names!).t());
        Rows.Close(expected, zero.Scores(asked), 1e-12);
        using var tip = new TipAdapter(new() { Beta = 2, Weight = 0.5 }).Fit(rows, TestContext.Current.CancellationToken);
        var similar = (Cosine.Unit(asked).mm(Cosine.Unit(rows.X).t()) - 1).mul(2).exp();
        Rows.Close(expected + similar.mm(rows.OneHot()) * 0.5, tip.Scores(asked), 1e-12);
    }

    [Fact] // 20,000 features: the deviation of a product is below 0.01
    public void Random_cosines_are_the_rbf_kernel_on_average_and_landmarks_know_it_exactly_among_themselves()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(10, 4);
        using var fourier = new RandomFourier(4, 20_000, 0.3, new SeededRandom(1, "fourier"));
        Rows.Close(new Rbf(0.3).Gram(x, x), fourier.Of(x).mm(fourier.Of(x).t()), 0.05);
        using var nystrom = new Nystrom(new Rbf(0.3), x);
        Rows.Close(new Rbf(0.3).Gram(x, x), nystrom.Of(x).mm(nystrom.Of(x).t()), 1e-10);
        using var some = new Nystrom(new Rbf(0.3), x.narrow(0, 0, 6));
        var close = some.Of(x).mm(some.Of(x).t());
        Rows.Close(new Rbf(0.3).Gram(x.narrow(0, 0, 6), x), close.narrow(0, 0, 6), 1e-10);
        Assert.True(linalg.eigvalsh(new Rbf(0.3).Gram(x, x) - close)[0].item<double>() > -1e-10); // never more than the kernel
    }

    [Fact] // oracle: every row really left out
    public void A_ridge_on_features_is_chosen_by_rows_left_out()
    {
        using var scope = NewDisposeScope();
        var rows = Rows.Clusters(20, 3, 2, spread: 3);
        var setup = new KernelSetup(purpose => new SeededRandom(7, purpose));
        using var chosen = RandomFourier.Method(setup, new() { Features = 15 }).Fit(rows, TestContext.Current.CancellationToken);
        double Left(double ridge)
        {
            using var map = new RandomFourier(3, 15, Rbf.Median(rows.X), setup.Random("fourier"));
            var (z, y) = (map.Of(rows.X), rows.OneHot() - 0.5);
            double size = z.square().sum().item<double>() / 20, sum = 0;
            for (int i = 0; i < 20; i++)
            {
                var others = tensor(Enumerable.Range(0, 20).Where(j => j != i).Select(j => (long)j).ToArray());
                var (a, b) = (z.index_select(0, others), y.index_select(0, others));
                sum += (y[i] - z[i].unsqueeze(0).mm(PositiveSolve.Solve(a.t().mm(a) + eye(15, dtype: ScalarType.Float64) * (ridge * size), a.t().mm(b), out _)).squeeze(0)).square().sum().item<double>();
            }
            return sum;
        }
        double[] ridges = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1];
        Assert.Equal(ridges.MinBy(Left), chosen.Report["ridge"]);
    }
}
