using System.Numerics;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Aligned sequences as rows: a code a site, float64 [n, sites], so that every classifier takes them. Codes are 0 to 25 for A to Z, 26 for *, and <see cref="Gap"/>.</summary>
public static unsafe class Sequences
{
    /// <summary>The code of a gap.</summary>
    public const int Gap = -1;

    internal const int Symbols = 27, MostSymbols = 253;
    private const byte PackedGap = 255;

    /// <summary>Codes of residues.</summary>
    /// <param name="residues">Letters in capitals, *, or - for a gap; all of one length.</param>
    /// <returns>Float64 [n, sites]; the current dispose scope owns it.</returns>
    /// <exception cref="InputException">No sequence, lengths that differ, or another symbol.</exception>
    public static Tensor Codes(IReadOnlyList<string> residues)
    {
        ArgumentNullException.ThrowIfNull(residues);
        if (residues.Count == 0 || residues[0].Length == 0)
            throw InputException.At("sequences", residues.Count == 0 ? "none" : "an empty one", "at least one residue", "Give some.");
        int length = residues[0].Length;
        double[] codes = new double[(long)residues.Count * length];
        for (int i = 0; i < residues.Count; i++)
        {
            if (residues[i].Length != length)
                throw InputException.At("sequences", $"number 0 of {length} residues and number {i} of {residues[i].Length}", "one length", "Align them first; a gap is '-'.");
            for (int s = 0; s < length; s++)
                codes[(long)i * length + s] = residues[i][s] switch
                {
                    >= 'A' and <= 'Z' and var letter => letter - 'A',
                    '*' => Symbols - 1,
                    '-' => Gap,
                    var other => throw InputException.At("sequences", $"'{other}' at site {s} of number {i}", "A to Z, * and - for a gap", "Mend it."),
                };
        }
        return Aligned.Of(codes, residues.Count, length);
    }

    /// <summary>The share of sites at which sequences differ, float64 [n, m]; the current dispose scope owns it. Cost n · m · sites / 32 comparisons.</summary>
    /// <param name="x">Codes [n, sites].</param>
    /// <param name="y">Codes [m, sites].</param>
    /// <param name="gapsAreSymbols">Whether a gap differs from a residue; else sites where either has a gap count for nothing.</param>
    /// <exception cref="InputException">Rows that are no codes, or two sequences without a common site.</exception>
    public static Tensor Proportions(Tensor x, Tensor y, bool gapsAreSymbols = false) => Pairs(x, y, gapsAreSymbols, (same, sites) => sites == 0 ? double.NaN : 1 - (double)same / sites);

    /// <summary>The Poisson correction <c>d = −ln(1 − p)</c> of the share p of sites that differ (Zuckerkandl and Pauling 1965): substitutions a site, if each hits a site anew and none is undone.</summary>
    /// <param name="x">Codes [n, sites].</param>
    /// <param name="y">Codes [m, sites].</param>
    /// <param name="gapsAreSymbols">As of <see cref="Proportions"/>.</param>
    /// <param name="cap">Whether p is at most 1 − 1/(2 · common sites); else sequences that differ everywhere are refused.</param>
    /// <inheritdoc cref="Proportions" path="/exception"/>
    public static Tensor Poisson(Tensor x, Tensor y, bool gapsAreSymbols = false, bool cap = true) =>
        Pairs(x, y, gapsAreSymbols, (same, sites) => sites == 0 ? double.NaN : same == sites ? 0 : -Math.Log(same == 0 && cap ? 0.5 / sites : (double)same / sites));

    /// <summary>At how many sites two have the same residue; a gap has none.</summary>
    internal static Tensor Shared(Tensor x, Tensor y) => Pairs(x, y, false, (same, _) => same);

