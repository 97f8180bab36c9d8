using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class KeptLearnerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory, InlineData("er", "class-incremental"), InlineData("joint", "permuted"), InlineData("gdumb", "class-incremental"), InlineData("ncm", "pretrained"), InlineData("slda", "blurry"), InlineData("language-guided-cl", "class-incremental"), InlineData("mamba-fscil", "few-shot")]
    public void A_kept_learner_predicts_the_same_to_the_bit(string method, string task)
    {
        using var stream = new SmallStream(task);
        float[] values = Values(stream, 30);
        using var expected = Keep(stream, method, task);
        using var kept = KeptLearner.Load(_folder);

        var predictions = kept.PredictRows(values);

        Assert.Equal(stream.Data.LabelNames, kept.Labels);
        Assert.Equal(method, kept.Method);
        using var scope = NewDisposeScope();
        stream.Prepared.Stream.Standardiser.Apply(values);
        var (confidence, label) = nn.functional.softmax(expected.Predict(tensor(values).reshape(-1, TestData.Width)), 1).max(1);
        for (int i = 0; i < 30; i++)
            Assert.Equal(($"c{label[i].item<long>()}", (double)confidence[i].item<float>()), predictions[i]);
    }

    [Fact]
    public void Rows_of_a_file_are_predicted_in_order_through_the_arena()
    {
        // Two clusters, about (1, 1) and (5, 5).
        float[] values = [.. Enumerable.Range(0, 40).Select(i => i / 2 % 2 * 4 + 1 + i % 7 * 0.1f)];
        var table = LabelledData.FromTable("table", values, 2, [.. Enumerable.Range(0, 20).Select(i => i % 2)], ["low", "high"]);
        using var stream = new SmallStream(data: table);
        Keep(stream, "ncm", "class-incremental").Dispose();
        string csv = Path.Combine(_folder, "rows.csv");
        File.WriteAllLines(csv, ["0.9,1.1", "5.2,4.9", "1.3,0.7"]);
        var predictions = new ContinualArena().Predict(_folder, csv, new(Header: false), TestContext.Current.CancellationToken).ToList();
        Assert.Equal(["low", "high", "low"], predictions.Select(p => p.Label));
        Assert.Equal([0, 1, 2], predictions.Select(p => p.Row));
        Assert.All(predictions, p => Assert.InRange(p.Confidence, 0.5, 1));
    }

    [Fact]
    public void A_folder_without_a_card_a_damaged_card_and_a_card_of_another_schema_are_refused()
    {
        Assert.Contains("kept.json", Assert.Throws<InputException>(() => KeptLearner.Load(_folder)).Message, StringComparison.Ordinal);
        string card = Path.Combine(_folder, "kept.json");
        foreach (string text in (string[])["", "{", "{}", "null", "[1]"])
        {
            File.WriteAllText(card, text);
            Assert.Contains("kept.json", Assert.Throws<InputException>(() => KeptLearner.Load(_folder)).Message, StringComparison.Ordinal);
        }
        using var stream = new SmallStream();
        Keep(stream, "naive", "class-incremental").Dispose();
        File.WriteAllText(card, File.ReadAllText(card).Replace("\"schema\": 1", "\"schema\": 2", StringComparison.Ordinal));
        Assert.Contains("schema 2", Assert.Throws<InputException>(() => KeptLearner.Load(_folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_of_another_method_is_refused()
    {
        using var stream = new SmallStream();
        Keep(stream, "naive", "class-incremental").Dispose();
        byte[] model = File.ReadAllBytes(Path.Combine(_folder, "model.safetensors"));
        Keep(stream, "er", "class-incremental").Dispose();
        File.WriteAllBytes(Path.Combine(_folder, "model.safetensors"), model);
        Assert.Contains("model.safetensors", Assert.Throws<InputException>(() => KeptLearner.Load(_folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_number_of_values_that_is_no_number_of_rows_is_refused()
    {
        using var stream = new SmallStream();
        Keep(stream, "naive", "class-incremental").Dispose();
        using var kept = KeptLearner.Load(_folder);
        Assert.Throws<ArgumentException>(() => kept.PredictRows(new float[TestData.Width + 1]));
    }

    [Theory, InlineData("nerv"), InlineData("pfnr")]
    public void A_kept_learner_of_videos_decodes_the_same_frames_to_the_bit_and_predicts_no_labels(string method)
    {
        using var stream = new SmallStream("video");
        using var expected = Keep(stream, method, "video");
        using var kept = KeptLearner.Load(_folder);
        using var scope = NewDisposeScope();
        var test = stream.Tasks[1].Test();
        var answers = expected.Predict(test.X.narrow(0, 2, 1));
        Assert.Equal(answers.data<float>().ToArray(), kept.Frame(1, test.X[2, 1].item<float>()));
        Assert.Equal(stream.Prepared.Stream.Data.LabelNames, kept.Labels);
        Assert.Throws<ArgumentOutOfRangeException>(() => kept.Frame(2, 0));
        Assert.Throws<InvalidOperationException>(() => kept.PredictRows(new float[64]));
        Assert.Contains("KeptLearner.Frame", Assert.Throws<InputException>(() => kept.Predict("rows.csv", cancellation: TestContext.Current.CancellationToken).ToList()).Message, StringComparison.Ordinal);
    }

    private CheckedLearner Keep(SmallStream stream, string method, string task)
    {
        var arena = new ContinualArena();
        var card = arena.Method(method);
        var options = card.Options.Canonical(card.Options.Bind([], method));
        var learner = arena.Create(method, options, stream.Setup);
        stream.Train(learner);
        var trial = new Trial("continual", task, stream.Task.Options.Canonical(task == "video" ? SmallStream.SmallVideos : stream.Options), method, options, 1, new("blobs", stream.Data.Hash, new()), "code", 1);
        KeptLearner.Save(learner, trial, stream.Prepared, new TrialContext(1, _folder, _ => { }, TestContext.Current.CancellationToken));
        return learner;
    }

    private static float[] Values(SmallStream stream, int rows)
    {
        float[] values = new float[rows * TestData.Width];
        stream.Data.CopyRows([.. Enumerable.Range(0, rows)], values);
        return values;
    }
}
