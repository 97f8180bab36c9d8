using System.Runtime.InteropServices;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>
/// A kernel of how far aligned sequences have evolved apart, on rows of codes (<see cref="Sequences"/>): <c>exp(−d²/2σ²)</c> (rbf), <c>exp(−d/σ)</c> (exponential) or <c>(1 − p)^γ</c> (power), with p the share of sites
/// that differ and d the Poisson correction −ln(1 − p), or p itself. Without gaps the power is positive for whole γ, being a product of counts, and so is the exponential of p; the rbf of d need not be.
/// </summary>
/// <param name="form"><c>rbf</c>, <c>exponential</c> or <c>power</c>.</param>
/// <param name="scale">σ, or γ of a power; above 0.</param>
/// <param name="poisson">Whether distances are corrected.</param>
/// <param name="gapsAreSymbols">Whether a gap is a residue like others; else a pair's sites with gaps are left out.</param>
/// <param name="cap">Whether sequences that differ everywhere are near the largest distance that so many sites can show; else they are refused.</param>
public sealed class SubstitutionKernel(string form, double scale, bool poisson = true, bool gapsAreSymbols = false, bool cap = true) : IKernel
{
    private readonly double _scale = Rbf.Positive(scale, nameof(scale));
    private readonly string _form = form is "rbf" or "exponential" or "power" ? form : throw new ArgumentOutOfRangeException(nameof(form), form, "expected rbf, exponential or power");

    /// <inheritdoc/>
    public Tensor Gram(Tensor x, Tensor y) => _form switch
    {
        "power" => Sequences.Proportions(x, y, gapsAreSymbols).neg_().add_(1).pow_(_scale),
        "rbf" => Distances(x, y, poisson, gapsAreSymbols, cap).pow_(2).mul_(-1 / (2 * _scale * _scale)).exp_(),
        _ => Distances(x, y, poisson, gapsAreSymbols, cap).mul_(-1 / _scale).exp_(),
    };

    /// <inheritdoc/>
    public Tensor Diagonal(Tensor x) => ones(x.shape[0], dtype: ScalarType.Float64);

    /// <summary>The median distance of different sequences, of at most 1,000 of them, evenly taken; 1 where most are the same.</summary>
    /// <param name="x">Codes [n, sites].</param>
    /// <param name="poisson">Whether distances are corrected.</param>
    /// <param name="gapsAreSymbols">As of the kernel.</param>
    /// <param name="cap">As of the kernel.</param>
    public static double Median(Tensor x, bool poisson = true, bool gapsAreSymbols = false, bool cap = true)
    {
        ArgumentNullException.ThrowIfNull(x);
        using var scope = NewDisposeScope();
        const int most = 1000;
        var some = Evenly.Taken(x, most);
        var d = Distances(some, some, poisson, gapsAreSymbols, cap);
        double[] above = [.. d.masked_select(ones_like(d).triu(1).to(ScalarType.Bool)).data<double>().ToArray().Order()];
        double median = above.Length == 0 ? 0 : (above[(above.Length - 1) / 2] + above[above.Length / 2]) / 2;
        return median > 0 ? median : 1;
    }

    private static Tensor Distances(Tensor x, Tensor y, bool poisson, bool gapsAreSymbols, bool cap) => poisson ? Sequences.Poisson(x, y, gapsAreSymbols, cap) : Sequences.Proportions(x, y, gapsAreSymbols);
}

/// <summary>The number of sites at which two sequences have the same residue: the product of their residues as ones and zeros, of which a gap has none.</summary>
public sealed class SharedSites : IKernel
{
    /// <inheritdoc/>
    public Tensor Gram(Tensor x, Tensor y) => Sequences.Shared(x, y);

    /// <inheritdoc/>
    public Tensor Diagonal(Tensor x) => x.ne(Sequences.Gap).sum(1).to(ScalarType.Float64);
}

