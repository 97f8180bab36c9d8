using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>The layers of a <see cref="DeepKernelMachine"/> and their training: Gram matrices of rows, or of learned inputs, one layer on another.</summary>
internal sealed class DeepGram
{
    private const double Floor = 1e-3, FirstNoise = 0.1, Decay1 = 0.9, Decay2 = 0.999, Small = 1e-8;

    private readonly string _kernel;
    private readonly bool _plain, _sparse;
    private readonly double _nu, _floor;
    private readonly Tensor _x, _y;
    private readonly Tensor[] _layers, _lengths, _heights;
    private readonly Tensor _noise;
    private readonly Tensor? _inputs, _values, _spread;

    /// <param name="x">Rows [n, d].</param>
    /// <param name="y">Targets [n, outputs], without their mean.</param>
    /// <param name="options">How.</param>
    /// <param name="nu">ν; infinite: the kernel's own Gram matrices.</param>
    /// <param name="random">Draws the first inputs of the sparse form.</param>
    public DeepGram(Tensor x, Tensor y, DeepKernelMachineOptions options, double nu, SeededRandom random)
    {
        if (y.dim() != 2 || y.shape[1] == 0 || y.shape[0] != x.shape[0])
            throw new ArgumentException($"targets [{string.Join(", ", y.shape)}] of rows [{string.Join(", ", x.shape)}]; expected [n, outputs], at least one output", nameof(y));
        if (!(nu > 0))
            throw new ArgumentOutOfRangeException(nameof(nu), nu, "expected a number above 0: at 0 nothing holds a Gram matrix");
        using var scope = NewDisposeScope();
        (_kernel, _plain, _sparse, _nu) = (options.Kernel, options.Form == "plain", options.Form == "sparse", nu);
        (_x, _y, _floor) = (x.clone(), y.clone(), Floor * y.square().mean().item<double>());
        Tensor Parameter(Tensor start) => start.clone().requires_grad_();
        Tensor Scalar(double value) => Parameter(tensor(value, dtype: ScalarType.Float64));
        int n = (int)x.shape[0], size = _sparse ? options.Inducing : n;
        if (size > n)
            throw InputException.At("inducing", $"{size} learned inputs", $"at most {n}, the rows", "Take fewer.");
        if (_sparse)
        {
            long[] order = [.. Enumerable.Range(0, n).Select(i => (long)i)];
            random.Shuffle(order);
            _inputs = Parameter(x.index_select(0, tensor(order[..size])));
            _values = Parameter(zeros(size, y.shape[1], dtype: ScalarType.Float64));
            _spread = Parameter(zeros(size, size, dtype: ScalarType.Float64));
        }
        _lengths = [.. Enumerable.Range(0, options.Layers + 1).Select(_ => Scalar(0))];
        _heights = [.. Enumerable.Range(0, options.Layers + 1).Select(_ => Scalar(0))];
        _noise = Scalar(Math.Log(FirstNoise));
        _layers = double.IsInfinity(nu) ? [] : [.. Enumerable.Range(0, options.Layers).Select(_ => Parameter(zeros(size, size, dtype: ScalarType.Float64)))];
        Depth = options.Layers;
        if (_plain && _layers.Length > 0)
            StartAtKernel();
        foreach (var kept in Kept)
            kept.MoveToOuterDisposeScope();
    }

    private int Depth { get; }

    /// <summary>Features of a row.</summary>
    public long Features => _x.shape[1];

    /// <summary>The objective, a row, after the last step that was measured.</summary>
    public double Reached { get; private set; } = double.NaN;

    /// <summary>The sum of the divergences.</summary>
    public double Apart { get; private set; }

    /// <summary>σ².</summary>
    public double Noise => Math.Exp(_noise.item<double>()) + _floor;

    /// <summary>Every tensor that it is made of.</summary>
    public IEnumerable<Tensor> Kept => [_x, _y, .. Parameters];

    /// <summary>What is learned.</summary>
    public IReadOnlyList<Tensor> Parameters => [.. _layers, .. _lengths, .. _heights, _noise, .. _inputs is null ? (Tensor[])[] : [_inputs, _values!, _spread!]];

