namespace Winnow.Cli.Tests;

/// <summary>A model from text file to conversation, and its cache compared.</summary>
public sealed class LanguageModelTests : IDisposable
{
    private readonly WinnowProgram _winnow = new();

    public void Dispose() => _winnow.Dispose();

    [Fact]
    public async Task A_model_is_trained_goes_on_where_it_stopped_is_asked_and_its_cache_is_compared()
    {
        File.WriteAllText(_winnow["text.txt"], string.Concat(Enumerable.Repeat("the cat sat on the mat. the dog ran in the sun.\n", 80)));
        string[] train = ["train-lm", "text.txt", "--out", "model", "--vocabulary", "280", "--width", "32", "--layers", "2", "--heads", "2", "--context", "128", "--threads", "1", "--set", "train.length=16"];
        var (code, output, error) = await _winnow.RunAsync([.. train, "--set", "train.steps=3"]);
        Assert.True(code == 0, error);
        Assert.Contains("step 0 of 3", output);
        (code, output, error) = await _winnow.RunAsync([.. train, "--set", "train.steps=5"]);
        Assert.True(code == 0, error);
        Assert.Contains("step 3 of 5", output);

        (code, output, error) = await _winnow.RunAsync("generate", "model", "--prompt", "the cat", "-n", "5");
        Assert.True(code == 0, error);
        Assert.StartsWith("the cat", output);

        (code, output, error) = await _winnow.RunAsync("compare", "kv-cache", "--model", "model", "--prompts", "text.txt", "--methods", "full,streaming-llm+rtn:bits=8,kivi:residual=32", "--budget", "bytes=90%", "--seeds", "2",
            "--set", "task.length=40", "--set", "task.continue=8", "--set", "task.prompts=2", "--out", "study", "--json", "results.json", "--quiet");
        Assert.True(code == 0, output + error);
        Assert.Contains("streaming-llm+rtn", output);
        Assert.Contains("no other row but a bound is as good in divergence and bytes kept", output);
        Assert.True(File.Exists(_winnow["results.json"]));

        (code, _, error) = await _winnow.RunAsync("keep", "streaming-llm+rtn@1", "--study", "study", "--out", "winner");
        Assert.True(code == 0, error);
        Assert.Contains("""Policy("streaming-llm+rtn",""", File.ReadAllText(_winnow["winner/Use.cs"]));
    }

    [Fact]
    public async Task What_cannot_be_trained_on_or_talked_with_is_refused_in_one_line()
    {
        File.WriteAllText(_winnow["short.txt"], "a cat");
        Directory.CreateDirectory(_winnow["other"]);
        File.WriteAllText(_winnow["other/config.json"], "{}");
        foreach (var (arguments, found) in new (string[], string)[]
        {
            (["train-lm", "none.txt", "--out", "m"], "none.txt: found nothing"),
            (["train-lm", "short.txt", "--out", "m"], "more than 129"),
            (["train-lm", "short.txt", "--out", "m", "--vocabulary", "100"], "at least 257"),
            (["train-lm", "short.txt", "--out", "m", "--set", "train.step=3"], "did you mean 'steps'?"),
            (["train-lm", "short.txt", "--out", "other"], "without the checkpoint"),
            (["chat", "none"], "none: found nothing"),
            (["compare", "kv-cache", "--model", "none"], "nothing at"),
            (["compare", "kv-cache", "--model", "random", "--methods", "kivi+mustafar"], "both encode rows"),
            (["compare", "kv-cache", "--model", "random", "--budget", "bytes=200%"], "20% or 0.2"),
            (["compare", "kv-cache", "--model", "random", "--methods", "snapkv,q8_0", "--budget", "bytes=30%"], "'q8_0', which has no knob"),
            (["compare", "continual", "--budget", "bytes=30%"], "unknown option of any method 'bytes'"),
        })
        {
            var (code, _, error) = await _winnow.RunAsync(arguments);
            Assert.True(code == 2, $"{string.Join(' ', arguments)}: {code} {error}");
            Assert.Contains(found, error);
            Assert.Single(error.Trim().Split('\n'));
        }
    }
}
