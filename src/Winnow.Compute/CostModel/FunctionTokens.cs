using System.Globalization;
using Winnow.Core;

namespace Winnow.Compute;

/// <summary>What of a function a sequence model reads.</summary>
public enum TokenKind
{
    /// <summary>Operations and shapes: the wiring is not seen.</summary>
    Ops,

    /// <summary>Also which values each line takes and gives, numbered in order of appearance.</summary>
    Operands,
}

/// <summary>How a shape becomes a token.</summary>
public enum ShapeTokens
{
    /// <summary>Rank, and sizes to half an octave: shapes not seen in training are still known.</summary>
    Bucketed,

    /// <summary>The type as it is written.</summary>
    Exact,
}

/// <summary>A function as a sequence of tokens, and back.</summary>
public static class FunctionTokens
{
    /// <summary>Values numbered beyond this share one token.</summary>
    private const int Numbered = 96;

    /// <summary>The tokens of a function, line by line. With operands and exact shapes nothing is lost but the function's name.</summary>
    public static IReadOnlyList<string> Of(TensorFunction function, TokenKind kind, ShapeTokens shapes)
    {
        ArgumentNullException.ThrowIfNull(function);
        var tokens = new List<string>();
        bool exact = shapes == ShapeTokens.Exact, operands = kind == TokenKind.Operands;
        if (exact && operands)
            for (int i = 0; i < function.Arguments.Count; i++)
                tokens.AddRange([Name(i), Type(i)]);
        for (int i = 0; i < function.Operations.Count; i++)
        {
            var op = function.Operations[i];
            int result = function.ResultOf(i);
            if (operands)
                tokens.Add(Name(result));
            tokens.Add(op.Op.ToString().ToLowerInvariant() + (exact ? TensorFunction.Attributes(op) : op.Op == TensorOp.Fused ? " " + string.Join(' ', op.Steps.Select(s => s.ToString().ToLowerInvariant())) : op.Maximum ? " max" : ""));
            foreach (int operand in op.Operands)
            {
                if (operands)
                    tokens.Add(Name(operand));
                if (!exact)
                    tokens.Add(Bucket(function.Shape(operand)));
            }
            tokens.Add(exact ? Type(result) : Bucket(function.Shape(result)));
        }
        if (operands)
            tokens.AddRange(["return", .. function.Results.Select(Name)]);
        return tokens;

        string Name(int value) => value < function.Arguments.Count ? $"%arg{(exact ? value : Math.Min(value, Numbered))}" : $"%{(exact ? value - function.Arguments.Count : Math.Min(value - function.Arguments.Count, Numbered))}";

        string Type(int value) => function.TypeOf(value);
    }

    /// <summary>The text that tokens with operands and exact shapes were made of, under the name <c>f</c>.</summary>
    /// <exception cref="InputException">They are no such tokens.</exception>
    public static string Text(IReadOnlyList<string> tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        var arguments = new List<string>();
        var lines = new List<string>();
        int at = 0;
        for (; at + 1 < tokens.Count && tokens[at].StartsWith("%arg", StringComparison.Ordinal); at += 2)
            arguments.Add($"{tokens[at]}: {tokens[at + 1]}");
        while (at < tokens.Count && tokens[at] != "return")
        {
            string result = tokens[at++], op = at < tokens.Count ? tokens[at++] : "";
            var operands = new List<string>();
            while (at < tokens.Count && tokens[at].StartsWith('%'))
                operands.Add(tokens[at++]);
            if (at >= tokens.Count)
                throw InputException.At("tokens", "an end within a line", "a type", "Give tokens with operands and exact shapes.");
            int attributes = op.IndexOf(' ', StringComparison.Ordinal);
            lines.Add($"  {result} = {(attributes < 0 ? op : op[..attributes])} {string.Join(", ", operands)}{(attributes < 0 ? "" : op[attributes..])} : {tokens[at++]}");
        }
        return $"func @f({string.Join(", ", arguments)}) {{\n{string.Concat(lines.Select(l => l + "\n"))}  return {string.Join(", ", tokens.Skip(at + 1))}\n}}\n";
    }

    /// <summary>Rank, half octaves of the numbers in the tensor, and half octaves of its last size.</summary>
    private static string Bucket(IReadOnlyList<int> shape) => string.Create(CultureInfo.InvariantCulture, $"t{shape.Count}:{HalfOctaves(shape.Aggregate(1L, (a, b) => a * b))}:{HalfOctaves(shape.Count == 0 ? 1 : shape[^1])}");

    private static int HalfOctaves(long size) => (int)Math.Round(2 * Math.Log2(size));
}

/// <summary>Numbers of the tokens that training has seen; 0 is padding and 1 any other token.</summary>
public sealed class TokenVocabulary
{
    /// <summary>Number of padding.</summary>
    public const int Padding = 0;

    /// <summary>Number of every token not seen in training.</summary>
    public const int Unknown = 1;

    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);

    /// <summary>The vocabulary of training sequences.</summary>
    public TokenVocabulary(IEnumerable<IReadOnlyList<string>> sequences)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        foreach (string token in sequences.SelectMany(s => s))
            _numbers.TryAdd(token, _numbers.Count + 2);
    }

    /// <summary>Numbers in use.</summary>
    public int Count => _numbers.Count + 2;

    /// <summary>The number of a token.</summary>
    public int this[string token] => _numbers.GetValueOrDefault(token, Unknown);
}
