using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>The running mean of each class in float64 and the number of its rows: in any order of rows the same, but for rounding.</summary>
internal sealed class ClassMeans(int classes, int width) : IDisposable
{
    /// <summary>A logit that no seen class has: its softmax is zero.</summary>
    private const float OutOfReach = -1e30f;

    /// <summary>Means [classes, width]; zero for a class never seen.</summary>
    public Tensor Means { get; } = zeros(classes, width, ScalarType.Float64).DetachFromDisposeScope();

    /// <summary>Rows of each class, int64 [classes].</summary>
    public Tensor Counts { get; } = zeros(classes, ScalarType.Int64).DetachFromDisposeScope();

    /// <summary>What is remembered, under a prefix.</summary>
    public IEnumerable<StateEntry> State(string prefix) =>
        [new($"{prefix}.means", StateKind.Statistics, Means), new($"{prefix}.counts", StateKind.Counter, Counts)];

    /// <summary>Takes features [n, width] into the means of their classes.</summary>
    /// <returns>Deviations [m, width], owned by the current dispose scope, whose products DᵀD are by how much the scatter within classes grew.</returns>
    public Tensor Add(Tensor features, Tensor labels)
    {
        using var scope = NewDisposeScope();
        var deviations = new List<Tensor>();
        foreach (long label in labels.Values<long>().ToArray().Distinct().Order())
        {
            var rows = features.index_select(0, labels.eq(label).nonzero().flatten());
            long n = rows.shape[0], seen = Counts.Values<long>()[(int)label];
            var mean = Means[label];
            var own = rows.mean([0]);
            var shift = own - mean;
            // Σ(f−μ)(f−μ)ᵀ of the union = that of the old rows + that of the new ones about their own mean + seen·n/(seen+n)·δδᵀ
            deviations.Add(rows - own);
            deviations.Add(shift.unsqueeze(0) * Math.Sqrt((double)seen * n / (seen + n)));
            mean.add_(shift * ((double)n / (seen + n)));
            Counts.Values<long>()[(int)label] = seen + n;
        }
        return cat(deviations).MoveToOuterDisposeScope();
    }

    /// <summary>Scores [n, classes] as float32 logits, with classes never seen out of reach; the current dispose scope owns them.</summary>
    public Tensor Logits(Tensor scores)
    {
        using var scope = NewDisposeScope();
        return scores.to_type(ScalarType.Float32).masked_fill(Counts.eq(0), OutOfReach).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Means.Dispose();
        Counts.Dispose();
    }
}
