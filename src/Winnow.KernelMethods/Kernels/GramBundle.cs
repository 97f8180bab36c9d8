using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>
/// Similarities that were computed beforehand, as a kernel: of items learned from with each other, of these with others, and of each other with itself. A row is the number of an item, as float64 [n, 1]: 0 to n − 1 of those
/// learned from, n to n + m − 1 of the others. So whatever takes a kernel takes the nodes of a graph, whole graphs, sequences or a circuit alike.
/// <code>
/// using var bundle = new GramBundle(gram, cross, diagonal, "edit distances").Clipped();
/// using var fitted = new KernelRidge(_ => [bundle], new()).Fit(new TrainingRows(bundle.Rows, labels, classes));
/// using var scores = fitted.Scores(bundle.Others);
/// </code>
/// <para>What is no kernel has negative eigenvalues: <see cref="Smallest"/> tells the least, and <see cref="Clipped"/> sets them to 0 (Chen, Garcia, Gupta, Rahimi and Cazzanti, Similarity-based classification: concepts and algorithms, JMLR 10, 2009).
/// Memory 8 n (n + m) bytes; a matrix is gathered in O(n m), an eigendecomposition for <see cref="Smallest"/> is O(n³) and made once, when first asked for.</para>
/// </summary>
public sealed class GramBundle : IKernel, IDisposable
{
    private const double Uneven = 1e-10;
    private readonly Lazy<double> _smallest;

    /// <summary>Similarities.</summary>
    /// <param name="own">Of those learned from with each other, symmetric float64 [n, n]; copied.</param>
    /// <param name="cross">Of those learned from with the others [n, m]; copied; null for none.</param>
    /// <param name="diagonal">Of each other with itself [m]; copied; null for none.</param>
    /// <param name="origin">Where they come from, for messages.</param>
    /// <exception cref="InputException">Sizes that do not fit, numbers that are none, or a matrix that is not symmetric.</exception>
    public GramBundle(Tensor own, Tensor? cross, Tensor? diagonal, string origin) : this(own, cross, diagonal, origin, null)
    {
    }

    private GramBundle(Tensor own, Tensor? cross, Tensor? diagonal, string origin, double? repaired)
    {
        ArgumentNullException.ThrowIfNull(own);
        ArgumentNullException.ThrowIfNull(origin);
        using var scope = NewDisposeScope();
        if (own.dim() != 2 || own.shape[0] != own.shape[1] || own.shape[0] == 0 || own.dtype != ScalarType.Float64)
            throw InputException.At(origin, $"{own.dtype} [{string.Join(", ", own.shape)}]", "float64 [n, n]", "Give the similarities of all items with each other.");
        Items = (int)own.shape[0];
        if (cross is null != diagonal is null || cross is not null && (cross.dim() != 2 || cross.shape[0] != Items || cross.dtype != ScalarType.Float64 || diagonal!.dim() != 1 || diagonal.shape[0] != cross.shape[1] || diagonal.dtype != ScalarType.Float64))
            throw InputException.At(origin, $"others [{(cross is null ? "" : string.Join(", ", cross.shape))}] and their diagonal [{(diagonal is null ? "" : string.Join(", ", diagonal.shape))}]", $"float64 [{Items}, m] and [m], or neither", "Give both.");
        Finite.Require(own, origin);
        if (cross is not null)
        {
            Finite.Require(cross, origin);
            Finite.Require(diagonal!.unsqueeze(1), origin);
        }
        double apart = (own - own.t()).abs().max().item<double>();
        if (apart > Uneven * own.abs().max().item<double>())
            throw InputException.At(origin, FormattableString.Invariant($"entries that differ by {apart:G3} from those across the diagonal"), "a symmetric matrix", "Take the mean of both.");
        Blocks = new(own.clone().DetachFromDisposeScope(), cross?.clone().DetachFromDisposeScope(), diagonal?.clone().DetachFromDisposeScope());
        (Origin, Repaired) = (origin, repaired is not null);
        _smallest = new(() =>
        {
            using var here = NewDisposeScope();
            return repaired ?? linalg.eigvalsh(Blocks.Own)[0].item<double>();
        });
    }

    /// <summary>The numbers; owned by this.</summary>
    public LayerGrams Blocks { get; }

    /// <summary>n: items learned from.</summary>
    public int Items { get; }

    /// <summary>Where they come from.</summary>
    public string Origin { get; }

    /// <summary>Whether negative eigenvalues were set to 0.</summary>
    public bool Repaired { get; }

    /// <summary>The least eigenvalue of the similarities as they were given, a repair or none.</summary>
    public double Smallest => _smallest.Value;

    /// <summary>The numbers of those learned from, as rows, float64 [n, 1]. The current dispose scope owns them.</summary>
    public Tensor Rows => Numbers(0, Items);

