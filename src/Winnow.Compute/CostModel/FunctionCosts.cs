using Winnow.Core;

namespace Winnow.Compute;

/// <summary>Costs of a function that follow from its text exactly.</summary>
public static class FunctionCosts
{
    private const int Float = sizeof(float);

    /// <summary>
    /// The most values that are alive at once, and their bytes, in the order of the lines: a value lives from its definition to its last use, an argument from the
    /// beginning, a result to the end. While a line runs its operands and its result are alive. Cost: O(values + operands).
    /// </summary>
    /// <param name="function">The function.</param>
    /// <param name="inPlace">Whether a result takes the place of an operand that is used for the last time.</param>
    /// <param name="arguments">Whether arguments count; otherwise only the buffers that the function needs for itself.</param>
    public static (int Values, long Bytes) Pressure(TensorFunction function, bool inPlace = false, bool arguments = true)
    {
        ArgumentNullException.ThrowIfNull(function);
        int[] last = LastUses(function);
        int live = 0, most = 0;
        long bytes = 0, mostBytes = 0;
        for (int v = 0; v < function.Arguments.Count; v++)
            if (arguments && last[v] >= 0)
                Begin(v);
        Record();
        for (int i = 0; i < function.Operations.Count; i++)
        {
            if (!inPlace)
                Begin(function.ResultOf(i));
            Record();
            foreach (int operand in function.Operations[i].Operands.Distinct())
                if (last[operand] == i && (arguments || operand >= function.Arguments.Count))
                    End(operand);
            if (inPlace)
                Begin(function.ResultOf(i));
            Record();
            if (last[function.ResultOf(i)] < 0) // nobody asks for it
                End(function.ResultOf(i));
        }
        return (most, mostBytes);

        void Begin(int value) => (live, bytes) = (live + 1, bytes + Float * function.Elements(value));

        void End(int value) => (live, bytes) = (live - 1, bytes - Float * function.Elements(value));

        void Record() => (most, mostBytes) = (Math.Max(most, live), Math.Max(mostBytes, bytes));
    }

    /// <summary>Where each value is used last: a line, the number of lines for a result, -1 for never.</summary>
    private static int[] LastUses(TensorFunction function)
    {
        var last = new int[function.Values];
        Array.Fill(last, -1);
        for (int i = 0; i < function.Operations.Count; i++)
            foreach (int operand in function.Operations[i].Operands)
                last[operand] = i;
        foreach (int result in function.Results)
            last[result] = function.Operations.Count;
        return last;
    }

    /// <summary>Floating-point operations of a line; an exponential, a comparison and a quotient are one each.</summary>
    public static double Flops(TensorFunction function, int operation)
    {
        ArgumentNullException.ThrowIfNull(function);
        var op = function.Operations[operation];
        double size = function.Elements(function.ResultOf(operation));
        return op.Op switch
        {
            TensorOp.Transpose or TensorOp.Concat => 0,
            TensorOp.Reduce or TensorOp.Pool => function.Elements(op.Operands[0]),
            TensorOp.Fused => ShapeInference.Steps(op, [.. op.Operands.Select(o => function.Shape(o).ToArray())], "").Sum(s =>
                s.Shape.Aggregate(1.0, (a, b) => a * b) * PerElement(s.Step, s.Others.Select(o => function.Shape(op.Operands[o])).ToArray())),
            _ => size * PerElement(op.Op, [.. op.Operands.Select(function.Shape)]),
        };
    }

    private static double PerElement(TensorOp op, IReadOnlyList<int>[] operands) => op switch
    {
        TensorOp.Matmul => 2.0 * operands[0][^1],
        TensorOp.Conv2d => 2.0 * operands[1][1] * operands[1][2] * operands[1][3],
        _ => 1,
    };

    /// <summary>Bytes that a line reads and writes: each operand and its result once.</summary>
    public static double Bytes(TensorFunction function, int operation)
    {
        ArgumentNullException.ThrowIfNull(function);
        return Float * (function.Operations[operation].Operands.Distinct().Sum(function.Elements) + (double)function.Elements(function.ResultOf(operation)));
    }

    /// <summary>The least time that a machine allows: for each line the larger of operations / peak and bytes / bandwidth.</summary>
    /// <param name="function">The function.</param>
    /// <param name="flopsPerSecond">Peak of the arithmetic.</param>
    /// <param name="bytesPerSecond">Bandwidth of the memory.</param>
    /// <returns>Seconds.</returns>
    public static double Roofline(TensorFunction function, double flopsPerSecond, double bytesPerSecond)
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(flopsPerSecond);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytesPerSecond);
        return Enumerable.Range(0, function.Operations.Count).Sum(i => Math.Max(Flops(function, i) / flopsPerSecond, Bytes(function, i) / bytesPerSecond));
    }

    /// <summary>Refuses labels that are no costs.</summary>
    internal static void Check(IReadOnlyList<string> functions, IReadOnlyList<double> costs)
    {
        if (functions.Count == 0 || functions.Count != costs.Count)
            throw InputException.At("training", $"{functions.Count} functions and {costs.Count} costs", "as many of each, and at least one", "Give the cost of every function.");
        for (int i = 0; i < costs.Count; i++)
            if (!(costs[i] >= 0 && double.IsFinite(costs[i])))
                throw InputException.At($"cost {i + 1}", FormattableString.Invariant($"{costs[i]}"), "a finite number of at least 0", "Leave this function out, or measure it again.");
    }
}
