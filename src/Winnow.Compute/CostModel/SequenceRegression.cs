using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Compute;

/// <summary>Options of the models that read a function as a sequence of tokens.</summary>
public record TokenModelOptions
{
    /// <summary>What is read.</summary>
    [Description("what is read of a function: ops, or operands, which also says which values each line takes")]
    public TokenKind Tokens { get; init; } = TokenKind.Ops;

    /// <summary>How a shape becomes a token.</summary>
    [Description("a shape as a token: bucketed to half octaves, or exact, of which many are unknown in other functions")]
    public ShapeTokens Shapes { get; init; } = ShapeTokens.Bucketed;

    /// <summary>Most tokens.</summary>
    [Range(8, 65_536), Description("most tokens of a function")]
    public int Length { get; init; } = 1024;

    /// <summary>Whether longer functions are cut.</summary>
    [Description("true: functions of more tokens are cut, and counted; false: they are refused")]
    public bool Truncate { get; init; }

    /// <summary>Whether the logarithm of the cost is learned.</summary>
    [Description("true: learns the logarithm of the cost; false: the cost itself")]
    public bool Log { get; init; } = true;

    /// <summary>Width.</summary>
    [Range(1, 1024), Description("width of the embedding and of the layers")]
    public int Width { get; init; } = 64;

    /// <summary>Passes over the training functions.</summary>
    [Range(1, 10_000), Description("passes over the training functions")]
    public int Epochs { get; init; } = 20;

    /// <summary>Functions of a step.</summary>
    [Range(1, 4096), Description("functions of a step")]
    public int Batch { get; init; } = 32;

    /// <summary>First learning rate.</summary>
    [Range(1e-6, 1.0), Description("learning rate of Adam at the start; it falls to 0 as half a cosine")]
    public double LearningRate { get; init; } = 1e-3;
}

/// <summary>
/// What the sequence models share: tokens to numbers, batches padded to their longest function and masked, Adam on the squared error of the standardised target, and
/// predictions in the unit of the costs.
/// </summary>
internal sealed class SequenceRegression : ICostPredictor
{
    private readonly TokenModelOptions _options;
    private readonly TokenVocabulary _vocabulary;
    private readonly CostScale _scale;
    private readonly nn.Module<Tensor, Tensor, Tensor> _model;
    private readonly Work _work;
    private double _unknown, _read, _cut;

    private SequenceRegression(TokenModelOptions options, TokenVocabulary vocabulary, CostScale scale, nn.Module<Tensor, Tensor, Tensor> model, Work work) =>
        (_options, _vocabulary, _scale, _model, _work) = (options, vocabulary, scale, model, work);

    /// <summary>Trains a model.</summary>
    /// <param name="functions">Texts.</param>
    /// <param name="costs">Their costs.</param>
    /// <param name="options">How.</param>
    /// <param name="make">Makes the model for so many token numbers: from numbers [B, T] (int64) and mask [B, T] (float32) to [B]; padding must not change it.</param>
    /// <param name="random">Initial weights and order of the functions.</param>
    /// <param name="context">Threads, and what stops it.</param>
    public static SequenceRegression Train(IReadOnlyList<string> functions, IReadOnlyList<double> costs, TokenModelOptions options, Func<int, nn.Module<Tensor, Tensor, Tensor>> make, SeededRandom random, ComputeContext context)
    {
        FunctionCosts.Check(functions, costs);
        NativeTorch.SetThreads(context.Threads);
        var texts = Tokens(functions, options);
        var vocabulary = new TokenVocabulary(texts);
        var scale = CostScale.Of(costs, options.Log);
        var regression = new SequenceRegression(options, vocabulary, scale, make(vocabulary.Count), context.Work);
        try
        {
            regression.Fit([.. texts.Select(regression.Numbers)], [.. costs.Select(c => (float)scale.In(c))], random, context.Cancellation);
            return regression;
        }
        catch
        {
            regression.Dispose();
            throw;
        }
    }

