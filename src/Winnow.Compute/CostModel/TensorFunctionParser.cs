using System.Globalization;
using System.Text.RegularExpressions;
using Winnow.Core;

namespace Winnow.Compute;

/// <summary>Reads the text of a <see cref="TensorFunction"/>. Comments begin with <c>//</c>.</summary>
public static partial class TensorFunctionParser
{
    /// <summary>Dimensions and sizes beyond this are typing errors.</summary>
    private const int Largest = 1 << 24, MostLines = 100_000;

    /// <summary>Reads one function. Cost: O(text).</summary>
    /// <exception cref="InputException">It is no function; the message names the line.</exception>
    public static TensorFunction Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] lines = [.. text.Split('\n').Select(l => l.Split("//")[0].Trim())];
        int[] filled = [.. Enumerable.Range(0, lines.Length).Where(i => lines[i].Length > 0)];
        if (filled.Length == 0)
            throw InputException.At("function", "an empty text", "'func @name(%arg0: tensor<2x3xf32>) {'", "Give the text of a function.");
        if (filled.Length > MostLines)
            throw InputException.At("function", $"{filled.Length:N0} lines", $"at most {MostLines:N0}", "Split it.");
        var values = new Dictionary<string, int>(StringComparer.Ordinal);
        var (name, arguments) = Header(lines[filled[0]], filled[0], values);
        var operations = new List<TensorOperation>();
        var declared = new List<(int Line, int[] Shape)>();
        int[]? results = null;
        for (int f = 1; f < filled.Length; f++)
        {
            int at = filled[f];
            string line = lines[at];
            if (results is not null)
            {
                if (line != "}" || f != filled.Length - 1)
                    throw Wrong(at, line, "'}' after 'return', and then the end");
                break;
            }
            if (line.StartsWith("return", StringComparison.Ordinal))
            {
                results = [.. line["return".Length..].Split(',').Select(v => Value(v.Trim(), at, values))];
                continue;
            }
            var match = Line().Match(line);
            if (!match.Success)
                throw Wrong(at, line, "'%name = operation %operand, ... {attribute = value} : tensor<...>'");
            var operation = Operation(match, at, values);
            int[] shape = Shape(match.Groups["type"].Value, at);
            if (!values.TryAdd(match.Groups["name"].Value, arguments.Count + operations.Count))
                throw Wrong(at, match.Groups["name"].Value, "a name that is not defined yet");
            operations.Add(operation);
            declared.Add((at, shape));
        }
        if (results is null || lines[filled[^1]] != "}")
            throw Wrong(filled[^1], lines[filled[^1]], "'return' and '}' at the end");
        var function = new TensorFunction(name, arguments, operations, results);
        for (int i = 0; i < declared.Count; i++)
            if (!function.Shape(function.ResultOf(i)).SequenceEqual(declared[i].Shape))
                throw Wrong(declared[i].Line, $"the type [{string.Join(", ", declared[i].Shape)}]", $"[{string.Join(", ", function.Shape(function.ResultOf(i)))}], which its operands give");
        return function;
    }

    private static (string, List<IReadOnlyList<int>>) Header(string line, int at, Dictionary<string, int> values)
    {
        var match = Head().Match(line);
        if (!match.Success)
            throw Wrong(at, line, "'func @name(%arg0: tensor<2x3xf32>, ...) {'");
        var arguments = new List<IReadOnlyList<int>>();
        foreach (string argument in match.Groups["arguments"].Value.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = argument.Split(':');
            if (parts.Length != 2 || !parts[0].Trim().StartsWith('%') || !values.TryAdd(parts[0].Trim(), arguments.Count))
                throw Wrong(at, argument.Trim(), "'%name: tensor<...>' with a name of its own");
            arguments.Add(Shape(parts[1].Trim(), at));
        }
        return (match.Groups["name"].Value, arguments);
    }

    private static TensorOperation Operation(Match match, int at, Dictionary<string, int> values)
    {
        string name = match.Groups["op"].Value;
        if (Named(name) is not { } op)
            throw Wrong(at, $"the operation '{name}'", $"one of {string.Join(", ", Enum.GetNames<TensorOp>().Select(n => n.ToLowerInvariant()))}");
        var operation = new TensorOperation(op, [.. match.Groups["operands"].Value.Split(',').Select(v => Value(v.Trim(), at, values))]);
        foreach (Match attribute in Attribute().Matches(match.Groups["attributes"].Value))
        {
            string key = attribute.Groups["key"].Value, value = attribute.Groups["value"].Value.Trim();
            operation = key switch
            {
                "stride" => operation with { Stride = Number(value) },
                "padding" => operation with { Padding = Number(value) },
                "axis" => operation with { Axis = Number(value) },
                "kind" when value is "sum" or "max" => operation with { Maximum = value == "max" },
                "permutation" => operation with { Permutation = [.. List(value).Select(Number)] },
                "steps" => operation with { Steps = [.. List(value).Select(s => Named(s) ?? throw Wrong(at, $"the step '{s}'", "operations"))] },
                _ => throw Wrong(at, attribute.Value.Trim(), "stride, padding, axis, kind = sum or max, permutation or steps"),
            };
        }
        return operation;

        int Number(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n <= Largest ? n : throw Wrong(at, $"'{text}'", "a whole number");

        string[] List(string text) => text.StartsWith('[') && text.EndsWith(']') ? text[1..^1].Split(',', StringSplitOptions.TrimEntries) : throw Wrong(at, text, "a list in brackets");
    }

    private static TensorOp? Named(string name) => Enum.GetValues<TensorOp>().Cast<TensorOp?>().FirstOrDefault(o => char.IsLower(name[0]) && string.Equals(o!.Value.ToString(), name, StringComparison.OrdinalIgnoreCase));

    private static int Value(string name, int at, Dictionary<string, int> values) =>
        values.TryGetValue(name, out int value) ? value : throw Wrong(at, $"'{name}'", "a value that a line above or an argument defines");

    private static int[] Shape(string type, int at)
    {
        var match = TensorType().Match(type);
        if (!match.Success)
            throw Wrong(at, $"the type '{type}'", "'tensor<2x3xf32>': static sizes, float32");
        if (type.Contains('?', StringComparison.Ordinal))
            throw Wrong(at, $"the type '{type}'", "sizes that are known: no '?'");
        int[] shape = [.. match.Groups["size"].Captures.Select(c => int.TryParse(c.Value, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n is >= 1 and <= Largest ? n : throw Wrong(at, $"the size {c.Value}", $"1 to {Largest:N0}"))];
        return shape;
    }

    private static InputException Wrong(int line, string found, string expected) =>
        InputException.At($"line {line + 1}", found.Length > 120 ? found[..120] + "…" : found, expected, "Mend this line.");

    [GeneratedRegex(@"^func\s+@(?<name>[\w.-]+)\s*\((?<arguments>[^()]*)\)\s*\{$")]
    private static partial Regex Head();

    [GeneratedRegex(@"^(?<name>%\w+)\s*=\s*(?<op>\w+)\s+(?<operands>%[\w\s,%]*?)\s*(\{(?<attributes>[^{}]*)\})?\s*:\s*(?<type>\S+)$")]
    private static partial Regex Line();

    [GeneratedRegex(@"(?<key>\w+)\s*=\s*(?<value>\[[^\[\]]*\]|[^,\[\]]+)")]
    private static partial Regex Attribute();

    [GeneratedRegex(@"^tensor<((?<size>\d+|\?)x)*f32>$")]
    private static partial Regex TensorType();
}