/// <summary>
/// The cosine of how often sequences have each word of k residues (Leslie, Eskin and Noble, The spectrum kernel, PSB 2002), gaps left out; with mismatches a word counts for all words that differ from it at no
/// more than so many places (Leslie et al., Mismatch string kernels, NIPS 2003). A sequence without a word is like none but itself. Cost O(n · sites · words near one) and a product of counts; memory 8 · n · words.
/// </summary>
/// <param name="k">Residues of a word, 1 to 12.</param>
/// <param name="mismatches">Places that may differ, 0 or more and less than k.</param>
/// <param name="alphabet">Symbols that a place may have instead.</param>
public sealed class SpectrumKernel(int k = 3, int mismatches = 0, int alphabet = 27) : IKernel
{
    private const long MostCounts = 1L << 28;
    private const double MostNear = 100_000;
    private readonly int _k = k is >= 1 and <= 12 ? k : throw new ArgumentOutOfRangeException(nameof(k), k, "expected 1 to 12");
    private readonly int _mismatches = mismatches >= 0 && mismatches < k ? mismatches : throw new ArgumentOutOfRangeException(nameof(mismatches), mismatches, "expected 0 or more, and less than k");

    /// <inheritdoc/>
    public Tensor Gram(Tensor x, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(y);
        using var scope = NewDisposeScope();
        bool same = ReferenceEquals(x, y);
        double near = 1;
        for (double i = 1, ways = 1; i <= _mismatches; i++)
            near += ways = ways * (_k - i + 1) / i * (alphabet - 1);
        if (near > MostNear)
            throw InputException.At("spectrum kernel", $"{near:N0} words within {_mismatches} mismatches of one", $"at most {MostNear:N0}", "Take fewer mismatches or shorter words.");
        var words = new Dictionary<UInt128, int>();
        var left = Counts(x, words);
        var right = same ? left : Counts(y, words);
        if ((long)(left.Count + right.Count) * words.Count > MostCounts)
            throw InputException.At("spectrum kernel", $"{words.Count:N0} words in {left.Count + right.Count:N0} sequences", $"at most {MostCounts:N0} counts", "Take shorter words, fewer mismatches or fewer sequences.");
        var a = Dense(left, words.Count);
        return new Cosine().Gram(a, same ? a : Dense(right, words.Count)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor Diagonal(Tensor x) => ones(x.shape[0], dtype: ScalarType.Float64);

    private List<Dictionary<int, int>> Counts(Tensor x, Dictionary<UInt128, int> words)
    {
        var all = new List<Dictionary<int, int>>();
        Span<int> word = stackalloc int[_k];
        foreach (int[] codes in Sequences.Integers(x).Chunk((int)x.shape[1]))
        {
            int[] residues = [.. codes.Where(c => c != Sequences.Gap)];
            var counts = new Dictionary<int, int>();
            for (int at = 0; at + _k <= residues.Length; at++)
            {
                residues.AsSpan(at, _k).CopyTo(word);
                Near(word, 0, _mismatches, words, counts);
            }
            all.Add(counts);
        }
        return all;
    }

    /// <summary>Counts a word and all that differ from it in some of the places not yet decided.</summary>
    private void Near(Span<int> word, int place, int left, Dictionary<UInt128, int> words, Dictionary<int, int> counts)
    {
        if (place == word.Length || left == 0)
        {
            UInt128 key = 0;
            foreach (int residue in word)
                key = key * 256 + (UInt128)residue;
            if (!words.TryGetValue(key, out int number))
                words[key] = number = words.Count;
            CollectionsMarshal.GetValueRefOrAddDefault(counts, number, out _)++;
            return;
        }
        int own = word[place];
        for (int residue = 0; residue < alphabet; residue++)
        {
            word[place] = residue;
            Near(word, place + 1, left - (residue == own ? 0 : 1), words, counts);
        }
        word[place] = own;
    }

    private static Tensor Dense(List<Dictionary<int, int>> counts, int words)
    {
        double[] values = new double[(long)counts.Count * Math.Max(1, words)];
        for (int i = 0; i < counts.Count; i++)
            foreach (var (word, count) in counts[i])
                values[(long)i * words + word] = count;
        return Aligned.Of(values, counts.Count, Math.Max(1, words));
    }
}
