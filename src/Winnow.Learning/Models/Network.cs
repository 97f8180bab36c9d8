using System.Runtime.InteropServices;
using TorchSharp;
using Winnow.Core;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Learning;

/// <summary>
/// A classifier on rows of float32 whose parameters lie in one contiguous vector and whose gradients lie in another, so that an
/// optimiser, a penalty, a projection or a mask is an operation on two vectors.
/// Inputs are <c>[batch, inputs]</c>; images are rows in channel, row, column order. Everything is on the CPU.
/// The network owns its tensors and frees them in <see cref="Dispose"/>; tensors it returns belong to the caller (or to the
/// caller's dispose scope). Not safe for use from several threads at once.
/// </summary>
public sealed class Network : IDisposable
{
    private const double NormEpsilon = 1e-5, NormMomentum = 0.1;
    private readonly FlatVector _parameters, _gradient, _buffers;
    private readonly Dictionary<string, Tensor> _views;
    private readonly NetworkModule[] _hidden;
    private readonly NetworkModule _head;
    private readonly IBackpropagation _backpropagation;
    private bool _inLoss;

    private Network(Architecture architecture)
    {
        Architecture = architecture;
        Modules = NetworkLayout.Of(architecture);
        _hidden = [.. Modules.Take(Modules.Count - 1)];
        _head = Modules[^1];
        _parameters = new FlatVector(Modules.Sum(m => m.Length));
        _gradient = new FlatVector(_parameters.Length);
        _buffers = new FlatVector(Modules.Sum(m => m.Buffers.Sum(b => b.Length)));
        _views = Modules.SelectMany(m => m.Buffers).ToDictionary(b => b.Name, _buffers.View);
        foreach (var range in Modules.SelectMany(m => m.Parameters))
        {
            var view = _parameters.View(range).requires_grad_(true);
            using var viewGradient = _gradient.View(range);
            view.grad = viewGradient;
            _views.Add(range.Name, view);
        }
        _backpropagation = architecture is CnnArchitecture image
            ? new CnnBackpropagation(image, Modules, _parameters, _gradient, _buffers)
            : new MlpBackpropagation(Modules, _parameters, _gradient, _buffers);
    }

    /// <summary>A multi-layer perceptron with PyTorch's default initial weights.</summary>
    /// <param name="inputs">Values in one row.</param>
    /// <param name="hidden">Widths of the hidden layers; none gives logistic regression.</param>
    /// <param name="outputs">Classes.</param>
    /// <param name="batchNorm">Whether each hidden layer is normalised.</param>
    /// <param name="random">Where the initial weights come from.</param>
    public static Network Mlp(int inputs, IReadOnlyList<int> hidden, int outputs, bool batchNorm, SeededRandom random) =>
        Create(new MlpArchitecture(inputs, hidden, outputs, batchNorm), random);

    /// <summary>A small convolutional network (<see cref="CnnArchitecture"/>) with PyTorch's default initial weights.</summary>
    /// <param name="channels">Image channels.</param>
    /// <param name="height">Image height, at least 4.</param>
    /// <param name="width">Image width, at least 4.</param>
    /// <param name="outputs">Classes.</param>
    /// <param name="batchNorm">Whether each convolution is normalised.</param>
    /// <param name="random">Where the initial weights come from.</param>
    public static Network Cnn(int channels, int height, int width, int outputs, bool batchNorm, SeededRandom random) =>
        Create(new CnnArchitecture(channels, height, width, outputs, batchNorm), random);

    /// <summary>A network of an architecture with PyTorch's default initial weights: uniform within 1/sqrt(fan-in).</summary>
    /// <exception cref="ArgumentException">A size that no network has.</exception>
    public static Network Create(Architecture architecture, SeededRandom random)
    {
        var network = new Network(architecture);
        NetworkLayout.Initialise(network.Modules, network.ParameterValues, network.BufferValues, random);
        return network;
    }

    /// <summary>What the network looks like.</summary>
    public Architecture Architecture { get; }

    /// <summary>The layers with state, first to last; the last is <c>head</c>.</summary>
    public IReadOnlyList<NetworkModule> Modules { get; }

    /// <summary>All parameters, <c>[P]</c>, outside the graph: what is written here the next forward pass uses.</summary>
    public Tensor Parameters => _parameters.Tensor;

