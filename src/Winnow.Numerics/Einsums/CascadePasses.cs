namespace Winnow.Numerics.Einsums;

/// <summary>
/// How often a cascade must go over a rank. An Einsum can go over the rank together with what makes the elements it reads, one by one,
/// but not with what makes a reduction of the whole rank: that is complete only when the pass ends. So a pass is needed each time a
/// traversal depends on the complete reduction of another. A rank m and its parts m0, m1 are one: a block is done when its turn is over,
/// all blocks only when the pass is.
/// </summary>
public sealed class CascadePasses
{
    private readonly Dictionary<string, int> _level = [];
    private readonly List<string> _why = [];

    /// <summary>Analyses a cascade.</summary>
    /// <param name="cascade">The cascade.</param>
    /// <param name="rank">The rank, by the letters it begins with: <c>m</c> stands for m, m0 and m1.</param>
    /// <exception cref="ArgumentException">No Einsum goes over the rank.</exception>
    public CascadePasses(Cascade cascade, string rank)
    {
        ArgumentNullException.ThrowIfNull(cascade);
        ArgumentException.ThrowIfNullOrEmpty(rank);
        Rank = rank;
        if (!cascade.Einsums.SelectMany(s => s.Ranks).Any(Belongs))
            throw new ArgumentException($"no Einsum goes over rank '{rank}'; the ranks are {string.Join(", ", cascade.Einsums.SelectMany(s => s.Ranks).Distinct())}", nameof(rank));
        // recurrences read what comes later in the order: levels only rise, and at most to the number of Einsums
        for (bool changed = true; changed;)
        {
            changed = false;
            foreach (var einsum in cascade.Einsums)
            {
                int level = LevelOf(einsum);
                changed |= level != Level(einsum.Output.Tensor);
                _level[einsum.Output.Tensor] = level;
            }
        }
        foreach (var einsum in cascade.Einsums.Where(Traverses))
            if (einsum.Reads.FirstOrDefault(a => Complete(a) && Level(a.Tensor) + 1 == Level(einsum.Output.Tensor)) is { } cause)
                _why.Add($"{einsum.Output.Tensor} goes over {rank} in pass {Level(einsum.Output.Tensor)}: it needs {cause}, complete only when pass {Level(cause.Tensor)} ends");
        Count = cascade.Einsums.Max(s => Level(s.Output.Tensor));
        Kept = [.. cascade.Einsums.Where(s => Traverses(s) && s.Output.Indices.Any(Runs) && cascade.Einsums.Any(r => r.Reads.Any(a => a.Tensor == s.Output.Tensor && a.Indices.Any(Runs)) && Level(r.Output.Tensor) > Level(s.Output.Tensor)))
            .Select(s => s.Output.Tensor)];
    }

    /// <summary>The rank.</summary>
    public string Rank { get; }

    /// <summary>The least number of passes.</summary>
    public int Count { get; }

    /// <summary>Tensors along the rank that are made in one pass and read in a later one: they must be kept, as large as the rank, or made again.</summary>
    public IReadOnlyList<string> Kept { get; }

    /// <summary>Why each further pass is needed.</summary>
    public IReadOnlyList<string> Reasons => _why;

    /// <summary>The pass in which a tensor is made, from 1; 0 for inputs and what does not depend on the rank.</summary>
    public int Level(string tensor) => _level.GetValueOrDefault(tensor);

    /// <summary>Whether an Einsum goes over the rank.</summary>
    internal bool Traverses(Einsum einsum) => einsum.Ranks.Any(Belongs);

    private int LevelOf(Einsum einsum)
    {
        int level = Traverses(einsum) ? 1 : 0;
        foreach (var read in einsum.Reads)
            level = Math.Max(level, Level(read.Tensor) + (Traverses(einsum) && Complete(read) ? 1 : 0));
        return level;
    }

    /// <summary>Whether an access reads something that is known only after a whole traversal.</summary>
    private bool Complete(EinsumAccess read) => Level(read.Tensor) > 0 && !read.Indices.Any(Runs);

    private bool Runs(EinsumIndex index) => index.Ranks.Any(Belongs);

    private bool Belongs(string rank) => rank.TrimEnd("0123456789").SequenceEqual(Rank);
}
