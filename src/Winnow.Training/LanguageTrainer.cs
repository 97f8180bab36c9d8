using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Winnow.Core;
using Winnow.Data;
using Winnow.Language;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Winnow.Training;

/// <summary>Options of <see cref="LanguageTrainer"/>.</summary>
public sealed record LanguageTrainerOptions
{
    /// <summary>Steps.</summary>
    [Range(1, 10_000_000), Description("steps")]
    public int Steps { get; init; } = 500;

    /// <summary>Texts of a step.</summary>
    [Range(1, 4096), Description("texts of a step")]
    public int Batch { get; init; } = 8;

    /// <summary>Tokens of a text.</summary>
    [Range(2, 1_000_000), Description("tokens of a text")]
    public int Length { get; init; } = 128;

    /// <summary>Highest step size.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("highest step size; it rises over the first twentieth and falls to a tenth along a cosine")]
    public double LearningRate { get; init; } = 2e-3;

    /// <summary>Weight decay of matrices.</summary>
    [Range(0.0, 1.0), Description("weight decay of matrices")]
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Largest norm of a gradient.</summary>
    [Range(0.0, 1e6, MinimumIsExclusive = true), Description("norm to which larger gradients are cut")]
    public double Clip { get; init; } = 1;

    /// <summary>Deviation of the first weights.</summary>
    [Range(0.0, 10.0), Description("standard deviation of the weights before the first step")]
    public double Deviation { get; init; } = 0.02;

    /// <summary>Seed.</summary>
    [Description("seed of weights and order")]
    public long Seed { get; init; } = 1;
}

/// <summary>The texts of a step.</summary>
/// <param name="Tokens">What is read, text after text.</param>
/// <param name="Targets">What follows each token, or <see cref="NotLearned"/>.</param>
/// <param name="Length">Tokens of a text.</param>
public sealed record TrainingBatch(long[] Tokens, long[] Targets, int Length)
{
    /// <summary>The target of a token after which nothing is learned.</summary>
    public const long NotLearned = -100;
}

/// <summary>
/// Trains a network by AdamW (β 0.9 and 0.95), on stretches of a row of tokens taken at random, or on texts made for each step. A checkpoint holds weights, both moments and the step: what was stopped goes on to the same
/// weights, bit for bit.
/// </summary>
public sealed class LanguageTrainer : IDisposable
{
    private const double Beta1 = 0.9, Beta2 = 0.95, Epsilon = 1e-8;
    private readonly LanguageTrainerOptions _o;
    private readonly Func<int, SeededRandom, TrainingBatch> _batch;
    private readonly string _identity;
    private readonly SortedDictionary<string, (Tensor First, Tensor Second)> _moments = new(StringComparer.Ordinal);

    /// <summary>A trainer at step 0, on a row of tokens.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="tokens">What it learns, more than a stretch.</param>
    /// <param name="options">How.</param>
    /// <exception cref="InputException">Too few tokens, tokens beyond the vocabulary, or a stretch beyond the context.</exception>
    public LanguageTrainer(LlamaShape shape, IReadOnlyList<int> tokens, LanguageTrainerOptions options) : this(shape, HashOf(tokens), Stretches(shape, tokens, options), options)
    {
    }

