using System.Text.Json.Nodes;
using TorchSharp;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests;

/// <summary>What every method of the catalogue keeps to.</summary>
public sealed class ContractTests : IDisposable
{
    private static readonly KernelMethodsArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-kernels").FullName;

    public static TheoryData<string> Methods => [.. Arena.Methods.Where(m => m.Needs.Contains("rows") || m.Needs.Contains("examples")).Select(m => m.Id)];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static TrainingRows Made(int n = 40, int d = 6, int classes = 3, ulong seed = 1) => Rows.Clusters(n, d, classes, seed, names: true);

    private static double[] Scores(string method, TrainingRows rows, Tensor asked)
    {
        using var scope = NewDisposeScope();
        using var fitted = ((IClassifier)Arena.Build(method, seed: 3)).Fit(rows, TestContext.Current.CancellationToken);
        return Rows.Values(fitted.Scores(asked));
    }

    [Theory, MemberData(nameof(Methods))]
    public void Two_runs_are_equal_and_scores_are_finite_one_a_class_and_of_each_row_alone(string method)
    {
        using var scope = NewDisposeScope();
        var (rows, asked) = (Made(), Rows.Normal(9, 6, 5));
        double[] scores = Scores(method, rows, asked);
        Assert.Equal(27, scores.Length);
        Assert.All(scores, s => Assert.True(double.IsFinite(s)));
        Assert.Equal(scores, Scores(method, rows, asked));
        double[] alone = Scores(method, rows, asked.narrow(0, 4, 1));
        Assert.All(scores.Skip(12).Take(3).Zip(alone), p => Assert.Equal(p.First, p.Second, 1e-6)); // of a network float32
    }

    [Theory, MemberData(nameof(Methods))]
    public void Clear_classes_are_learned_whatever_the_order_of_rows(string method)
    {
        using var scope = NewDisposeScope();
        var (rows, test) = (Made(60), Made(30, seed: 2));
        // angles that go around more than once say nothing
        double scale = method == "quantum-kernel" ? 0.05 : 1;
        rows = new(rows.X * scale, rows.Labels, 3) { Names = rows.Names };
        var order = tensor(Enumerable.Range(0, 60).Select(i => (long)(i * 17 % 60)).ToArray());
        var turned = new TrainingRows(rows.X.index_select(0, order), [.. Enumerable.Range(0, 60).Select(i => rows.Labels[i * 17 % 60])], 3) { Names = rows.Names };
        foreach (var learned in (TrainingRows[])[rows, turned])
        {
            double[][] scores = [.. Scores(method, learned, test.X * scale).Chunk(3)];
            Assert.InRange(scores.Where((s, i) => Array.IndexOf(s, s.Max()) == test.Labels[i]).Count(), 27, 30);
        }
    }

    [Theory, MemberData(nameof(Methods))] // more than the thousand by which widths and ridges are chosen
    public void Many_rows_are_learned_from(string method)
    {
        using var scope = NewDisposeScope();
        var rows = Rows.Clusters(1100, 2, 2, names: true, spread: 0.1);
        Assert.All(Scores(method, rows, rows.X.narrow(0, 0, 3)), s => Assert.True(double.IsFinite(s)));
    }

    [Theory, MemberData(nameof(Methods))]
    public void No_tensor_outlives_what_was_fitted(string method)
    {
        using var scope = NewDisposeScope();
        var (rows, asked) = (Made(), Rows.Normal(3, 6, 5));
        Scores(method, rows, asked);
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Scores(method, rows, asked);
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Theory, MemberData(nameof(Methods))]
    public void Doubled_rows_a_constant_feature_a_row_a_class_and_a_class_without_rows_are_learned_from(string method)
    {
        using var scope = NewDisposeScope();
        var rows = Made();
        var constant = cat([rows.X, rows.X.narrow(0, 0, 5)]).clone();
        constant.select(1, 2).fill_(1);
        var names = rows.Names!.clone();
        names.select(1, 2).fill_(1);
        foreach (var odd in (TrainingRows[])[new(constant, [.. rows.Labels, .. rows.Labels.Take(5)], 3) { Names = names }, new(rows.X.narrow(0, 0, 3), [0, 1, 2], 3) { Names = rows.Names }, new(rows.X, rows.Labels, 4) { Names = cat([rows.Names!, ones(1, 6, dtype: ScalarType.Float64)]) }])
            Assert.All(Scores(method, odd, rows.X), s => Assert.True(double.IsFinite(s)));
    }

