using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class ProKerTests
{
    private static Tensor Scores(TrainingRows rows, Tensor asked, ProKerOptions options)
    {
        using var fitted = new ProKer(options).Fit(rows, TestContext.Current.CancellationToken);
        return fitted.Scores(asked);
    }

    private static (TrainingRows Rows, Tensor Asked, Tensor Start, Tensor Cross, Tensor Residuals) Made()
    {
        var rows = Rows.Clusters(12, 5, 3, names: true, spread: 2);
        var asked = Rows.Normal(7, 5, 9);
        var (t, s, x) = (Cosine.Unit(rows.Names!), Cosine.Unit(rows.X), Cosine.Unit(asked));
        return (rows, asked, x.mm(t.t()), (x.mm(s.t()) - 1).mul(2).exp(), rows.OneHot() - s.mm(t.t()));
    }

    [Fact]
    public void Held_to_nothing_the_released_form_says_what_names_say_and_held_to_the_rows_it_adds_their_residuals()
    {
        using var scope = NewDisposeScope();
        var (rows, asked, start, cross, residuals) = Made();
        Rows.Close(start, Scores(rows, asked, new() { Beta = 2, Lambda = 1e-9 }), 1e-6);
        Rows.Close(start + cross.mm(residuals), Scores(rows, asked, new() { Beta = 2, Lambda = 1e6 }), 1e-4);
    }

    [Fact]
    public void Of_the_textbook_a_small_lambda_gives_every_row_its_label()
    {
        using var scope = NewDisposeScope();
        var (rows, _, _, _, _) = Made();
        Rows.Close(rows.OneHot(), Scores(rows, rows.X, new() { Beta = 5, Lambda = 1e-9, Form = "textbook" }), 1e-5);
    }

    [Fact]
    public void The_released_form_is_lambda_times_a_ridge_on_the_residuals()
    {
        using var scope = NewDisposeScope();
        var (rows, asked, start, cross, residuals) = Made();
        var s = Cosine.Unit(rows.X);
        var gram = (s.mm(s.t()) - 1).mul(2).exp();
        var ridge = cross.mm(PositiveSolve.Solve(gram + eye(12, dtype: ScalarType.Float64) * 0.3, residuals, out _));
        Rows.Close(start + ridge * 0.3, Scores(rows, asked, new() { Beta = 2, Lambda = 0.3 }), 1e-10);
        Rows.Close(start + ridge, Scores(rows, asked, new() { Beta = 2, Lambda = 0.3, Form = "textbook" }), 1e-10);
    }

    [Fact]
    public void Rows_twice_at_twice_the_lambda_of_the_textbook_are_rows_once_and_their_order_is_nothing()
    {
        using var scope = NewDisposeScope();
        var (rows, asked, _, _, _) = Made();
        var twice = new TrainingRows(cat([rows.X, rows.X]), [.. rows.Labels, .. rows.Labels], 3) { Names = rows.Names };
        Rows.Close(Scores(rows, asked, new() { Beta = 2, Lambda = 0.3, Form = "textbook" }), Scores(twice, asked, new() { Beta = 2, Lambda = 0.6, Form = "textbook" }), 1e-9);
        var order = tensor(Enumerable.Range(0, 12).Select(i => (long)(i * 5 % 12)).ToArray());
        var turned = new TrainingRows(rows.X.index_select(0, order), [.. Enumerable.Range(0, 12).Select(i => rows.Labels[i * 5 % 12])], 3) { Names = rows.Names };
        Rows.Close(Scores(rows, asked, new() { Beta = 2, Lambda = 0.3 }), Scores(turned, asked, new() { Beta = 2, Lambda = 0.3 }), 1e-10);
    }

    [Fact]
    public void What_is_left_open_is_what_validation_rows_say_or_what_the_paper_carries_over()
    {
        using var scope = NewDisposeScope();
        var (rows, _, _, _, _) = Made();
        using var carried = new ProKer(new()).Fit(rows, TestContext.Current.CancellationToken);
        Assert.Equal((1.5, 0.05), (carried.Report["beta"], carried.Report["lambda"])); // four rows a class
        var validation = Rows.Clusters(60, 5, 3, seed: 4, spread: 2);
        var chosen = new TrainingRows(rows.X, rows.Labels, 3) { Names = rows.Names, Validation = validation };
        using var fitted = new ProKer(new()).Fit(chosen, TestContext.Current.CancellationToken);
        double Right(IFitted f) => f.Scores(validation.X).argmax(1).eq(tensor(validation.Labels.Select(l => (long)l).ToArray())).sum().item<long>();
        Assert.True(Right(fitted) >= Right(carried));
    }

    [Fact]
    public void Names_that_are_missing_of_another_width_or_without_direction_are_refused()
    {
        using var scope = NewDisposeScope();
        var (rows, _, _, _, _) = Made();
        string Of(TrainingRows r) => Assert.Throws<InputException>(() => new ProKer(new()).Fit(r, TestContext.Current.CancellationToken)).Message;
        Assert.Contains("class names: found none", Of(new(rows.X, rows.Labels, 3)));
        Assert.Contains("[3, 4]", Of(new(rows.X, rows.Labels, 3) { Names = Rows.Normal(3, 4) }));
        Assert.Contains("only zeros in row 0", Of(new(rows.X, rows.Labels, 3) { Names = zeros(3, 5, dtype: ScalarType.Float64) }));
    }

    [Fact]
    public void Of_local_lines_steep_ones_forbidden_are_weighted_means_and_free_ones_meet_what_is_linear()
    {
        using var scope = NewDisposeScope();
        var (rows, asked, start, cross, residuals) = Made();
        Rows.Close(start + cross.mm(residuals) / cross.sum(1, keepdim: true), Scores(rows, asked, new() { Form = "local-linear", Beta = 2, Lambda = 1e6 }), 1e-5);
        // residuals that are linear in the rows
        var (s, v) = (Cosine.Unit(Rows.Normal(20, 4)), Cosine.Unit(Rows.Normal(6, 4, 2)));
        var slope = Rows.Normal(4, 3, 3);
        Rows.Close(v.mm(slope) + 0.5, LocalLinear.Correction(v, s, s.mm(slope) + 0.5, 2, 1e-10), 1e-6);
        // oracle: the minimum of each row alone, in coordinates around it
        var r = Rows.Normal(20, 3, 5);
        var actual = LocalLinear.Correction(v, s, r, 2, 0.3);
        for (int i = 0; i < 6; i++)
        {
            var z = cat([ones(20, 1, ScalarType.Float64), s - v[i]], 1);
            var k = ((s.mv(v[i]) - 1) * 2).exp().unsqueeze(1);
            var penalty = tensor(new double[] { 0, 0.3, 0.3, 0.3, 0.3 }).diag();
            Rows.Close(linalg.inv(z.t().mm(z * k) + penalty).mm((z * k).t()).mm(r)[0], actual[i], 1e-10);
        }
    }

    [Fact] // oracle: Bayes' rule with normal densities of one covariance, to a constant a row
    public void Discriminants_are_the_log_densities_of_normal_classes_and_their_weight_is_what_validates()
    {
        using var scope = NewDisposeScope();
        var (rows, asked, start, _, _) = Made();
        var (s, v) = (Cosine.Unit(rows.X), Cosine.Unit(asked));
        var y = rows.OneHot();
        var means = y.t().mm(s) / y.sum([0]).unsqueeze(1);
        var away = s - y.mm(means);
        var covariance = away.t().mm(away) / 12;
        var inverse = 5 * linalg.inv(covariance * 11 + covariance.trace() * eye(5, dtype: ScalarType.Float64));
        var densities = stack([.. Enumerable.Range(0, 3).Select(c => ((v - means[c]).mm(inverse) * (v - means[c])).sum(1) / -2 + Math.Log(1.0 / 3))], 1);
        var difference = Scores(rows, asked, new() { Form = "gda", Lambda = 0.5 }) - start - densities * 0.5;
        Rows.Close(difference.narrow(1, 0, 1).expand(-1, 3), difference, 1e-9);
        // a row a class leaves nearest means; a class without rows is behind
        var few = new TrainingRows(rows.X.narrow(0, 0, 2), [0, 1], 3) { Names = rows.Names };
        double[] own = Rows.Values((Scores(few, asked, new() { Form = "gda", Lambda = 1e3 }) - start).select(1, 2)), others = Rows.Values((Scores(few, asked, new() { Form = "gda", Lambda = 1e3 }) - start).narrow(1, 0, 2).amin([1]));
        Assert.Equal(others, own);
        foreach (string form in (string[])["gda", "local-linear"])
        {
            var chosen = new TrainingRows(rows.X, rows.Labels, 3) { Names = rows.Names, Validation = Rows.Clusters(30, 5, 3, 4, spread: 2) };
            using var fitted = new ProKer(new() { Form = form }).Fit(chosen, TestContext.Current.CancellationToken);
            double Right(IFitted f) => f.Scores(chosen.Validation.X).argmax(1).data<long>().ToArray().Zip(chosen.Validation.Labels).Count(p => p.First == p.Second);
            using var other = new ProKer(new() { Form = form, Beta = 2, Lambda = 0.1 }).Fit(chosen, TestContext.Current.CancellationToken);
            Assert.True(Right(fitted) >= Right(other));
            Rows.LeaveNothing(() => new ProKer(new() { Form = form }).Fit(rows, TestContext.Current.CancellationToken).Dispose());
        }
    }
}
