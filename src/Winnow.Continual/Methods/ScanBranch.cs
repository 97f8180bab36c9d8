using Winnow.Core;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>What a branch says of feature maps.</summary>
/// <param name="Output">Features [B, d].</param>
/// <param name="Gate">The gate before SiLU, summed over the four directions and put back in place, [B, d, L]; null without a scan.</param>
/// <param name="Selective">The input-dependent Δ-input, B and C of the first direction, [B, 1, N, L] each; empty without a scan.</param>
internal sealed record BranchOutput(Tensor Output, Tensor? Gate, IReadOnlyList<Tensor> Selective);

/// <summary>
/// A branch of Mamba-FSCIL: feature maps [B, C, H, W] become tokens (1×1 convolution to 2C, layer normalisation over (2C, H, W), leaky ReLU 0.1, 1×1
/// convolution to d, learned positions), which one block reads in four orders (rows, columns, and both backwards); averaged over positions.
/// <para>The block: <c>[x, z] = W_in h</c>, <c>x = SiLU(causal depthwise convolution over 4 positions)</c>, <c>(δ, B, C) = W_x x</c>,
/// <c>Δ = softplus(W_δ δ + b)</c>, <see cref="SelectiveScan"/>, gated by SiLU(z). Or, as a control, a linear map of each token.</para>
/// <para>Cost: O(B·L·d²) for the projections and O(4·B·L·d·N·min(L, 16)) for the scan.</para>
/// </summary>
internal sealed class ScanBranch : IDisposable
{
    private const int Kernel = 4;
    private readonly int _channels, _height, _width, _size, _layers;
    private readonly ProjectorKind _kind;
    private readonly Dictionary<string, Tensor> _parameters = [];
    private readonly Tensor[] _orders, _back;

    /// <param name="map">C, H, W of the feature maps; d = C.</param>
    /// <param name="options">Sizes.</param>
    /// <param name="random">Initial weights.</param>
    /// <param name="silent">Whether it contributes exactly zero at first.</param>
    public ScanBranch((int Channels, int Height, int Width) map, MambaFscilOptions options, SeededRandom random, bool silent)
    {
        using var scope = NewDisposeScope();
        ((_channels, _height, _width), _size, _layers, _kind) = (map, options.StateSize, options.Layers, options.Projector);
        int length = _height * _width, d = _channels, n = _size, wide = 2 * _channels;
        for (int i = 1; i < _layers; i++)
        {
            int from = i == 1 ? _channels : wide;
            Uniform($"mix{i}.weight", from, wide, from);
            Uniform($"mix{i}.bias", from, wide);
            Add($"norm{i}.weight", ones(wide, _height, _width));
            Add($"norm{i}.bias", zeros(wide, _height, _width));
        }
        Uniform($"mix{_layers}.weight", wide, d, wide);
        Add("position", Filled(() => 0.02 * Math.Clamp(random.NextNormal(), -2, 2), length, d));
        if (_kind == ProjectorKind.Linear)
        {
            Uniform("out.weight", d, d, d);
            if (silent)
                _parameters["out.weight"].detach().zero_();
        }
        else
        {
            Uniform("in.weight", d, 2 * d, d);
            if (silent) // the half that gives the gate: SiLU(0) = 0
                _parameters["in.weight"].detach().narrow(0, d, d).zero_();
            Uniform("conv.weight", Kernel, d, 1, Kernel);
            Uniform("conv.bias", Kernel, d);
            Uniform("select.weight", d, 3 * n, d);
            Uniform("step.weight", n, d, n);
            // softplus(b) is log-uniform in [0.001, 0.1]
            Add("step.bias", Filled(() => Math.Log(Math.Exp(Math.Exp(Math.Log(1e-3) + random.NextDouble() * Math.Log(100))) - 1), d));
            Add("a.log", arange(1, n + 1, ScalarType.Float32).log().repeat(d, 1));
            Add("d", ones(d));
        }
        long[] rows = [.. Enumerable.Range(0, length).Select(i => (long)i)];
        long[] columns = [.. rows.Select(i => i % _height * _width + i / _height)];
        long[][] orders = [rows, [.. rows.Reverse()], columns, [.. columns.Reverse()]];
        _orders = [.. orders.Select(o => tensor(o).DetachFromDisposeScope())];
        _back = [.. orders.Select(o => tensor([.. rows.Select(i => (long)Array.IndexOf(o, i))]).DetachFromDisposeScope())];

        void Uniform(string name, int fanIn, params long[] shape) => Add(name, Filled(() => (2 * random.NextDouble() - 1) / Math.Sqrt(fanIn), shape));

        void Add(string name, Tensor value) => _parameters.Add(name, value.DetachFromDisposeScope().requires_grad_(true));

        static Tensor Filled(Func<double> next, params long[] shape) =>
            tensor([.. Enumerable.Range(0, (int)shape.Aggregate((a, b) => a * b)).Select(_ => (float)next())]).reshape(shape);
    }

