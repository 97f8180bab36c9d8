using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="Snnk"/>.</summary>
public sealed record SnnkOptions : RidgeOptions, INeeds
{
    /// <summary>Features.</summary>
    [Range(1, 1_000_000), Description("m: random features, and numbers that are stored for each output")]
    public int Features { get; init; } = 256;

    /// <summary>Whether projections are orthogonal.</summary>
    [Description("projections in blocks of orthogonal directions, with the lengths of normal ones")]
    public bool Orthogonal { get; init; } = true;

    /// <summary>The least feature.</summary>
    [Range(double.NegativeInfinity, 1e6), Description("c: features are max(Gx, c)")]
    public double Floor { get; init; }

    /// <summary>Whether rows have length 1.</summary>
    [Description("rows are scaled to length 1 first")]
    public bool Normalise { get; init; }

    /// <summary>How weights are found.</summary>
    [AllowedValues("bundled", "trained"), Description("bundled: the whole network is one linear system; trained: a perceptron whose first layer is of features, trained as the baseline is")]
    public string Training { get; init; } = "bundled";

    /// <summary>Hidden units.</summary>
    [Range(1, 100_000), Description("of trained: hidden units, each with as many numbers as there are features")]
    public int Hidden { get; init; } = 128;

    /// <summary>Whether units are rectified.</summary>
    [Description("of trained: hidden units are rectified after the layer as well; the paper's layer stands for product and non-linearity at once")]
    public bool Rectified { get; init; }

    /// <summary>Epochs.</summary>
    [Range(1, 100_000), Description("of trained: times that every row is learned from")]
    public int Epochs { get; init; } = 60;

    /// <summary>Rows of a step.</summary>
    [Range(1, 100_000), Description("of trained: rows of a step")]
    public int Batch { get; init; } = 32;

    /// <summary>Step size.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("of trained: step size of Adam")]
    public double LearningRate { get; init; } = 1e-3;

    IReadOnlyList<string> INeeds.Needs => Training == "trained" ? ["rows"] : [];
}

/// <summary>
/// Scalable neural network kernels: a dense layer f(Wx + b) as a product of random features of x and of the weights, of which only the latter learn; with a squared error a whole network is one
/// such product, and its weights one linear system.
/// <para>Paper: Sehanobish, Choromanski, Zhao, Dubey and Likhosherstov, Scalable neural network kernels, ICLR 2024 (arXiv 2310.13225). Here: ReLU features, orthogonal projections, the bundled network as a method; universal
/// random features of any function with a Fourier transform in <see cref="UniversalFeatures"/>; the layer that is trained inside a network in <see cref="SnnkLayer"/>, the residual block in <see cref="SnnkAdapter"/>, and a perceptron with the layer
/// in front as <c>training=trained</c>. Left out: layers of convolutions and of attention. The release's defects (uniform projections in its test, the whole squared norm on sequences) are not followed.</para>
/// <para>ReLU: <c>φ(z) = max(Gz, c)/√m</c>, G [m, d] normal, whose product with φ(w) is on average the arc-cosine kernel <c>‖x‖‖w‖/(2π) (sin θ + (π − θ) cos θ)</c>, not ReLU(xᵀw).
/// Cost O(n d m) for features and O(n m min(n, m)) for the system; numbers kept o·m, and the seed of G.</para>
/// </summary>
public sealed class Snnk : IFeatures, ILayerFeatures
{
    private readonly Tensor _g;
    private readonly double _floor;
    private readonly bool _normalise;

    /// <summary>Features with projections.</summary>
    /// <param name="projections">G [m, d]; copied.</param>
    /// <param name="floor">c.</param>
    /// <param name="normalise">Whether rows are scaled to length 1 first.</param>
    public Snnk(Tensor projections, double floor = 0, bool normalise = false)
    {
        ArgumentNullException.ThrowIfNull(projections);
        (_g, _floor, _normalise) = (projections.clone().DetachFromDisposeScope(), floor, normalise);
    }

