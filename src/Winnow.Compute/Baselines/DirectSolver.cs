using Winnow.Numerics.Krylov;

namespace Winnow.Compute;

/// <summary>Elimination in the band of each matrix, with row exchanges: what one calls while systems are small. Memory O(N·√N), time O(N²).</summary>
public sealed class DirectSolver : IComputeMethod<SystemSequenceProblem, double[][]>
{
    /// <inheritdoc/>
    public double[][] Run(SystemSequenceProblem problem, ComputeContext context)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(context);
        var solutions = new double[problem.Fields.Count][];
        double band = 0;
        for (int i = 0; i < solutions.Length; i++)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            var (matrix, right) = problem.Family.Build(problem.Fields[i], problem.Side);
            using var factors = new BandedLu(matrix, context.Scratch);
            factors.Solve(right, solutions[i] = new double[right.Length]);
            band = Math.Max(band, factors.Band);
        }
        double unknowns = solutions[0].Length;
        context.Work.Flops = solutions.Length * (4 * unknowns * band * band + 6 * unknowns * band);
        context.Work.Bytes = solutions.Length * unknowns * 8 * 3 * band * 2;
        context.Work.Count("products", 0);
        context.Work.Count("unsolved", 0);
        return solutions;
    }
}
