using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Every row as often as there are epochs, in a new order each, some a step.</summary>
internal static class Epochs
{
    /// <summary>Runs.</summary>
    /// <param name="rows">How many there are.</param>
    /// <param name="epochs">Epochs.</param>
    /// <param name="batch">Rows of a step.</param>
    /// <param name="random">The orders.</param>
    /// <param name="step">What is done with the positions of some rows, int64; in a dispose scope of its own.</param>
    /// <param name="cancellation">Stops between epochs.</param>
    public static void Run(int rows, int epochs, int batch, SeededRandom random, Action<Tensor> step, CancellationToken cancellation)
    {
        long[] order = [.. Enumerable.Range(0, rows).Select(i => (long)i)];
        for (int epoch = 0; epoch < epochs; epoch++)
        {
            cancellation.ThrowIfCancellationRequested();
            random.Shuffle(order);
            for (int first = 0; first < rows; first += batch)
            {
                using var scope = NewDisposeScope();
                step(tensor(order[first..Math.Min(rows, first + batch)]));
            }
        }
    }
}
