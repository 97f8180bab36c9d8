namespace Winnow.Numerics;

/// <summary>How <see cref="LinearCrossEntropyKernel"/> computes. The default is exact: nothing is skipped.</summary>
public sealed record LinearCrossEntropyOptions
{
    /// <summary>Logits become <c>cap·tanh(logit/cap)</c>; null leaves them.</summary>
    public float? Softcap { get; init; }

    /// <summary>A tile whose largest |softmax − onehot| is below this adds nothing to the gradients; 0 skips nothing.</summary>
    public double FilterEpsilon { get; init; }

    /// <summary>Whether the filter applies to the gradient of the embeddings.</summary>
    public bool FilterEmbeddings { get; init; } = true;

    /// <summary>Whether the filter applies to the gradient of the classifier. Pre-training needs it off: tokens that are never predicted get no decay otherwise.</summary>
    public bool FilterClassifier { get; init; } = true;

    /// <summary>Whether the backward pass visits the vocabulary by average logit, so that likely entries share tiles and more tiles are skipped.</summary>
    public bool SortVocabulary { get; init; }

    /// <summary>Threads, the caller's among them. The bits of a result depend on their number, and on nothing else of the machine's state.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Vocabulary entries in a tile.</summary>
    public int VocabularyBlock { get; init; } = 256;

    /// <summary>Rows in a chunk; 0 chooses: 240, or for gradients with the loss as many as keep a chunk's logits below 16 MiB, at least 48.</summary>
    public int RowChunk { get; init; }

    /// <summary>The instructions to use.</summary>
    public TilePath Path { get; init; } = TilePaths.Best;

    /// <summary>Nothing is skipped; sums are float32.</summary>
    public static LinearCrossEntropyOptions Exact { get; } = new();

    /// <summary>The paper's default: both gradients filtered at <see cref="AutoEpsilon"/>, the vocabulary sorted. Sums are float32 here, which is more exact than the paper's.</summary>
    public static LinearCrossEntropyOptions Cce(TileType type) => new() { FilterEpsilon = AutoEpsilon(type), SortVocabulary = true };

    /// <summary>The paper's setting for pre-training: only the embeddings' gradient is filtered.</summary>
    public static LinearCrossEntropyOptions KahanFullC(TileType type) => Cce(type) with { FilterClassifier = false };

    /// <summary>The type's machine epsilon by 32: what a filter cannot lose visibly.</summary>
    public static double AutoEpsilon(TileType type) => Math.ScaleB(1, type == TileType.BFloat16 ? -12 : -28);

    internal void Check()
    {
        if (Softcap is { } cap && !(cap > 0 && float.IsFinite(cap)))
            throw new ArgumentException($"a soft cap of {cap}; expected a positive number, or none");
        if (!(FilterEpsilon >= 0))
            throw new ArgumentException($"a filter at {FilterEpsilon}; expected 0 (off) or a positive number");
        if (Threads < 1 || VocabularyBlock < 1 || RowChunk < 0)
            throw new ArgumentException($"{Threads} threads, {VocabularyBlock} vocabulary entries in a tile, {RowChunk} rows in a chunk; expected at least one thread and one entry, and no negative number of rows");
    }
}

/// <summary>How many tiles of the backward pass there were, and how many the filter left out.</summary>
/// <param name="Tiles">Tiles of one panel of rows by one block of the vocabulary.</param>
/// <param name="Skipped">Those that added to neither gradient.</param>
public readonly record struct TileCounts(long Tiles, long Skipped)
{
    /// <summary>Skipped by tiles.</summary>
    public double SkipRate => Tiles == 0 ? 0 : (double)Skipped / Tiles;
}
