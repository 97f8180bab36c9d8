using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>One layer of <see cref="Cuber"/>: the regimes of the old tasks, and the scaling D [in, in] of each task.</summary>
internal sealed class CuberLayer : IDisposable
{
    private readonly InputSpace _space;
    private readonly CuberOptions _options;
    private readonly Tensor _scaling, _regimes; // D of each task [T, in, in]; regimes of the old tasks during the current one [T], 0 for none
    private readonly Dictionary<int, Tensor> _related = []; // subspaces of the old tasks outside regime 1
    private Tensor? _protected;
    private Tensor[] _byScale = [];
    private int _task;

    public CuberLayer(InputSpace space, int tasks, CuberOptions options)
    {
        (_space, _options) = (space, options);
        _scaling = zeros(tasks, space.Inputs, space.Inputs).DetachFromDisposeScope();
        _regimes = zeros(tasks, ScalarType.Int64).DetachFromDisposeScope();
    }

    /// <summary>The pieces of state.</summary>
    public IEnumerable<StateEntry> State =>
    [
        new($"cuber.{_space.Module}.scaling", StateKind.Statistics, _scaling), new($"cuber.{_space.Module}.regimes", StateKind.Statistics, _regimes),
    ];

    /// <summary>The regime of each old task.</summary>
    public Span<long> Regimes => _regimes.Values<long>()[.._task];

    /// <summary>Whether the current task scales any old subspace.</summary>
    public bool Scales => _related.Count > 0;

    /// <summary>A task begins: finds the regimes from its gradient and the old ones [T, P].</summary>
    public void Begin(int task, Tensor gradient, Tensor old)
    {
        Forget();
        _task = task;
        using var scope = NewDisposeScope();
        var mine = _space.Of(gradient);
        Tensor[] bases = [.. Enumerable.Range(0, task).Select(j => _space.Of([j]))];
        double[] shares = [.. bases.Select(b => Transfer.Share(mine, b))];
        int[] selected = Transfer.Select(shares, _options.Related);
        for (int j = 0; j < task; j++)
        {
            var regime = selected.Contains(j) ? Transfer.Regime(shares[j], Transfer.Cosine(_space.Of(old[j]), mine), _options.Epsilon1, _options.Epsilon2) : TransferRegime.Apart;
            Regimes[j] = (long)regime;
            if (regime != TransferRegime.Apart)
                _related[j] = bases[j].DetachFromDisposeScope();
        }
        Protect();
    }

    /// <summary>Old tasks of regime 3 whose gradient does not agree any more fall to regime 2. Returns whether one did.</summary>
    public bool Check(Tensor gradient, Tensor old)
    {
        bool changed = false;
        foreach (int j in _related.Keys.Where(Shared).ToArray())
        {
            double cosine = Transfer.Cosine(_space.Of(old[j]), _space.Of(gradient));
            if (double.IsNaN(cosine) || cosine >= _options.Epsilon2)
                continue;
            Regimes[j] = (long)TransferRegime.Scaled;
            changed = true;
        }
        if (changed)
            Protect();
        return changed;
    }

    /// <summary>Adds the gradient of the penalty to the network's; returns the penalty.</summary>
    public double Penalise(Network network, Tensor anchor)
    {
        double penalty = 0;
        foreach (var (_, basis) in _related.Where(r => _options.Lambda > 0 && Shared(r.Key)))
        {
            var (norm, derivative) = Penalty(_space.Of(network.Parameters) - _space.Of(anchor), basis);
            _space.Of(network.Gradient).add_(derivative, _options.Lambda);
            penalty += _options.Lambda * norm;
        }
        return penalty;
    }

    /// <summary><c>‖A B Bᵀ‖</c> and its derivative by A [out, in], which is taken to be 0 where the norm is.</summary>
    internal static (double Norm, Tensor Derivative) Penalty(Tensor moved, Tensor basis)
    {
        var inside = Subspace.Project(moved, basis);
        double norm = Transfer.Norm(inside);
        return (norm, norm == 0 ? zeros_like(inside) : inside / norm);
    }

    /// <summary>Takes what lies in protected directions out of a flat vector.</summary>
    public void Project(Tensor flat)
    {
        if (_protected is null)
            return;
        var mine = _space.Of(flat);
        mine.sub_(Subspace.Project(mine, _protected));
    }

    /// <summary>Turns the layer's derivative by W̃, which the network holds, into those by W, and by the scales.</summary>
    public void Pull(Network network)
    {
        if (!Scales)
            return;
        var gradient = _space.Of(network.Gradient);
        (var byWeight, _byScale) = ScaledProjection.Gradients(gradient, _space.Of(network.Parameters), _scaling[_task], _related.Values);
        gradient.copy_(byWeight);
    }

    /// <summary>One step of SGD on the scales: <c>Q_j ← Q_j − η ∂L/∂Q_j</c>, which moves D by <c>−η Σ_j B_j ∂L/∂Q_j B_jᵀ</c>.</summary>
    public void StepScales(double learningRate)
    {
        foreach (var (basis, gradient) in _related.Values.Zip(_byScale))
            _scaling[_task].add_(basis.matmul(gradient).matmul(basis.T), -learningRate);
    }

    /// <summary>Writes W̃ of a task.</summary>
    public void Scale(Tensor from, Tensor to, int task) => _space.Of(to).copy_(ScaledProjection.Weight(_space.Of(from), _scaling[task]));

    /// <inheritdoc/>
    public void Dispose()
    {
        Forget();
        _scaling.Dispose();
        _regimes.Dispose();
    }

    private bool Shared(int j) => Regimes[j] == (long)TransferRegime.Shared;

    private void Protect()
    {
        _protected?.Dispose();
        _protected = _task == 0 ? null : _space.Of(Enumerable.Range(0, _task).Where(j => !Shared(j))).DetachFromDisposeScope();
    }

    private void Forget()
    {
        _protected?.Dispose();
        _protected = null;
        foreach (var basis in _related.Values)
            basis.Dispose();
        _related.Clear();
        _byScale = [];
    }
}