    /// <summary>The gradient of all parameters, <c>[P]</c>: backward passes add to it until <see cref="ZeroGradient"/>.</summary>
    public Tensor Gradient => _gradient.Tensor;

    /// <summary>The recorded statistics of the normalisations, <c>[Q]</c>; empty without them.</summary>
    public Tensor Buffers => _buffers.Tensor;

    /// <summary>The memory of <see cref="Parameters"/>; not to be used after <see cref="Dispose"/>.</summary>
    public Span<float> ParameterValues => _parameters.Values;

    /// <summary>The memory of <see cref="Gradient"/>; not to be used after <see cref="Dispose"/>.</summary>
    public Span<float> GradientValues => _gradient.Values;

    /// <summary>The memory of <see cref="Buffers"/>; not to be used after <see cref="Dispose"/>.</summary>
    public Span<float> BufferValues => _buffers.Values;

    /// <summary>
    /// Whether batch normalisation uses the batch's statistics, as while training, or the recorded ones. Setting it sets every
    /// module's <see cref="NetworkModule.Training"/>; reading it tells what was set last. A new network is in training mode.
    /// </summary>
    public bool Training
    {
        get;
        set
        {
            field = value;
            foreach (var module in Modules)
                module.Training = value;
        }
    } = true;

    /// <summary>Logits <c>[batch, outputs]</c>, on the graph unless gradients are off.</summary>
    public Tensor Forward(Tensor x)
    {
        using var features = Features(x);
        return Head(features);
    }

    /// <summary>
    /// Logits <c>[batch, outputs]</c> of the network in which some parameters are replaced: by masked, scaled or generated ones, on the
    /// graph of whatever they were made from.
    /// </summary>
    /// <param name="x">Rows, float32 <c>[batch, inputs]</c>.</param>
    /// <param name="weights">Tensors of the parameters' shapes by name, e.g. <c>linear1.weight</c>; those not named are the network's own.</param>
    /// <exception cref="ArgumentException">A name that no parameter has, or a shape that is not the parameter's.</exception>
    public Tensor Forward(Tensor x, IReadOnlyDictionary<string, Tensor> weights)
    {
        foreach (var (name, weight) in weights)
        {
            var range = Modules.SelectMany(m => m.Parameters).FirstOrDefault(p => p.Name == name)
                ?? throw new ArgumentException($"no parameter is called {name}; there are {string.Join(", ", Modules.SelectMany(m => m.Parameters).Select(p => p.Name))}", nameof(weights));
            if (!weight.shape.AsSpan().SequenceEqual([.. range.Shape]))
                throw new ArgumentException($"{name} was given the shape [{string.Join(", ", weight.shape)}]; expected [{string.Join(", ", range.Shape)}]", nameof(weights));
        }
        using var features = Features(x, weights, null);
        return Apply(_head, features, weights);
    }

    /// <summary>The head's input <c>[batch, features]</c>, on the graph unless gradients are off.</summary>
    public Tensor Features(Tensor x) => Features(x, null, null);

    /// <summary>
    /// What each module of <see cref="Modules"/> is given for some rows, in their order and in the modules' own modes:
    /// <c>[batch, inputs]</c> for linear ones, <c>[batch, channels, height, width]</c> for convolutions and their normalisation.
    /// On the graph unless gradients are off. The input of a linear module after the first is the activation after ReLU of the layer before.
    /// </summary>
    public IReadOnlyList<Tensor> ModuleInputs(Tensor x)
    {
        var inputs = new List<Tensor>();
        inputs.Add(Features(x, null, h => inputs.Add(h.alias().MoveToOuterDisposeScope())));
        return inputs;
    }

    private Tensor Features(Tensor x, IReadOnlyDictionary<string, Tensor>? weights, Action<Tensor>? visit)
    {
        using var scope = NewDisposeScope();
        var h = Architecture is CnnArchitecture image ? x.view(-1, image.Channels, image.Height, image.Width) : x.alias();
        for (int i = 0; i < _hidden.Length; i++)
        {
            var module = _hidden[i];
            visit?.Invoke(h);
            h = Apply(module, h, weights);
            if (i + 1 < _hidden.Length && _hidden[i + 1].Kind == ModuleKind.BatchNorm)
                continue;
            h = h.relu();
            if (Architecture is CnnArchitecture)
                h = F.max_pool2d(h, 2);
        }
        return (Architecture is CnnArchitecture ? h.flatten(1) : h).MoveToOuterDisposeScope();
    }