    /// <summary>A trainer at step 0, on texts made for each step.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="identity">Names what makes the texts: a checkpoint belongs to it.</param>
    /// <param name="batch">The texts of a step: from the step and a random source of its own.</param>
    /// <param name="options">How; batch and length are up to what makes the texts.</param>
    public LanguageTrainer(LlamaShape shape, string identity, Func<int, SeededRandom, TrainingBatch> batch, LanguageTrainerOptions options)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(options);
        (_o, _batch) = (options, batch);
        Network = new(shape, new SeededRandom((ulong)options.Seed, "weights"), options.Deviation);
        foreach (var (name, parameter) in Network.Parameters)
            _moments.Add(name, (zeros_like(parameter).DetachFromDisposeScope(), zeros_like(parameter).DetachFromDisposeScope()));
        _identity = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(options with { Steps = 0 }, WinnowJson.Options) + JsonSerializer.Serialize(shape, WinnowJson.Options) + identity)));
    }

    private static string HashOf(IReadOnlyList<int> tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        return Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes<int>([.. tokens])));
    }

    private static Func<int, SeededRandom, TrainingBatch> Stretches(LlamaShape shape, IReadOnlyList<int> given, LanguageTrainerOptions options)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(options);
        int[] tokens = [.. given];
        if (tokens.Length <= options.Length + 1)
            throw InputException.At("texts", $"{tokens.Length:N0} tokens", $"more than {options.Length + 1:N0}, those of a stretch", "Give more text, or take shorter stretches.");
        if (options.Length > shape.Context)
            throw InputException.At("length", $"{options.Length:N0}", $"at most {shape.Context:N0}, the model's context", "Take shorter stretches, or a longer context.");
        if (tokens.FirstOrDefault(t => t < 0 || t >= shape.Vocabulary, -1) is var bad and >= 0)
            throw InputException.At("texts", $"token {bad}", $"less than {shape.Vocabulary:N0}", "Use the tokeniser of this model.");
        return (_, random) =>
        {
            long[] read = new long[options.Batch * options.Length], next = new long[read.Length];
            for (int b = 0; b < options.Batch; b++)
            {
                int at = random.Next(tokens.Length - options.Length);
                for (int t = 0; t < options.Length; t++)
                    (read[b * options.Length + t], next[b * options.Length + t]) = (tokens[at + t], tokens[at + t + 1]);
            }
            return new(read, next, options.Length);
        };
    }

    /// <summary>The network.</summary>
    public LlamaNetwork Network { get; }

    /// <summary>Steps taken.</summary>
    public int Step { get; private set; }

    /// <summary>Takes a step.</summary>
    /// <returns>The mean cross-entropy of the step's targets before it, in nats.</returns>
    public double Advance()
    {
        using var scope = NewDisposeScope();
        var texts = _batch(Step, new SeededRandom((ulong)_o.Seed, $"step/{Step}"));
        var (read, next) = (tensor(texts.Tokens, [texts.Tokens.Length / texts.Length, texts.Length]), tensor(texts.Targets));
        var loss = cross_entropy(Network.Forward(read).flatten(0, 1), next, ignore_index: TrainingBatch.NotLearned);
        foreach (var parameter in Network.Parameters.Values)
            parameter.grad?.zero_();
        loss.backward();
        using var untracked = no_grad();
        double norm = Math.Sqrt(Network.Parameters.Values.Sum(p => p.grad!.square().sum().item<float>() is var s ? (double)s : 0)), cut = Math.Min(1, _o.Clip / (norm + 1e-6)), rate = Rate(Step);
        Step++;
        double correct1 = 1 - Math.Pow(Beta1, Step), correct2 = 1 - Math.Pow(Beta2, Step);
        foreach (var (name, parameter) in Network.Parameters)
        {
            var (first, second) = _moments[name];
            var gradient = parameter.grad! * cut;
            first.mul_(Beta1).add_(gradient, alpha: 1 - Beta1);
            second.mul_(Beta2).addcmul_(gradient, gradient, value: 1 - Beta2);
            if (parameter.dim() > 1)
                parameter.mul_(1 - rate * _o.WeightDecay);
            parameter.addcdiv_(first, (second / correct2).sqrt().add_(Epsilon), value: -rate / correct1);
        }
        return loss.item<float>();
    }

    /// <summary>The step size: rising over the first twentieth of the steps, then along a cosine to a tenth.</summary>
    internal double Rate(int step)
    {
        int warm = Math.Max(1, _o.Steps / 20);
        return step < warm ? _o.LearningRate * (step + 1) / warm
            : _o.LearningRate * (0.1 + 0.9 * (1 + Math.Cos(Math.PI * Math.Min(1, (double)(step - warm) / Math.Max(1, _o.Steps - warm)))) / 2);
    }

    /// <summary>Writes a checkpoint, whole or not at all.</summary>
    public void Save(string path) => WholeFile.Write(path, stream => SafetensorsWriter.Write(stream, Network.Parameters.SelectMany(p => (SafetensorsTensor[])
        [Tensor($"weights.{p.Key}", p.Value), Tensor($"first.{p.Key}", _moments[p.Key].First), Tensor($"second.{p.Key}", _moments[p.Key].Second)]),
        new Dictionary<string, string> { ["step"] = Step.ToString(System.Globalization.CultureInfo.InvariantCulture), ["identity"] = _identity }));

    /// <summary>Goes on from a checkpoint of the same model, texts and options; only the number of steps may differ.</summary>
    /// <exception cref="InputException">It is of something else, or damaged.</exception>
    public void Load(string path)
    {
        using var file = SafetensorsFile.Open(path);
        if (file.Metadata.GetValueOrDefault("identity") != _identity)
            throw InputException.At(path, "a checkpoint of another model, other texts or other options", "one of these", "Begin anew in another folder, or give what it was begun with.");
        using var untracked = no_grad();
        foreach (var (name, parameter) in Network.Parameters)
        {
            Read($"weights.{name}", parameter);
            Read($"first.{name}", _moments[name].First);
            Read($"second.{name}", _moments[name].Second);
        }
        Step = int.TryParse(file.Metadata.GetValueOrDefault("step"), System.Globalization.CultureInfo.InvariantCulture, out int step) && step >= 0 ? step : throw InputException.At(path, "no step", "the steps taken", "The file is damaged.");

        void Read(string name, Tensor to)
        {
            float[] values = new float[to.numel()];
            file.Read(file[name], MemoryMarshal.AsBytes(values.AsSpan()));
            using var made = tensor(values, to.shape);
            to.copy_(made);
        }
    }

    private static SafetensorsTensor Tensor(string name, Tensor value) => new(name, TensorType.F32, [.. value.shape], stream => stream.Write(MemoryMarshal.AsBytes(value.data<float>().ToArray().AsSpan())));

    /// <inheritdoc/>
    public void Dispose()
    {
        Network.Dispose();
        foreach (var (first, second) in _moments.Values)
        {
            first.Dispose();
            second.Dispose();
        }
    }
}
