using CsCheck;

namespace Winnow.Data.Tests;

/// <summary>Drawn cases that are the same in every run.</summary>
internal static class Cases
{
    /// <summary>The first cases of a generator, each from its own fixed stream.</summary>
    public static IEnumerable<T> Fixed<T>(this Gen<T> gen, int count) => Enumerable.Range(0, count).Select(i => gen.Generate(new PCG((uint)i, seed: 2025), null, out _));
}