    /// <summary>Logits <c>[batch, outputs]</c> from the head's input, on the graph unless gradients are off.</summary>
    public Tensor Head(Tensor features) => Apply(_head, features);

    /// <summary>
    /// Adds the gradient of the mean cross-entropy of a batch to <see cref="Gradient"/>: the fast way to train. Nothing is allocated
    /// once the largest batch has been seen.
    /// </summary>
    /// <param name="x">Rows, float32 <c>[batch, inputs]</c>.</param>
    /// <param name="labels">Class indices, int64 <c>[batch]</c>.</param>
    /// <returns>The loss.</returns>
    /// <exception cref="ArgumentException">Shapes, types or labels do not fit.</exception>
    public double AddCrossEntropyGradient(Tensor x, Tensor labels)
    {
        var logits = Run(x);
        if (labels.dtype != ScalarType.Int64 || labels.numel() != logits.Count)
            throw new ArgumentException($"labels of type {labels.dtype} and {labels.numel()} elements; expected Int64 and {logits.Count}", nameof(labels));
        using var dense = labels.contiguous();
        double loss = SoftmaxCrossEntropy.Backward(logits, MemoryMarshal.Cast<byte, long>(dense.bytes), _backpropagation.LogitGradient);
        _backpropagation.Backward();
        GC.KeepAlive(this);
        return loss;
    }

    /// <summary>Adds the gradient of any loss on the logits of a batch to <see cref="Gradient"/>.</summary>
    /// <param name="x">Rows, float32 <c>[batch, inputs]</c>.</param>
    /// <param name="loss">
    /// From logits <c>[batch, outputs]</c> to a scalar, by operations on the graph. Tensors made in it are freed after it. Gradients of
    /// this network are not to be asked for inside it.
    /// </param>
    /// <returns>The loss.</returns>
    /// <exception cref="ArgumentException">The shape or type of <paramref name="x"/> does not fit.</exception>
    public double AddGradient(Tensor x, Func<Tensor, Tensor> loss)
    {
        var rows = Run(x);
        using var scope = NewDisposeScope();
        using var logits = empty(rows.Count, rows.Length, requires_grad: true);
        for (int i = 0; i < rows.Count; i++)
            rows[i].CopyTo(Values(logits).Slice(i * rows.Length, rows.Length));
        _inLoss = true;
        try
        {
            var value = loss(logits);
            value.backward();
            using var derivatives = logits.grad ?? throw new ArgumentException("the loss does not depend on the logits", nameof(loss));
            using var dense = derivatives.contiguous();
            for (int i = 0; i < rows.Count; i++)
                Values(dense).Slice(i * rows.Length, rows.Length).CopyTo(_backpropagation.LogitGradient[i]);
            _backpropagation.Backward();
            GC.KeepAlive(this);
            return value.ToDouble();
        }
        finally
        {
            _inLoss = false;
        }
    }

    /// <summary>Sets the gradient to zero.</summary>
    public void ZeroGradient() => GradientValues.Clear();

    /// <summary>A network of the same architecture, weights, statistics and modes; its gradient is zero.</summary>
    public Network Clone()
    {
        var clone = new Network(Architecture) { Training = Training };
        clone.CopyStateFrom(this);
        foreach (var (module, original) in clone.Modules.Zip(Modules))
            module.Training = original.Training;
        return clone;
    }

    /// <summary>Takes over the parameters and statistics of a network of the same architecture.</summary>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public void CopyStateFrom(Network other)
    {
        if (other._parameters.Length != _parameters.Length || other._buffers.Length != _buffers.Length)
            throw new ArgumentException($"a network of {other._parameters.Length} parameters does not fit into one of {_parameters.Length}", nameof(other));
        other.ParameterValues.CopyTo(ParameterValues);
        other.BufferValues.CopyTo(BufferValues);
    }