    private static Tensor Pairs(Tensor x, Tensor y, bool gapsAreSymbols, Func<int, int, double> of)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(y);
        bool same = ReferenceEquals(x, y);
        var (a, n) = (Packed(x, gapsAreSymbols, out int width), (int)x.shape[0]);
        var (b, m) = same ? (a, n) : (Packed(y, gapsAreSymbols, out int other), (int)y.shape[0]);
        if (x.shape[1] != y.shape[1])
            throw InputException.At("sequences", $"{y.shape[1]} and {x.shape[1]} sites", "as many in both", "Align them together.");
        double[] values = new double[(long)n * m];
        Parallel.For(0, n, Products.Threads(), i =>
        {
            for (int j = same ? i : 0; j < m; j++)
            {
                var (matches, sites) = Matches(a.AsSpan(i * width, width), b.AsSpan(j * width, width));
                values[(long)i * m + j] = of(matches, sites);
            }
        });
        for (int i = 0; i < n; i++)
            for (int j = same ? i : 0; j < m; j++)
            {
                double value = values[(long)i * m + j];
                if (!double.IsFinite(value))
                    throw InputException.At("sequences", double.IsNaN(value) ? $"numbers {i} and {j} without a site where neither has a gap" : $"numbers {i} and {j}, which differ at every site", double.IsNaN(value) ? "a common site" : "a common residue", double.IsNaN(value) ? "Leave one out, or let a gap be a symbol." : "Leave one out, or set cap=true.");
                if (same)
                    values[(long)j * m + i] = value;
            }
        return Aligned.Of(values, n, m);
    }

    /// <summary>Sites at which two have the same residue, and sites where neither has a gap.</summary>
    private static (int Matches, int Sites) Matches(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        int lanes = Vector<byte>.Count, matches = 0, sites = 0;
        var gap = new Vector<byte>(PackedGap);
        for (int first = 0; first < a.Length; first += lanes * byte.MaxValue)
        {
            Vector<byte> equal = default, there = default; // counts of up to 255
            for (int at = first; at < Math.Min(a.Length, first + lanes * byte.MaxValue); at += lanes)
            {
                var (va, vb) = (new Vector<byte>(a[at..]), new Vector<byte>(b[at..]));
                var neither = ~(Vector.Equals(va, gap) | Vector.Equals(vb, gap));
                equal -= Vector.Equals(va, vb) & neither;
                there -= neither;
            }
            (matches, sites) = (matches + Total(equal), sites + Total(there));
        }
        return (matches, sites);

        static int Total(Vector<byte> counts)
        {
            Vector.Widen(counts, out var low, out var high);
            return Vector.Sum(low + high);
        }
    }

    /// <summary>A byte a site, rows filled up with gaps to whole vectors.</summary>
    private static byte[] Packed(Tensor x, bool gapsAreSymbols, out int width)
    {
        var codes = Integers(x);
        int sites = (int)x.shape[1], n = (int)x.shape[0];
        width = (sites + Vector<byte>.Count - 1) / Vector<byte>.Count * Vector<byte>.Count;
        byte[] packed = new byte[n * width];
        Array.Fill(packed, PackedGap);
        for (int i = 0; i < n; i++)
            for (int s = 0; s < sites; s++)
                packed[i * width + s] = codes[i * sites + s] is var code and not Gap ? (byte)code : gapsAreSymbols ? (byte)MostSymbols : PackedGap;
        return packed;
    }

    /// <summary>Codes as whole numbers, row after row.</summary>
    internal static int[] Integers(Tensor x)
    {
        using var scope = NewDisposeScope();
        double[] values = x.contiguous().data<double>().ToArray();
        int[] codes = new int[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            codes[i] = (int)values[i];
            if (codes[i] != values[i] || codes[i] < Gap || codes[i] >= MostSymbols)
                throw InputException.At("sequences", FormattableString.Invariant($"{values[i]} in row {i / x.shape[1]}, column {i % x.shape[1]}"), $"codes from {Gap} (a gap) to {MostSymbols - 1}", "Make them by Sequences.Codes.");
        }
        return codes;
    }
}
