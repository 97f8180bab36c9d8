using Winnow.Core;
using Winnow.Numerics;

namespace Winnow.Language;

/// <summary>The weights of a layer. Matrices have a row for each output.</summary>
/// <param name="AttentionNorm">Scales before attention [width].</param>
/// <param name="Query">[heads · head width, width].</param>
/// <param name="Key">[key-value heads · head width, width].</param>
/// <param name="Value">As the keys.</param>
/// <param name="Output">[width, heads · head width].</param>
/// <param name="FeedForwardNorm">Scales before the feed-forward layer [width].</param>
/// <param name="Gate">[hidden, width].</param>
/// <param name="Up">[hidden, width].</param>
/// <param name="Down">[width, hidden].</param>
public sealed record LlamaLayer(float[] AttentionNorm, WeightMatrix Query, WeightMatrix Key, WeightMatrix Value, WeightMatrix Output, float[] FeedForwardNorm, WeightMatrix Gate, WeightMatrix Up, WeightMatrix Down)
{
    /// <summary>Biases of queries, keys and values; empty where the model has none.</summary>
    public (float[] Query, float[] Key, float[] Value) Biases { get; init; } = ([], [], []);

    /// <summary>Scales of each head's queries and keys; empty where the model has none.</summary>
    public (float[] Query, float[] Key) HeadNorms { get; init; } = ([], []);

    internal WeightMatrix[] Matrices => [Query, Key, Value, Output, Gate, Up, Down];
}

/// <summary>All weights of a model, and the memory they lie in.</summary>
/// <param name="Shape">The sizes.</param>
/// <param name="Embedding">[vocabulary, width].</param>
/// <param name="Layers">The layers.</param>
/// <param name="FinalNorm">Scales before the head [width].</param>
/// <param name="Head">[vocabulary, width]; the embedding where they are tied.</param>
/// <param name="Memory">What the matrices lie in: disposed of with them.</param>
public sealed record LlamaWeights(LlamaShape Shape, WeightMatrix Embedding, IReadOnlyList<LlamaLayer> Layers, float[] FinalNorm, WeightMatrix Head, IDisposable? Memory) : IDisposable
{
    private IEnumerable<WeightMatrix> Matrices => Layers.SelectMany(l => l.Matrices).Append(Embedding).Append(Head).Distinct();

    /// <summary>Bytes of all matrices.</summary>
    public long Bytes => Matrices.Sum(m => m.Bytes);

    /// <summary>The same weights in another type, in memory of their own; matrices whose rows blocks of 32 do not fill stay in bfloat16. The embedding is read a row at a time and changes with the head it is tied to.</summary>
    public LlamaWeights As(WeightType type, CancellationToken cancellation = default)
    {
        var made = new Dictionary<WeightMatrix, WeightMatrix>(ReferenceEqualityComparer.Instance);
        try
        {
            foreach (var m in Matrices)
            {
                cancellation.ThrowIfCancellationRequested();
                bool fits = type is WeightType.Float32 or WeightType.BFloat16 || m.Columns % WeightMatrix.BlockSize == 0;
                made[m] = m.As(fits ? type : WeightType.BFloat16);
            }
        }
        catch
        {
            foreach (var m in made.Values)
                m.Dispose();
            throw;
        }
        return this with
        {
            Embedding = made[Embedding],
            Head = made[Head],
            Memory = null,
            Layers = [.. Layers.Select(l => l with { Query = made[l.Query], Key = made[l.Key], Value = made[l.Value], Output = made[l.Output], Gate = made[l.Gate], Up = made[l.Up], Down = made[l.Down] })],
        };
    }

    /// <summary>Random weights, normal with standard deviation 0.02, norms of 1: for measurements and tests.</summary>
    public static LlamaWeights Random(LlamaShape shape, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(random);
        shape.Checked("shape");
        int queries = shape.Heads * shape.HeadWidth, keys = shape.KeyValueHeads * shape.HeadWidth;
        var embedding = Matrix(shape.Vocabulary, shape.Width);
        return new(shape, embedding, [.. Enumerable.Range(0, shape.Layers).Select(_ => new LlamaLayer(Ones(shape.Width), Matrix(queries, shape.Width), Matrix(keys, shape.Width), Matrix(keys, shape.Width), Matrix(shape.Width, queries),
            Ones(shape.Width), Matrix(shape.Hidden, shape.Width), Matrix(shape.Hidden, shape.Width), Matrix(shape.Width, shape.Hidden))
        {
            Biases = shape.AttentionBias ? (Normal(queries), Normal(keys), Normal(keys)) : ([], [], []),
            HeadNorms = shape.QueryKeyNorm ? (Ones(shape.HeadWidth), Ones(shape.HeadWidth)) : ([], []),
        })], Ones(shape.Width), shape.TiedHead ? embedding : Matrix(shape.Vocabulary, shape.Width), null);

        float[] Ones(int n) => [.. Enumerable.Repeat(1f, n)];

        float[] Normal(int n) => [.. Enumerable.Range(0, n).Select(_ => (float)(0.02 * random.NextNormal()))];

        WeightMatrix Matrix(int rows, int columns) => WeightMatrix.Of(WeightType.Float32, rows, columns, (_, row) =>
        {
            foreach (ref float w in row)
                w = (float)(0.02 * random.NextNormal());
        });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var matrix in Matrices)
            matrix.Dispose();
        Memory?.Dispose();
    }
}