    /// <summary>
    /// The parameters and statistics themselves, by name, in the order of the modules: live tensors that the network owns,
    /// to be read and copied into, not disposed of.
    /// </summary>
    public IEnumerable<KeyValuePair<string, Tensor>> LiveState =>
        Modules.SelectMany(m => m.Parameters.Concat(m.Buffers)).Select(r => KeyValuePair.Create(r.Name, _views[r.Name]));

    /// <summary>Copies of all parameters and statistics, by name, in the order of the modules.</summary>
    public IReadOnlyList<NamedArray> State() =>
    [
        .. Modules.SelectMany(m => m.Parameters.Select(p => Copy(p, ParameterValues)).Concat(m.Buffers.Select(b => Copy(b, BufferValues)))),
    ];

    /// <summary>Sets all parameters and statistics by name.</summary>
    /// <exception cref="ArgumentException">A name is missing or unknown, or a shape differs; nothing is changed.</exception>
    public void Load(IEnumerable<NamedArray> state)
    {
        var given = state.ToDictionary(s => s.Name);
        var wanted = Modules.SelectMany(m => m.Parameters.Concat(m.Buffers)).ToList();
        foreach (var range in wanted)
        {
            if (!given.TryGetValue(range.Name, out var array))
                throw new ArgumentException($"the state has no {range.Name}; it has {string.Join(", ", given.Keys)}", nameof(state));
            if (!array.Shape.SequenceEqual(range.Shape) || array.Values.Length != range.Length)
                throw new ArgumentException($"{range.Name} has shape [{string.Join(", ", array.Shape)}]; expected [{string.Join(", ", range.Shape)}]", nameof(state));
        }
        if (given.Count != wanted.Count)
            throw new ArgumentException($"the state has {string.Join(", ", given.Keys.Except(wanted.Select(w => w.Name)))}, which the network does not have", nameof(state));
        foreach (var module in Modules)
        {
            foreach (var range in module.Parameters)
                given[range.Name].Values.CopyTo(ParameterValues[range.Offset..]);
            foreach (var range in module.Buffers)
                given[range.Name].Values.CopyTo(BufferValues[range.Offset..]);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var view in _views.Values)
            view.Dispose();
        _parameters.Dispose();
        _gradient.Dispose();
        _buffers.Dispose();
    }

    private Rows Run(Tensor x)
    {
        if (_inLoss)
            throw new InvalidOperationException("a loss asked for another gradient of the same network; use one batch for all terms, or Forward and backward");
        if (x.dtype != ScalarType.Float32 || x.dim() != 2 || x.shape[1] != Architecture.Inputs || x.shape[0] == 0)
            throw new ArgumentException($"rows of type {x.dtype} and shape [{string.Join(", ", x.shape)}]; expected Float32 and [batch, {Architecture.Inputs}]", nameof(x));
        using var dense = x.contiguous();
        return _backpropagation.Forward(Values(dense), (int)x.shape[0]);
    }

    private static Span<float> Values(Tensor tensor) => MemoryMarshal.Cast<byte, float>(tensor.bytes);

    private Tensor Apply(NetworkModule module, Tensor h, IReadOnlyDictionary<string, Tensor>? weights = null)
    {
        var weight = Of(module.Parameters[0]);
        var bias = Of(module.Parameters[^1]);
        return module.Kind switch
        {
            ModuleKind.Linear => F.linear(h, weight, bias),
            ModuleKind.Cosine => CosineLogits.Of(module.Parameters.Count == 1 ? h : F.linear(h, weight), _views[module.Buffers[0].Name], bias),
            ModuleKind.Convolution => F.conv2d(h, weight, bias, padding: [1L, 1L]),
            _ => F.batch_norm(h, _views[module.Buffers[0].Name], _views[module.Buffers[1].Name], weight, bias,
                UsesBatchStatistics(module, h), NormMomentum, NormEpsilon),
        };

        Tensor Of(FlatRange parameter) => weights is not null && weights.TryGetValue(parameter.Name, out var given) ? given : _views[parameter.Name];
    }

    /// <summary>One row has no variance: it is normalised by the recorded statistics, also while training.</summary>
    private static bool UsesBatchStatistics(NetworkModule module, Tensor h) => module.Training && h.numel() > h.shape[1];

    private static NamedArray Copy(FlatRange range, ReadOnlySpan<float> values) =>
        new(range.Name, range.Shape, values.Slice(range.Offset, range.Length).ToArray());
}
