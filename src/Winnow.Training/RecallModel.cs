using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Winnow.Core;
using Winnow.Language;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Training;

/// <summary>
/// A small model that has learned <see cref="RecallText"/>: two layers of four heads of 32, 280,000 parameters. Trained once, on this machine, from fixed seeds, and kept in a folder named by the hash of
/// everything it depends on. Contexts grow while it learns, and only answers count.
/// </summary>
public static class RecallModel
{
    private const int Steps = 2000, TokensOfAStep = 2048, Questions = 24, MostSlots = 256, Context = 2048, Planes = 4;
    private const float Sharpness = 6;

    private static readonly LlamaShape Shape = new() { Width = 128, Hidden = 192, Layers = 2, Heads = 4, KeyValueHeads = 2, HeadWidth = 32, Vocabulary = RecallText.Vocabulary, Context = Context, AttentionBias = true };
    private static readonly LanguageTrainerOptions Options = new() { Steps = Steps, Batch = 1, Length = Context, LearningRate = 2e-3, WeightDecay = 0.01, Deviation = 0.08 };

    /// <summary>The folder of the model, trained now if it is not there.</summary>
    /// <param name="cache">Folder of caches.</param>
    /// <param name="progress">Told how far the training is; null for no one.</param>
    /// <param name="cancellation">Stops between steps; the training goes on from its last checkpoint.</param>
    public static string Folder(string cache, Action<string>? progress = null, CancellationToken cancellation = default)
    {
        string identity = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"recall 1 {TokensOfAStep} {Questions} {MostSlots} {JsonSerializer.Serialize(Shape, WinnowJson.Options)} {JsonSerializer.Serialize(Options, WinnowJson.Options)}")));
        string folder = Path.Combine(cache, "models", $"recall-{identity[..16]}"), checkpoint = Path.Combine(folder, "checkpoint.safetensors");
        if (HuggingFaceFolder.Is(folder))
            return folder;
        NativeTorch.Require();
        Directory.CreateDirectory(folder);
        using var trainer = Begun(identity);
        if (File.Exists(checkpoint))
            trainer.Load(checkpoint);
        double mean = double.NaN;
        while (trainer.Step < Steps)
        {
            if (cancellation.IsCancellationRequested)
                trainer.Save(checkpoint);
            cancellation.ThrowIfCancellationRequested();
            double loss = trainer.Advance();
            mean = double.IsNaN(mean) ? loss : 0.9 * mean + 0.1 * loss;
            if (trainer.Step % 100 == 0)
                progress?.Invoke(string.Create(CultureInfo.InvariantCulture, $"training the recall model: step {trainer.Step} of {Steps}, {mean:F3} nats a token of an answer"));
        }
        using var weights = trainer.Network.ToWeights();
        HuggingFaceFolder.Save(weights, folder);
        File.Delete(checkpoint);
        return folder;
    }

    /// <summary>The trainer before its first step.</summary>
    internal static LanguageTrainer Begun(string identity)
    {
        var trainer = new LanguageTrainer(Shape, identity, Batch, Options);
        Begin(trainer.Network);
        return trainer;
    }

    /// <summary>
    /// The circuit that recall needs has two parts, neither of which helps without the other, and waiting for chance to make them takes longer than all the rest. So two heads of the first
    /// layer begin by attending to the token before (biases of keys are a vector u in the planes that turn fastest, those of queries u turned back by one position), and all heads with queries
    /// that equal keys and outputs that are transposed values, which is what trained ones tend to (Trockman and Kolter, Mimetic initialization of self-attention layers, ICML 2023).
    /// </summary>
    private static void Begin(LlamaNetwork network)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        int d = Shape.HeadWidth;
        for (int l = 0; l < Shape.Layers; l++)
        {
            Tensor Of(string name) => network.Parameters[$"{l}.{name}"];
            Of("query").copy_(Of("key").unflatten(0, [Shape.KeyValueHeads, d]).repeat_interleave(Shape.GroupSize, 0).flatten(0, 1));
            Of("output").copy_(0.5 * Of("value").unflatten(0, [Shape.KeyValueHeads, d]).repeat_interleave(Shape.GroupSize, 0).flatten(0, 1).transpose(0, 1));
        }
        float[] key = new float[d];
        Array.Fill(key, Sharpness, 0, Planes);
        float[] query = [.. key];
        for (int i = 0; i < Planes; i++)
        {
            double turn = Math.Pow(Shape.RopeBase, -2.0 * i / d);
            (query[i], query[i + d / 2]) = ((float)(Sharpness * Math.Cos(turn)), (float)(-Sharpness * Math.Sin(turn)));
        }
        foreach (string name in (string[])["query", "key"])
        {
            int heads = name == "query" ? Shape.GroupSize : 1;
            network.Parameters[$"0.{name}"].narrow(0, 0, heads * d).mul_(0.1);
            for (int h = 0; h < heads; h++)
                network.Parameters[$"0.{name}-bias"].narrow(0, h * d, d).copy_(tensor(name == "query" ? query : key));
        }
    }

    /// <summary>The texts of a step: contexts of 4 slots at first and up to 256 at last, a quarter of them mostly noise, and questions after each.</summary>
    internal static TrainingBatch Batch(int step, SeededRandom random)
    {
        double done = (double)step / Steps;
        int slots = (int)Math.Round(4 * Math.Pow(MostSlots / 4.0, done < 0.1 ? 0 : done < 0.5 ? (done - 0.1) / 0.4 : random.NextDouble())), length = 1 + slots * RecallText.SlotLength + Questions * 3;
        int rows = Math.Max(1, TokensOfAStep / length);
        long[] tokens = new long[rows * length], targets = new long[rows * length];
        Array.Fill(targets, TrainingBatch.NotLearned);
        for (int r = 0; r < rows; r++)
        {
            int pairs = random.Next(4) == 0 ? random.Next(1, Math.Max(2, slots / 4)) : Math.Min(slots, RecallText.Keys);
            var text = RecallText.Draw(random, slots, pairs);
            var all = new List<int>(text.Tokens);
            while (length - all.Count >= 5)
            {
                var pair = text.Pairs[random.Next(pairs)];
                if (random.Next(4) == 0)
                    all.AddRange(RecallText.Question(pair)); // said before it is asked
                all.AddRange([.. RecallText.Question(pair), pair.Value]);
                targets[r * length + all.Count - 2] = pair.Value;
            }
            while (all.Count < length)
                all.Add(RecallText.Ask);
            for (int t = 0; t < length; t++)
                tokens[r * length + t] = all[t];
        }
        return new(tokens, targets, length);
    }
}
