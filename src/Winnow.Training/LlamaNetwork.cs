using TorchSharp.Modules;
using Winnow.Core;
using Winnow.Language;
using Winnow.Numerics;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Winnow.Training;

/// <summary>
/// The decoder of <see cref="LlamaSession"/> on the tape, for training: RMS norms, rotary positions, grouped heads, SwiGLU, tied or untied head, biases and head norms as options. The same
/// logits as the session on the same weights, to rounding. Rotates numbers half a head apart.
/// </summary>
public sealed class LlamaNetwork : IDisposable
{
    private readonly SortedDictionary<string, Parameter> _parameters = new(StringComparer.Ordinal);
    private readonly Tensor _cosines, _sines; // [context, head width / 2]
    private readonly LlamaShape _s;

    /// <summary>A network of random weights: normal, those that end in the residual stream smaller by √(2 · layers).</summary>
    /// <param name="shape">The sizes.</param>
    /// <param name="random">Where the weights come from.</param>
    /// <param name="deviation">Their standard deviation.</param>
    /// <exception cref="InputException">Sizes that no model has, or neighbours that are rotated together.</exception>
    public LlamaNetwork(LlamaShape shape, SeededRandom random, double deviation = 0.02)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(random);
        _s = shape.Checked("shape");
        if (shape.RopeInterleaved)
            throw InputException.At("shape", "neighbours that are rotated together", "numbers half a head apart", "Set RopeInterleaved to false.");
        int queries = shape.Heads * shape.HeadWidth, keys = shape.KeyValueHeads * shape.HeadWidth;
        double small = deviation / Math.Sqrt(2 * shape.Layers);
        Add("embedding", Normal(deviation, shape.Vocabulary, shape.Width));
        if (!shape.TiedHead)
            Add("head", Normal(deviation, shape.Vocabulary, shape.Width));
        Add("norm", ones(shape.Width));
        for (int l = 0; l < shape.Layers; l++)
        {
            Add($"{l}.attention-norm", ones(shape.Width));
            Add($"{l}.query", Normal(deviation, queries, shape.Width));
            Add($"{l}.key", Normal(deviation, keys, shape.Width));
            Add($"{l}.value", Normal(deviation, keys, shape.Width));
            Add($"{l}.output", Normal(small, shape.Width, queries));
            Add($"{l}.feed-forward-norm", ones(shape.Width));
            Add($"{l}.gate", Normal(deviation, shape.Hidden, shape.Width));
            Add($"{l}.up", Normal(deviation, shape.Hidden, shape.Width));
            Add($"{l}.down", Normal(small, shape.Width, shape.Hidden));
            if (shape.AttentionBias)
                foreach (var (name, size) in new[] { ("query", queries), ("key", keys), ("value", keys) })
                    Add($"{l}.{name}-bias", zeros(size));
            if (shape.QueryKeyNorm)
                foreach (string name in (string[])["query", "key"])
                    Add($"{l}.{name}-norm", ones(shape.HeadWidth));
        }
        var rotary = new RotaryTable(shape, shape.Context);
        float[] cosines = new float[(long)shape.Context * shape.HeadWidth / 2], sines = new float[cosines.Length], unit = new float[shape.HeadWidth];
        int half = shape.HeadWidth / 2;
        for (int p = 0; p < shape.Context; p++)
        {
            Array.Fill(unit, 1, 0, half);
            Array.Fill(unit, 0, half, half);
            rotary.Turn(unit, p); // (1, 0) becomes (cos, sin)
            unit.AsSpan(0, half).CopyTo(cosines.AsSpan(p * half));
            unit.AsSpan(half).CopyTo(sines.AsSpan(p * half));
        }
        _cosines = tensor(cosines, [shape.Context, half]).DetachFromDisposeScope();
        _sines = tensor(sines, [shape.Context, half]).DetachFromDisposeScope();

        void Add(string name, Tensor value)
        {
            using (value)
                _parameters.Add(name, nn.Parameter(value.clone().DetachFromDisposeScope()));
        }