    /// <summary>What the ledger measures.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "The bundled network: within 2 points of a trained one with as many hidden units.", Task = "classify", Metric = "accuracy", Baseline = "perceptron", Margin = -0.02 },
        new() { Text = "In less than a fiftieth of its time.", Task = "classify", Metric = "fit_ms", Baseline = "perceptron", BaselineFactor = 0.02, Margin = 0 },
        new() { Text = "Orthogonal projections are better than independent ones, 64 of them.", Task = "classify", Metric = "accuracy", Baseline = "snnk", Margin = 0, MethodOptions = new() { ["features"] = 64 }, BaselineOptions = new() { ["features"] = 64, ["orthogonal"] = false } },
        new()
        {
            Text = "4,000 rows of mnist-test, a first layer of 784 to 128 replaced by one of 128 features, less than a sixth of its numbers: within 1.5 points of the trained network.",
            Task = "classify",
            Data = "mnist-test",
            Metric = "accuracy",
            Baseline = "perceptron",
            Margin = -0.015,
            MethodOptions = new() { ["training"] = "trained", ["features"] = 128 },
            BaselineOptions = new() { ["hidden"] = 128 },
            TaskOptions = new() { ["rows"] = 4000, ["test"] = 2000 },
        },
    ];

    /// <summary>The bundled network or the trained one as a method.</summary>
    internal static IClassifier Method(KernelSetup setup, SnnkOptions o) => o.Training == "trained" ? new SnnkNetwork(setup, o) : new FeatureRidge(x =>
    {
        using var g = Projections(o.Features, (int)x.shape[1], o.Orthogonal, setup.Random("projections"));
        return new Snnk(g, o.Floor, o.Normalise);
    }, o.Ridge);

    /// <inheritdoc/>
    public Tensor Of(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        return Features(x, _normalise);
    }

    Tensor ILayerFeatures.OfRows(Tensor x) => Of(x);

    /// <summary>φ of weights, as they are.</summary>
    /// <param name="weights">W [o, d].</param>
    /// <param name="bias">Null: ReLU features know none.</param>
    /// <exception cref="InputException">A bias.</exception>
    public Tensor OfWeights(Tensor weights, Tensor? bias = null)
    {
        ArgumentNullException.ThrowIfNull(weights);
        return bias is null ? Features(weights, normalise: false)
            : throw InputException.At("bias", $"[{string.Join(", ", bias.shape)}]", "none: features of ReLU have no place for it", "Leave it out, add a column of ones to the rows, or use UniversalFeatures.");
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, Tensor> Buffers => new Dictionary<string, Tensor> { ["projections"] = _g };

    private Tensor Features(Tensor x, bool normalise)
    {
        using var scope = NewDisposeScope();
        if (x.shape[^1] != _g.shape[1])
            throw InputException.At("rows", $"[{string.Join(", ", x.shape)}]", $"{_g.shape[1]} features, as the projections have", "Give the same features.");
        var z = (normalise ? Cosine.Unit(x) : x).mm(_g.t());
        return (double.IsNegativeInfinity(_floor) ? z : z.clamp_min(_floor)).div_(Math.Sqrt(_g.shape[0])).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => _g.Dispose();

    /// <summary>Normal projections [m, d]; or rows that are orthogonal in blocks of d, with lengths as normal ones have.</summary>
    public static Tensor Projections(int count, int width, bool orthogonal, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(random);
        using var scope = NewDisposeScope();
        if (!orthogonal)
            return Normal(count).MoveToOuterDisposeScope();
        var blocks = new List<Tensor>();
        for (int made = 0; made < count; made += width)
        {
            var (q, r) = linalg.qr(Normal(width));
            blocks.Add((q * r.diagonal().sign()).t() * Normal(width).norm(1, keepdim: true)); // signs as of a uniform rotation
        }
        return cat(blocks).narrow(0, 0, count).contiguous().MoveToOuterDisposeScope();

        Tensor Normal(int rows) => Aligned.Of([.. Enumerable.Range(0, rows * width).Select(_ => random.NextNormal())], rows, width);
    }

    /// <summary>The arc-cosine kernel, which products of ReLU features are on average.</summary>
    public static Tensor ArcCosine(Tensor x, Tensor w)
    {
        using var kernel = NewDisposeScope();
        return new Ntk(new() { Depth = 1, WeightDeviation = 1, BiasDeviation = 0, Normalise = false, Kernel = "nngp" }).Gram(x, w).mul_(x.shape[1]).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Universal random features of the cosine: <c>Φ(x)_k = exp(i s_k g_k·x + s_k² ‖x‖²/2)/√m</c> and <c>Ψ(w)_k = exp(g_k·w − ‖w‖²/2)/√m</c>, s = 2πξ = ±1; the real part of Φ(x)Ψ(w)ᵀ, without a
    /// conjugate, is cos(xᵀw) on average.
    /// </summary>
    /// <param name="x">Rows [n, d].</param>
    /// <param name="w">Weights [o, d].</param>
    /// <param name="projections">G [m, d].</param>
    /// <param name="frequencies">ξ [m], ±1/(2π).</param>
    /// <returns>Φ's real and imaginary parts [n, m], and Ψ [o, m].</returns>
    /// <exception cref="InputException">Rows so long that the exponential would overflow.</exception>
    public static (Tensor Real, Tensor Imaginary, Tensor Psi) CosineFeatures(Tensor x, Tensor w, Tensor projections, Tensor frequencies)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(w);
        ArgumentNullException.ThrowIfNull(projections);
        ArgumentNullException.ThrowIfNull(frequencies);
        using var scope = NewDisposeScope();
        using var features = new UniversalFeatures(projections, new(frequencies.data<double>().ToArray(), [.. Enumerable.Repeat(System.Numerics.Complex.One, (int)frequencies.shape[0])]));
        var (rows, weights, m) = (features.OfRows(x), features.OfWeights(w), projections.shape[0]);
        return (rows.narrow(1, 0, m).contiguous().MoveToOuterDisposeScope(), rows.narrow(1, m, m).neg().MoveToOuterDisposeScope(), weights.narrow(1, 0, m).contiguous().MoveToOuterDisposeScope());
    }
}
