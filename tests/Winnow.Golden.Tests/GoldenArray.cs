using System.Globalization;
using System.Numerics;
using System.Text.Json.Nodes;

namespace Winnow.Golden.Tests;

/// <summary>An input or output of a golden file: an array (row-major) of numbers, truth values or text, or any JSON (dtype <c>json</c>).</summary>
/// <param name="Dtype">float64, float32, int64, int32, bool, string or json.</param>
/// <param name="Shape">Sizes, outermost first; empty for a single value.</param>
/// <param name="Data">double[] for floats, long[] for whole numbers and truth values, string[] for text, a JsonNode for json.</param>
public sealed record GoldenArray(string Dtype, IReadOnlyList<int> Shape, object? Data)
{
    /// <summary>Floats as double.</summary>
    public double[] Doubles => Data as double[] ?? throw Wrong("numbers");

    /// <summary>Floats as float.</summary>
    public float[] Singles => Array.ConvertAll(Doubles, v => (float)v);

    /// <summary>Whole numbers, or truth values as 0 and 1.</summary>
    public long[] Integers => Data as long[] ?? throw Wrong("whole numbers");

    /// <summary>Text.</summary>
    public string[] Texts => Data as string[] ?? throw Wrong("text");

    /// <summary>Float64 results of a probe.</summary>
    public static GoldenArray Float64(IReadOnlyList<int> shape, double[] values) => new("float64", shape, values);

    /// <summary>Float32 results of a probe.</summary>
    public static GoldenArray Float32(IReadOnlyList<int> shape, ReadOnlySpan<float> values) => new("float32", shape, Array.ConvertAll(values.ToArray(), v => (double)v));

    /// <summary>Int64 results of a probe.</summary>
    public static GoldenArray Int64(IReadOnlyList<int> shape, long[] values) => new("int64", shape, values);

    /// <summary>Reads <c>{shape, dtype, data}</c>.</summary>
    /// <exception cref="InvalidDataException">It is something else.</exception>
    public static GoldenArray Parse(string name, JsonNode? node)
    {
        if (node is not JsonObject o || (string?)o["dtype"] is not { } dtype || o["shape"] is not JsonArray sizes)
            throw new InvalidDataException($"'{name}' is not of the form {{shape, dtype, data}}.");
        int[] shape = [.. sizes.Select(s => (int)s!)];
        if (dtype == "json")
            return new(dtype, shape, o["data"]);
        var values = o["data"] as JsonArray ?? throw new InvalidDataException($"'{name}' has no array of data.");
        int count = shape.Aggregate(1, (a, b) => a * b);
        if (values.Count != count)
            throw new InvalidDataException($"'{name}' has {values.Count} values; its shape [{string.Join(", ", shape)}] needs {count}.");
        return new(dtype, shape, dtype switch
        {
            "float64" or "float32" => values.Select(Number).ToArray(),
            "int64" or "int32" => values.Select(v => v!.GetValue<long>()).ToArray(),
            "bool" => values.Select(v => v!.GetValueKind() == System.Text.Json.JsonValueKind.True ? 1L : v.GetValueKind() == System.Text.Json.JsonValueKind.False ? 0L : v.GetValue<long>()).ToArray(),
            "string" => values.Select(v => v!.GetValue<string>()).ToArray(),
            _ => throw new InvalidDataException($"'{name}' has the unknown dtype '{dtype}'."),
        });
    }

    /// <summary>What differs between a result and what the file expects, or null.</summary>
    public static string? Difference(string name, GoldenArray actual, GoldenArray expected, double rtol, double atol)
    {
        if (actual.Dtype != expected.Dtype)
            return $"{name}: dtype {actual.Dtype}, expected {expected.Dtype}";
        if (!actual.Shape.SequenceEqual(expected.Shape))
            return $"{name}: shape [{string.Join(", ", actual.Shape)}], expected [{string.Join(", ", expected.Shape)}]";
        return (actual.Data, expected.Data) switch
        {
            (double[] a, double[] e) => Worst(name, a, e, (x, y) => Close(x, y, rtol, atol)),
            (long[] a, long[] e) => Worst(name, a, e, (x, y) => x == y),
            (string[] a, string[] e) => Worst(name, a, e, (x, y) => x == y),
            (JsonNode or null, JsonNode or null) => JsonDifference(name, (JsonNode?)actual.Data, (JsonNode?)expected.Data, rtol, atol),
            _ => $"{name}: data of another kind than the dtype {expected.Dtype}",
        };
    }

    private static bool Close(double actual, double expected, double rtol, double atol) =>
        actual.Equals(expected) || Math.Abs(actual - expected) <= atol + rtol * Math.Abs(expected);

    private static string? Worst<T>(string name, T[] actual, T[] expected, Func<T, T, bool> equal)
    {
        if (actual.Length != expected.Length)
            return $"{name}: {actual.Length} values, expected {expected.Length}";
        int[] wrong = [.. Enumerable.Range(0, actual.Length).Where(i => !equal(actual[i], expected[i]))];
        return wrong.Length == 0 ? null : string.Create(CultureInfo.InvariantCulture,
            $"{name}: {wrong.Length} of {actual.Length} values differ; the first, at {wrong[0]}, is {actual[wrong[0]]}, expected {expected[wrong[0]]}");
    }

    private static string? JsonDifference(string path, JsonNode? actual, JsonNode? expected, double rtol, double atol)
    {
        switch (actual, expected)
        {
            case (JsonObject a, JsonObject e):
                if (a.Select(p => p.Key).Except(e.Select(p => p.Key)).Concat(e.Select(p => p.Key).Except(a.Select(p => p.Key))).FirstOrDefault() is { } key)
                    return $"{path}.{key}: {(a.ContainsKey(key) ? "unexpected" : "missing")}";
                return e.Select(p => JsonDifference($"{path}.{p.Key}", a[p.Key], p.Value, rtol, atol)).FirstOrDefault(d => d is not null);
            case (JsonArray a, JsonArray e):
                if (a.Count != e.Count)
                    return $"{path}: {a.Count} elements, expected {e.Count}";
                return Enumerable.Range(0, e.Count).Select(i => JsonDifference($"{path}[{i}]", a[i], e[i], rtol, atol)).FirstOrDefault(d => d is not null);
            case (JsonValue a, JsonValue e) when IsFraction(e) && a.GetValueKind() == System.Text.Json.JsonValueKind.Number:
                return Close(Number(a), Number(e), rtol, atol) ? null : $"{path}: {a}, expected {e}";
            default:
                return JsonNode.DeepEquals(actual, expected) ? null : $"{path}: {actual?.ToJsonString() ?? "null"}, expected {expected?.ToJsonString() ?? "null"}";
        }
    }

    /// <summary>A whole number in JSON is compared exactly; one written with a point or an exponent is a float.</summary>
    private static bool IsFraction(JsonValue value) =>
        value.GetValueKind() == System.Text.Json.JsonValueKind.Number && !BigInteger.TryParse(value.ToJsonString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _);

    private static double Number(JsonNode? node) => node switch
    {
        null => double.NaN,
        JsonValue v when v.TryGetValue(out string? text) => text switch
        {
            "NaN" or "nan" => double.NaN,
            "Infinity" or "inf" => double.PositiveInfinity,
            "-Infinity" or "-inf" => double.NegativeInfinity,
            _ => throw new InvalidDataException($"'{text}' is not a number."),
        },
        _ => double.Parse(node.ToJsonString(), CultureInfo.InvariantCulture),
    };

    private InvalidOperationException Wrong(string wanted) => new($"the array holds {Dtype}, not {wanted}");
}
