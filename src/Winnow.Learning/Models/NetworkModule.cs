namespace Winnow.Learning;

/// <summary>Which kind of layer a module is.</summary>
public enum ModuleKind
{
    /// <summary>Fully connected.</summary>
    Linear,

    /// <summary>3x3 convolution.</summary>
    Convolution,

    /// <summary>Batch normalisation.</summary>
    BatchNorm,

    /// <summary>A head of frozen target vectors (<see cref="CosineHead"/>).</summary>
    Cosine,
}

/// <summary>A named tensor that is a part of a flat vector.</summary>
/// <param name="Name">E.g. <c>linear1.weight</c>.</param>
/// <param name="Offset">First element in the flat vector.</param>
/// <param name="Shape">Shape, row-major.</param>
public sealed record FlatRange(string Name, int Offset, IReadOnlyList<long> Shape)
{
    /// <summary>Number of elements.</summary>
    public int Length { get; } = (int)Shape.Aggregate(1L, (a, b) => a * b);
}

/// <summary>A layer with state. Its parameters lie next to each other in the network's flat vector.</summary>
public sealed class NetworkModule
{
    internal NetworkModule(string name, ModuleKind kind, IReadOnlyList<FlatRange> parameters, IReadOnlyList<FlatRange> buffers)
    {
        Name = name;
        Kind = kind;
        Parameters = parameters;
        Buffers = buffers;
        Offset = parameters[0].Offset;
        Length = parameters.Sum(p => p.Length);
    }

    /// <summary>E.g. <c>linear1</c>, <c>norm1</c>, <c>conv1</c>, <c>head</c>.</summary>
    public string Name { get; }

    /// <summary>Kind of layer.</summary>
    public ModuleKind Kind { get; }

    /// <summary>Weight and bias, as ranges of <see cref="Network.Parameters"/>; of a cosine head its map, where it has one, and its scale.</summary>
    public IReadOnlyList<FlatRange> Parameters { get; }

    /// <summary>Running mean and variance, as ranges of <see cref="Network.Buffers"/>; of a cosine head its targets; else empty.</summary>
    public IReadOnlyList<FlatRange> Buffers { get; }

    /// <summary>First parameter of the module in the flat vector.</summary>
    public int Offset { get; }

    /// <summary>Number of parameters of the module.</summary>
    public int Length { get; }

    /// <summary>
    /// For batch normalisation: true uses and records the batch's statistics, false uses the recorded ones and leaves them alone.
    /// Set for all modules by <see cref="Network.Training"/>; set it afterwards to keep one module's statistics fixed.
    /// </summary>
    public bool Training { get; set; } = true;
}