    [Theory, MemberData(nameof(Methods))]
    public void Numbers_that_are_none_are_refused_with_their_place_so_are_other_features_and_a_cancelled_fit_stops(string method)
    {
        using var scope = NewDisposeScope();
        var rows = Made();
        var bad = rows.X.clone();
        bad[7, 3] = double.NaN;
        Assert.Contains("row 7, column 3", Assert.Throws<InputException>(() => new TrainingRows(bad, rows.Labels, 3)).Message);
        using var fitted = ((IClassifier)Arena.Build(method)).Fit(rows, TestContext.Current.CancellationToken);
        Assert.Contains("row 7, column 3", Assert.Throws<InputException>(() => fitted.Scores(bad)).Message);
        Assert.Contains(", 6]", Assert.Throws<InputException>(() => fitted.Scores(rows.X.narrow(1, 0, 5))).Message);
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => ((IClassifier)Arena.Build(method)).Fit(rows, stop.Token));
    }

    [Fact]
    public void Rows_that_are_none_or_do_not_fit_are_refused()
    {
        using var scope = NewDisposeScope();
        string Of(Func<TrainingRows> make) => Assert.Throws<InputException>(make).Message;
        Assert.Contains("at least one row", Of(() => new(zeros(0, 3, dtype: ScalarType.Float64), [], 2)));
        Assert.Contains("Float32", Of(() => new(zeros(2, 3), [0, 1], 2)));
        Assert.Contains("one a row", Of(() => new(Rows.Normal(2, 3), [0], 2)));
        Assert.Contains("0 to 1", Of(() => new(Rows.Normal(2, 3), [0, 2], 2)));
        Assert.Contains("at least two", Assert.Throws<InputException>(() => ((IClassifier)Arena.Build("svm")).Fit(new(Rows.Normal(2, 3), [1, 1], 2), TestContext.Current.CancellationToken)).Message);
    }

    [Theory, InlineData("classify"), InlineData("few-shot"), InlineData("ad-hoc")]
    public void Every_method_of_a_task_reports_every_metric(string task)
    {
        var card = Arena.Task(task);
        object options = card.Options.Bind(task == "classify" ? new JsonObject { ["rows"] = 60, ["test"] = 50 } : task == "few-shot" ? new JsonObject { ["test"] = 50, ["validation"] = 30 } : new JsonObject { ["test"] = 10 }, "task");
        var data = Arena.Inspect(null, card, options, new(), TestContext.Current.CancellationToken);
        foreach (var method in Arena.DefaultMethods(card))
        {
            var events = new List<TrialEvent>();
            var trial = new Trial(Arena.Id, task, card.Options.Canonical(options), method.Id, method.Options.Canonical(method.Options.Bind([], method.Id)), 1, data.Reference, "code", 1);
            var metrics = Arena.Run(trial, new(1, _folder, events.Add, TestContext.Current.CancellationToken)).Metrics;
            Assert.All(Arena.MetricsOf(task), m => Assert.True(double.IsFinite(metrics[m.Name]), m.Name));
            Assert.InRange(metrics["accuracy"], task == "ad-hoc" || method.Id == "quantum-kernel" ? 0 : method.Id == "decision-tree" ? 0.4 : 0.6, 1); // one tree alone is right of half the digits by so few rows
            Assert.Contains(events, e => e is MetricEvent { Name: var name } && name.StartsWith("class/", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Data_that_is_too_little_and_data_for_a_task_that_makes_its_own_are_refused()
    {
        string file = Path.Combine(_folder, "few.csv");
        File.WriteAllText(file, "a,b,kind\n1,2,x\n2,1,y\n3,3,x\n");
        var card = Arena.Task("classify");
        Assert.Contains("at least 4 rows", Assert.Throws<InputException>(() => Arena.Inspect(file, card, new ClassifyOptions(), new(), TestContext.Current.CancellationToken)).Message);
        Assert.Contains("makes its rows", Assert.Throws<InputException>(() => Arena.Inspect(file, Arena.Task("ad-hoc"), new AdHocOptions(), new(), TestContext.Current.CancellationToken)).Message);
    }

    [Fact] // worked by hand: F1 of 2/3, 4/5 and, for a class that is neither answered nor there, none
    public void The_mean_F1_is_that_of_its_definition() => Assert.Equal((2.0 / 3 + 0.8) / 2, Metrics.MacroF1([0, 1, 1, 1], [0, 0, 1, 1], 3), 12);
}
