using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>
/// Kernel principal components: the eigenpairs (λ, u) of the centred Gram matrix <c>HKH</c>, <c>H = I − 11ᵀ/n</c>, largest first. Rows learned from lie at <c>U Λ^½</c>, others at
/// <c>k_c U Λ^-½</c> with <c>k_c = k − mean rows of K − mean of k + mean of K</c>.
/// <para>Paper: Schölkopf, Smola and Müller, Nonlinear component analysis as a kernel eigenvalue problem, Neural Computation 10, 1998.</para>
/// <para>Few components of many rows come from block Lanczos with Rayleigh–Ritz to a residual of 1e-10 of the largest eigenvalue, everything else and what does not converge from the dense
/// decomposition. Eigenvalues below 1e-10 of the largest are no components: what a kernel that is not positive has below zero is clipped and told as <see cref="Smallest"/>.
/// Cost O(n² d + n² q) for few components, O(n³) dense; memory 8 n² bytes.</para>
/// <code>
/// using var pca = KernelPca.Fit(new Rbf(0.1), x, components: 16);
/// var (train, test) = (pca.Embedding, pca.Transform(others)); // [n, 16], [m, 16]
/// </code>
/// </summary>
public sealed class KernelPca : IDisposable
{
    private const double Tolerance = 1e-10, Rounding = 2.220446049250313e-16;
    private const int Small = 400, Share = 8, Space = 1000, SpaceEach = 20;
    private readonly IKernel? _kernel;
    private readonly Tensor? _x;
    private readonly Tensor _means, _projection;
    private readonly double _mean;

    private KernelPca(IKernel? kernel, Tensor? x, Tensor gram, int components, bool fewer, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        int n = (int)gram.shape[0];
        var means = gram.mean([0]);
        double mean = means.mean().item<double>();
        if (!double.IsFinite(mean))
            Finite.Require(gram, "Gram matrix");
        if (components < 0)
            throw new ArgumentOutOfRangeException(nameof(components), components, "expected at least 1, or 0 for all");
        int wanted = Math.Min(components == 0 ? n : components, n);
        var found = n >= Small && (long)wanted * Share <= n ? Iterated(gram, wanted, cancellation) : null;
        Dense = found is null;
        var (values, vectors, smallest) = found ?? Decomposed(gram, means, mean, wanted, cancellation);
        double[] all = values.data<double>().ToArray();
        // what rounding alone makes of a matrix that centring takes all from
        double least = Math.Max(Tolerance * all[0], n * Rounding * gram.diagonal().abs().max().item<double>());
        int rank = all.TakeWhile(v => v > least).Count();
        if (rank < components && !fewer || rank == 0)
            throw InputException.At("components", $"{components}", $"at most {rank}, the rank of the centred Gram matrix", rank == 0 ? "Give rows that differ, or a narrower kernel." : "Take fewer.");
        (vectors, values) = (vectors.narrow(0, 0, rank), values.narrow(0, 0, rank));
        var largest = vectors.gather(1, vectors.abs().argmax(1, keepdim: true));
        vectors = vectors * largest.sign();
        Residual = (Product(gram, vectors) - vectors * values.unsqueeze(1)).norm(1).max().item<double>() / all[0];
        var root = values.sqrt();
        Embedding = (vectors.t() * root).contiguous().DetachFromDisposeScope();
        _projection = (vectors.t() / root).contiguous().DetachFromDisposeScope();
        Values = values.clone().DetachFromDisposeScope();
        _means = means.DetachFromDisposeScope();
        (_kernel, _x, _mean, Smallest) = (kernel, x?.clone().DetachFromDisposeScope(), mean, smallest);
    }

    /// <summary>Where the rows learned from lie, float64 [n, q]; owned by this. The largest entry of each component is positive.</summary>
    public Tensor Embedding { get; }

    /// <summary>The eigenvalues, descending, float64 [q]; owned by this.</summary>
    public Tensor Values { get; }

    /// <summary>Components.</summary>
    public int Components => (int)Values.shape[0];

    /// <summary>The largest <c>‖HKH u − λ u‖</c>, as a share of the largest eigenvalue.</summary>
    public double Residual { get; }

    /// <summary>The smallest eigenvalue of the centred Gram matrix where the decomposition was dense, else a number it is not above; well below 0 where the kernel is not positive.</summary>
    public double Smallest { get; }

    /// <summary>Whether all eigenvalues were computed.</summary>
    public bool Dense { get; }

