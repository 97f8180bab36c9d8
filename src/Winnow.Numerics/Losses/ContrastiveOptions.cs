namespace Winnow.Numerics;

/// <summary>How a contrastive loss is computed.</summary>
public sealed record ContrastiveOptions
{
    /// <summary>Whether the loss is the mean of both directions, queries over keys and keys over queries; one pass computes both.</summary>
    public bool Symmetric { get; init; } = true;

    /// <summary>Whether a query's logit with the key of its own index is left out: one tower, whose rows are queries and keys at once.</summary>
    public bool ExcludeSelf { get; init; }

    /// <summary>Whether rows of a length other than 1 (to 1e-3) are refused.</summary>
    public bool RequireNormalised { get; init; }

    /// <summary>Threads, the caller's among them.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Keys in a tile.</summary>
    public int KeyBlock { get; init; } = 256;

    /// <summary>Queries in a tile.</summary>
    public int QueryChunk { get; init; } = 240;

    /// <summary>The instructions to use.</summary>
    public TilePath Path { get; init; } = TilePaths.Best;

    internal void Check()
    {
        if (Threads < 1 || KeyBlock < 1 || QueryChunk < 1)
            throw new ArgumentException($"{Threads} threads, {KeyBlock} keys and {QueryChunk} queries in a tile; expected at least one of each");
        if (Symmetric && ExcludeSelf)
            throw new ArgumentException("one tower has no second direction; expected Symmetric = false with ExcludeSelf");
    }
}
