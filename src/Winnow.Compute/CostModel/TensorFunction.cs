using System.Globalization;
using System.Text;
using Winnow.Core;

namespace Winnow.Compute;

/// <summary>An operation on tensors.</summary>
public enum TensorOp
{
    /// <summary>[m, k]·[k, n], or a batch of them: [b, m, k]·[b, k, n].</summary>
    Matmul,

    /// <summary>[n, c, h, w] with [o, c, kh, kw], stride and padding.</summary>
    Conv2d,

    /// <summary>Sum, the smaller operand repeated along axes of 1 and missing leading axes.</summary>
    Add,

    /// <summary>Product, repeated like a sum.</summary>
    Mul,

    /// <summary>Quotient, repeated like a sum.</summary>
    Div,

    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>eˣ.</summary>
    Exp,

    /// <summary>Sum or maximum along an axis, which stays with size 1.</summary>
    Reduce,

    /// <summary>Largest of each 2 × 2 square of the last two axes.</summary>
    Pool,

    /// <summary>Axes in another order.</summary>
    Transpose,

    /// <summary>Tensors one after the other along an axis.</summary>
    Concat,

    /// <summary>Several operations in one, without their intermediate results: a product, convolution or pointwise operation, then pointwise ones on its result.</summary>
    Fused,
}

/// <summary>One line of a function.</summary>
/// <param name="Op">What is done.</param>
/// <param name="Operands">Values it is done to: arguments come first, then the results of the lines before.</param>
public sealed record TensorOperation(TensorOp Op, IReadOnlyList<int> Operands)
{
    /// <summary>Of a convolution: step.</summary>
    public int Stride { get; init; } = 1;

    /// <summary>Of a convolution: zeros around.</summary>
    public int Padding { get; init; }

    /// <summary>Of a reduction or a concatenation.</summary>
    public int Axis { get; init; }

    /// <summary>Of a reduction: the maximum instead of the sum.</summary>
    public bool Maximum { get; init; }

    /// <summary>Of a transposition: the axis that comes to each place.</summary>
    public IReadOnlyList<int> Permutation { get; init; } = [];

    /// <summary>Of a fused operation, in order; the first takes the first operands, each further binary one the next.</summary>
    public IReadOnlyList<TensorOp> Steps { get; init; } = [];

    /// <summary>Operands that an operation takes; 0 for any number of at least one.</summary>
    public static int Arity(TensorOp op) => op switch
    {
        TensorOp.Relu or TensorOp.Exp or TensorOp.Reduce or TensorOp.Pool or TensorOp.Transpose => 1,
        TensorOp.Concat or TensorOp.Fused => 0,
        _ => 2,
    };

    /// <summary>Whether an operation takes each number by itself.</summary>
    public static bool Pointwise(TensorOp op) => op is TensorOp.Add or TensorOp.Mul or TensorOp.Div or TensorOp.Relu or TensorOp.Exp;
}

/// <summary>
/// A function of tensors of static shapes in single assignment, float32: the small intermediate representation that cost models read. Its text is
/// <see cref="ToString"/>, in which values are named in order of appearance, so that two functions that differ in names only have one text.
/// </summary>
public sealed class TensorFunction
{
    private readonly int[][] _shapes;

    /// <summary>A function; shapes are inferred and checked.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="arguments">Shapes of its arguments.</param>
    /// <param name="operations">Its lines.</param>
    /// <param name="results">The values it returns, at least one.</param>
    /// <exception cref="InputException">No lines, an operand that is not there yet, or shapes that do not fit.</exception>
    public TensorFunction(string name, IReadOnlyList<IReadOnlyList<int>> arguments, IReadOnlyList<TensorOperation> operations, IReadOnlyList<int> results)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        ArgumentNullException.ThrowIfNull(operations);
        ArgumentNullException.ThrowIfNull(results);
        (Name, Arguments, Operations, Results) = (name, arguments, operations, results);
        if (operations.Count == 0)
            throw InputException.At($"function '{name}'", "no operation", "at least one", "A function that does nothing has no cost to learn.");
        _shapes = new int[arguments.Count + operations.Count][];
        for (int i = 0; i < arguments.Count; i++)
            _shapes[i] = [.. arguments[i]];
        for (int i = 0; i < operations.Count; i++)
        {
            int defined = arguments.Count + i;
            if (operations[i].Operands.Any(o => o < 0 || o >= defined))
                throw InputException.At($"function '{name}', operation {i + 1}", "an operand that is not defined above it", "a value of a line above or an argument", "Put the lines in order.");
            _shapes[defined] = ShapeInference.Of(operations[i], [.. operations[i].Operands.Select(o => _shapes[o])], $"function '{name}', operation {i + 1} ({operations[i].Op.ToString().ToLowerInvariant()})");
        }
        if (results.Count == 0 || results.Any(r => r < 0 || r >= _shapes.Length))
            throw InputException.At($"function '{name}'", "no result, or one that is not defined", "values of its lines", "End it with 'return'.");
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>Shapes of its arguments.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Arguments { get; }

