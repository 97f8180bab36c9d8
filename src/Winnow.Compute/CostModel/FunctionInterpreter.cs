using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Compute;

/// <summary>
/// Runs a <see cref="TensorFunction"/> on this processor with the tensor library, a call a line, each value freed after its last use. A fused line does its pointwise
/// steps in place on the result of the first, so that no further tensor is made.
/// </summary>
public static class FunctionInterpreter
{
    /// <summary>The results, which belong to the caller.</summary>
    /// <param name="function">The function.</param>
    /// <param name="arguments">Tensors of its arguments' shapes.</param>
    public static Tensor[] Run(TensorFunction function, IReadOnlyList<Tensor> arguments)
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentNullException.ThrowIfNull(arguments);
        if (arguments.Count != function.Arguments.Count || arguments.Where((a, i) => !a.shape.SequenceEqual(function.Arguments[i].Select(d => (long)d))).Any())
            throw InputException.At($"function '{function.Name}'", $"{arguments.Count} tensors of shapes {string.Join(" ", arguments.Select(a => $"[{string.Join(", ", a.shape)}]"))}", "those of its arguments", "Make tensors of its arguments' shapes.");
        using var none = no_grad();
        var values = new Tensor?[function.Values];
        var uses = new int[function.Values];
        for (int i = 0; i < arguments.Count; i++)
            values[i] = arguments[i];
        foreach (int v in function.Operations.SelectMany(o => o.Operands.Distinct()).Concat(function.Results))
            uses[v]++;
        for (int i = 0; i < function.Operations.Count; i++)
        {
            var op = function.Operations[i];
            int result = function.ResultOf(i);
            values[result] = Apply(op, [.. op.Operands.Select(o => values[o]!)]);
            foreach (int operand in op.Operands.Distinct())
                if (--uses[operand] == 0 && operand >= arguments.Count)
                    Free(operand);
            if (uses[result] == 0)
                Free(result);
        }
        Tensor[] results = [.. function.Results.Select(r => r < arguments.Count ? values[r]!.alias() : values[r]!)];
        return results;

        void Free(int value)
        {
            values[value]!.Dispose();
            values[value] = null;
        }
    }

    /// <summary>
    /// Measures a function: <paramref name="runs"/> times, after one run that counts for nothing, on one thread.
    /// </summary>
    /// <param name="function">The function.</param>
    /// <param name="random">Where the arguments' numbers come from.</param>
    /// <param name="clock">Tells the time.</param>
    /// <param name="runs">Measured runs.</param>
    /// <returns>The median in seconds, and the spread: half the distance of the quartiles over the median.</returns>
    public static (double Seconds, double Spread) Measure(TensorFunction function, SeededRandom random, TimeProvider clock, int runs = 5)
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentNullException.ThrowIfNull(random);
        ArgumentNullException.ThrowIfNull(clock);
        Winnow.Learning.NativeTorch.SetThreads(1);
        using var scope = NewDisposeScope();
        Tensor[] arguments = [.. function.Arguments.Select((shape, i) =>
        {
            float[] numbers = new float[function.Elements(i)];
            for (int j = 0; j < numbers.Length; j++)
                numbers[j] = 0.1f + 0.1f * random.NextSingle(); // positive and small: exponentials and quotients stay finite
            return tensor(numbers, [.. shape.Select(d => (long)d)]);
        })];
        var seconds = new double[runs];
        for (int i = -1; i < runs; i++)
        {
            long start = clock.GetTimestamp();
            foreach (var result in Run(function, arguments))
                result.Dispose();
            if (i >= 0)
                seconds[i] = clock.GetElapsedTime(start).TotalSeconds;
        }
        Array.Sort(seconds);
        double median = seconds[runs / 2];
        return (median, median > 0 ? (seconds[3 * runs / 4] - seconds[runs / 4]) / 2 / median : 0);
    }

    private static Tensor Apply(TensorOperation op, Tensor[] x) => op.Op switch
    {
        TensorOp.Reduce => op.Maximum ? x[0].amax([op.Axis], keepdim: true) : x[0].sum(op.Axis, keepdim: true),
        TensorOp.Pool => nn.functional.max_pool2d(x[0], [2, 2]),
        TensorOp.Transpose => x[0].permute([.. op.Permutation.Select(p => (long)p)]).contiguous(),
        TensorOp.Concat => cat(x, op.Axis),
        TensorOp.Fused => Fused(op, x),
        _ => Single(op.Op, op, x[0], x.Length > 1 ? x[1] : null),
    };

    private static Tensor Single(TensorOp kind, TensorOperation op, Tensor a, Tensor? b) => kind switch
    {
        TensorOp.Matmul => a.matmul(b!),
        TensorOp.Conv2d => nn.functional.conv2d(a, b!, strides: [op.Stride, op.Stride], padding: [op.Padding, op.Padding]),
        TensorOp.Add => a + b!,
        TensorOp.Mul => a * b!,
        TensorOp.Div => a / b!,
        TensorOp.Relu => a.relu(),
        _ => a.exp(),
    };

    private static Tensor Fused(TensorOperation op, Tensor[] x)
    {
        int next = TensorOperation.Arity(op.Steps[0]);
        var running = Single(op.Steps[0], op, x[0], next > 1 ? x[1] : null);
        foreach (var step in op.Steps.Skip(1))
        {
            var other = TensorOperation.Arity(step) == 2 ? x[next++] : null;
            bool fits = other is null || other.shape.Length <= running.shape.Length && other.shape.Reverse().Zip(running.shape.Reverse()).All(p => p.First == p.Second || p.First == 1);
            if (!fits)
            {
                using var smaller = running;
                running = Single(step, op, smaller, other);
                continue;
            }
            _ = step switch
            {
                TensorOp.Add => running.add_(other!),
                TensorOp.Mul => running.mul_(other!),
                TensorOp.Div => running.div_(other!),
                TensorOp.Relu => running.relu_(),
                _ => running.exp_(),
            };
        }
        return running;
    }
}
