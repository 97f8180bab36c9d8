using Winnow.Core;
using Winnow.Language;
using Winnow.Learning;

namespace Winnow.Training.Tests;

public sealed class RecallModelTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-recall").FullName;

    static RecallModelTests() => NativeTorch.Require();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory, InlineData(0), InlineData(700), InlineData(1900)]
    public void Only_answers_are_learned_and_each_is_what_the_context_said(int step)
    {
        var batch = RecallModel.Batch(step, new SeededRandom(1, "test"));
        Assert.Equal(0, batch.Tokens.Length % batch.Length);
        int learned = 0;
        for (int at = 0; at < batch.Tokens.Length; at++)
        {
            if (batch.Targets[at] == TrainingBatch.NotLearned)
                continue;
            int row = at / batch.Length * batch.Length;
            long key = batch.Tokens[at];
            int said = Array.IndexOf(batch.Tokens, key, row);
            Assert.Equal((RecallText.Ask, batch.Targets[at], batch.Targets[at]), (batch.Tokens[at - 1], batch.Tokens[at + 1], batch.Tokens[said + 1]));
            Assert.True(said < at);
            learned++;
        }
        Assert.True(learned >= 15 * batch.Tokens.Length / batch.Length);
    }

    [Fact] // without its beginning the loss stays at log 4, a guess among the four values of the context, for thousands of steps
    public void A_few_hundred_steps_teach_recall()
    {
        using var trainer = RecallModel.Begun("test");
        double last = 0;
        for (int step = 0; step < 280; step++)
            last = step < 260 ? trainer.Advance() * 0 : last + trainer.Advance() / 20;
        Assert.InRange(last, 0, 0.4);
    }

    [Fact]
    public void A_model_that_is_there_is_not_trained_again()
    {
        var said = new List<string>();
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.Throws<OperationCanceledException>(() => RecallModel.Folder(_folder, said.Add, stop.Token));
        string folder = Directory.EnumerateDirectories(Path.Combine(_folder, "models")).Single();
        Assert.Equal("checkpoint.safetensors", Path.GetFileName(Directory.EnumerateFiles(folder).Single()));
        using (var trainer = RecallModel.Begun("other"))
        using (var weights = trainer.Network.ToWeights())
            HuggingFaceFolder.Save(weights, folder);
        Assert.Equal(folder, RecallModel.Folder(_folder, said.Add, stop.Token));
        Assert.Empty(said);
    }
}
