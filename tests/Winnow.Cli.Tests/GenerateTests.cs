namespace Winnow.Cli.Tests;

public sealed class GenerateTests : IDisposable
{
    private readonly WinnowProgram _winnow = new();

    public void Dispose() => _winnow.Dispose();

    [Fact]
    public async Task What_is_no_model_and_what_is_no_option_is_refused()
    {
        var (code, _, error) = await _winnow.RunAsync("generate", "nowhere");
        Assert.Equal(2, code);
        Assert.Contains("nowhere: found nothing", error);
        _winnow.Write("model.bin", "no model at all, but long enough to have a header");
        (code, _, error) = await _winnow.RunAsync("generate", "model.bin");
        Assert.Equal(2, code);
        Assert.Contains("model.bin", error);
        (code, _, error) = await _winnow.RunAsync("generate", "model.bin", "--weights", "int3");
        Assert.Equal(2, code);
        Assert.Contains("int3", error);
    }

    [Fact]
    public async Task A_model_on_disk_goes_on_with_a_text()
    {
        string? data = Environment.GetEnvironmentVariable("WINNOW_DATA");
        string model = Path.Combine(data ?? "", "stories260k");
        Assert.SkipUnless(data is not null && Directory.Exists(model), "needs stories260k in WINNOW_DATA");
        var (code, output, error) = await _winnow.RunAsync("generate", model, "--tokens", "200");
        Assert.True(code == 0, error);
        Assert.Equal((await File.ReadAllTextAsync(Path.Combine(model, "expected_greedy_200_tokens.txt"), TestContext.Current.CancellationToken)).Trim(), output.Trim());
        Assert.Contains("200 tokens", error);
        (code, output, _) = await _winnow.RunAsync("generate", model, "--prompt", "One day, a dog", "--stop", ".", "--weights", "bfloat16", "--threads", "1");
        Assert.Equal(0, code);
        Assert.StartsWith("One day, a dog", output);
        Assert.DoesNotContain(".", output);
    }
}