    /// <summary>The parameters by name.</summary>
    public IReadOnlyDictionary<string, Tensor> Parameters => _parameters;

    /// <summary>What the branch says of maps [B, C, H, W]. On the graph unless gradients are off.</summary>
    /// <exception cref="ArgumentException">Maps of another size.</exception>
    public BranchOutput Forward(Tensor maps)
    {
        if (maps.dim() != 4 || !maps.shape.AsSpan(1).SequenceEqual([_channels, _height, _width]))
            throw new ArgumentException($"maps [{string.Join(", ", maps.shape)}]; expected [rows, {_channels}, {_height}, {_width}], the size that the layer normalisation was made for", nameof(maps));
        var tokens = Tokens(maps);
        if (_kind == ProjectorKind.Linear)
            return new(F.linear(tokens, this["out.weight"]).mean([1]), null, []);
        long rows = maps.shape[0];
        var (y, z, selective) = Block(cat([.. _orders.Select(order => tokens.index_select(1, order))]));
        return new(InPlace(y).mean([2]), InPlace(z), [.. selective.Select(p => p.narrow(0, 0, rows).unsqueeze(1))]);

        // [4·B, d, L], direction by direction, to the sum over directions with every position where it belongs.
        Tensor InPlace(Tensor directions) => directions.split(rows).Select((one, k) => one.index_select(2, _back[k])).Aggregate((a, b) => a + b);
    }

    private Tensor this[string name] => _parameters[name];

    private Tensor Tokens(Tensor maps)
    {
        var h = maps.flatten(2).transpose(1, 2); // a 1×1 convolution is a linear map of each position
        for (int i = 1; i < _layers; i++)
        {
            h = F.linear(h, this[$"mix{i}.weight"], this[$"mix{i}.bias"]).transpose(1, 2).reshape(-1, 2 * _channels, _height, _width);
            h = F.leaky_relu(F.layer_norm(h, [2 * _channels, _height, _width], this[$"norm{i}.weight"], this[$"norm{i}.bias"]), 0.1).flatten(2).transpose(1, 2);
        }
        return F.linear(h, this[$"mix{_layers}.weight"]) + this["position"];
    }

    private (Tensor Y, Tensor Gate, Tensor[] Selective) Block(Tensor h)
    {
        var halves = F.linear(h, this["in.weight"]).transpose(1, 2).chunk(2, 1); // [M, d, L] each
        var (x, z) = (halves[0], halves[1]);
        x = F.silu(F.conv1d(F.pad(x, [Kernel - 1, 0]), this["conv.weight"], this["conv.bias"], groups: _channels));
        var selective = F.linear(x.transpose(1, 2), this["select.weight"]).transpose(1, 2).chunk(3, 1); // δ, B, C: [M, N, L] each
        var delta = F.softplus(F.linear(selective[0].transpose(1, 2), this["step.weight"], this["step.bias"])).transpose(1, 2);
        var (y, _) = SelectiveScan.Run(x, delta, -this["a.log"].exp(), selective[1], selective[2], this["d"], z);
        return (y, z, selective);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in _parameters.Values.Concat(_orders).Concat(_back))
            owned.Dispose();
    }
}
