using Winnow.Core;

namespace Winnow.Compute;

/// <summary>Changes of a function that keep it valid: what makes a thousand functions of a dozen families.</summary>
public static class FunctionMutations
{
    /// <summary>One change at random: another order of the lines, a part of them, a pointwise line more, or a line fused into those that use it.</summary>
    public static TensorFunction Mutate(TensorFunction function, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentNullException.ThrowIfNull(random);
        return random.Next(4) switch
        {
            0 => Reordered(function, random),
            1 when function.Operations.Count > 3 => Part(function, random),
            2 => Fused(function, random),
            _ => Inserted(function, random),
        };
    }

    /// <summary>The same lines in another order that defines each value before its use: the same operations with another pressure.</summary>
    public static TensorFunction Reordered(TensorFunction function, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentNullException.ThrowIfNull(random);
        int arguments = function.Arguments.Count, count = function.Operations.Count;
        var place = new int[function.Values];
        Array.Fill(place, -1);
        for (int i = 0; i < arguments; i++)
            place[i] = i;
        var lines = new List<TensorOperation>();
        while (lines.Count < count)
        {
            int[] ready = [.. Enumerable.Range(0, count).Where(i => place[arguments + i] < 0 && function.Operations[i].Operands.All(o => place[o] >= 0))];
            int chosen = ready[random.Next(ready.Length)];
            lines.Add(function.Operations[chosen] with { Operands = [.. function.Operations[chosen].Operands.Select(o => place[o])] });
            place[arguments + chosen] = arguments + lines.Count - 1;
        }
        return new(function.Name, function.Arguments, lines, [.. function.Results.Select(r => place[r])]);
    }

    /// <summary>Consecutive lines, at least half of them: what they need from before becomes arguments, what later lines need becomes results.</summary>
    public static TensorFunction Part(TensorFunction function, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentNullException.ThrowIfNull(random);
        int count = function.Operations.Count, taken = random.Next((count + 1) / 2, count + 1), first = random.Next(count - taken + 1);
        var b = new FunctionBuilder();
        var map = new Dictionary<int, int>();
        for (int i = first; i < first + taken; i++)
        {
            var op = function.Operations[i];
            map[function.ResultOf(i)] = b.Add(op with { Operands = [.. op.Operands.Select(Here)] });
        }
        int[] used = [.. function.Operations.Skip(first + taken).SelectMany(o => o.Operands).Concat(function.Results)];
        int[] results = [.. map.Keys.Where(v => v >= function.ResultOf(first) && (used.Contains(v) || !function.Operations.Skip(first).Take(taken).Any(o => o.Operands.Contains(v)))).Order().Select(v => map[v])];
        return b.Build(function.Name, results);

        int Here(int value) => map.TryGetValue(value, out int at) ? at : map[value] = b.Argument([.. function.Shape(value)]);
    }

    /// <summary>A pointwise line behind a value that a line defines, which all its later uses then take.</summary>
    public static TensorFunction Inserted(TensorFunction function, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentNullException.ThrowIfNull(random);
        int after = random.Next(function.Operations.Count);
        var b = new FunctionBuilder();
        List<int> map = [.. function.Arguments.Select(a => b.Argument([.. a]))];
        for (int i = 0; i < function.Operations.Count; i++)
        {
            int value = b.Add(function.Operations[i] with { Operands = [.. function.Operations[i].Operands.Select(o => map[o])] });
            if (i == after)
                value = random.Next(4) switch
                {
                    0 => b.Add(TensorOp.Relu, value),
                    1 => b.Add(TensorOp.Exp, value),
                    2 => b.Add(TensorOp.Add, value, b.Argument([.. b.Shape(value)])),
                    _ => b.Add(TensorOp.Mul, value, value),
                };
            map.Add(value);
        }
        return b.Build(function.Name, [.. function.Results.Select(r => map[r])]);
    }

    /// <summary>A product, convolution or pointwise line computed inside each pointwise line that takes its result; where another line or the caller needs it, it stays.</summary>
    public static TensorFunction Fused(TensorFunction function, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentNullException.ThrowIfNull(random);
        int[] lines = [.. Enumerable.Range(0, function.Operations.Count).Where(i => CanBegin(function.Operations[i].Op))];
        if (lines.Length == 0)
            return function;
        int made = lines[random.Next(lines.Length)], value = function.ResultOf(made);
        var producer = function.Operations[made];
        var b = new FunctionBuilder();
        List<int> map = [.. function.Arguments.Select(a => b.Argument([.. a]))];
        foreach (var op in function.Operations)
        {
            bool fits = TensorOperation.Pointwise(op.Op) && op.Operands.Count(o => o == value) == 1 && (op.Operands[0] == value || op.Op != TensorOp.Div);
            map.Add(b.Add(fits ? producer with { Op = TensorOp.Fused, Operands = Mapped([.. producer.Operands, .. op.Operands.Where(o => o != value)]), Steps = [producer.Op, op.Op] }
                : op with { Operands = Mapped(op.Operands) }));
        }
        return b.Build(function.Name, Mapped(function.Results));

        int[] Mapped(IReadOnlyList<int> values) => [.. values.Select(v => map[v])];
    }

    private static bool CanBegin(TensorOp op) => op is TensorOp.Matmul or TensorOp.Conv2d || TensorOperation.Pointwise(op);

    /// <summary>
    /// Two ways to compute one thing: a product, convolution or pointwise line whose result several pointwise lines use, once made and kept, and once made again
    /// inside each of them, fused with it. The second makes no tensor for it and computes it as often as it is used: which is cheaper depends on both.
    /// </summary>
    /// <param name="function">Where the line comes from.</param>
    /// <param name="random">Chooses the line and its users.</param>
    public static (TensorFunction Kept, TensorFunction Fused)? Candidates(TensorFunction function, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentNullException.ThrowIfNull(random);
        int[] lines = [.. Enumerable.Range(0, function.Operations.Count).Where(i => CanBegin(function.Operations[i].Op))];
        if (lines.Length == 0)
            return null;
        var producer = function.Operations[lines[random.Next(lines.Length)]];
        int users = random.Next(1, 5);
        TensorOp[] uses = [.. Enumerable.Range(0, users).Select(_ => (TensorOp[])[TensorOp.Relu, TensorOp.Exp, TensorOp.Add, TensorOp.Mul])
            .Select(kinds => kinds[random.Next(kinds.Length)])];
        return (Make(fused: false), Make(fused: true));

        TensorFunction Make(bool fused)
        {
            var b = new FunctionBuilder();
            var arguments = new Dictionary<int, int>();
            int[] operands = [.. producer.Operands.Select(o => arguments.TryGetValue(o, out int a) ? a : arguments[o] = b.Argument([.. function.Shape(o)]))];
            var line = producer with { Operands = operands };
            int kept = fused ? -1 : b.Add(line);
            var results = new List<int>();
            foreach (var use in uses)
            {
                int[] other = TensorOperation.Arity(use) == 2 ? [b.Argument([.. ShapeInference.Of(line, [.. operands.Select(o => b.Shape(o).ToArray())], "candidate")])] : [];
                results.Add(fused ? b.Add(line with { Op = TensorOp.Fused, Operands = [.. operands, .. other], Steps = [producer.Op, use] }) : b.Add(use, [kept, .. other]));
            }
            return b.Build(fused ? "fused" : "kept", [.. results]);
        }
    }
}