    /// <summary>V = √n · chol K, layer by layer, so that G = V Vᵀ / n begins as K.</summary>
    private void StartAtKernel()
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var g = GramKernels.Inputs(_x);
        for (int l = 0; l < Depth; l++)
        {
            g = Kernel(l, g);
            _layers[l].copy_(Factor(g.Own) * Math.Sqrt(g.Own.shape[0]));
        }
    }

    private LayerGrams Kernel(int layer, LayerGrams g) => _kernel == "relu" ? Scaled(GramKernels.Relu(g), _heights[layer].exp().square()) : GramKernels.SquaredExponential(g, _lengths[layer].exp(), _heights[layer].exp());

    private static LayerGrams Scaled(LayerGrams k, Tensor by) => new(k.Own * by, k.Cross is null ? null : k.Cross * by, k.Diagonal is null ? null : k.Diagonal * by);

    private static Tensor Factor(Tensor k)
    {
        var (factor, info) = linalg.cholesky_ex(k);
        return info.item<int>() == 0 ? factor : throw InputException.At("Gram matrix", "one that is not positive definite any more", "positive eigenvalues", "Take smaller steps (learning-rate), a larger ν, or leave doubled rows out.");
    }

    /// <summary>A lower triangular matrix whose diagonal is the exponential of what is learned.</summary>
    private static Tensor Lower(Tensor raw) => raw.tril(-1) + raw.diagonal().exp().diag();

    /// <summary>The kernel of the last layer, and the sum of the divergences on the way; a Gram matrix of none of the layers is more than a kernel away.</summary>
    /// <param name="others">Rows to carry along [m, d]; null for none.</param>
    private (LayerGrams Top, Tensor Divergence) Propagate(Tensor? others)
    {
        var g = GramKernels.Inputs(_inputs ?? _x, others);
        var divergence = zeros(1, dtype: ScalarType.Float64).squeeze(0);
        for (int l = 0; l < Depth; l++)
        {
            var k = Kernel(l, g);
            if (_layers.Length == 0)
            {
                g = k;
                continue;
            }
            var factor = Factor(k.Own);
            if (_plain)
            {
                var own = _layers[l].mm(_layers[l].t()) / _layers[l].shape[0];
                divergence += 0.5 * (PositiveSolve.Back(factor, own).trace() - linalg.slogdet(_layers[l]).Item2 * 2 + own.shape[0] * Math.Log(own.shape[0]) + GramKernels.LogDeterminant(factor) - own.shape[0]);
                g = GramKernels.Conditional(k, factor, own);
            }
            else
            {
                var r = Lower(_layers[l]);
                divergence += 0.5 * (r.square().sum() - 2 * _layers[l].diagonal().sum() - r.shape[0]);
                var root = factor.mm(r);
                g = GramKernels.Conditional(k, factor, root.mm(root.t()));
            }
        }
        return (Kernel(Depth, g), divergence);
    }

    private static Tensor Penalty(double nu, Tensor divergence) => double.IsInfinity(nu) ? zeros_like(divergence) : divergence * nu;

    /// <summary>The objective, of rows some of which were drawn where the form is sparse, over the number of rows.</summary>
    /// <param name="batch">Those rows; null for all.</param>
    public Tensor Objective(Tensor? batch = null)
    {
        using var scope = NewDisposeScope();
        long n = _x.shape[0];
        var noise = _noise.exp() + _floor;
        if (!_sparse)
        {
            var (top, divergence) = Propagate(null);
            Apart = divergence.item<double>();
            var factor = Factor(top.Own + eye(n, dtype: ScalarType.Float64) * noise);
            return ((GramKernels.LogLikelihood(_y, factor) - Penalty(_nu, divergence)) / n).MoveToOuterDisposeScope();
        }
        var (x, y) = batch is null ? (_x, _y) : (_x.index_select(0, batch), _y.index_select(0, batch));
        var (kernel, apart) = Propagate(x);
        Apart = apart.item<double>();
        var (mean, variance) = Posterior(kernel);
        var spread = Lower(_spread!);
        long outputs = y.shape[1];
        var expected = -0.5 * (((y - mean).square() + variance.unsqueeze(1)) / noise + noise.log() + Math.Log(2 * Math.PI)).sum() * ((double)n / y.shape[0]);
        var held = 0.5 * (outputs * (spread.square().sum() - 2 * _spread!.diagonal().sum() - spread.shape[0]) + _values!.square().sum());
        return ((expected - held - Penalty(_nu, apart)) / n).MoveToOuterDisposeScope();
    }

    /// <summary>Of the sparse form: mean [m, outputs] and variance [m] of the function, u = C v, v of mean m and covariance S.</summary>
    private (Tensor Mean, Tensor Variance) Posterior(LayerGrams top)
    {
        var white = linalg.solve_triangular(Factor(top.Own), top.Cross!, upper: false);
        return (white.t().mm(_values!), (top.Diagonal! - white.square().sum([0]) + Lower(_spread!).t().mm(white).square().sum([0])).clamp_min(0));
    }

    /// <summary>What is expected of other rows: mean and variance [m], noise included.</summary>
    public (Tensor Mean, Tensor Variance) Predict(Tensor others)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var (top, _) = Propagate(others);
        Tensor mean, variance;
        if (_sparse)
            (mean, variance) = Posterior(top);
        else
        {
            var factor = Factor(top.Own + eye(_x.shape[0], dtype: ScalarType.Float64) * Noise);
            mean = top.Cross!.t().mm(PositiveSolve.Back(factor, _y));
            variance = (top.Diagonal! - linalg.solve_triangular(factor, top.Cross!, upper: false).square().sum([0])).clamp_min(0);
        }
        return (mean.select(1, 0).MoveToOuterDisposeScope(), (variance + Noise).MoveToOuterDisposeScope());
    }

    /// <summary>Climbs by Adam (Kingma and Ba 2015).</summary>
    public void Train(int steps, double rate, int batch, SeededRandom random, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        Tensor[] parameters = [.. Parameters], first = [.. parameters.Select(p => zeros_like(p))], second = [.. parameters.Select(p => zeros_like(p))];
        int n = (int)_x.shape[0];
        for (int step = 1; step <= steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var one = NewDisposeScope();
            var rows = _sparse && batch < n ? tensor([.. Enumerable.Range(0, batch).Select(_ => (long)random.Next(n))]) : null;
            var objective = Objective(rows);
            Reached = objective.item<double>();
            if (!double.IsFinite(Reached))
                throw InputException.At("objective", $"{Reached} at step {step}", "a number", "Take smaller steps (learning-rate).");
            var gradients = autograd.grad([objective], parameters, allow_unused: true);
            using var untracked = no_grad();
            for (int i = 0; i < parameters.Length; i++)
            {
                if (gradients[i] is not { IsInvalid: false } g)
                    continue;
                first[i].mul_(Decay1).add_(g * (1 - Decay1));
                second[i].mul_(Decay2).add_(g.square() * (1 - Decay2));
                parameters[i].add_(first[i] / (1 - Math.Pow(Decay1, step)) / ((second[i] / (1 - Math.Pow(Decay2, step))).sqrt() + Small) * rate);
            }
        }
        using var last = no_grad();
        Reached = Objective().item<double>();
    }
}
