using System.Text.Json;
using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data;

/// <summary>Where a tensor lies in a safetensors file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Its shape; empty for a scalar.</param>
/// <param name="Offset">First byte, counted from the end of the header.</param>
/// <param name="ByteCount">Bytes.</param>
public sealed record SafetensorsEntry(string Name, TensorType Type, IReadOnlyList<long> Shape, long Offset, long ByteCount)
{
    /// <summary>Number of elements.</summary>
    public long Count => ByteCount / Type.Size();
}

/// <summary>Parses and checks the JSON header of a safetensors file.</summary>
internal sealed class SafetensorsHeader
{
    /// <summary>Longest header the format allows.</summary>
    public const long LongestHeader = 100_000_000;
    private const string MetadataKey = "__metadata__";
    private const string Damaged = "The file is damaged or was not written as safetensors; get it again.";
    private readonly string _where;

    private SafetensorsHeader(string where) => _where = where;

    public List<SafetensorsEntry> Entries { get; } = [];

    public Dictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    /// <summary>Parses a header and checks that its tensors cover the data exactly: no hole, no overlap, nothing beyond.</summary>
    /// <param name="json">The header's bytes.</param>
    /// <param name="dataLength">Bytes after the header.</param>
    /// <param name="where">File, for errors.</param>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> json, long dataLength, string where)
    {
        if (json.IsEmpty || json[0] != (byte)'{')
            throw InputException.At($"{where}, byte 8", $"a header that starts with {Excerpt.Of(json[..Math.Min(1, json.Length)])}", "'{'", Damaged);
        var header = new SafetensorsHeader(where);
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 8 });
        try
        {
            reader.Read();
            header.ReadTensors(ref reader);
            if (reader.Read())
                throw header.Bad(reader, "more than one JSON value", "one object");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InputException($"{where}, byte {8 + reader.BytesConsumed}: found a header that is not JSON in UTF-8; expected a JSON object. {Damaged}", e);
        }
        header.RequireCover(dataLength);
        return header;
    }

    private void ReadTensors(ref Utf8JsonReader reader)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            if (!seen.Add(name))
                throw Bad(reader, $"{Excerpt.Of(name)} twice", "every name once");
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
                throw Bad(reader, $"a {Kind(reader)} under {Excerpt.Of(name)}", "an object");
            if (name == MetadataKey)
                ReadMetadata(ref reader);
            else
                Entries.Add(ReadEntry(ref reader, name));
        }
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
                throw Bad(reader, $"a {Kind(reader)} as metadata {Excerpt.Of(key)}", "a string");
            if (!Metadata.TryAdd(key, reader.GetString()!))
                throw Bad(reader, $"metadata {Excerpt.Of(key)} twice", "every key once");
        }
    }

    private SafetensorsEntry ReadEntry(ref Utf8JsonReader reader, string name)
    {
        TensorType? type = null;
        List<long>? shape = null, offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            bool again = key switch { "dtype" => type is not null, "shape" => shape is not null, "data_offsets" => offsets is not null, _ => throw Bad(reader, $"key {Excerpt.Of(key)} of tensor {Excerpt.Of(name)}", "dtype, shape and data_offsets") };
            if (again)
                throw Bad(reader, $"key '{key}' of tensor {Excerpt.Of(name)} twice", "every key once");
            reader.Read();
            if (key == "dtype")
                type = reader.TokenType == JsonTokenType.String && TensorTypes.Of(reader.GetString()!) is { } t ? t
                    : throw Bad(reader, $"an unknown dtype of tensor {Excerpt.Of(name)}", $"one of {TensorTypes.All}");
            else if (key == "shape")
                shape = ReadNumbers(ref reader, name);
            else
                offsets = ReadNumbers(ref reader, name);
        }
        if (type is null || shape is null || offsets is not [var begin, var end])
            throw Bad(reader, $"tensor {Excerpt.Of(name)} without dtype, shape and two data_offsets", "all three");
        UInt128 bytes = (UInt128)type.Value.Size();
        foreach (long size in shape)
        {
            bytes *= (UInt128)size;
            if (bytes > long.MaxValue)
                throw Bad(reader, $"tensor {Excerpt.Of(name)} of more than 2^63 bytes", "a shape that fits the file");
        }
        if (begin > end || bytes != (UInt128)(end - begin))
            throw Bad(reader, $"tensor {Excerpt.Of(name)} of shape [{string.Join(", ", shape.Take(8))}], {type.Value.Code()}, at bytes {begin} to {end}", $"{bytes} bytes");
        return new(name, type.Value, shape, begin, end - begin);
    }

    private List<long> ReadNumbers(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw Bad(reader, $"a {Kind(reader)} in tensor {Excerpt.Of(name)}", "an array");
        var numbers = new List<long>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            numbers.Add(reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long n) && n >= 0 ? n
                : throw Bad(reader, $"a {Kind(reader)} in an array of tensor {Excerpt.Of(name)}", "integers from 0 to 2^63 - 1"));
        return numbers;
    }

    private void RequireCover(long dataLength)
    {
        Entries.Sort((a, b) => (a.Offset, a.ByteCount, a.Name).CompareTo((b.Offset, b.ByteCount, b.Name)));
        long at = 0;
        foreach (var entry in Entries)
        {
            if (entry.Offset != at)
                throw InputException.At($"{_where}, tensor {Excerpt.Of(entry.Name)}", $"data from byte {entry.Offset} on", $"from byte {at} on: tensors follow each other without hole or overlap", Damaged);
            at += entry.ByteCount;
            if (at > dataLength)
                throw InputException.At($"{_where}, tensor {Excerpt.Of(entry.Name)}", $"a header that promises data up to byte {at}", $"at most {dataLength}, what the file has", Damaged);
        }
        if (at != dataLength)
            throw InputException.At(_where, $"{Excerpt.Of(dataLength)} bytes of data", $"{Excerpt.Of(at)}, the sum of its tensors", Damaged);
    }

    private InputException Bad(in Utf8JsonReader reader, string found, string expected) => InputException.At($"{_where}, byte {8 + reader.TokenStartIndex}", found, expected, Damaged);

    private static string Kind(in Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.StartObject => "JSON object",
        JsonTokenType.StartArray => "JSON array",
        JsonTokenType.String => "string",
        JsonTokenType.Number => "number out of range",
        JsonTokenType.True or JsonTokenType.False => "boolean",
        _ => "null",
    };
}
