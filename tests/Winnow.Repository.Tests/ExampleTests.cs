using System.Text.RegularExpressions;

namespace Winnow.Repository.Tests;

/// <summary>Every example runs as its first line says.</summary>
[Collection("builds")]
public sealed partial class ExampleTests
{
    [Fact]
    public async Task Keep_and_predict_trains_keeps_loads_and_is_right_nine_times_in_ten()
    {
        string output = await RunAsync("keep-and-predict");
        Assert.InRange(int.Parse(RightOf1000().Match(output).Groups[1].ValueSpan, System.Globalization.CultureInfo.InvariantCulture), 900, 1000);
    }

    [Fact]
    public async Task Replay_in_five_lines_remembers_every_pair_of_digits()
    {
        var percentages = Percent().Matches(await RunAsync("replay-in-five-lines")).Select(m => int.Parse(m.Groups[1].ValueSpan, System.Globalization.CultureInfo.InvariantCulture)).ToArray();
        Assert.Equal(5, percentages.Length);
        Assert.All(percentages, p => Assert.InRange(p, 60, 100));
    }

    [Fact]
    public async Task Invoice_stream_meets_ten_classes_and_files_a_line_it_was_asked_about()
    {
        string output = (await Terminal.DotnetAsync(Repository.Root, ["run", "-c", Repository.Configuration, "examples/invoice-stream.cs", "1500"])).OrFail();
        Assert.Contains("is filed under repairs", output, StringComparison.Ordinal);
        Assert.Contains("1500 updates", output, StringComparison.Ordinal);
        Assert.Contains("10 classes", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Solve_many_systems_writes_every_pair_once_and_then_has_nothing_to_do()
    {
        using var folder = new TemporaryFolder();
        string[] run = ["run", "-c", Repository.Configuration, "examples/solve-many-systems.cs", "40", folder.Path];
        string output = (await Terminal.DotnetAsync(Repository.Root, run)).OrFail();
        Assert.Contains("recycled, ordered", output, StringComparison.Ordinal);
        Assert.Contains("40 pairs written, 40 of 40 stored", output, StringComparison.Ordinal);
        Assert.Contains("0 pairs written, 40 of 40 stored", (await Terminal.DotnetAsync(Repository.Root, run)).OrFail(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Multiply_sparse_names_its_kernels_for_a_file_and_for_a_random_graph()
    {
        using var folder = new TemporaryFolder();
        folder.Write("a.mtx", "%%MatrixMarket matrix coordinate real general\n2 3 3\n1 1 2\n1 3 1\n2 3 4\n");
        string file = (await Terminal.DotnetAsync(Repository.Root, ["run", "-c", Repository.Configuration, "examples/multiply-sparse.cs", folder["a.mtx"]])).OrFail();
        Assert.Contains("2 x 3, 3 entries: A·Aᵀ has 4, of 5 multiplications", file, StringComparison.Ordinal);
        string graph = (await Terminal.DotnetAsync(Repository.Root, ["run", "-c", Repository.Configuration, "examples/multiply-sparse.cs"])).OrFail();
        Assert.Contains("4,096 x 4,096", graph, StringComparison.Ordinal);
        Assert.Contains("Dense: ", graph, StringComparison.Ordinal);
        Assert.Contains("symmetric: True", graph, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Halve_the_kv_cache_says_what_policies_hold()
    {
        string output = await RunAsync("halve-the-kv-cache");
        Assert.Contains("100 % of half precision; 32 of 32", output, StringComparison.Ordinal);
        Assert.Matches(@"windowkv\+q8_0 +[\d,]+ bytes, +1\d %", output);
    }

    [Fact]
    public async Task Classify_from_a_csv_names_the_rows_it_doubts()
    {
        using var folder = new TemporaryFolder();
        folder.Write("kinds.csv", "length,width,kind\n" + string.Concat(Enumerable.Range(0, 60).Select(i => $"{i % 3 + i * 0.01},{i % 3 * 2},{"abc"[i % 3]}\n")));
        string output = (await Terminal.DotnetAsync(Repository.Root, ["run", "-c", Repository.Configuration, "examples/classify-from-a-csv.cs", folder["kinds.csv"], "kind"])).OrFail();
        Assert.Contains("60 rows, 2 features, 3 classes", output, StringComparison.Ordinal);
        Assert.Matches(@"rbf kernel +(9\d|100)\.\d % of 20 right", output);
        Assert.Matches(@"row +\d+: [abc] or [abc]\? It is [abc]\.", output);
    }

    [Fact]
    public async Task Gp_with_uncertainty_is_less_sure_where_nothing_was_measured()
    {
        string output = await RunAsync("gp-with-uncertainty");
        double Half(string at) => double.Parse(Regex.Match(output, $@"{Regex.Escape(at)}: +-?[\d.]+ ± +([\d.]+)").Groups[1].ValueSpan, System.Globalization.CultureInfo.InvariantCulture);
        Assert.True(Half("4.85") > 4 * Half("1.62"), output);
    }

    [Fact]
    public async Task Cluster_a_graph_finds_the_circles_it_made()
    {
        string output = await RunAsync("cluster-a-graph");
        Assert.Contains("group 2: B1, B2, B3, B4, B5, B6, B7, B8, B9, B10, B11, B12", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Quantum_kernel_separates_what_a_circuit_made_and_rbf_does_not()
    {
        string output = await RunAsync("quantum-kernel");
        Assert.Matches(@"rbf +[3-6]\d % of 200", output);
        Assert.Matches(@"quantum, exact +(9\d|100) % of 200", output);
    }

    [Fact]
    public async Task Load_a_hugging_face_folder_reads_what_it_saved()
    {
        string output = await RunAsync("load-a-hugging-face-folder");
        Assert.Contains("508,800 parameters", output, StringComparison.Ordinal);
        Assert.Matches("logits differ by [0-2].\\d %", output);
    }

    [Fact]
    public async Task Chat_with_a_local_model_says_that_it_needs_one()
    {
        var printed = await Terminal.DotnetAsync(Repository.Root, ["run", "-c", Repository.Configuration, "examples/chat-with-a-local-model.cs"]);
        Assert.Equal(2, printed.Code);
        Assert.Contains("Give a model", printed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fit_a_huge_vocabulary_learns_under_a_limit_that_logits_break()
    {
        string output = (await Terminal.DotnetAsync(Repository.Root, ["run", "-c", Repository.Configuration, "examples/fit-a-huge-vocabulary.cs", "12"])).OrFail();
        Assert.Contains("the dense loss: 268,435,456 bytes of scratch memory wanted", output, StringComparison.Ordinal);
        var (first, last, megabytes) = Fall().Match(output) is { Success: true } m ? (Number(m, 1), Number(m, 2), Number(m, 3)) : default;
        Assert.InRange(first, 10.2, 10.8); // ln 32768 = 10.4
        Assert.InRange(last, 0, first - 1);
        Assert.InRange(megabytes, 1, 40);

        static double Number(Match match, int group) => double.Parse(match.Groups[group].ValueSpan, System.Globalization.CultureInfo.InvariantCulture);
    }

    [Fact]
    public void Every_example_is_run_by_a_test_and_says_how_to_run_it()
    {
        string[] examples = [.. Repository.FilesWith(".cs").Where(f => f.StartsWith("examples/", StringComparison.Ordinal))];
        Assert.Equal(["examples/chat-with-a-local-model.cs", "examples/classify-from-a-csv.cs", "examples/cluster-a-graph.cs", "examples/fit-a-huge-vocabulary.cs", "examples/gp-with-uncertainty.cs", "examples/halve-the-kv-cache.cs", "examples/invoice-stream.cs", "examples/keep-and-predict.cs", "examples/load-a-hugging-face-folder.cs", "examples/multiply-sparse.cs", "examples/quantum-kernel.cs", "examples/replay-in-five-lines.cs", "examples/solve-many-systems.cs"], examples);
        Assert.All(examples, e => Assert.Contains($"dotnet run -c Release {e}", File.ReadLines(Repository.FullPath(e)).First()));
    }

    /// <summary>In the configuration of these tests, so that what is built already is not built again.</summary>
    private static async Task<string> RunAsync(string example) =>
        (await Terminal.DotnetAsync(Repository.Root, ["run", "-c", Repository.Configuration, $"examples/{example}.cs"])).OrFail();

    [GeneratedRegex(@"(\d+) of 1000 right")]
    private static partial Regex RightOf1000();

    [GeneratedRegex(@"fell from ([\d.]+) to ([\d.]+); it took ([\d.]+) MB")]
    private static partial Regex Fall();

    [GeneratedRegex(@"(\d+) %")]
    private static partial Regex Percent();
}
