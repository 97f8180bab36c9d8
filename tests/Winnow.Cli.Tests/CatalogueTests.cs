using System.Text.Json;

namespace Winnow.Cli.Tests;

public sealed class CatalogueTests : IDisposable
{
    private readonly WinnowProgram _winnow = new();

    public void Dispose() => _winnow.Dispose();

    [Theory, InlineData("--help"), InlineData("arenas"), InlineData("methods"), InlineData("show", "er")]
    public async Task Verbs_that_only_read_the_catalogue_do_not_load_libtorch(params string[] arguments)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "looks at /proc");
        using var process = _winnow.Start(arguments);
        string maps = "";
        while (!process.HasExited)
            try
            {
                maps += await File.ReadAllTextAsync($"/proc/{process.Id}/maps", TestContext.Current.CancellationToken);
            }
            catch (IOException)
            {
                break;
            }
        Assert.DoesNotContain("libtorch", maps);
    }

    [Fact]
    public async Task Show_lists_every_option_with_default_range_and_meaning()
    {
        var (code, output, _) = await _winnow.RunAsync("show", "er");
        Assert.Equal(0, code);
        Assert.Contains("--set er.buffer-size=100  integer [1, 1000000]: rows kept in the reservoir", output);
        Assert.Contains("arXiv 1902.10486", output);
    }

    [Fact]
    public async Task Methods_are_written_as_json()
    {
        var (code, output, _) = await _winnow.RunAsync("methods", "continual", "--json", "methods.json");
        Assert.Equal(0, code);
        Assert.Contains("slca", output);
        using var json = JsonDocument.Parse(await File.ReadAllTextAsync(_winnow["methods.json"], TestContext.Current.CancellationToken));
        Assert.Equal(1, json.RootElement.GetProperty("schema").GetInt32());
        var er = json.RootElement.GetProperty("methods").EnumerateArray().Single(m => m.GetProperty("id").GetString() == "er");
        Assert.Equal("continual", er.GetProperty("arena").GetString());
        Assert.Equal("baseline", er.GetProperty("kind").GetString());
        Assert.Contains(er.GetProperty("options").EnumerateArray(), o => o.GetProperty("name").GetString() == "buffer-size");
    }

    [Theory]
    [InlineData("unknown arena 'continal'; did you mean 'continual'?", "compare", "continal")]
    [InlineData("unknown method 'slac'; did you mean 'slca'?", "show", "slac")]
    [InlineData("unknown task 'clas-incremental'; did you mean 'class-incremental'?", "compare", "continual", "--task", "clas-incremental")]
    [InlineData("unknown option of er 'bufer-size'; did you mean 'buffer-size'?", "compare", "continual", "--methods", "er:bufer-size=5")]
    [InlineData("unknown option of task 'epoch'; did you mean 'epochs'?", "compare", "continual", "--set", "task.epoch=5")]
    [InlineData("er.buffer-size: found 0; expected a value in [1, 1000000]", "compare", "continual", "--set", "er.buffer-size=0")]
    [InlineData("'slca' needs a pre-trained encoder", "compare", "continual", "--methods", "slca")]
    [InlineData("task.steps: found 11; expected at most the 10 classes", "compare", "continual", "--set", "task.steps=11")]
    [InlineData("--budget: time: found '5'; expected a duration", "compare", "continual", "--budget", "time=5")]
    [InlineData("no study", "resume")]
    [InlineData("Unrecognized command or argument '--sedes'", "compare", "continual", "--sedes", "3")]
    public async Task A_wrong_word_is_one_line_with_the_nearest_right_one_and_exit_code_2(string expected, params string[] arguments)
    {
        var (code, _, error) = await _winnow.RunAsync(arguments);
        Assert.Equal(2, code);
        Assert.Contains(expected, error);
        Assert.Single(error.Trim().Split('\n'));
        Assert.False(Directory.Exists(_winnow["winnow-runs"]), "nothing is left behind");
    }

    [Fact]
    public async Task Doctor_says_what_was_loaded_and_names_each_problem_with_a_remedy()
    {
        var (code, output, _) = await _winnow.RunAsync("doctor");
        Assert.True(code == 0, output);
        Assert.Contains("libtorch    2.", output);
        Assert.Contains("patched", output);
        Assert.Contains("all is well", output);
    }
}
