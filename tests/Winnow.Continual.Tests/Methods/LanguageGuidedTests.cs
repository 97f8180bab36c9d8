using TorchSharp;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class LanguageGuidedTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-test-").FullName;

    public void Dispose()
    {
        _scope.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Logits_do_not_change_with_the_length_of_feature_or_target_and_the_gradient_is_at_right_angles()
    {
        var f = TestData.Rows(5, width: 6).X.to_type(ScalarType.Float64).requires_grad_(true);
        var e = TestData.Rows(3, width: 6, seed: 2).X.to_type(ScalarType.Float64);
        var eta = tensor(10.0);
        var logits = CosineLogits.Of(f, e, eta);
        ByHand.Close(logits, CosineLogits.Of(7 * f, e * tensor((double[])[2, 0.1, 30]).unsqueeze(1), eta), 1e-12, 1e-12);
        var gradient = autograd.grad([nn.functional.cross_entropy(logits, tensor((long[])[0, 1, 2, 0, 1]))], [f])[0];
        Assert.True((gradient * f).sum(1).abs().max().item<double>() < 1e-12);
        Assert.True(gradient.abs().max().item<double>() > 1e-3);
    }

    [Fact]
    public void A_scale_of_zero_predicts_uniformly_and_loses_the_logarithm_of_the_classes()
    {
        var logits = CosineLogits.Of(TestData.Rows(5, width: 6).X, TestData.Rows(3, width: 6, seed: 2).X, tensor(0f));
        Assert.Equal(Math.Log(3), nn.functional.cross_entropy(logits, zeros(5, ScalarType.Int64)).item<float>(), 1e-6);
    }

    [Fact]
    public void Simplex_targets_order_the_classes_as_the_simplex_head_of_mamba_fscil()
    {
        var frame = SimplexEtf.Random(6, 4, new SeededRandom(1, "frame"));
        var x = TestData.Rows(9, width: 6).X;
        ByHand.Close(SimplexEtf.Cosines(x, frame), CosineLogits.Of(x, frame.t(), tensor(1f)), 1e-5, 1e-6);
    }

    [Theory, InlineData(LanguageGuidedHost.Naive), InlineData(LanguageGuidedHost.Er), InlineData(LanguageGuidedHost.ErAce), InlineData(LanguageGuidedHost.DerPp), InlineData(LanguageGuidedHost.Lwf), InlineData(LanguageGuidedHost.Ewc)]
    public void A_target_is_set_when_its_class_arrives_and_never_moves_on_any_host(LanguageGuidedHost host)
    {
        using var stream = new SmallStream();
        using var learner = new LanguageGuided(stream.Setup, new() { On = host, BufferSize = 10 });
        var targets = ByHand.StateOf(learner, "head.targets");
        Assert.Equal(0, targets.abs().sum().item<float>());
        var order = new SeededRandom(3, "order");
        var expected = LanguageTargets.Of(stream.Setup.LabelNames, 4, new(), CooccurrenceVectors.BuiltIn(32), new SeededRandom(1, "unused"));
        foreach (var task in stream.Tasks)
        {
            stream.Train(learner, task.Info.Id, order);
            int[] seen = [.. stream.Tasks.Take(task.Info.Id + 1).SelectMany(t => t.Info.Classes)];
            for (int c = 0; c < 4; c++)
                ByHand.Same(seen.Contains(c) ? expected[c] : zeros(32), targets[c]);
        }
        Assert.InRange(learner.Scale, 0, 100);
        Assert.NotEqual(10, learner.Scale);
    }

    [Fact]
    public void A_new_task_leaves_the_logits_of_old_classes_as_they_were()
    {
        using var stream = new SmallStream();
        using var learner = new LanguageGuided(stream.Setup, new());
        stream.Train(learner, 0, new SeededRandom(3, "order"));
        var x = stream.Tasks[0].Test().X;
        var before = learner.Predict(x);
        learner.BeginTask(stream.Tasks[1].Info, stream.Tasks[1].Train());
        var after = learner.Predict(x);
        foreach (int c in stream.Tasks[0].Info.Classes)
            ByHand.Same(before.select(1, c), after.select(1, c));
        foreach (int c in stream.Tasks[1].Info.Classes)
            Assert.Equal((0f, true), (before.select(1, c).abs().max().item<float>(), after.select(1, c).abs().max().item<float>() > 0));
    }

    [Fact]
    public void The_linear_control_is_the_host_to_the_bit()
    {
        using var stream = new SmallStream();
        using var control = new LanguageGuided(stream.Setup, new() { Targets = TargetKind.Linear, BufferSize = 10 });
        using var host = new Learner(stream.Setup, new ExperienceReplay(stream.Setup, new() { BufferSize = 10 }));
        stream.Train(control);
        stream.Train(host);
        Assert.Equal(Protocol.Hash(host), Protocol.Hash(control));
    }

    [Fact]
    public void The_layers_before_the_head_start_as_those_of_the_network_that_was_given()
    {
        using var stream = new SmallStream("pretrained");
        using var learner = new LanguageGuided(stream.Setup, new());
        using var plain = stream.Setup.Network();
        int head = plain.Modules[^1].Offset;
        Assert.Equal(plain.ParameterValues[..head].ToArray(), learner.Network.ParameterValues[..head].ToArray());
        Assert.Equal(plain.BufferValues.ToArray(), learner.Network.BufferValues[..plain.BufferValues.Length].ToArray());
    }

    [Fact]
    public void Shuffled_targets_are_the_same_vectors_each_at_another_class_and_orthogonal_ones_have_no_cosine()
    {
        string[] names = [.. Enumerable.Range(0, 10).Select(i => $"{i}")];
        Tensor Of(TargetKind kind) => LanguageTargets.Of(names, 10, new() { Targets = kind }, CooccurrenceVectors.BuiltIn(32), new SeededRandom(1, "targets"));
        var cosines = Of(TargetKind.Semantic).mm(Of(TargetKind.Shuffled).t());
        Assert.True(cosines.max(1).values.allclose(ones(10)));
        Assert.Equal(10, cosines.argmax(1).data<long>().ToArray().Distinct().Count());
        Assert.All(cosines.argmax(1).data<long>().ToArray().Index(), p => Assert.NotEqual(p.Index, p.Item));
        var orthogonal = Of(TargetKind.Orthogonal);
        ByHand.Close(eye(10), orthogonal.mm(orthogonal.t()), absolute: 1e-6);
    }

    [Fact]
    public void The_scale_does_not_leave_its_range()
    {
        using var stream = new SmallStream(options: o => o with { LearningRate = 5 });
        using var learner = new LanguageGuided(stream.Setup, new() { Scale = 10.5, MaxScale = 11 });
        stream.Train(learner);
        Assert.InRange(learner.Scale, 0, 11);
        using var small = new LanguageGuided(stream.Setup, new() { Scale = 50, MaxScale = 11 });
        Assert.Equal(11, small.Scale);
    }

    [Fact]
    public void Names_that_cannot_be_embedded_or_told_apart_are_refused_with_the_word()
    {
        using var stream = new SmallStream();
        Refused("the word 'quux' of 'large quux'", "one", "two", "large quux", "three");
        Refused("the same direction as 'one'", "one", "two", "1", "three");
        Refused("an empty name", "one", "two", " ", "three");
        Refused("found 2 names", "one", "two");
        using var orthogonal = new LanguageGuided(stream.Setup with { LabelNames = [] }, new() { Targets = TargetKind.Orthogonal });
        var blurry = Assert.Throws<InputException>(() =>
        {
            using var learner = new LanguageGuided(stream.Setup, new() { On = LanguageGuidedHost.Lwf });
            learner.Observe(TestData.Rows(4));
        });
        Assert.Contains("without task boundaries", blurry.Message, StringComparison.Ordinal);

        void Refused(string reason, params string[] names) =>
            Assert.Contains(reason, Assert.Throws<InputException>(() => new LanguageGuided(stream.Setup with { LabelNames = names }, new())).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a 1 2\nb 1", "line 2")]
    [InlineData("a 1 2\nb 1 x", "'x'")]
    [InlineData("a 1 2\nb 1 NaN", "'NaN'")]
    [InlineData("", "no line with a vector")]
    public void A_bad_file_of_vectors_is_refused_with_its_line(string text, string reason)
    {
        string path = Path.Combine(_folder, "vectors.txt");
        File.WriteAllText(path, text);
        Assert.Contains(reason, Assert.Throws<InputException>(() => WordVectors.Read(path)).Message, StringComparison.Ordinal);
        Assert.Throws<InputException>(() => WordVectors.Read(Path.Combine(_folder, "none.txt")));
    }

    [Fact]
    public void Vectors_of_a_file_are_used_a_name_of_several_words_has_their_mean_and_zeros_are_refused()
    {
        string path = Path.Combine(_folder, "vectors.txt");
        File.WriteAllText(path, "4 2\none 1 0\ntwo 0 1\nThree 3 3\nzero 0 0\n");
        var vectors = WordVectors.Read(path);
        Assert.Equal([[1, 0], [0.5f, 0.5f], [3, 3]], vectors.Embed(["1", "one-Two", "THREE"]));
        Assert.Contains("vector of zeros", Assert.Throws<InputException>(() => LanguageTargets.Unit(vectors.Embed(["one", "zero"]), ["one", "zero"])).Message, StringComparison.Ordinal);
        Assert.Throws<InputException>(() => LanguageTargets.Unit([[1, 2], [1]], ["a", "b"]));
        Assert.Throws<InputException>(() => LanguageTargets.Unit([[1, 2], [float.NaN, 1]], ["a", "b"]));
        using var stream = new SmallStream();
        using var learner = new LanguageGuided(stream.Setup with { LabelNames = ["one", "two", "one two three", "three one"] }, new() { Vectors = path });
        Assert.Equal(2, ByHand.StateOf(learner, "head.targets").shape[1]);
    }

    [Fact]
    public void Words_that_occur_alike_get_vectors_alike_and_numbers_are_read_as_words()
    {
        var vectors = CooccurrenceVectors.Of("text", ["the cat eats fish", "the dog eats fish", "dog barks", "a car needs fuel", "a truck needs fuel"], width: 4, window: 3);
        string[] names = ["cat", "dog", "car"];
        var e = LanguageTargets.Unit(vectors.Embed(names), names);
        Assert.True(e[0].dot(e[1]).item<float>() > 0.5);
        Assert.True(e[0].dot(e[2]).item<float>() < 0.1);
        Assert.Equal(["c", "twenty", "one", "x"], Tokens.Of("c21 x"));
        Assert.Equal(["twelve", "thirty", "one", "zero", "five"], Tokens.Of("12, 30; 105"));
        Assert.Throws<InputException>(() => CooccurrenceVectors.Of("text", ["a b"], width: 3, window: 1));
    }

    [Fact]
    public void The_built_in_text_knows_the_digits_and_the_classes_of_small_image_sets()
    {
        string[] names = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
            "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
        var e = LanguageTargets.Unit(CooccurrenceVectors.BuiltIn(32).Embed(names), names);
        Assert.Equal(30, e.shape[0]);
        Assert.True(e[21].dot(e[29]).item<float>() > e[21].dot(e[23]).item<float>(), "an automobile is nearer to a truck than to a cat");
    }
}