    /// <summary>Learns from rows.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="x">Rows, float64 [n, d]; copied.</param>
    /// <param name="components">Components; 0 for all.</param>
    /// <param name="fewer">Takes as many as there are instead of refusing more.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">More components than the rank, which is named, or numbers that are none.</exception>
    public static KernelPca Fit(IKernel kernel, Tensor x, int components, bool fewer = false, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(x);
        Finite.Require(x, "rows");
        using var scope = NewDisposeScope();
        return new(kernel, x, kernel.Gram(x, x), components, fewer, cancellation);
    }

    /// <summary>Learns from similarities of rows with themselves.</summary>
    /// <param name="gram">Symmetric float64 [n, n]; unchanged.</param>
    /// <param name="components">Components; 0 for all.</param>
    /// <param name="fewer">Takes as many as there are instead of refusing more.</param>
    /// <param name="cancellation">Stops.</param>
    /// <inheritdoc cref="Fit(IKernel, Tensor, int, bool, CancellationToken)" path="/exception"/>
    public static KernelPca Fit(Tensor gram, int components, bool fewer = false, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(gram);
        using var scope = NewDisposeScope();
        if (gram.dim() != 2 || gram.shape[0] != gram.shape[1] || gram.shape[0] == 0 || gram.dtype != ScalarType.Float64)
            throw InputException.At("Gram matrix", $"{gram.dtype} [{string.Join(", ", gram.shape)}]", "float64 [n, n]", "Give the similarities of rows with themselves.");
        Finite.Require(gram, "Gram matrix");
        double apart = (gram - gram.t()).abs().max().item<double>();
        if (apart > Tolerance * gram.abs().max().item<double>())
            throw InputException.At("Gram matrix", FormattableString.Invariant($"entries that differ by {apart:G3} from those across the diagonal"), "a symmetric matrix", "Give the similarities of rows with themselves.");
        return new(null, null, gram, components, fewer, cancellation);
    }

    /// <summary>Where other rows lie: float64 [m, q]. The current dispose scope owns it.</summary>
    /// <param name="rows">Float64 [m, d].</param>
    /// <exception cref="InvalidOperationException">It was fitted on a Gram matrix: use <see cref="TransformGram"/>.</exception>
    public Tensor Transform(Tensor rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (_kernel is null || _x is null)
            throw new InvalidOperationException("rows, but it was fitted on a Gram matrix; expected their similarities with the rows learned from: call TransformGram");
        Finite.Rows(rows, _x.shape[1]);
        using var scope = NewDisposeScope();
        return TransformGram(_kernel.Gram(rows, _x)).MoveToOuterDisposeScope();
    }

    /// <summary>Where other rows lie, by their similarities with the rows learned from.</summary>
    /// <param name="cross">Float64 [m, n].</param>
    /// <returns>Float64 [m, q]; the current dispose scope owns it.</returns>
    public Tensor TransformGram(Tensor cross)
    {
        ArgumentNullException.ThrowIfNull(cross);
        if (cross.dim() != 2 || cross.shape[1] != _means.shape[0])
            throw InputException.At("Gram matrix", $"[{string.Join(", ", cross.shape)}]", $"[m, {_means.shape[0]}], a column for each row learned from", "Give the similarities with these.");
        using var scope = NewDisposeScope();
        return (cross - _means - cross.mean([1], keepdim: true) + _mean).mm(_projection).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Embedding.Dispose();
        Values.Dispose();
        _means.Dispose();
        _projection.Dispose();
        _x?.Dispose();
    }

    /// <summary>Rows times HKH.</summary>
    private static Tensor Product(Tensor gram, Tensor v)
    {
        var w = (v - v.mean([1], keepdim: true)).mm(gram);
        return w.sub_(w.mean([1], keepdim: true));
    }

    private static (Tensor, Tensor, double)? Iterated(Tensor gram, int count, CancellationToken cancellation)
    {
        int n = (int)gram.shape[0];
        var random = new SeededRandom(1, "kernel-pca");
        return BlockLanczos.Largest(v => Product(gram, v), Start, n, count, Tolerance, Math.Min(n / 2, Math.Max(Space, SpaceEach * count)), cancellation);

        Tensor Start(int rows)
        {
            var v = Aligned.Of([.. Enumerable.Range(0, rows * n).Select(_ => random.NextNormal())], rows, n);
            return v.sub_(v.mean([1], keepdim: true));
        }
    }

    private static (Tensor, Tensor, double) Decomposed(Tensor gram, Tensor means, double mean, int count, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var centred = (gram - means).sub_(means.unsqueeze(1)).add_(mean);
        var (values, vectors) = linalg.eigh(centred);
        cancellation.ThrowIfCancellationRequested();
        return (values.flip(0).narrow(0, 0, count), vectors.flip(1).narrow(1, 0, count).t(), values[0].item<double>());
    }
}
