using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// What one layer was given by the tasks so far: an orthonormal union O [in, rank] of their input directions, and which of its columns belong
/// to which task. A layer's weight is [out, in], for a convolution with in = channels·3·3, the values of a patch. Memory 8 in² bytes and
/// in bytes a task.
/// </summary>
internal sealed class InputSpace : IDisposable
{
    private readonly string _name;
    private readonly int _position;
    private readonly FlatRange _weight;
    private readonly bool _convolution;
    private readonly Tensor _basis, _members, _ranks;

    /// <summary>The space of one module, empty.</summary>
    /// <param name="name">Prefix of the names of its state.</param>
    /// <param name="module">A linear module or a convolution.</param>
    /// <param name="position">Its position among the modules of the network.</param>
    /// <param name="tasks">Tasks at most.</param>
    public InputSpace(string name, NetworkModule module, int position, int tasks)
    {
        (_name, Module, _position, _weight) = ($"{name}.{module.Name}", module.Name, position, module.Parameters[0]);
        _convolution = module.Kind == ModuleKind.Convolution;
        Outputs = _weight.Shape[0];
        Inputs = _weight.Length / Outputs;
        _basis = zeros(Inputs, Inputs, ScalarType.Float64).DetachFromDisposeScope();
        _members = zeros(tasks, Inputs, ScalarType.Byte).DetachFromDisposeScope();
        _ranks = zeros(tasks, ScalarType.Int64).DetachFromDisposeScope();
    }

    /// <summary>The module's name.</summary>
    public string Module { get; }

    /// <summary>Values that the module gives.</summary>
    public long Outputs { get; }

    /// <summary>Values that the module takes.</summary>
    public long Inputs { get; }

    /// <summary>The pieces of state.</summary>
    public IEnumerable<StateEntry> State =>
    [
        new($"{_name}.basis", StateKind.Statistics, _basis), new($"{_name}.members", StateKind.Statistics, _members),
        new($"{_name}.ranks", StateKind.Counter, _ranks),
    ];

    /// <summary>Number of directions after each task.</summary>
    public ReadOnlySpan<long> Ranks => _ranks.Values<long>();

    /// <summary>The layer's part of a flat vector [P] as a matrix [out, in]; a view.</summary>
    public Tensor Of(Tensor flat) => flat.narrow(0, _weight.Offset, _weight.Length).view(Outputs, Inputs);

    /// <summary>All directions after some tasks, float64 [in, rank]; a view.</summary>
    public Tensor Union(int tasks) => _basis.narrow(1, 0, tasks == 0 ? 0 : Ranks[tasks - 1]);

    /// <summary>The directions that any of some tasks has, float32 [in, r].</summary>
    public Tensor Of(params IEnumerable<int> tasks)
    {
        bool[] any = new bool[Inputs];
        foreach (int task in tasks)
            for (int i = 0; i < any.Length; i++)
                any[i] |= _members.Values<byte>()[(int)(task * Inputs) + i] != 0;
        using var columns = tensor([.. Enumerable.Range(0, any.Length).Where(i => any[i]).Select(i => (long)i)], ScalarType.Int64);
        return _basis.index_select(1, columns).to_type(ScalarType.Float32);
    }

    /// <summary>What the module was given, float64 [in, n], one column a row or patch.</summary>
    /// <param name="inputs">The inputs of all modules, see <see cref="Network.ModuleInputs"/>.</param>
    public Tensor Columns(IReadOnlyList<Tensor> inputs)
    {
        var x = inputs[_position].to_type(ScalarType.Float64);
        return _convolution ? nn.functional.unfold(x, (3, 3), padding: (1, 1)).permute(1, 0, 2).flatten(1) : x.T;
    }

    /// <summary>Adds a task's directions.</summary>
    /// <param name="task">Its number.</param>
    /// <param name="old">Which columns of the union it has.</param>
    /// <param name="directions">Its new directions, float64 [in, k].</param>
    public void Add(int task, ReadOnlySpan<bool> old, Tensor directions)
    {
        int rank = old.Length, fresh = (int)directions.shape[1];
        _basis.narrow(1, rank, fresh).copy_(directions);
        var members = _members.Values<byte>().Slice((int)(task * Inputs), (int)Inputs);
        for (int i = 0; i < rank + fresh; i++)
            members[i] = i >= rank || old[i] ? (byte)1 : (byte)0;
        _ranks.Values<long>()[task] = rank + fresh;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _basis.Dispose();
        _members.Dispose();
        _ranks.Dispose();
    }
}
