using System.Numerics.Tensors;
using Winnow.Numerics.Sparse;

namespace Winnow.Numerics.Krylov;

/// <summary>What every solver refuses.</summary>
internal static class SystemCheck
{
    public static void Throw(SparseMatrix<double> a, ReadOnlySpan<double> b, ReadOnlySpan<double> x, IPreconditioner? preconditioner)
    {
        ArgumentNullException.ThrowIfNull(a);
        if (a.Rows != a.Columns || a.Rows == 0)
            throw new ArgumentException($"a matrix of {a.Rows} rows and {a.Columns} columns; expected a square one with at least one row", nameof(a));
        if (b.Length != a.Rows || x.Length != a.Rows)
            throw new ArgumentException($"a right side of {b.Length} and a solution of {x.Length} numbers; the matrix has {a.Rows} rows", nameof(b));
        if (preconditioner is not null && preconditioner.Size != a.Rows)
            throw new ArgumentException($"a preconditioner of size {preconditioner.Size}; the matrix has {a.Rows} rows", nameof(preconditioner));
        if (!AllFinite(a.Values))
        {
            long at = Array.FindIndex(a.Values, v => !double.IsFinite(v));
            int row = Array.FindIndex(a.Starts, s => s > at) - 1;
            throw new ArgumentException($"row {row} of the matrix has the value {a.Values[at]}; expected finite numbers: look for NaN in the field it was made of", nameof(a));
        }
        if (!AllFinite(b) || !AllFinite(x))
            throw new ArgumentException("a right side or first guess with NaN or infinity; expected finite numbers", nameof(b));
    }

    // A finite sum of magnitudes has finite terms; the other way round the sum may overflow, and each term is looked at.
    private static bool AllFinite(ReadOnlySpan<double> values)
    {
        if (double.IsFinite(TensorPrimitives.SumOfMagnitudes(values)))
            return true;
        foreach (double v in values)
        {
            if (!double.IsFinite(v))
                return false;
        }
        return true;
    }
}
