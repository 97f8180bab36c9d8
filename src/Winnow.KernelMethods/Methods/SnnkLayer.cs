using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Winnow.KernelMethods;

/// <summary>
/// A layer in place of a dense one and its non-linearity (Sehanobish et al., ICLR 2024): <c>Φ(x) Ψᵀ</c>, of which Ψ [o, q] learns and begins as the features of given weights, and what Φ was drawn with does not. Rows [.., d] give
/// [.., o]. Numbers that learn o q instead of o (d + 1); cost O(n m d + n q o).
/// <para>Ψ is the parameter <c>psi</c>; what was drawn are buffers, which are saved with it.</para>
/// <code>
/// using var layer = new SnnkLayer(new Snnk(Snnk.Projections(32, 768, orthogonal: true, random)), weights);
/// var loss = nn.functional.mse_loss(layer.forward(x), y);
/// </code>
/// </summary>
public sealed class SnnkLayer : nn.Module<Tensor, Tensor>
{
    private readonly ILayerFeatures _features;

    /// <summary>The layer of weights.</summary>
    /// <param name="features">What makes features; owned from here on.</param>
    /// <param name="weights">W [o, d] of the dense layer it begins as.</param>
    /// <param name="bias">Its bias [o], or null.</param>
    /// <exception cref="InputException">Weights of another width than the features', or a bias where features know none.</exception>
    public SnnkLayer(ILayerFeatures features, Tensor weights, Tensor? bias = null) : base(nameof(SnnkLayer))
    {
        ArgumentNullException.ThrowIfNull(features);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        _features = features;
        Psi = new Parameter(features.OfWeights(weights, bias).clone());
        Psi.DetachFromDisposeScope();
        register_parameter("psi", Psi);
        foreach (var (name, drawn) in features.Buffers)
            register_buffer(name, drawn);
    }

    /// <summary>Ψ [o, q].</summary>
    public Parameter Psi { get; }

    /// <inheritdoc/>
    public override Tensor forward(Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var scope = NewDisposeScope();
        var shape = input.shape;
        var outputs = _features.OfRows(input.reshape(-1, shape[^1])).mm(Psi.t());
        return outputs.reshape([.. shape[..^1], Psi.shape[0]]).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Psi.Dispose();
            _features.Dispose();
        }
        base.Dispose(disposing);
    }
}

/// <summary>
/// A residual block for a network that is adapted: <c>x + up(layer(x))</c>. The layer begins as the ReLU features of weights [down, d]; up begins as zero, so that the block begins as the identity. Where down is d, up is a factor for each feature,
/// else a matrix [d, down]. Rows [.., d].
/// </summary>
public sealed class SnnkAdapter : nn.Module<Tensor, Tensor>
{
    private readonly SnnkLayer _layer;

    /// <summary>A block.</summary>
    /// <param name="width">d.</param>
    /// <param name="down">Width of the layer; null: d, and a factor a feature instead of a matrix.</param>
    /// <param name="features">m.</param>
    /// <param name="initialisation">mam: weights uniform within 1/√d (Kaiming's with a = √5); bert: normal with deviation 0.02.</param>
    /// <param name="random">Draws projections and weights.</param>
    /// <param name="type">Of all numbers.</param>
    public SnnkAdapter(int width, int? down, int features, string initialisation, SeededRandom random, ScalarType type = ScalarType.Float32) : base(nameof(SnnkAdapter))
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(down ?? 1, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(features, 1);
        ArgumentNullException.ThrowIfNull(random);
        using var scope = NewDisposeScope();
        var projections = Snnk.Projections(features, width, orthogonal: true, random).to(type);
        double bound = 1 / Math.Sqrt(width);
        Func<double> draw = initialisation switch
        {
            "mam" => () => bound * (2 * random.NextDouble() - 1),
            "bert" => () => 0.02 * random.NextNormal(),
            _ => throw new ArgumentException($"'{initialisation}'; expected mam or bert", nameof(initialisation)),
        };
        int rows = down ?? width;
        var weights = Aligned.Of([.. Enumerable.Range(0, rows * width).Select(_ => draw())], rows, width).to(type);
        register_module("layer", _layer = new SnnkLayer(new Snnk(projections), weights));
        Up = new Parameter(down is null ? zeros(width, type) : zeros(width, rows, type));
        Up.DetachFromDisposeScope();
        register_parameter("up", Up);
    }

    /// <summary>The projection back, [d, down] or [d].</summary>
    public Parameter Up { get; }

    /// <inheritdoc/>
    public override Tensor forward(Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var scope = NewDisposeScope();
        var h = _layer.forward(input);
        return (input + (Up.dim() == 1 ? h * Up : h.matmul(Up.t()))).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Up.Dispose();
            _layer.Dispose();
        }
        base.Dispose(disposing);
    }
}

/// <summary>A perceptron whose first layer is one of ReLU features, with the first weights, the order of rows and the steps of <see cref="Perceptron"/>, in float32.</summary>
internal sealed class SnnkNetwork(KernelSetup setup, SnnkOptions options) : IClassifier
{
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        using var scope = NewDisposeScope();
        var (x, y) = (rows.X.to(ScalarType.Float32), tensor(rows.Labels.Select(l => (long)l).ToArray()));
        int d = (int)x.shape[1];
        using var dense = Network.Mlp(d, [options.Hidden], rows.Classes, batchNorm: false, setup.Random("weights"));
        Tensor Of(NetworkModule module, int i) => dense.Parameters.narrow(0, module.Parameters[i].Offset, module.Parameters[i].Length).view([.. module.Parameters[i].Shape]);
        var projections = Snnk.Projections(options.Features, d, options.Orthogonal, setup.Random("projections")).to(ScalarType.Float32);
        var layer = new SnnkLayer(new Snnk(projections, options.Floor, options.Normalise), Of(dense.Modules[0], 0));
        Tensor[] head = [.. Enumerable.Range(0, 2).Select(i => Of(dense.Modules[^1], i).clone().DetachFromDisposeScope().requires_grad_())];
        var fitted = new Fitted(layer, head, d, options.Rectified, new Dictionary<string, double> { ["layer"] = layer.Psi.numel(), ["dense_layer"] = (d + 1.0) * options.Hidden });
        Tensor[] learned = [layer.Psi, .. head];
        using var adam = new TensorAdam(learned, [.. learned.Select(_ => options.LearningRate)]);
        try
        {
            Epochs.Run(rows.Labels.Count, options.Epochs, options.Batch, setup.Random("order"), some =>
                adam.Step(autograd.grad([nn.functional.cross_entropy(fitted.Logits(x.index_select(0, some)), y.index_select(0, some))], learned)), cancellation);
        }
        catch
        {
            fitted.Dispose();
            throw;
        }
        return fitted;
    }

    private sealed class Fitted(SnnkLayer layer, Tensor[] head, long width, bool rectified, IReadOnlyDictionary<string, double> report) : IFitted
    {
        public IReadOnlyDictionary<string, double> Report => report;

        public Tensor Logits(Tensor x)
        {
            var h = layer.forward(x);
            return (rectified ? h.relu() : h).mm(head[0].t()) + head[1];
        }

        public Tensor Scores(Tensor x)
        {
            using var scope = NewDisposeScope();
            using var untracked = no_grad();
            Finite.Rows(x, width);
            return Logits(x.to(ScalarType.Float32)).to(ScalarType.Float64).MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
            layer.Dispose();
            foreach (var tensor in head)
                tensor.Dispose();
        }
    }
}
