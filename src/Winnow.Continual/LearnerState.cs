using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Writes all that a learner remembers as safetensors, and reads it back to the bit.</summary>
public static class LearnerState
{
    private const string Kind = "winnow continual learner";

    /// <summary>Writes every piece of state under its name. The same state gives the same bytes.</summary>
    public static void Write(IContinualLearner learner, Stream stream) => Write(learner.State, stream, Kind, null);

    /// <summary>The same with a card beside the tensors.</summary>
    internal static void Write(IEnumerable<StateEntry> state, Stream stream, string kind, string? card) =>
        SafetensorsWriter.Write(stream, state.Select(entry => new SafetensorsTensor(entry.Name, Type(entry.Value), entry.Value.shape, to =>
        {
            using var contiguous = entry.Value.contiguous();
            to.Write(contiguous.bytes);
        })), card is null ? new Dictionary<string, string> { ["format"] = kind } : new() { ["format"] = kind, ["card"] = card });

    /// <summary>Sets every piece of state from a file. Names, shapes and types must be those of the learner; otherwise nothing is changed.</summary>
    /// <exception cref="InputException">The file cannot be read or was written by another learner.</exception>
    public static void Read(IContinualLearner learner, string path) => Read([.. learner.State], path);

    /// <summary>The same for any pieces of state.</summary>
    internal static void Read(IReadOnlyList<StateEntry> state, string path)
    {
        using var file = SafetensorsFile.Open(path);
        const string remedy = "It was kept from another method, other options or other data: keep the trial again.";
        if (file.Tensors.FirstOrDefault(t => !state.Any(s => s.Name == t.Name)) is { } unknown)
            throw InputException.At(path, $"a tensor '{unknown.Name}'", $"only what the learner remembers: {string.Join(", ", state.Select(s => s.Name))}", remedy);
        foreach (var (name, _, value) in state)
        {
            var entry = file.Tensors.FirstOrDefault(t => t.Name == name) ?? throw InputException.At(path, $"no tensor '{name}'", "all that the learner remembers", remedy);
            if (entry.Type != Type(value) || !entry.Shape.SequenceEqual(value.shape))
                throw InputException.At($"{path}, tensor '{name}'", Text(entry.Type, entry.Shape), Text(Type(value), value.shape), remedy);
        }

        using var _ = no_grad();
        using var scope = NewDisposeScope();
        // All are read before the first is set, so that a file that fails half-way changes nothing.
        Tensor[] values = [.. state.Select(s => empty_like(s.Value, requires_grad: false))];
        foreach (var (entry, value) in state.Zip(values))
            file.Read(file[entry.Name], value.bytes);
        foreach (var (entry, value) in state.Zip(values))
            entry.Value.copy_(value);

        static string Text(TensorType type, IReadOnlyList<long> shape) => $"{type.Code()} [{string.Join(", ", shape)}]";
    }

    private static TensorType Type(Tensor tensor) => tensor.dtype switch
    {
        ScalarType.Float32 => TensorType.F32,
        ScalarType.Float64 => TensorType.F64,
        ScalarType.Int64 => TensorType.I64,
        ScalarType.Int32 => TensorType.I32,
        ScalarType.Byte => TensorType.U8,
        ScalarType.Bool => TensorType.Bool,
        var other => throw new NotSupportedException($"State of type {other} is not written; use float32, float64, int64, int32, byte or bool."),
    };
}
