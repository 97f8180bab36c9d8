using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data;

/// <summary>
/// A safetensors file opened for reading: eight bytes of header length, a JSON header, then the tensors, little-endian. The header
/// is checked whole before anything else is read; tensors are read one at a time, on demand. Not for use by several threads at once.
/// </summary>
public sealed class SafetensorsFile : IDisposable
{
    private readonly Stream _stream;
    private readonly string _where;
    private readonly long _dataStart;
    private readonly Dictionary<string, SafetensorsEntry> _byName;

    private SafetensorsFile(Stream stream, string where, SafetensorsHeader header, long dataStart)
    {
        _stream = stream;
        _where = where;
        _dataStart = dataStart;
        Tensors = header.Entries;
        Metadata = header.Metadata;
        _byName = header.Entries.ToDictionary(e => e.Name, StringComparer.Ordinal);
    }

    /// <summary>The first byte after the header, from which <see cref="SafetensorsEntry.Offset"/> counts: for those who map the file.</summary>
    public long DataStart => _dataStart;

    /// <summary>The tensors, in the order of their data.</summary>
    public IReadOnlyList<SafetensorsEntry> Tensors { get; }

    /// <summary>The header's <c>__metadata__</c>; empty when there is none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The tensor of a name.</summary>
    /// <exception cref="InputException">There is none.</exception>
    public SafetensorsEntry this[string name] => _byName.GetValueOrDefault(name)
        ?? throw InputException.At(_where, $"no tensor {Excerpt.Of(name)}", "it among the tensors of the file", Nearest.To(name, _byName.Keys) is { } near ? $"Did you mean '{near}'?" : "Keep the model again.");

    /// <summary>Opens a file and checks its header. Cost: the header.</summary>
    /// <exception cref="InputException">It is not a whole, well-formed safetensors file.</exception>
    public static SafetensorsFile Open(string path) => InputFile.Reading(path, () => Open(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read), path));

    /// <summary>Opens a seekable stream, which is then owned.</summary>
    internal static SafetensorsFile Open(Stream stream, string where)
    {
        try
        {
            const string remedy = "The file is cut short or is not safetensors; get it again.";
            if (stream.Length == 0)
                throw InputFile.Empty(where);
            Span<byte> prefix = stackalloc byte[8];
            if (stream.ReadAtLeast(prefix, 8, throwOnEndOfStream: false) < 8)
                throw InputException.At(where, $"{stream.Length} bytes", "at least 8, the length of the header", remedy);
            ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
            if (length > SafetensorsHeader.LongestHeader)
                throw InputException.At($"{where}, byte 0", $"a header of {length} bytes", $"at most {SafetensorsHeader.LongestHeader}", remedy);
            if ((long)length > stream.Length - 8)
                throw InputException.At($"{where}, byte 0", $"a header of {length} bytes in a file of {stream.Length}", $"at most {stream.Length - 8}", remedy);
            var json = new byte[length];
            stream.ReadExactly(json);
            long dataStart = 8 + (long)length;
            return new(stream, where, SafetensorsHeader.Parse(json, stream.Length - dataStart, where), dataStart);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Reads the bytes of a tensor, little-endian, row-major.</summary>
    /// <param name="entry">One of <see cref="Tensors"/>.</param>
    /// <param name="destination">Exactly its bytes.</param>
    /// <exception cref="ArgumentException">The destination has another length.</exception>
    /// <exception cref="InputException">The file became shorter since it was opened, or cannot be read.</exception>
    public void Read(SafetensorsEntry entry, Span<byte> destination)
    {
        if (destination.Length != entry.ByteCount)
            throw new ArgumentException($"Tensor '{entry.Name}' has {entry.ByteCount} bytes; the destination has {destination.Length}.", nameof(destination));
        try
        {
            _stream.Position = _dataStart + entry.Offset;
            _stream.ReadExactly(destination);
        }
        catch (IOException e)
        {
            throw new InputException($"{_where}, tensor {Excerpt.Of(entry.Name)}: found a file that cannot be read to its end ({e.Message.TrimEnd('.')}); expected {entry.ByteCount} bytes. Get it again.", e);
        }
    }

    /// <summary>Reads a floating-point tensor as floats; doubles are rounded.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="InputException">There is none, it is not F32, F64, F16 or BF16, or it does not fit an array.</exception>
    public float[] ReadFloats(string name)
    {
        var entry = this[name];
        if (entry.ByteCount > Array.MaxLength)
            throw InputException.At($"{_where}, tensor {Excerpt.Of(name)}", $"{Excerpt.Of(entry.ByteCount)} bytes", $"at most {Excerpt.Of(Array.MaxLength)}", "Split the tensor.");
        var values = new float[entry.Count];
        if (entry.Type == TensorType.F32)
        {
            Read(entry, MemoryMarshal.AsBytes(values.AsSpan()));
            return values;
        }
        if (entry.Type is not (TensorType.F64 or TensorType.F16 or TensorType.BF16))
            throw InputException.At($"{_where}, tensor {Excerpt.Of(name)}", $"dtype {entry.Type.Code()}", "F32, F64, F16 or BF16", "Convert it.");
        var bytes = new byte[entry.ByteCount];
        Read(entry, bytes);
        for (int i = 0; i < values.Length; i++)
            values[i] = entry.Type switch
            {
                TensorType.F64 => (float)BinaryPrimitives.ReadDoubleLittleEndian(bytes.AsSpan(8 * i)),
                TensorType.F16 => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes.AsSpan(2 * i)),
                _ => BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(2 * i)) << 16),
            };
        return values;
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();
}