    /// <summary>Its lines.</summary>
    public IReadOnlyList<TensorOperation> Operations { get; }

    /// <summary>The values it returns.</summary>
    public IReadOnlyList<int> Results { get; }

    /// <summary>Arguments and lines together.</summary>
    public int Values => _shapes.Length;

    /// <summary>The shape of a value.</summary>
    public IReadOnlyList<int> Shape(int value) => _shapes[value];

    /// <summary>Numbers in a value.</summary>
    public long Elements(int value) => _shapes[value].Aggregate(1L, (a, b) => a * b);

    /// <summary>The value that a line defines.</summary>
    public int ResultOf(int operation) => Arguments.Count + operation;

    /// <summary>The text, which <see cref="TensorFunctionParser.Parse"/> reads back.</summary>
    public override string ToString()
    {
        var text = new StringBuilder($"func @{Name}({string.Join(", ", Arguments.Select((_, i) => $"{NameOf(i)}: {TypeOf(i)}"))}) {{\n");
        for (int i = 0; i < Operations.Count; i++)
        {
            var op = Operations[i];
            text.Append(CultureInfo.InvariantCulture, $"  {NameOf(ResultOf(i))} = {op.Op.ToString().ToLowerInvariant()} {string.Join(", ", op.Operands.Select(NameOf))}{Attributes(op)} : {TypeOf(ResultOf(i))}\n");
        }
        return text.Append(CultureInfo.InvariantCulture, $"  return {string.Join(", ", Results.Select(NameOf))}\n}}\n").ToString();
    }

    private string NameOf(int value) => value < Arguments.Count ? $"%arg{value}" : $"%{value - Arguments.Count}";

    /// <summary>The type of a value as it is written.</summary>
    internal string TypeOf(int value) => $"tensor<{string.Concat(_shapes[value].Select(d => $"{d}x"))}f32>";

    /// <summary>The attributes of a line as they are written.</summary>
    internal static string Attributes(TensorOperation op) => op.Op switch
    {
        TensorOp.Conv2d => $" {{stride = {op.Stride}, padding = {op.Padding}}}",
        TensorOp.Reduce => $" {{axis = {op.Axis}, kind = {(op.Maximum ? "max" : "sum")}}}",
        TensorOp.Concat => $" {{axis = {op.Axis}}}",
        TensorOp.Transpose => $" {{permutation = [{string.Join(", ", op.Permutation)}]}}",
        TensorOp.Fused => $" {{steps = [{string.Join(", ", op.Steps.Select(s => s.ToString().ToLowerInvariant()))}]{(op.Steps.Contains(TensorOp.Conv2d) ? $", stride = {op.Stride}, padding = {op.Padding}" : "")}}}",
        _ => "",
    };
}

/// <summary>What shape an operation gives, and what it refuses.</summary>
internal static class ShapeInference
{
    public static int[] Of(TensorOperation op, int[][] operands, string where)
    {
        int arity = TensorOperation.Arity(op.Op);
        if (operands.Length == 0 || arity > 0 && operands.Length != arity)
            throw Refused($"{operands.Length} operands", arity == 0 ? "at least one" : $"{arity}");
        return op.Op switch
        {
            TensorOp.Fused => Fused(op, operands, where),
            _ => Single(op.Op, op, operands, where),
        };

        InputException Refused(string found, string expected) => InputException.At(where, found, expected, "Mend this line.");
    }

