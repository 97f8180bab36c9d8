using Winnow.Core;
using Winnow.Language;
using Winnow.Learning;

namespace Winnow.Training.Tests;

public sealed class LanguageTrainerTests : IDisposable
{
    private static readonly LlamaShape Shape = new() { Width = 32, Hidden = 64, Layers = 2, Heads = 2, KeyValueHeads = 1, HeadWidth = 16, Vocabulary = 16, Context = 32 };
    private static readonly LanguageTrainerOptions Options = new() { Steps = 60, Batch = 4, Length = 16, LearningRate = 5e-3 };
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-train").FullName;

    static LanguageTrainerTests() => NativeTorch.Require();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static int[] Cycle(int n) => [.. Enumerable.Range(0, n).Select(i => i * i % 13)];

    [Fact]
    public void A_text_with_a_rule_is_learned_and_the_session_goes_on_with_it()
    {
        using var trainer = new LanguageTrainer(Shape, Cycle(400), Options with { Steps = 150 });
        double first = trainer.Advance(), last = 0;
        while (trainer.Step < 150)
            last = trainer.Advance();
        Assert.InRange(first, 2.5, 3.1); // ln 16 = 2.77
        Assert.InRange(last, 0, 0.5);
        using var weights = trainer.Network.ToWeights();
        using var session = new LlamaSession(weights);
        int[] text = Cycle(30);
        int right = 0;
        session.Read(text.AsSpan(0, 12), TestContext.Current.CancellationToken);
        for (int t = 12; t < 29; t++)
            right += System.Numerics.Tensors.TensorPrimitives.IndexOfMax(session.Read(text.AsSpan(t, 1), TestContext.Current.CancellationToken)) == text[t + 1] ? 1 : 0;
        Assert.InRange(right, 15, 17);
    }

    [Fact]
    public void What_was_stopped_goes_on_to_the_same_weights_bit_for_bit()
    {
        string file = Path.Combine(_folder, "checkpoint.safetensors");
        using var whole = new LanguageTrainer(Shape, Cycle(400), Options);
        using var begun = new LanguageTrainer(Shape, Cycle(400), Options);
        for (int i = 0; i < 12; i++)
            whole.Advance();
        for (int i = 0; i < 7; i++)
            begun.Advance();
        begun.Save(file);
        using var resumed = new LanguageTrainer(Shape, Cycle(400), Options);
        resumed.Load(file);
        Assert.Equal(7, resumed.Step);
        while (resumed.Step < 12)
            resumed.Advance();
        foreach (var (name, parameter) in whole.Network.Parameters)
            Assert.Equal(parameter.data<float>().ToArray(), resumed.Network.Parameters[name].data<float>().ToArray());
    }

    [Fact]
    public void Checkpoints_of_something_else_are_refused()
    {
        string file = Path.Combine(_folder, "checkpoint.safetensors");
        using var trainer = new LanguageTrainer(Shape, Cycle(400), Options);
        trainer.Save(file);
        using var other = new LanguageTrainer(Shape, Cycle(401), Options);
        Assert.Contains("other texts", Assert.Throws<InputException>(() => other.Load(file)).Message, StringComparison.Ordinal);
        using var faster = new LanguageTrainer(Shape, Cycle(400), Options with { LearningRate = 0.1 });
        Assert.Contains("other options", Assert.Throws<InputException>(() => faster.Load(file)).Message, StringComparison.Ordinal);
        using var longer = new LanguageTrainer(Shape, Cycle(400), Options with { Steps = 90 });
        longer.Load(file); // only the number of steps may differ
        using var wider = new LanguageTrainer(Shape with { Hidden = 96 }, Cycle(400), Options);
        Assert.Throws<InputException>(() => wider.Load(file));
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..200]);
        Assert.Throws<InputException>(() => trainer.Load(file));
    }

    [Fact]
    public void Texts_that_are_too_short_or_not_of_the_vocabulary_are_refused()
    {
        Assert.Contains("more than 17", Assert.Throws<InputException>(() => new LanguageTrainer(Shape, Cycle(17), Options)).Message, StringComparison.Ordinal);
        Assert.Contains("token 99", Assert.Throws<InputException>(() => new LanguageTrainer(Shape, [.. Cycle(50), 99], Options)).Message, StringComparison.Ordinal);
        Assert.Contains("context", Assert.Throws<InputException>(() => new LanguageTrainer(Shape, Cycle(400), Options with { Length = 33 })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_step_size_rises_and_falls_to_a_tenth()
    {
        using var trainer = new LanguageTrainer(Shape, Cycle(400), Options with { Steps = 100 });
        Assert.Equal(5e-3 / 5, trainer.Rate(0), 12);
        Assert.Equal(5e-3, trainer.Rate(4), 12);
        Assert.Equal(5e-3, trainer.Rate(5), 12);
        Assert.Equal(5e-4, trainer.Rate(100), 12);
    }
}
