using System.Text.Json.Nodes;
using TorchSharp;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class Pcd2VecTests : IDisposable
{
    private static readonly KernelMethodsArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-sequences").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string> Methods => [.. Arena.Methods.Where(m => m.Needs.Contains("sequences")).Select(m => m.Id)];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static Tensor Random(int n, int sites, double gaps = 0, ulong seed = 1)
    {
        var random = new SeededRandom(seed, "sequences");
        return tensor([.. Enumerable.Range(0, n * sites).Select(_ => random.NextDouble() < gaps ? -1.0 : random.Next(4))], [n, sites]);
    }

    private static Problem Made(double within = 0.4, double gaps = 0.1) => SequenceProblem.Of(new SequenceOptions { Members = 8, Families = 3, Sites = 40, Within = within, Gaps = gaps }, p => new SeededRandom(5, p));

    [Theory, InlineData(7, 0.3), InlineData(64, 0.0), InlineData(9000, 0.2)] // the last beyond what a byte counts
    public void Distances_are_those_of_a_double_loop(int sites, double gaps)
    {
        using var scope = NewDisposeScope();
        var (x, y) = (Random(5, sites, gaps), Random(4, sites, gaps, 2));
        double[] a = Rows.Values(x), b = Rows.Values(y);
        foreach (bool symbols in (bool[])[false, true])
        {
            double[] p = Rows.Values(Sequences.Proportions(x, y, symbols)), d = Rows.Values(Sequences.Poisson(x, y, symbols)), shared = Rows.Values(new SharedSites().Gram(x, y));
            for (int i = 0; i < 5; i++)
                for (int j = 0; j < 4; j++)
                {
                    int[] counted = [.. Enumerable.Range(0, sites).Where(s => symbols || a[i * sites + s] >= 0 && b[j * sites + s] >= 0)];
                    double share = counted.Average(s => a[i * sites + s] != b[j * sites + s] ? 1.0 : 0);
                    Assert.Equal(share, p[i * 4 + j], 1e-15);
                    Assert.Equal(-Math.Log(1 - Math.Min(share, 1 - 0.5 / counted.Length)), d[i * 4 + j], 1e-12);
                    Assert.Equal(Enumerable.Range(0, sites).Count(s => a[i * sites + s] >= 0 && a[i * sites + s] == b[j * sites + s]), shared[i * 4 + j]);
                }
        }
        var own = Sequences.Poisson(x, x);
        Rows.Close(own.t(), own, 0);
        Rows.Close(zeros(5, dtype: ScalarType.Float64), own.diagonal(), 0);
    }

    [Fact] // p = 1 − 1/e at 1,000 sites to rounding; the kernels of it by hand; and the triangle that d breaks
    public void The_correction_and_its_kernels_are_those_of_their_definitions()
    {
        using var scope = NewDisposeScope();
        var x = zeros(2, 1000, dtype: ScalarType.Float64);
        x[1].narrow(0, 0, 632).fill_(1);
        Assert.Equal(1, Sequences.Poisson(x, x)[0, 1].item<double>(), 1e-3);
        double p = 0.632, d = -Math.Log(1 - p);
        double Of(SubstitutionKernel kernel) => kernel.Gram(x, x)[0, 1].item<double>();
        Assert.Equal(Math.Exp(-d * d / (2 * 0.7 * 0.7)), Of(new("rbf", 0.7)), 1e-12);
        Assert.Equal(Math.Exp(-d / 0.7), Of(new("exponential", 0.7)), 1e-12);
        Assert.Equal(Math.Pow(1 - p, 3), Of(new("power", 3)), 1e-12);
        Assert.Equal(Math.Exp(-p / 0.7), Of(new("exponential", 0.7, poisson: false)), 1e-12);
        Assert.Equal(Of(new("power", 2)), Of(new("exponential", 0.5)), 1e-12); // the same but at p of 1
        Rows.Close(ones(2, 2, dtype: ScalarType.Float64), new SubstitutionKernel("rbf", 1e9).Gram(x, x), 1e-12);
        Rows.Close(eye(2, dtype: ScalarType.Float64), new SubstitutionKernel("rbf", 1e-3).Gram(x, x), 1e-12);
        var triangle = Sequences.Codes([new string('A', 100), new string('A', 50) + new string('C', 50), new string('C', 100)]);
        var away = Sequences.Poisson(triangle, triangle);
        Assert.True(away[0, 2].item<double>() > away[0, 1].item<double>() + away[1, 2].item<double>());
    }

    [Fact] // a product of counts of shared sites has no negative eigenvalue
    public void Whole_powers_are_positive_and_ones_and_zeros_have_the_same_products()
    {
        using var scope = NewDisposeScope();
        var x = Random(30, 20);
        foreach (var kernel in (IKernel[])[new SubstitutionKernel("power", 1), new SubstitutionKernel("power", 3), new SubstitutionKernel("exponential", 0.3, poisson: false), new SpectrumKernel(), new SpectrumKernel(3, 1)])
            Assert.True(linalg.eigvalsh(kernel.Gram(x, x))[0].item<double>() > -1e-10);
        var gapped = Random(10, 12, 0.2);
        var hot = cat([.. Enumerable.Range(0, 4).Select(c => gapped.eq(c).to(ScalarType.Float64))], 1);
        Rows.Close(hot.mm(hot.t()), new SharedSites().Gram(gapped, gapped), 0);
        Rows.Close(hot.square().sum(1), new SharedSites().Diagonal(gapped), 0);
    }

    [Fact] // every word beside every other, one by one
    public void Word_kernels_count_what_a_naive_count_does()
    {
        using var scope = NewDisposeScope();
        string[] residues = ["ACDEACDE", "AC-DEWWW", "WWACDAAA", "A------C"];
        string[] bare = [.. residues.Select(r => r.Replace("-", "", StringComparison.Ordinal))];
        var x = Sequences.Codes(residues);
        string[] Words(string s, int k) => [.. Enumerable.Range(0, Math.Max(0, s.Length - k + 1)).Select(i => s.Substring(i, k))];
        string[] all = [.. from a in "ABCDEFGHIJKLMNOPQRSTUVWXYZ*" from b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ*" from c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ*" select $"{a}{b}{c}"];
        foreach (int mismatches in (int[])[0, 1])
        {
            double[][] counts = [.. bare.Select(s => Words(s, 3)).Select(words => all.Select(w => (double)words.Count(v => v.Zip(w).Count(p => p.First != p.Second) <= mismatches)).ToArray())];
            var gram = new SpectrumKernel(3, mismatches).Gram(x, x);
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 4; j++)
                {
                    double Dot(int a, int b) => counts[a].Zip(counts[b]).Sum(p => p.First * p.Second);
                    Assert.Equal(i == j ? 1 : i == 3 || j == 3 ? 0 : Dot(i, j) / Math.Sqrt(Dot(i, i) * Dot(j, j)), gram[i, j].item<double>(), 1e-12);
                }
        }
    }

    [Fact] // no substitution undone: a new residue each time. E[1 − p] = exp(−t); five deviations of 4,000 sites
    public void The_correction_is_linear_in_time_where_the_share_saturates()
    {
        using var scope = NewDisposeScope();
        var random = new SeededRandom(3, "time");
        int sites = 4000;
        double[] times = [.. Enumerable.Range(1, 9).Select(i => 0.1 * i)];
        double[] corrected = new double[9], plain = new double[9];
        for (int t = 0; t < 9; t++)
        {
            double[] after = [.. Enumerable.Range(0, sites).Select(s => random.NextDouble() < Math.Exp(-times[t]) ? 0 : 1.0)];
            var pair = cat([zeros(1, sites, dtype: ScalarType.Float64), tensor(after, [1, sites])]);
            (corrected[t], plain[t]) = (Sequences.Poisson(pair, pair)[0, 1].item<double>(), Sequences.Proportions(pair, pair)[0, 1].item<double>());
            Assert.Equal(times[t], corrected[t], 5 * Math.Sqrt((Math.Exp(times[t]) - 1) / sites));
        }
        double Fit(double[] d) => Math.Pow(times.Zip(d).Sum(p => (p.First - 0.5) * (p.Second - d.Average())), 2) / times.Sum(t => (t - 0.5) * (t - 0.5)) / d.Sum(v => Math.Pow(v - d.Average(), 2));
        Assert.True(Fit(corrected) > 0.98);
        Assert.True(Fit(corrected) > Fit(plain));
    }

    [Fact]
    public void Sequences_learned_from_lie_where_their_components_are_and_those_asked_for_do_not_move_them()
    {
        using var scope = NewDisposeScope();
        var problem = Made();
        var options = new Pcd2VecOptions { Components = 4, Classifier = "neighbours" };
        var setup = new KernelSetup(p => new SeededRandom(1, p));
        using var fitted = new Pcd2Vec(setup, options).Fit(problem.Train, Cancellation);
        Assert.Equal(4, fitted.Report["dimensions"]);
        var kernel = new Pcd2Vec(setup, options).Kernel(problem.Train.X, out double sigma);
        Assert.Equal(sigma, fitted.Report["scale"]);
        using var pca = KernelPca.Fit(kernel, problem.Train.X, 4, cancellation: Cancellation);
        using var neighbours = new NearestNeighbours(new NearestNeighboursOptions()).Fit(new TrainingRows(pca.Embedding, problem.Train.Labels, 3), Cancellation);
        Rows.Close(neighbours.Scores(pca.Transform(problem.X)), fitted.Scores(problem.X), 1e-9);
        // those asked for are part of the components only where that is said
        using var others = new Pcd2Vec(setup, options).Fit(new(problem.Train.X, problem.Train.Labels, 3) { Unlabelled = problem.X.narrow(0, 0, 1) }, Cancellation);
        Rows.Close(fitted.Scores(problem.X), others.Scores(problem.X), 0);
        using var together = new Pcd2Vec(setup, options with { Transductive = true }).Fit(problem.Train, Cancellation);
        Assert.NotEqual(fitted.Report["smallest"], together.Report["smallest"]);
        Assert.Contains("no sequences without labels", Assert.Throws<InputException>(() => new Pcd2Vec(setup, options with { Transductive = true }).Fit(new(problem.Train.X, problem.Train.Labels, 3), Cancellation)).Message);
        Assert.Contains("the rank", Assert.Throws<InputException>(() => new Pcd2Vec(setup, options with { Components = 999 }).Fit(problem.Train, Cancellation)).Message);
    }

    [Theory, MemberData(nameof(Methods))]
    public void Every_method_learns_clear_families_the_same_twice_leaves_nothing_and_stops(string method)
    {
        using var scope = NewDisposeScope();
        var problem = Made();
        double[] Scores()
        {
            using var inner = NewDisposeScope();
            using var fitted = ((IClassifier)Arena.Build(method, seed: 3)).Fit(problem.Train, Cancellation);
            double[] scores = Rows.Values(fitted.Scores(problem.X));
            Assert.All(scores.Take(3).Zip(Rows.Values(fitted.Scores(problem.X.narrow(0, 0, 1)))), p => Assert.Equal(p.First, p.Second, 1e-9));
            return scores;
        }
        double[] first = Scores();
        Assert.InRange(first.Chunk(3).Where((s, i) => Array.IndexOf(s, s.Max()) == problem.Labels[i]).Count(), problem.Labels.Length - 1, problem.Labels.Length);
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Assert.Equal(first, Scores());
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.ThrowsAny<OperationCanceledException>(() => ((IClassifier)Arena.Build(method)).Fit(problem.Train, new(true)));
    }

    [Fact]
    public void What_is_no_aligned_sequence_is_refused()
    {
        using var scope = NewDisposeScope();
        static string Refused(Action run) => Assert.Throws<InputException>(run).Message;
        Assert.Contains("number 0 of 2 residues and number 1 of 3", Refused(() => Sequences.Codes(["AC", "ACD"])));
        Assert.Contains("'7' at site 1 of number 0", Refused(() => Sequences.Codes(["A7"])));
        Assert.Contains("an empty one", Refused(() => Sequences.Codes([""])));
        var apart = Sequences.Codes(["A-", "-C", "AC"]);
        Assert.Contains("numbers 0 and 1 without a site", Refused(() => Sequences.Poisson(apart, apart)));
        Sequences.Poisson(apart, apart, gapsAreSymbols: true);
        var other = Sequences.Codes(["AA", "CC"]);
        Assert.Contains("numbers 0 and 1, which differ at every site", Refused(() => Sequences.Poisson(other, other, cap: false)));
        Assert.Equal(-Math.Log(0.25), Sequences.Poisson(other, other)[0, 1].item<double>(), 1e-12);
        Assert.Contains("0.5 in row 1, column 0", Refused(() => new SharedSites().Gram(tensor(new double[,] { { 0, 1 }, { 0.5, 1 } }), other)));
        Assert.Contains("3 and 2 sites", Refused(() => Sequences.Proportions(other, Sequences.Codes(["AAA"]))));
        Assert.Contains("within 4 mismatches of one", Refused(() => new SpectrumKernel(6, 4).Gram(other, other)));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SubstitutionKernel("other", 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SpectrumKernel(3, 3));
        using var fitted = ((IClassifier)Arena.Build("pcd2vec")).Fit(Made().Train, Cancellation);
        Assert.Contains("[n, 40]", Refused(() => fitted.Scores(other)));
    }

    [Fact]
    public void Every_method_of_the_task_reports_every_metric_on_made_sequences_and_on_a_users()
    {
        string file = Path.Combine(_folder, "some.fasta");
        var card = Arena.Task("sequences");
        var random = new SeededRandom(1, "file");
        File.WriteAllLines(file, Enumerable.Range(0, 40).SelectMany(i => (string[])[$">s{i}|{(i % 2 == 0 ? "cow" : "bird")}", string.Concat(Enumerable.Range(0, 30).Select(_ => random.NextDouble() < 0.3 ? "ACDEFGHI"[random.Next(8)] : i % 2 == 0 ? 'K' : 'R'))]));
        IReadOnlyDictionary<string, double> Run(string? source, MethodCard method, List<TrialEvent> events)
        {
            object options = card.Options.Bind(new JsonObject { ["members"] = 6, ["families"] = 3, ["within"] = 0.3 }, "task");
            var data = Arena.Inspect(source, card, options, new(), Cancellation);
            return Arena.Run(new(Arena.Id, "sequences", card.Options.Canonical(options), method.Id, method.Options.Canonical(method.Options.Bind([], method.Id)), 1, data.Reference, "code", 1), new(1, _folder, events.Add, Cancellation)).Metrics;
        }
        foreach (var method in Arena.DefaultMethods(card))
            foreach (string? source in (string?[])[null, file])
            {
                var events = new List<TrialEvent>();
                var metrics = Run(source, method, events);
                Assert.All(Arena.MetricsOf("sequences"), m => Assert.True(double.IsFinite(metrics[m.Name]), m.Name));
                Assert.InRange(metrics["accuracy"], 0.6, 1);
                Assert.Contains(events, e => e is MetricEvent { Name: "class/" + "bird" } || e is MetricEvent { Name: "class/family 1" });
            }
    }

    [Fact]
    public void A_users_file_that_cannot_be_learned_from_is_refused_before_any_trial()
    {
        string file = Path.Combine(_folder, "some.fasta");
        string Refused(string text)
        {
            File.WriteAllText(file, text);
            return Assert.Throws<InputException>(() => Arena.Inspect(file, Arena.Task("sequences"), new SequenceOptions(), new(), Cancellation)).Message;
        }
        Assert.Contains("line 3: found 'b' of 1 residues, but 'a' in line 1 of 2", Refused(">a|x\nAC\n>b|y\nA\n"));
        Assert.Contains("without a class", Refused(">a|x\nAC\n>b\nAC\n"));
        Assert.Contains("4 sequences of 1 classes", Refused(">a|x\nAC\n>b|x\nAC\n>c|x\nAC\n>d|x\nAD\n"));
        Assert.Contains("2 sequences of 2 classes", Refused(">a|x\nAC\n>b|y\nAC\n"));
    }

    [Fact] // by hand: of three classes one is never there and one never answered
    public void Scores_of_answers_alone_are_those_of_their_definitions()
    {
        var found = HardScores.Of([0, 0, 0, 1], [0, 0, 1, 1], 3);
        Assert.Equal(0.75, found["accuracy"], 12);
        Assert.Equal((0.8 + 2.0 / 3) / 2, found["macro_f1"], 12);
        Assert.Equal((0.8 + 2.0 / 3) / 2, found["weighted_f1"], 12);
        Assert.Equal((2.0 / 3 + 1) / 2, found["weighted_precision"], 12);
        Assert.Equal(0.75, found["auc"], 12);
    }

    [Theory, InlineData("naive-bayes"), InlineData("logistic-regression"), InlineData("tree")] // oracle: the classifier on the components alone
    public void Other_classifiers_answer_on_the_components(string classifier)
    {
        using var scope = NewDisposeScope();
        var problem = Made();
        var setup = new KernelSetup(p => new SeededRandom(1, p));
        var options = new Pcd2VecOptions { Components = 4, Classifier = classifier };
        using var fitted = new Pcd2Vec(setup, options).Fit(problem.Train, Cancellation);
        using var pca = KernelPca.Fit(new Pcd2Vec(setup, options).Kernel(problem.Train.X, out _), problem.Train.X, 4, cancellation: Cancellation);
        IClassifier alone = classifier switch { "naive-bayes" => new NearestMean(new() { Variances = "own" }), "tree" => new DecisionTree(setup, new()), _ => new LogisticRegression(setup, new()) };
        using var inner = alone.Fit(new TrainingRows(pca.Embedding, problem.Train.Labels, 3), Cancellation);
        Rows.Close(inner.Scores(pca.Transform(problem.X)), fitted.Scores(problem.X), 1e-9);
        if (classifier == "tree") // pure leaves know every row they grew from
            Assert.Equal(problem.Train.Labels, inner.Scores(pca.Embedding).argmax(1).data<long>().ToArray().Select(a => (int)a));
    }
}