    public double[] Predict(IReadOnlyList<string> functions, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(functions);
        using var none = no_grad();
        long[][] numbers = [.. Tokens(functions, _options).Select(Numbers)];
        var costs = new double[functions.Count];
        foreach (int[] batch in Enumerable.Range(0, functions.Count).OrderBy(i => numbers[i].Length).Chunk(_options.Batch))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var (ids, mask) = Padded([.. batch.Select(i => numbers[i])]);
            float[] learned = _model.forward(ids, mask).data<float>().ToArray();
            for (int i = 0; i < batch.Length; i++)
                costs[batch[i]] = _scale.Out(learned[i]);
        }
        _work.Count("unknown_tokens", _unknown / Math.Max(1, _read));
        _work.Count("truncated", _cut);
        return costs;
    }

    public void Dispose() => _model.Dispose();

    private void Fit(long[][] numbers, float[] targets, SeededRandom random, CancellationToken cancellation)
    {
        Initialise(random);
        _model.train();
        using var optimiser = optim.Adam(_model.parameters(), _options.LearningRate);
        int[] order = [.. Enumerable.Range(0, numbers.Length)];
        int steps = _options.Epochs * ((numbers.Length + _options.Batch - 1) / _options.Batch), step = 0;
        for (int epoch = 0; epoch < _options.Epochs; epoch++)
        {
            random.Shuffle(order);
            // neighbours of alike length, in any order: little padding
            int[][] batches = [.. order.Chunk(16 * _options.Batch).SelectMany(c => c.OrderBy(i => numbers[i].Length).Chunk(_options.Batch))];
            random.Shuffle(batches);
            foreach (int[] batch in batches)
            {
                cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                foreach (var group in optimiser.ParamGroups)
                    group.LearningRate = _options.LearningRate * 0.5 * (1 + Math.Cos(Math.PI * step / steps));
                var (ids, mask) = Padded([.. batch.Select(i => numbers[i])]);
                optimiser.zero_grad();
                nn.functional.mse_loss(_model.forward(ids, mask), tensor(batch.Select(i => targets[i]).ToArray())).backward();
                optimiser.step();
                step++;
            }
        }
        _model.eval();
    }

    /// <summary>Uniform within 1/√(inputs of a unit), embeddings standard normal, from the given stream alone.</summary>
    private void Initialise(SeededRandom random)
    {
        using var none = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (name, p) in _model.named_parameters())
        {
            bool embedding = name.Contains("embedding", StringComparison.Ordinal);
            long inputs = p.shape.Length > 1 ? p.shape.Skip(1).Aggregate(1L, (a, b) => a * b) : 0;
            double bound = inputs > 0 ? 1 / Math.Sqrt(inputs) : 0;
            float[] values = new float[p.numel()];
            for (int i = 0; i < values.Length; i++)
                values[i] = (float)(embedding ? random.NextNormal() : bound * (2 * random.NextDouble() - 1));
            p.copy_(tensor(values, p.shape));
        }
    }

    private static List<IReadOnlyList<string>> Tokens(IReadOnlyList<string> functions, TokenModelOptions options) =>
        [.. functions.Select(f => FunctionTokens.Of(TensorFunctionParser.Parse(f), options.Tokens, options.Shapes))];

    private long[] Numbers(IReadOnlyList<string> tokens)
    {
        if (tokens.Count > _options.Length && !_options.Truncate)
            throw InputException.At("function", $"{tokens.Count} tokens", $"at most {_options.Length} (length)", "Raise 'length', or say truncate=true to read the beginning only.");
        _cut += tokens.Count > _options.Length ? 1 : 0;
        long[] numbers = [.. tokens.Take(_options.Length).Select(t => (long)_vocabulary[t])];
        _read += numbers.Length;
        _unknown += numbers.Count(n => n == TokenVocabulary.Unknown);
        return numbers;
    }

    private static (Tensor Ids, Tensor Mask) Padded(long[][] rows)
    {
        int longest = rows.Max(r => r.Length);
        long[] ids = new long[rows.Length * longest];
        float[] mask = new float[ids.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i].CopyTo(ids, i * longest);
            mask.AsSpan(i * longest, rows[i].Length).Fill(1);
        }
        return (tensor(ids, [rows.Length, longest]), tensor(mask, [rows.Length, longest]));
    }
}
