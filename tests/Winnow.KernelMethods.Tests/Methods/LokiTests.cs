using System.Text.Json.Nodes;
using TorchSharp;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class LokiTests : IDisposable
{
    private static readonly KernelMethodsArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-labels").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static LabelMetric Path(int last) => LabelMetric.OfEdges(last + 1, Enumerable.Range(0, last).Select(i => (i, i + 1)));

    private static LabelMetric Tree(int nodes, ulong seed) => LabelMetric.OfEdges(nodes, RandomTree.Edges(nodes, new SeededRandom(seed, "tree")));

    private static Tensor From(LabelMetric metric, params int[] observed) => metric.Squared.index_select(0, tensor(observed.Select(l => (long)l).ToArray()));

    private static Tensor Probabilities(int n, int k, ulong seed = 1) => (Rows.Normal(n, k, seed) * 2).softmax(1);

    private static double[,] Naive(Tensor p, Tensor squared)
    {
        double[] a = Rows.Values(p), d = Rows.Values(squared);
        int n = (int)p.shape[0], k = (int)p.shape[1], v = (int)squared.shape[1];
        double[,] costs = new double[n, v];
        for (int i = 0; i < n; i++)
            for (int l = 0; l < v; l++)
                for (int o = 0; o < k; o++)
                    costs[i, l] += a[i * k + o] * d[o * v + l];
        return costs;
    }

    [Fact] // naive twin, and what must not change answers
    public void Answers_are_those_of_three_loops_whatever_the_block_and_the_scale()
    {
        using var scope = NewDisposeScope();
        using var metric = Tree(17, 2);
        var (p, squared) = (Probabilities(50, 4), From(metric, 3, 8, 1, 16));
        double[,] costs = Naive(p, squared);
        int[] naive = [.. Enumerable.Range(0, 50).Select(i => Enumerable.Range(0, 17).MinBy(v => costs[i, v]))], answers = FrechetRule.Answers(p, squared);
        Assert.Equal(naive, answers);
        Rows.Close(tensor(costs.Cast<double>().ToArray(), [50, 17]), FrechetRule.Costs(p, squared), 1e-12);
        Assert.Equal(answers, FrechetRule.Answers(p, squared, block: 5));
        Assert.Equal(answers, FrechetRule.Answers(p * Rows.Normal(50, 1, 3).exp(), squared));
        Assert.Equal(answers, FrechetRule.Answers(p, squared * 7));
        Assert.Equal(answers, FrechetRule.Answers(p, squared + 5)); // the same for every label
        // one sure class is its own answer
        Assert.Equal([3, 8, 1, 16], FrechetRule.Answers(eye(4, dtype: ScalarType.Float64), squared));
        // the first of as many, across blocks, too
        Assert.Equal([1], FrechetRule.Answers(ones(1, 2, dtype: ScalarType.Float64), tensor(new double[] { 4, 1, 1, 9, 4, 1, 1, 9 }, [2, 4]), block: 2));
    }

    [Fact]
    public void With_zeros_and_ones_for_distances_the_likeliest_class_is_answered()
    {
        using var scope = NewDisposeScope();
        var p = Probabilities(40, 5);
        Assert.Equal(p.argmax(1).data<long>().ToArray().Select(a => (int)a), FrechetRule.Answers(p, 1 - eye(5, dtype: ScalarType.Float64)));
    }

    [Theory, InlineData(3), InlineData(10)] // closed form: with the ends of a path the answer is the nearest whole number to the mean
    public void Between_the_ends_of_a_path_the_nearest_step_to_the_mean_is_answered(int last)
    {
        using var scope = NewDisposeScope();
        using var path = Path(last);
        double[] weights = [.. Enumerable.Range(0, 60).Select(i => (i + 0.317) / 60)];
        var p = tensor(weights.SelectMany(w => new[] { 1 - w, w }).ToArray(), [60, 2]);
        Assert.Equal(weights.Select(w => (int)Math.Round(w * last)), FrechetRule.Answers(p, From(path, 0, last)));
    }

    [Fact] // brute force: a grid of probabilities with steps of 1/24
    public void The_locus_of_a_tree_is_what_some_probabilities_reach()
    {
        using var scope = NewDisposeScope();
        for (ulong seed = 0; seed < 12; seed++)
        {
            using var tree = Tree(9, seed);
            int[] observed = [0, 4, 7];
            var grid = new List<double>();
            for (int a = 0; a <= 24; a++)
                for (int b = 0; a + b <= 24; b++)
                    grid.AddRange([a, b, 24 - a - b]);
            int[] reached = [.. FrechetRule.Answers(tensor(grid.ToArray(), [grid.Count / 3, 3]), From(tree, observed)).Distinct().Order()];
            Assert.Equal(reached, tree.Locus(observed));
            Assert.Empty(tree.Sampled(observed, 300, new SeededRandom(seed, "p")).Except(reached));
            int[] leaves = [.. Enumerable.Range(0, 9).Where(v => Enumerable.Range(0, 9).Count(u => tree[u, v] == 1) == 1)];
            Assert.Equal(9, tree.Locus(leaves).Length); // and without one of them its label is out of reach
            Assert.All(leaves, leaf => Assert.DoesNotContain(leaf, tree.Locus([.. leaves.Where(l => l != leaf)])));
        }
    }

    [Fact]
    public void Loci_of_complete_graphs_are_bare_and_opposite_corners_cover_a_grid()
    {
        using var complete = LabelMetric.OfEdges(5, from i in Enumerable.Range(0, 5) from j in Enumerable.Range(0, i) select (i, j));
        Assert.Equal([1, 3], complete.Locus([3, 1]));
        Assert.Equal([1, 3], complete.Sampled([3, 1], 200, new SeededRandom(1, "p")));
        int At(int row, int column) => row * 4 + column;
        using var grid = LabelMetric.OfEdges(12, (from r in Enumerable.Range(0, 3) from c in Enumerable.Range(0, 3) select (At(r, c), At(r, c + 1))).Concat(from r in Enumerable.Range(0, 2) from c in Enumerable.Range(0, 4) select (At(r, c), At(r + 1, c))));
        Assert.Equal(12, grid.Locus([At(0, 0), At(2, 3)]).Length);
        Assert.Equal(13, grid[At(0, 0), At(2, 3)] - 12); // five steps, squared
    }

    [Fact] // no other single label adds more
    public void The_next_class_adds_most_to_the_locus_of_a_tree()
    {
        for (ulong seed = 0; seed < 10; seed++)
        {
            using var tree = Tree(14, seed);
            var observed = new List<int> { (int)seed };
            while (tree.Next(observed) is { } next)
            {
                int most = Enumerable.Range(0, 14).Max(v => tree.Locus([.. observed, v]).Length);
                observed.Add(next);
                Assert.Equal(most, tree.Locus(observed).Length);
            }
            Assert.Equal(14, tree.Locus(observed).Length);
        }
    }

    [Fact] // exact posteriors of two bits of evidence: no rule has less expected squared distance
    public void With_true_posteriors_the_mean_squared_distance_is_no_more_than_of_the_likeliest()
    {
        using var scope = NewDisposeScope();
        using var tree = Tree(12, 4);
        var p = Probabilities(3000, 12, 8);
        var random = new SeededRandom(2, "truth");
        double[] all = Rows.Values(p);
        int[] truth = [.. Enumerable.Range(0, 3000).Select(i =>
        {
            double at = random.NextDouble();
            return Enumerable.Range(0, 12).FirstOrDefault(c => (at -= all[i * 12 + c]) < 0, 11);
        })];
        double Distance(IEnumerable<int> answers) => answers.Zip(truth, (a, y) => tree[a, y]).Average();
        double rule = Distance(FrechetRule.Answers(p, tree.Squared)), likeliest = Distance(p.argmax(1).data<long>().ToArray().Select(a => (int)a));
        Assert.True(rule < likeliest);
    }

    [Fact] // finite differences of ⟨g, −P D²⟩, and of a softened answer where labels are the observed ones
    public void Gradients_through_the_rule_are_those_of_relaxed_losses()
    {
        using var scope = NewDisposeScope();
        using var tree = Tree(7, 3);
        var (p, squared, g) = (Probabilities(2, 3), From(tree, 0, 2, 5), Rows.Normal(2, 7, 6));
        var gradient = FrechetRule.Backward(p, squared, g);
        double Linear(Tensor at) => (-(at.mm(squared)) * g).sum().item<double>();
        for (int i = 0; i < 6; i++)
        {
            var (up, down) = (p.clone(), p.clone());
            up[i / 3, i % 3] += 1e-4;
            down[i / 3, i % 3] -= 1e-4;
            Assert.Equal((Linear(up) - Linear(down)) / 2e-4, gradient[i / 3, i % 3].item<double>(), 1e-6);
        }
        // the sign of the released form: with P for utilities a softened answer gets better against it
        var (q, h) = (Probabilities(1, 4), Rows.Normal(1, 4, 9));
        double Soft(Tensor at) => ((at / 0.3).softmax(1) * h).sum().item<double>();
        var released = FrechetRule.Backward(q, 1 - eye(4, dtype: ScalarType.Float64), h, released: true);
        Assert.Equal(Rows.Values(h), Rows.Values(released));
        double along = 0;
        for (int i = 0; i < 4; i++)
        {
            var (up, down) = (q.clone(), q.clone());
            up[0, i] += 1e-4;
            down[0, i] -= 1e-4;
            along += (Soft(up) - Soft(down)) / 2e-4 * released[0, i].item<double>();
        }
        Assert.True(along > 0);
    }

    [Fact]
    public void The_surrogate_moves_within_the_simplex_and_makes_the_loss_smaller_and_points_are_projected()
    {
        using var scope = NewDisposeScope();
        var x = Rows.Normal(20, 6, 4) * 2;
        double[] near = Rows.Values(FrechetRule.OnSimplex(x)), far = Rows.Values(x);
        var random = new SeededRandom(1, "others");
        for (int i = 0; i < 20; i++)
        {
            double[] own = near[(i * 6)..(i * 6 + 6)];
            Assert.Equal(1, own.Sum(), 1e-12);
            Assert.All(own, v => Assert.True(v >= 0));
            for (int t = 0; t < 50; t++) // (x − Πx)ᵀ(y − Πx) ≤ 0 for all y of the simplex
            {
                double[] y = [.. Enumerable.Range(0, 6).Select(_ => -Math.Log(1 - random.NextDouble()))];
                Assert.True(Enumerable.Range(0, 6).Sum(c => (far[i * 6 + c] - own[c]) * (y[c] / y.Sum() - own[c])) <= 1e-12);
            }
        }
        var (p, g) = (Probabilities(9, 5), Rows.Normal(9, 5, 7));
        var moved = FrechetRule.Backward(p, 1 - eye(5, dtype: ScalarType.Float64), g, polytope: true, released: true);
        Rows.Close(zeros(9, dtype: ScalarType.Float64), moved.sum(1), 1e-12);
        Assert.True(((moved * g).sum(1) >= moved.square().sum(1) / 0.01 - 1e-12).all().item<bool>());
        Rows.Close(moved / 0.01 * -1, FrechetRule.Backward(p, 1 - eye(5, dtype: ScalarType.Float64), g, polytope: true).mm(linalg.inv(1 - eye(5, dtype: ScalarType.Float64))), 1e-9);
    }

    [Theory, InlineData(false), InlineData(true)] // labels of a path, logits of its ends
    public void Steps_against_the_gradient_bring_answers_to_the_truth(bool polytope)
    {
        using var scope = NewDisposeScope();
        using var path = Path(6);
        int[] truth = [0, 1, 3, 4, 6];
        var squared = From(path, 0, 6);
        var logits = Rows.Normal(5, 2, 3);
        double Distance(int[] answers) => answers.Zip(truth, (a, y) => path[a, y]).Average();
        double before = Distance(FrechetRule.Answers(logits.softmax(1), squared)), least = before;
        var g = From(path, truth); // the loss Σ_v z_v d²(v, y)
        for (int step = 0; step < 2000; step++)
        {
            using var own = NewDisposeScope();
            var p = logits.softmax(1);
            int[] answers = FrechetRule.Answers(p, squared);
            least = Math.Min(least, Distance(answers));
            // straight-through as a perceptron moves: the answer against the truth; the surrogate with the loss itself
            var z = zeros(5, 7, dtype: ScalarType.Float64);
            for (int i = 0; i < 5; i++)
            {
                z[i, answers[i]] += 1;
                z[i, truth[i]] -= 1;
            }
            var toP = FrechetRule.Backward(p, squared, polytope ? g : z, polytope);
            var toLogits = p * (toP - (toP * p).sum(1, keepdim: true));
            logits.sub_(toLogits * 1e-3);
        }
        Assert.True(before > 0);
        Assert.Equal(0, least);
    }

    [Fact]
    public void Classes_without_rows_are_answered_between_those_with_rows()
    {
        using var scope = NewDisposeScope();
        // five classes along a line, of which the ends have rows
        using var path = Path(4);
        var train = new TrainingRows(tensor(Enumerable.Range(0, 40).Select(i => (i % 2 == 0 ? 0.0 : 4) + 0.4 * Math.Sin(i)).ToArray(), [40, 1]), [.. Enumerable.Range(0, 40).Select(i => i % 2 == 0 ? 0 : 4)], 5) { Distances = path.Squared };
        using var fitted = ((IClassifier)Arena.Build("loki", new() { ["c"] = 0.05 })).Fit(train, TestContext.Current.CancellationToken);
        var asked = tensor(new double[] { -1, 2, 5 }, [3, 1]);
        Assert.Equal([0L, 2, 4], fitted.Scores(asked).argmax(1).data<long>().ToArray());
        Assert.Equal(5, fitted.Report["locus"]);
        // sharper probabilities are the likeliest class again; soft ones the middle
        using var sharp = ((IClassifier)Arena.Build("loki", new() { ["c"] = 0.05, ["temperature"] = 0.001 })).Fit(train, TestContext.Current.CancellationToken);
        Assert.Equal([0L, 0, 4, 4], sharp.Scores(tensor(new double[] { -1, 1, 3, 5 }, [4, 1])).argmax(1).data<long>().ToArray());
        using var soft = ((IClassifier)Arena.Build("loki", new() { ["c"] = 0.05, ["temperature"] = 1000 })).Fit(train, TestContext.Current.CancellationToken);
        Assert.Equal([2L, 2, 2], soft.Scores(asked).argmax(1).data<long>().ToArray());
    }

    [Theory, InlineData("logistic-regression"), InlineData("nearest-neighbours"), InlineData("random-forest")]
    public void Two_fits_are_equal_leave_no_tensor_and_stop_when_cancelled(string model)
    {
        using var scope = NewDisposeScope();
        using var problem = UnseenClassesTask.Made(new() { Classes = 20, Rows = 6, Test = 10, Seen = 6 }, p => new SeededRandom(1, p));
        double[] Scores()
        {
            using var own = NewDisposeScope();
            using var fitted = ((IClassifier)Arena.Build("loki", new() { ["base"] = model, ["temperature"] = 0 }, 3)).Fit(problem.Train, TestContext.Current.CancellationToken);
            return Rows.Values(fitted.Scores(problem.X));
        }
        double[] first = Scores();
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Assert.Equal(first, Scores());
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.All(first, s => Assert.True(double.IsFinite(s) && s <= 0));
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => ((IClassifier)Arena.Build("loki", new() { ["base"] = model })).Fit(problem.Train, stop.Token));
    }

    [Fact]
    public void Metrics_that_are_none_and_scores_that_are_no_probabilities_are_refused()
    {
        using var scope = NewDisposeScope();
        string Refused(Func<object> action) => Assert.Throws<InputException>(action).Message;
        LabelMetric Squares(params double[] d) => LabelMetric.Of(tensor(d, [2, 2]));
        Assert.Contains("the same both ways", Refused(() => Squares(0, 1, 2, 0)));
        Assert.Contains("from label 1 to 0", Refused(() => Squares(0, -1, -1, 0)));
        Assert.Contains("itself", Refused(() => Squares(0, 1, 1, 3)));
        Assert.Contains("finite", Refused(() => Squares(0, double.PositiveInfinity, double.PositiveInfinity, 0)));
        Assert.Contains("2 labels with 'a', and 'c' in another", Refused(() => LabelMetric.OfEdges(4, [(0, 1), (2, 3)], ["a", "b", "c", "d"])));
        Assert.Contains("labels from 0 to 1", Refused(() => LabelMetric.OfEdges(2, [(0, 2)])));
        using var path = Path(2);
        Assert.Contains("none", Refused(() => path.Locus([])));
        Assert.Contains("found 3", Refused(() => path.Locus([0, 3])));
        var squared = From(path, 0, 2);
        Assert.Contains("none below 0", Refused(() => FrechetRule.Answers(tensor(new double[] { 1, -0.5 }, [1, 2]), squared)));
        Assert.Contains("column 1", Refused(() => FrechetRule.Answers(tensor(new[] { 1, double.NaN }, [1, 2]), squared)));
        Assert.Contains("a score for each row", Refused(() => FrechetRule.Answers(ones(1, 3, dtype: ScalarType.Float64), squared)));
        Assert.Throws<ArgumentException>(() => FrechetRule.Backward(ones(1, 2, dtype: ScalarType.Float64), squared, ones(1, 3, dtype: ScalarType.Float64), released: true));
        var loki = (IClassifier)Arena.Build("loki");
        Assert.Contains("no distances", Refused(() => loki.Fit(Rows.Clusters(6, 2, 3), TestContext.Current.CancellationToken)));
        var rows = Rows.Clusters(6, 2, 2);
        Assert.Contains("3 labels", Refused(() => loki.Fit(new(rows.X, rows.Labels, 2) { Distances = path.Squared }, TestContext.Current.CancellationToken)));
    }

    [Fact]
    public void Vectors_of_labels_are_squared_once()
    {
        using var scope = NewDisposeScope();
        var v = tensor(new double[] { 0, 0, 3, 4, 0, 2 }, [3, 2]);
        using var euclidean = LabelMetric.OfVectors(v);
        using var cosine = LabelMetric.OfVectors(v + 1, cosine: true);
        Assert.Equal((25, 4, 13), (euclidean[0, 1], euclidean[0, 2], euclidean[1, 2]), (x, y) => Math.Abs(x.Item1 - y.Item1) + Math.Abs(x.Item2 - y.Item2) + Math.Abs(x.Item3 - y.Item3) < 1e-9);
        Assert.Equal(Math.Pow(1 - 9 / Math.Sqrt(2 * 41), 2), cosine[0, 1], 1e-12);
    }

    [Fact]
    public void Every_method_of_the_tasks_reports_every_metric()
    {
        foreach (var (task, given) in ((string, JsonObject)[])[("unseen-classes", new() { ["classes"] = 12, ["seen"] = 4, ["rows"] = 6, ["test"] = 30, ["features"] = 4 }), ("next-class", new() { ["trees"] = 2, ["classes"] = 12 })])
        {
            var card = Arena.Task(task);
            object options = card.Options.Bind(given, "task");
            var data = Arena.Inspect(null, card, options, new(), TestContext.Current.CancellationToken);
            Assert.Contains(Arena.DefaultMethods(card), m => m.Id == "loki");
            foreach (var method in Arena.DefaultMethods(card))
            {
                var events = new List<TrialEvent>();
                var metrics = Arena.Run(new(Arena.Id, task, card.Options.Canonical(options), method.Id, method.Options.Canonical(method.Options.Bind([], method.Id)), 1, data.Reference, "code", 1), new(1, _folder, events.Add, TestContext.Current.CancellationToken)).Metrics;
                Assert.All(card.Metrics!, m => Assert.True(double.IsFinite(metrics[m.Name]), m.Name));
                Assert.Contains(events, e => e is MetricEvent { Name: "away" or "locus" });
            }
        }
    }

    [Fact]
    public void A_users_rows_and_hierarchy_are_compared_and_files_that_do_not_fit_refused()
    {
        string rows = System.IO.Path.Combine(_folder, "rows.csv"), edges = System.IO.Path.Combine(_folder, "edges.csv");
        string[] names = ["cat", "dog", "oak", "elm"];
        File.WriteAllText(rows, "a,b,kind\n" + string.Concat(Enumerable.Range(0, 80).Select(i => FormattableString.Invariant($"{i % 4 * 3 + Math.Sin(i)},{Math.Cos(i)},{names[i % 4]}\n"))));
        File.WriteAllText(edges, "parent,child\nliving,animal\nliving,tree\nanimal,cat\nanimal,dog\ntree,oak\ntree,elm\n");
        var card = Arena.Task("unseen-classes");
        IReadOnlyDictionary<string, double> Run(string task, string source, JsonObject given, string method = "loki")
        {
            var of = Arena.Task(task);
            object options = of.Options.Bind(given, "task");
            var data = Arena.Inspect(source, of, options, new(), TestContext.Current.CancellationToken);
            return Arena.Run(new(Arena.Id, task, of.Options.Canonical(options), method, Arena.Method(method).Options.Canonical(Arena.Method(method).Options.Bind([], method)), 1, data.Reference, "code", 1), new(1, _folder, _ => { }, TestContext.Current.CancellationToken)).Metrics;
        }
        Assert.InRange(Run("unseen-classes", rows, new() { ["hierarchy"] = edges, ["seen"] = 3 })["squared_distance"], 0, 16);
        Assert.InRange(Run("unseen-classes", rows, new() { ["seen"] = 4 })["accuracy"], 0.8, 1);
        Assert.InRange(Run("next-class", edges, [])["picks"], 1, 6);
        string Refused(string text, string? source = null, string? given = null)
        {
            File.WriteAllText(edges, text);
            return Assert.Throws<InputException>(() => Arena.Inspect(source ?? rows, card, new UnseenClassesOptions { Hierarchy = given ?? edges }, new(), TestContext.Current.CancellationToken)).Message;
        }
        Assert.Contains("no edge of 'elm'", Refused("living,cat\nliving,dog\nliving,oak\n"));
        Assert.Contains("line 2: found 3 fields", Refused("living,cat\nliving,dog,1\n"));
        Assert.Contains("joined with itself", Refused("cat,cat\n"));
        Assert.Contains("line 2: found the edge of 'cat' and 'living' again", Refused("living\tcat\ncat\tliving\n"));
        Assert.Contains("an empty name", Refused("living,\n"));
        Assert.Contains("no edge", Refused("parent,child\n"));
        Assert.Contains("an empty file", Refused(""));
        Assert.Contains("nothing", Refused("x,y\n", given: System.IO.Path.Combine(_folder, "none.csv")));
        Assert.Contains("a folder", Refused("x,y\n", given: _folder));
        Assert.Contains("not CSV", Refused("\"living,cat\n"));
        Assert.Contains("without data", Assert.Throws<InputException>(() => Arena.Inspect(null, card, new UnseenClassesOptions { Hierarchy = edges }, new(), TestContext.Current.CancellationToken)).Message);
        // two trees
        File.WriteAllText(edges, "animal,cat\nanimal,dog\ntree,oak\ntree,elm\n");
        Assert.Contains("in another", Assert.Throws<InputException>(() => Run("unseen-classes", rows, new() { ["hierarchy"] = edges })).Message);
        Assert.Contains("at most 4", Assert.Throws<InputException>(() => Run("unseen-classes", rows, new() { ["seen"] = 5 })).Message);
        // a random tree has all its nodes and one edge fewer
        for (int n = 2; n < 30; n++)
            using (var tree = Tree(n, (ulong)n))
                Assert.Equal(n, RandomTree.FromRoot(n, RandomTree.Edges(n, new SeededRandom((ulong)n, "tree"))).Count() + 1);
    }

    // eight classes on a path, whose rows overlap, and a logistic regression that is held to small weights; temperature 1, at which the middle is answered too often
    [Theory, InlineData("straight-through"), InlineData("polytope")]
    public void A_linear_network_trained_through_the_rule_answers_nearer_also_of_other_rows(string gradient)
    {
        using var scope = NewDisposeScope();
        using var path = Path(7);
        TrainingRows Made(ulong seed)
        {
            int[] labels = [.. Enumerable.Range(0, 240).Select(i => i % 8)];
            var angle = tensor(labels.Select(l => l * 0.4).ToArray());
            return new(stack([angle.cos(), angle.sin(), angle * 0], 1) + 0.15 * Rows.Normal(240, 3, seed), labels, 8) { Distances = path.Squared };
        }
        var (rows, test) = (Made(1), Made(2));
        double Distance(LokiOptions options, out IReadOnlyDictionary<string, double> report)
        {
            var setup = new KernelSetup(purpose => new SeededRandom(1, purpose));
            using var fitted = new Loki(setup, options).Fit(rows, TestContext.Current.CancellationToken);
            report = fitted.Report;
            return fitted.Scores(test.X).argmax(1).data<long>().ToArray().Zip(test.Labels).Average(p => Math.Pow(p.First - p.Second, 2));
        }
        var plain = new LokiOptions { C = 0.01 };
        double before = Distance(plain, out _), after = Distance(plain with { FineTuning = gradient, LearningRate = 0.05 }, out var report);
        Assert.True(after < 0.8 * before, $"{before} {after}");
        Assert.True(report["distance_after"] < 0.8 * report["distance_before"]);
        Rows.LeaveNothing(() => Distance(plain with { FineTuning = gradient, Steps = 3 }, out _));
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => new Loki(new(purpose => new SeededRandom(1, purpose)), plain with { FineTuning = gradient }).Fit(rows, stop.Token));
    }
}
