using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>What a reader may hold at most: checked before memory is asked for.</summary>
/// <param name="Elements">Numbers or bytes in one array.</param>
/// <param name="Bytes">Bytes in all.</param>
internal sealed record ReadLimits(long Elements, long Bytes)
{
    /// <summary>What an array can hold, and three quarters of the memory this process may use.</summary>
    public static ReadLimits Here { get; } = new(Array.MaxLength, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4 * 3);

    /// <summary>Refuses data that is too large.</summary>
    /// <param name="where">File.</param>
    /// <param name="elements">Elements needed.</param>
    /// <param name="elementBytes">Bytes per element.</param>
    public void Require(string where, Int128 elements, int elementBytes)
    {
        if (elements > Elements)
            throw InputException.At(where, $"{elements} values", $"at most {Excerpt.Of(Elements)}", "Split the file or take a sample of its rows.");
        if (elements * elementBytes > Bytes)
            throw InputException.At(where, $"{(double)elements * elementBytes / 1e6:F0} MB of values", $"at most {Bytes / 1e6:F0} MB, three quarters of this machine's memory", "Take a sample of its rows.");
    }
}
