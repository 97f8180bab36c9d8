using System.Text;
using Winnow.Core;

namespace Winnow.Language.Tests;

/// <summary>A model trained by others, where <c>WINNOW_DATA</c> has it: what it says is known.</summary>
public sealed class StoriesTests
{
    private static string Folder
    {
        get
        {
            string? data = Environment.GetEnvironmentVariable("WINNOW_DATA");
            string folder = Path.Combine(data ?? "", "stories260k");
            Assert.SkipUnless(data is not null && Directory.Exists(folder), "needs stories260k in WINNOW_DATA");
            return folder;
        }
    }

    private static async Task<string> SayAsync(LanguageModel model, string prompt, int tokens, int threads = 1)
    {
        using var session = new LlamaSession(model.Weights, threads: threads);
        var text = new StringBuilder();
        await foreach (string piece in new TextGenerator(session, model.Tokenizer).ContinueAsync(prompt, new() { Tokens = tokens }, new SeededRandom(1, "text"), TestContext.Current.CancellationToken))
            text.Append(piece);
        return text.ToString();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Its_greedy_text_is_the_known_one(int threads)
    {
        using var model = LanguageModel.Load(Folder, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal((64, 172, 5, 8, 4, 512), (model.Weights.Shape.Width, model.Weights.Shape.Hidden, model.Weights.Shape.Layers, model.Weights.Shape.Heads, model.Weights.Shape.KeyValueHeads, model.Weights.Shape.Context));
        string expected = await File.ReadAllTextAsync(Path.Combine(Folder, "expected_greedy_200_tokens.txt"), TestContext.Current.CancellationToken);
        Assert.Equal(expected.TrimEnd('\n'), await SayAsync(model, "", 200, threads));
    }
}
