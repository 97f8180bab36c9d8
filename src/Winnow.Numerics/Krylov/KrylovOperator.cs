using Winnow.Numerics.Sparse;

namespace Winnow.Numerics.Krylov;

/// <summary>The matrix of a system with its preconditioner, as a Krylov method sees it. Counts products.</summary>
internal sealed unsafe class KrylovOperator(SparseMatrix<double> a, IPreconditioner? preconditioner, PreconditionerSide side, double* temporary)
{
    public int Products { get; private set; }

    /// <summary><c>y = A·x</c>.</summary>
    public void Multiply(double* x, double* y)
    {
        Products++;
        int rows = a.Rows;
        fixed (long* starts = a.Starts)
        fixed (int* indices = a.Indices)
        fixed (double* values = a.Values)
        {
            long p = 0;
            for (int i = 0; i < rows; i++)
            {
                double sum = 0;
                for (long end = starts[i + 1]; p < end; p++)
                    sum = Math.FusedMultiplyAdd(values[p], x[indices[p]], sum);
                y[i] = sum;
            }
        }
    }

    /// <summary><c>y = A·M⁻¹·x</c> or <c>M⁻¹·A·x</c>.</summary>
    public void Apply(double* x, double* y)
    {
        if (preconditioner is null)
            Multiply(x, y);
        else if (side == PreconditionerSide.Right)
        {
            preconditioner.Apply(Vector(x), Vector(temporary));
            Multiply(temporary, y);
        }
        else
        {
            Multiply(x, temporary);
            preconditioner.Apply(Vector(temporary), Vector(y));
        }
    }

    /// <summary>The residual of the system that is iterated on: <c>r</c>, or <c>M⁻¹·r</c> in its place.</summary>
    public void PreconditionResidual(double* r)
    {
        if (preconditioner is null || side == PreconditionerSide.Right)
            return;
        Vector(r).CopyTo(Vector(temporary));
        preconditioner.Apply(Vector(temporary), Vector(r));
    }

    /// <summary><c>x += t</c>, or <c>x += M⁻¹·t</c>.</summary>
    public void AddSolution(double* t, double* x, int padded)
    {
        if (preconditioner is null || side == PreconditionerSide.Left)
        {
            Columns.Add(1, t, x, padded);
            return;
        }
        preconditioner.Apply(Vector(t), Vector(temporary));
        Columns.Add(1, temporary, x, padded);
    }

    private Span<double> Vector(double* x) => new(x, a.Rows);
}
