using System.Text.Json;
using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// A trained learner in a folder: <c>model.safetensors</c> with everything it remembers and <c>kept.json</c> with the method, its options,
/// the shape of a row, the preprocessing and the label names.
/// </summary>
public sealed class KeptLearner : IDisposable
{
    private sealed record Card(int Schema, string Arena, string Method, JsonObject Options, string Task, JsonObject TaskOptions, TrainingPlan Training,
        ExampleLayout Layout, IReadOnlyList<string> Labels, JsonNode Standardiser);

    private readonly IContinualLearner _learner;
    private readonly Card _card;
    private readonly Standardiser _standardiser;

    private readonly bool _frames;

    private KeptLearner(IContinualLearner learner, Card card, Standardiser standardiser, bool frames) => (_learner, _card, _standardiser, _frames) = (learner, card, standardiser, frames);

    /// <summary>The label names, in the order of the logits; of a learner of videos, their names in the order they were learned.</summary>
    public IReadOnlyList<string> Labels => _card.Labels;

    /// <summary>The method's id.</summary>
    public string Method => _card.Method;

    /// <summary>Writes a trial's learner as artefacts of the trial.</summary>
    internal static void Save(IContinualLearner learner, Trial trial, PreparedStream prepared, TrialContext context)
    {
        var data = prepared.Stream.Data;
        var card = new Card(1, trial.Arena, trial.Method, trial.Options, trial.Task, trial.TaskOptions, prepared.Setup.Training,
            data.Layout, data.LabelNames, JsonNode.Parse(prepared.Stream.Standardiser.ToJson())!);
        using (var json = context.Artefact("kept.json"))
            JsonSerializer.Serialize(json, card, WinnowJson.Indented);
        using var model = context.Artefact("model.safetensors");
        LearnerState.Write(learner, model);
    }

    /// <summary>Loads a folder that <c>winnow keep</c> wrote.</summary>
    /// <exception cref="InputException">A file is missing, damaged, or does not fit the method.</exception>
    public static KeptLearner Load(string folder)
    {
        string path = Path.Combine(folder, "kept.json");
        Card card;
        try
        {
            card = JsonSerializer.Deserialize<Card>(File.ReadAllText(path), WinnowJson.Options) ?? throw new JsonException("empty");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or NotSupportedException or ArgumentException)
        {
            throw InputException.At(path, $"what cannot be read ({e.Message.TrimEnd('.')})", "the JSON that 'winnow keep' wrote", "Keep the trial again.");
        }
        if (card is not { Arena: "continual", Method: not null, Options: not null, Task: not null, TaskOptions: not null, Training: not null, Layout.Shape.Count: > 0, Labels.Count: > 1, Standardiser: not null })
            throw InputException.At(path, "a card with missing entries", "the JSON that 'winnow keep' wrote of a continual learner", "Keep the trial again.");
        if (card.Schema != 1)
            throw InputException.At(path, $"schema {card.Schema}", "schema 1", "A newer winnow kept it: use that one.");
        var arena = new ContinualArena();
        object bound = arena.Task(card.Task).Options.Bind(card.TaskOptions, "task");
        var standardiser = Standardiser.FromJson(card.Standardiser.ToJsonString(), path);
        var setup = bound is StreamOptions options ? new LearnerSetup
        {
            Network = () => StreamFactory.Network(card.Layout.Shape, card.Labels.Count, options, new SeededRandom(0, "overwritten")),
            Pretrained = options is PretrainedOptions,
            Width = card.Layout.Width,
            Shape = StreamFactory.RowShape(card.Layout.Shape, card.Task),
            Classes = card.Labels.Count,
            LabelNames = card.Labels,
            Training = card.Training,
            Random = purpose => new SeededRandom(0, purpose),
        } : Videos.Setup(card.Layout.Shape, card.Labels.Count, card.Training, purpose => new SeededRandom(0, purpose));
        var learner = arena.Create(card.Method, card.Options, setup);
        try
        {
            LearnerState.Read(learner, Path.Combine(folder, "model.safetensors"));
        }
        catch
        {
            learner.Dispose();
            throw;
        }
        return new(learner, card, standardiser, frames: setup.Frame is not null);
    }

    /// <summary>Predicts the rows of a file, with or without a label column.</summary>
    public IEnumerable<Prediction> Predict(string source, DataReading? reading = null, CancellationToken cancellation = default)
    {
        if (_frames)
            throw InputException.At(source, $"rows for '{_card.Method}', which was kept from the task '{_card.Task}'", "a learner that predicts labels", "It answers with frames: in C#, KeptLearner.Frame decodes them.");
        var rows = DataSources.OpenRows(source, reading ?? new(), _card.Layout, cancellation);
        const int Chunk = 1000;
        for (int start = 0; start < rows.Count; start += Chunk)
        {
            cancellation.ThrowIfCancellationRequested();
            int[] index = [.. Enumerable.Range(start, Math.Min(Chunk, rows.Count - start))];
            var values = new float[index.Length * rows.Width];
            rows.CopyRows(index, values);
            foreach (var (label, confidence, i) in PredictRows(values).Select((p, i) => (p.Label, p.Confidence, i)))
                yield return new(start + i, label, confidence);
        }
    }

    /// <summary>Predicts rows given as values, row-major, in the unit of the data set (images in [0, 1]).</summary>
    /// <exception cref="ArgumentException">The length is not a multiple of the row width.</exception>
    public IReadOnlyList<(string Label, double Confidence)> PredictRows(ReadOnlySpan<float> values)
    {
        if (_frames)
            throw new InvalidOperationException("This learner answers with frames, not labels; call Frame.");
        int width = _card.Layout.Width;
        if (values.Length % width != 0)
            throw new ArgumentException($"{values.Length} values are not a whole number of rows of {width}.", nameof(values));
        float[] standard = values.ToArray();
        _standardiser.Apply(standard);
        using var scope = NewDisposeScope();
        var logits = _learner.Predict(tensor(standard).reshape(-1, width));
        var (confidence, best) = nn.functional.softmax(logits, 1).max(1);
        long[] labels = best.data<long>().ToArray();
        float[] certain = confidence.data<float>().ToArray();
        return [.. labels.Zip(certain, (l, c) => (_card.Labels[(int)l], (double)c))];
    }

    /// <summary>A frame of a video that was learned: values [channels, height, width], row-major, in [0, 1].</summary>
    /// <param name="video">Its place in <see cref="Labels"/>.</param>
    /// <param name="time">When, from 0 for the first frame; frame i of n was learned at i/n.</param>
    /// <exception cref="InvalidOperationException">The learner predicts labels.</exception>
    public float[] Frame(int video, double time)
    {
        if (!_frames)
            throw new InvalidOperationException("This learner predicts labels, not frames; call Predict or PredictRows.");
        ArgumentOutOfRangeException.ThrowIfNegative(video);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(video, Labels.Count);
        using var scope = NewDisposeScope();
        return _learner.Predict(tensor(new[] { (video + 1f) / (Labels.Count + 1), (float)time }).reshape(1, 2)).data<float>().ToArray();
    }

    /// <inheritdoc/>
    public void Dispose() => _learner.Dispose();
}