    /// <summary>The shape after each step of a fused operation, with the operands of the step beside the running value.</summary>
    public static IEnumerable<(TensorOp Step, int[] Shape, int[] Others)> Steps(TensorOperation op, int[][] operands, string where)
    {
        int next = 0;
        int[]? running = null;
        foreach (var step in op.Steps)
        {
            int takes = TensorOperation.Arity(step) - (running is null ? 0 : 1);
            if (takes < 0 || next + takes > operands.Length || running is not null && !TensorOperation.Pointwise(step) || step is TensorOp.Fused or TensorOp.Concat or TensorOp.Reduce or TensorOp.Transpose or TensorOp.Pool)
                throw InputException.At(where, $"the step {step.ToString().ToLowerInvariant()} with {operands.Length - next} operands left", "a product, convolution or pointwise operation first, pointwise ones after it, and their operands in order", "Mend 'steps'.");
            int[] others = [.. Enumerable.Range(next, takes)];
            int[][] taken = [.. running is null ? [] : new[] { running }, .. others.Select(o => operands[o])];
            running = Single(step, op, taken, where);
            next += takes;
            yield return (step, running, others);
        }
        if (running is null || next != operands.Length)
            throw InputException.At(where, $"{operands.Length} operands for {op.Steps.Count} steps", $"{next}", "Mend 'steps' or the operands.");
    }

    private static int[] Fused(TensorOperation op, int[][] operands, string where) => Steps(op, operands, where).Last().Shape;

    private static int[] Single(TensorOp kind, TensorOperation op, int[][] x, string where)
    {
        int[] a = x[0];
        switch (kind)
        {
            case TensorOp.Matmul:
                int[] b = x[1];
                if (a.Length != b.Length || a.Length is < 2 or > 3 || a[^1] != b[^2] || a.Length == 3 && a[0] != b[0])
                    throw Refused($"{Show(a)} times {Show(b)}", "[m, k] and [k, n], or a batch of such pairs");
                return [.. a[..^1], b[^1]];
            case TensorOp.Conv2d:
                int[] w = x[1];
                if (a.Length != 4 || w.Length != 4 || a[1] != w[1] || op.Stride < 1 || op.Padding < 0 || a[2] + 2 * op.Padding < w[2] || a[3] + 2 * op.Padding < w[3])
                    throw Refused($"{Show(a)} with {Show(w)}, stride {op.Stride}, padding {op.Padding}", "[n, c, h, w] and [o, c, kh, kw] that fits inside");
                return [a[0], w[0], (a[2] + 2 * op.Padding - w[2]) / op.Stride + 1, (a[3] + 2 * op.Padding - w[3]) / op.Stride + 1];
            case TensorOp.Add or TensorOp.Mul or TensorOp.Div:
                return Broadcast(a, x[1]) ?? throw Refused($"{Show(a)} and {Show(x[1])}", "equal sizes, or 1, axis by axis from the last");
            case TensorOp.Relu or TensorOp.Exp:
                return a;
            case TensorOp.Reduce:
                if (op.Axis < 0 || op.Axis >= a.Length)
                    throw Refused($"axis {op.Axis} of {Show(a)}", $"0 to {a.Length - 1}");
                return [.. a.Select((d, i) => i == op.Axis ? 1 : d)];
            case TensorOp.Pool:
                if (a.Length < 2 || a[^1] < 2 || a[^2] < 2)
                    throw Refused(Show(a), "two last axes of at least 2");
                return [.. a[..^2], a[^2] / 2, a[^1] / 2];
            case TensorOp.Transpose:
                if (!op.Permutation.Order().SequenceEqual(Enumerable.Range(0, a.Length)))
                    throw Refused($"the permutation [{string.Join(", ", op.Permutation)}] of {Show(a)}", $"0 to {a.Length - 1}, each once");
                return [.. op.Permutation.Select(p => a[p])];
            default:
                if (op.Axis < 0 || op.Axis >= a.Length || x.Any(s => s.Length != a.Length || s.Where((d, i) => i != op.Axis && d != a[i]).Any()))
                    throw Refused($"{string.Join(", ", x.Select(Show))} along axis {op.Axis}", "tensors that differ along that axis only");
                return [.. a.Select((d, i) => i == op.Axis ? x.Sum(s => s[i]) : d)];
        }

        InputException Refused(string found, string expected) => InputException.At(where, found, expected, "Mend the shapes.");
    }

    private static int[]? Broadcast(int[] a, int[] b)
    {
        var shape = new int[Math.Max(a.Length, b.Length)];
        for (int i = 1; i <= shape.Length; i++)
        {
            int p = i <= a.Length ? a[^i] : 1, q = i <= b.Length ? b[^i] : 1;
            if (p != q && p != 1 && q != 1)
                return null;
            shape[^i] = Math.Max(p, q);
        }
        return shape;
    }

    private static string Show(int[] shape) => $"[{string.Join(", ", shape)}]";
}
