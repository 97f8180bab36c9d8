using Winnow.Numerics.Krylov;

namespace Winnow.Golden.Tests;

/// <summary>Probes of Krylov subspace recycling.</summary>
internal static class KrylovProbes
{
    public static Dictionary<string, GoldenArray> DarcyOrder(GoldenFile file)
    {
        var input = file.Input("fields");
        int count = input.Shape[0], side = input.Shape[1];
        double[][] fields = [.. input.Doubles.Chunk(side * side)];
        int[] order = FieldOrder.Greedy(fields);
        var (matrix, b) = ProblemFamily.DarcyReleased.Build(fields[0], side);
        int n = b.Length;
        var dense = new double[n * n];
        for (int i = 0; i < n; i++)
        {
            for (long p = matrix.Starts[i]; p < matrix.Starts[i + 1]; p++)
                dense[i * n + matrix.Indices[p]] = matrix.Values[p];
        }
        using var direct = new BandedLu(matrix);
        var solution = new double[n];
        direct.Solve(b, solution);
        return new()
        {
            ["order"] = GoldenArray.Int64([count], [.. order.Select(i => (long)i)]),
            ["matrix0_dense"] = GoldenArray.Float64([n, n], dense),
            ["rhs0"] = GoldenArray.Float64([n], b),
            ["solution0"] = GoldenArray.Float64([n], solution),
        };
    }
}
