using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using Winnow.Core;

namespace Winnow.Data;

/// <summary>A tensor to write.</summary>
/// <param name="Name">Any text but <c>__metadata__</c>.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Its shape; empty for a scalar.</param>
/// <param name="WriteTo">Writes its bytes, little-endian, row-major: called once, when its turn comes.</param>
public sealed record SafetensorsTensor(string Name, TensorType Type, IReadOnlyList<long> Shape, Action<Stream> WriteTo)
{
    /// <summary>Bytes its shape asks for.</summary>
    /// <exception cref="OverflowException">More than 2^63.</exception>
    public long ByteCount => Shape.Aggregate((long)Type.Size(), (a, b) => checked(a * b));

    /// <summary>A tensor of floats, not copied.</summary>
    public static SafetensorsTensor F32(string name, IReadOnlyList<long> shape, ReadOnlyMemory<float> values) =>
        new(name, TensorType.F32, shape, stream => stream.Write(MemoryMarshal.AsBytes(values.Span)));

    /// <summary>A tensor of 64-bit integers, not copied.</summary>
    public static SafetensorsTensor I64(string name, IReadOnlyList<long> shape, ReadOnlyMemory<long> values) =>
        new(name, TensorType.I64, shape, stream => stream.Write(MemoryMarshal.AsBytes(values.Span)));
}

/// <summary>
/// Writes safetensors files. The same tensors and metadata give the same bytes: tensors by falling alignment, then by name;
/// metadata by key; the header padded with spaces so that data begins at a multiple of eight.
/// </summary>
public static class SafetensorsWriter
{
    private static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes a file: to a temporary name beside it, renamed when it is complete.</summary>
    /// <param name="path">The file; replaced when it exists.</param>
    /// <param name="tensors">Distinct names.</param>
    /// <param name="metadata">Free text by key.</param>
    /// <exception cref="ArgumentException">Names repeat, or a tensor wrote another number of bytes than its shape says.</exception>
    /// <exception cref="InputException">The file cannot be written.</exception>
    public static void Write(string path, IEnumerable<SafetensorsTensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        string part = path + ".part";
        try
        {
            using (var stream = new FileStream(part, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16))
                Write(stream, tensors, metadata);
            File.Move(part, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: found a place that cannot be written ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}); expected a folder with room and permission. Choose another.", e);
        }
    }

    /// <summary>Writes to a stream from its position on.</summary>
    /// <inheritdoc cref="Write(string, IEnumerable{SafetensorsTensor}, IReadOnlyDictionary{string, string})"/>
    public static void Write(Stream stream, IEnumerable<SafetensorsTensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        SafetensorsTensor[] ordered = [.. tensors.OrderByDescending(t => t.Type).ThenBy(t => t.Name, StringComparer.Ordinal)];
        byte[] header = Header(ordered, metadata);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
        stream.Write(length);
        stream.Write(header);
        foreach (var tensor in ordered)
        {
            long before = stream.Position;
            tensor.WriteTo(stream);
            if (stream.Position - before != tensor.ByteCount)
                throw new ArgumentException($"Tensor '{tensor.Name}' wrote {stream.Position - before} bytes; {tensor.Type.Code()} of shape [{string.Join(", ", tensor.Shape)}] has {tensor.ByteCount}.", nameof(tensors));
        }
    }

    private static byte[] Header(SafetensorsTensor[] tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal) { "__metadata__" };
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Compact))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata.OrderBy(m => m.Key, StringComparer.Ordinal))
                    json.WriteString(key, value);
                json.WriteEndObject();
            }
            long offset = 0;
            foreach (var tensor in tensors)
            {
                if (!seen.Add(tensor.Name))
                    throw new ArgumentException($"The name '{tensor.Name}' is taken; every tensor needs its own.", nameof(tensors));
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.Type.Code());
                WriteNumbers(json, "shape", tensor.Shape);
                WriteNumbers(json, "data_offsets", [offset, offset += tensor.ByteCount]);
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (buffer.Length % 8 != 0)
            buffer.WriteByte((byte)' ');
        return buffer.ToArray();
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, IReadOnlyList<long> numbers)
    {
        json.WriteStartArray(name);
        foreach (long n in numbers)
            json.WriteNumberValue(n);
        json.WriteEndArray();
    }
}