        Tensor Normal(double deviation, params int[] sizes) =>
            tensor([.. Enumerable.Range(0, sizes.Aggregate(1, (a, b) => a * b)).Select(_ => (float)(deviation * random.NextNormal()))], [.. sizes.Select(n => (long)n)]);
    }

    /// <summary>The sizes.</summary>
    public LlamaShape Shape => _s;

    /// <summary>The weights by name; live, the network's own.</summary>
    public IReadOnlyDictionary<string, Parameter> Parameters => _parameters;

    /// <summary>Logits [batch, length, vocabulary] of the token after each of the given ones, int64 [batch, length]; the current dispose scope owns them.</summary>
    public Tensor Forward(Tensor tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        using var scope = NewDisposeScope();
        long length = tokens.shape[1];
        if (length > _s.Context)
            throw InputException.At("tokens", $"{length}", $"at most {_s.Context}, the context", "Give shorter texts.");
        var x = _parameters["embedding"].index_select(0, tokens.flatten()).reshape(tokens.shape[0], length, _s.Width);
        var (cosines, sines) = (_cosines.narrow(0, 0, length), _sines.narrow(0, 0, length));
        for (int l = 0; l < _s.Layers; l++)
        {
            var h = Norm(x, _parameters[$"{l}.attention-norm"]);
            var q = Turned(Heads(h, l, "query", _s.Heads), cosines, sines);
            var k = Turned(Heads(h, l, "key", _s.KeyValueHeads), cosines, sines);
            var v = Heads(h, l, "value", _s.KeyValueHeads);
            if (_s.GroupSize > 1)
                (k, v) = (k.repeat_interleave(_s.GroupSize, 1), v.repeat_interleave(_s.GroupSize, 1));
            var read = scaled_dot_product_attention(q, k, v, is_casual: true);
            x = x + linear(read.transpose(1, 2).flatten(2), _parameters[$"{l}.output"]);
            h = Norm(x, _parameters[$"{l}.feed-forward-norm"]);
            x = x + linear(silu(linear(h, _parameters[$"{l}.gate"])) * linear(h, _parameters[$"{l}.up"]), _parameters[$"{l}.down"]);
        }
        return linear(Norm(x, _parameters["norm"]), _parameters[_s.TiedHead ? "embedding" : "head"]).MoveToOuterDisposeScope();
    }

    private Tensor Norm(Tensor x, Tensor scale) => x * (x.square().mean([-1], keepdim: true) + _s.NormEpsilon).rsqrt() * scale;

    /// <summary>[batch, heads, length, width].</summary>
    private Tensor Heads(Tensor x, int layer, string name, int heads)
    {
        var y = linear(x, _parameters[$"{layer}.{name}"], _s.AttentionBias ? _parameters[$"{layer}.{name}-bias"] : null!).unflatten(2, [heads, _s.HeadWidth]);
        return (_s.QueryKeyNorm && name != "value" ? Norm(y, _parameters[$"{layer}.{name}-norm"]) : y).transpose(1, 2);
    }

    private static Tensor Turned(Tensor x, Tensor cosines, Tensor sines)
    {
        var halves = x.chunk(2, -1);
        return cat([halves[0] * cosines - halves[1] * sines, halves[0] * sines + halves[1] * cosines], -1);
    }

    /// <summary>A copy of the weights for a session.</summary>
    public LlamaWeights ToWeights()
    {
        var embedding = Matrix("embedding");
        return new(_s, embedding, [.. Enumerable.Range(0, _s.Layers).Select(l => new LlamaLayer(Values($"{l}.attention-norm"), Matrix($"{l}.query"), Matrix($"{l}.key"), Matrix($"{l}.value"), Matrix($"{l}.output"),
            Values($"{l}.feed-forward-norm"), Matrix($"{l}.gate"), Matrix($"{l}.up"), Matrix($"{l}.down"))
        {
            Biases = _s.AttentionBias ? (Values($"{l}.query-bias"), Values($"{l}.key-bias"), Values($"{l}.value-bias")) : ([], [], []),
            HeadNorms = _s.QueryKeyNorm ? (Values($"{l}.query-norm"), Values($"{l}.key-norm")) : ([], []),
        })], Values("norm"), _s.TiedHead ? embedding : Matrix("head"), null);

        float[] Values(string name) => _parameters[name].data<float>().ToArray();

        WeightMatrix Matrix(string name)
        {
            int rows = (int)_parameters[name].shape[0], columns = (int)_parameters[name].shape[1];
            float[] all = Values(name);
            return WeightMatrix.Of(WeightType.Float32, rows, columns, (row, to) => all.AsSpan(row * columns, columns).CopyTo(to));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var parameter in _parameters.Values)
            parameter.Dispose();
        _cosines.Dispose();
        _sines.Dispose();
    }
}
