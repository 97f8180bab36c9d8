using System.Diagnostics;
using System.Globalization;
using Winnow.Data;

namespace Winnow.Cli.Tests;

public sealed class SolveTests : IDisposable
{
    private static readonly string[] Set = ["data", "solve", "--set", "task.systems=400", "--set", "task.side=24", "--shard", "16", "--first", "2", "--threads", "2"];
    private readonly WinnowProgram _winnow = new();

    public void Dispose() => _winnow.Dispose();

    private List<(int Index, double[] Field, double[] Solution)> Samples(string folder)
    {
        var samples = new List<(int, double[], double[])>();
        foreach (string path in Directory.GetFiles(_winnow[folder], "shard-*.safetensors"))
        {
            using var file = SafetensorsFile.Open(path);
            var index = new long[file["index"].Count];
            file.Read(file["index"], System.Runtime.InteropServices.MemoryMarshal.AsBytes(index.AsSpan()));
            double[][] both = [.. new[] { "field", "solution" }.Select(name =>
            {
                var values = new double[file[name].Count];
                file.Read(file[name], System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()));
                return values;
            })];
            samples.AddRange(index.Select((s, i) => ((int)s, both[0][(i * 576)..((i + 1) * 576)], both[1][(i * 576)..((i + 1) * 576)])));
        }
        return [.. samples.OrderBy(s => s.Item1)];
    }

    [Fact]
    public async Task A_data_set_whose_writer_is_killed_at_random_ends_with_every_sample_once()
    {
        var (code, output, error) = await _winnow.RunAsync([.. Set, "--out", "whole"]);
        Assert.True(code == 0, error);
        Assert.Contains("recycled, ordered", output);
        Assert.Contains("400 of 400 in", output);

        var random = new Random(3);
        int kills = 0, partial = 0;
        for (; kills < 40; kills++)
        {
            using var process = _winnow.Start([.. Set, "--out", "killed"]);
            // after some shards, at a random moment
            for (int lines = random.Next(1, 5); lines > 0 && await process.StandardError.ReadLineAsync(TestContext.Current.CancellationToken) is not null; lines--)
                await Task.Yield();
            await Task.Delay(random.Next(12), TestContext.Current.CancellationToken);
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            int stored = Samples("killed").Count;
            Assert.Equal(stored, Samples("killed").Select(s => s.Index).Distinct().Count());
            partial += stored is > 0 and < 400 ? 1 : 0;
            if (stored == 400)
                break;
        }
        Assert.InRange(partial, 1, 40);
        (code, _, error) = await _winnow.RunAsync([.. Set, "--out", "killed"]);
        Assert.True(code == 0, error);
        var (whole, killed) = (Samples("whole"), Samples("killed"));
        Assert.Equal(Enumerable.Range(0, 400), killed.Select(s => s.Index));
        // the same fields; solutions to the residual, as the recycled spaces differ
        Assert.All(whole.Zip(killed), p => Assert.Equal(p.First.Field, p.Second.Field));
        Assert.All(whole.Zip(killed), p => Assert.All(p.First.Solution.Zip(p.Second.Solution), q => Assert.Equal(q.First, q.Second, 1e-6 * p.First.Solution.Max())));
    }

    [Fact]
    public async Task Ctrl_C_keeps_what_is_solved_and_says_how_to_go_on()
    {
        Assert.SkipUnless(!OperatingSystem.IsWindows(), "sends SIGINT");
        string[] many = ["data", "solve", "--set", "task.systems=4000", "--set", "task.side=32", "--set", "skr.ordering=as-given", "--shard", "16", "--first", "1", "--out", "set"];
        using var process = _winnow.Start(many);
        await process.StandardError.ReadLineAsync(TestContext.Current.CancellationToken);
        using (var kill = Process.Start("kill", ["-INT", process.Id.ToString(CultureInfo.InvariantCulture)]))
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Contains("the same command goes on", await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        Assert.Equal(130, process.ExitCode);
        Assert.NotEmpty(Directory.GetFiles(_winnow["set"], "shard-*.safetensors"));
    }

    [Fact]
    public async Task Other_settings_another_arenas_options_and_a_missing_folder_are_refused()
    {
        await _winnow.RunAsync(["data", "solve", "--set", "task.systems=3", "--set", "task.side=8", "--out", "set"]);
        var (code, _, error) = await _winnow.RunAsync("data", "solve", "--set", "task.systems=3", "--set", "task.side=8", "--seed", "2", "--out", "set");
        Assert.Equal(2, code);
        Assert.Contains("Choose another folder", error);
        (code, _, error) = await _winnow.RunAsync("data", "solve", "--set", "task.epochs=3", "--out", "other");
        Assert.Equal(2, code);
        Assert.Contains("epochs", error);
        (code, _, error) = await _winnow.RunAsync("data", "solve", "--data", "nowhere", "--out", "other");
        Assert.Equal(2, code);
        Assert.Contains("nowhere", error);
        Assert.False(Directory.Exists(_winnow["other"]));
    }
}