    /// <summary>The numbers of the others, as rows, float64 [m, 1]; of none there are 0. The current dispose scope owns them.</summary>
    public Tensor Others => Numbers(Items, (int)(Blocks.Diagonal?.shape[0] ?? 0));

    /// <summary>Makes blocks of a kernel of rows. Cost that of the kernel.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="rows">Rows learned from [n, d].</param>
    /// <param name="others">Others [m, d]; null for none.</param>
    /// <param name="origin">Where they come from.</param>
    public static GramBundle Of(IKernel kernel, Tensor rows, Tensor? others, string origin)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        using var scope = NewDisposeScope();
        return new(kernel.Gram(rows, rows), others is null ? null : kernel.Gram(rows, others), others is null ? null : kernel.Diagonal(others), origin);
    }

    /// <summary>Similarities of known items with each other and with all, without negative eigenvalues.</summary>
    /// <param name="rows">Of known ones with all [n, all].</param>
    /// <param name="diagonal">Of each with itself [all].</param>
    /// <param name="known">Which are known.</param>
    /// <param name="origin">Where they come from.</param>
    internal static GramBundle OfKnown(Tensor rows, Tensor diagonal, IReadOnlyList<int> known, string origin)
    {
        using var scope = NewDisposeScope();
        var own = rows.index_select(1, tensor([.. known.Select(k => (long)k)]));
        using var given = new GramBundle((own + own.t()) / 2, rows, diagonal, origin);
        return given.Clipped();
    }

    /// <summary>
    /// The nearest similarities without negative eigenvalues: with the eigenvectors V of those above 0, <c>V Λ Vᵀ</c> of those learned from, and <c>V Vᵀ</c> times the similarities with others, which is the same change; a diagonal of others stays.
    /// Without any it is a copy. Cost O(n³ + n² m).
    /// </summary>
    /// <exception cref="InputException">No eigenvalue is above 0.</exception>
    public GramBundle Clipped()
    {
        using var scope = NewDisposeScope();
        var (values, vectors) = linalg.eigh(Blocks.Own);
        double smallest = values[0].item<double>(), largest = values[-1].item<double>();
        if (!(largest > 0))
            throw InputException.At(Origin, FormattableString.Invariant($"a largest eigenvalue of {largest:G3}"), "one above 0", "Give similarities of which each item has most with itself.");
        if (smallest >= -Uneven * largest)
            return new(Blocks.Own, Blocks.Cross, Blocks.Diagonal, Origin, null);
        int kept = (int)(values > 0).sum().item<long>();
        var (v, e) = (vectors.narrow(1, Items - kept, kept), values.narrow(0, Items - kept, kept));
        return new(Products.Symmetric((v * e).mm(v.t())), Blocks.Cross is null ? null : v.mm(v.t().mm(Blocks.Cross)), Blocks.Diagonal, Origin, smallest);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">Rows that are no numbers of items, or others on both sides, whose similarities are not known.</exception>
    public Tensor Gram(Tensor x, Tensor y)
    {
        using var scope = NewDisposeScope();
        var (a, b) = (Places(x), Places(y));
        bool known = (b < Items).all().item<bool>();
        if ((a < Items).all().item<bool>())
            return Across(a, b, known).MoveToOuterDisposeScope();
        return known ? Across(b, a, false).t().contiguous().MoveToOuterDisposeScope()
            : throw new ArgumentException($"others on both sides, of {Origin}; expected only numbers below {Items} on one: others are known by their similarities with these", nameof(y));
    }

    /// <inheritdoc/>
    public Tensor Diagonal(Tensor x)
    {
        using var scope = NewDisposeScope();
        var all = Blocks.Own.diagonal();
        return (Blocks.Diagonal is null ? all : cat([all, Blocks.Diagonal])).index_select(0, Places(x)).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Blocks.Own.Dispose();
        Blocks.Cross?.Dispose();
        Blocks.Diagonal?.Dispose();
    }

    /// <summary>Those learned from with any.</summary>
    private Tensor Across(Tensor learned, Tensor any, bool allLearned) =>
        (allLearned || Blocks.Cross is null ? Blocks.Own : cat([Blocks.Own, Blocks.Cross], 1)).index_select(0, learned).index_select(1, any);

    private static Tensor Numbers(int first, int count) => arange(first, first + count, dtype: ScalarType.Float64).unsqueeze(1);

    private Tensor Places(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        long all = Items + (Blocks.Diagonal?.shape[0] ?? 0);
        if (x.dim() != 2 || x.shape[1] != 1 || (x != x.round()).any().item<bool>() || (x < 0).any().item<bool>() || (x >= all).any().item<bool>())
            throw new ArgumentException($"rows [{string.Join(", ", x.shape)}]; expected numbers from 0 to {all - 1} of items of {Origin}, [n, 1]", nameof(x));
        return x.select(1, 0).to(ScalarType.Int64);
    }
}
