using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// Feature maps by class: of a base class its mean, of a later class the first few. Knows which classes were seen, and which were in the base.
/// All memory is taken at construction: classes · shots · C·H·W values.
/// </summary>
internal sealed class MapMemory(int classes, int shots, int width) : IDisposable
{
    private readonly Tensor _maps = zeros(classes, shots, width).DetachFromDisposeScope();
    private readonly Tensor _counts = zeros(classes, ScalarType.Int64).DetachFromDisposeScope(); // maps kept
    private readonly Tensor _base = zeros(classes, ScalarType.Bool).DetachFromDisposeScope();

    /// <summary>What is remembered, under a prefix.</summary>
    public IEnumerable<StateEntry> State(string prefix) =>
        [new($"{prefix}.maps", StateKind.Memory, _maps), new($"{prefix}.counts", StateKind.Counter, _counts), new($"{prefix}.base", StateKind.Counter, _base)];

    /// <summary>Whether a class is kept.</summary>
    public bool Has(int label) => _counts.Values<long>()[label] > 0;

    /// <summary>Whether no class is kept.</summary>
    public bool IsEmpty => !_counts.Values<long>().ContainsAnyExcept(0);

    /// <summary>Booleans [B]: which labels are of the base.</summary>
    public Tensor IsBase(Tensor labels) => _base.index_select(0, labels);

    /// <summary>Keeps maps [n, width] of a class: their mean for the base, else as many as there is room for.</summary>
    public void Keep(int label, Tensor maps, bool isBase)
    {
        using var scope = NewDisposeScope();
        var kept = isBase ? maps.mean([0], keepdim: true) : maps.narrow(0, 0, Math.Min(shots, maps.shape[0]));
        _maps[label].narrow(0, 0, kept.shape[0]).copy_(kept);
        _counts.Values<long>()[label] = kept.shape[0];
        _base[label] = isBase;
    }

    /// <summary>All that is kept: maps [n, width] and labels [n].</summary>
    public (Tensor Maps, Tensor Labels) Content
    {
        get
        {
            long[] counts = _counts.Values<long>().ToArray();
            int[] kept = [.. Enumerable.Range(0, counts.Length).Where(c => counts[c] > 0)];
            return (cat([.. kept.Select(c => _maps[c].narrow(0, 0, counts[c]))]), tensor([.. kept.SelectMany(c => Enumerable.Repeat((long)c, (int)counts[c]))]));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _maps.Dispose();
        _counts.Dispose();
        _base.Dispose();
    }
}
