using MathNet.Numerics.LinearAlgebra;
using Winnow.Core;
using Winnow.Numerics.Krylov;
using Winnow.Numerics.Sparse;
using DenseMatrix = MathNet.Numerics.LinearAlgebra.Double.DenseMatrix;
using DenseVector = MathNet.Numerics.LinearAlgebra.Double.DenseVector;

namespace Winnow.Numerics.Tests.Krylov;

/// <summary>Dense twins, and small systems.</summary>
internal static class Dense
{
    public const double Epsilon = 2.220446049250313e-16;

    public static Matrix<double> Of(SparseMatrix<double> a)
    {
        var dense = new DenseMatrix(a.Rows, a.Columns);
        for (int i = 0; i < a.Rows; i++)
        {
            for (long p = a.Starts[i]; p < a.Starts[i + 1]; p++)
                dense[i, a.Indices[p]] = a.Values[p];
        }
        return dense;
    }

    public static SparseMatrix<double> Sparse(Matrix<double> dense) =>
        SparseMatrix.FromEntries(dense.RowCount, dense.ColumnCount, dense.EnumerateIndexed(Zeros.AllowSkip).Select(e => (e.Item1, e.Item2, e.Item3)));

    public static SparseMatrix<double> Diagonal(params double[] values) =>
        SparseMatrix.FromEntries(values.Length, values.Length, values.Select((v, i) => (i, i, v)));

    public static double[] Normals(int count, ulong seed)
    {
        var random = new SeededRandom(seed, "normals");
        return [.. Enumerable.Range(0, count).Select(_ => random.NextNormal())];
    }

    /// <summary>A regular matrix without symmetry: random, sparse, with 3 on the diagonal.</summary>
    public static SparseMatrix<double> Unsymmetric(int n, ulong seed)
    {
        var random = new SeededRandom(seed, "unsymmetric");
        return SparseMatrix.FromEntries(n, n, Enumerable.Range(0, n).SelectMany(i =>
            Enumerable.Range(0, 4).Select(_ => (i, random.Next(n), random.NextNormal())).Append((i, i, 3.0))));
    }

    public static LinearSystem System(ProblemFamily family, int side, ulong seed)
    {
        var field = new GaussianField(side).Coefficients(1, new SeededRandom(seed, "field"))[0];
        return family.Build(field, side);
    }

    public static double[] Product(SparseMatrix<double> a, double[] x)
    {
        var y = new double[a.Rows];
        a.Multiply(x, y);
        return y;
    }

    public static double Norm(IEnumerable<double> x) => Math.Sqrt(x.Sum(v => v * v));

    public static double[] Minus(double[] x, double[] y) => [.. x.Zip(y, (a, b) => a - b)];

    public static double RelativeResidual(SparseMatrix<double> a, double[] b, double[] x) => Norm(Minus(b, Product(a, x))) / Norm(b);

    /// <summary>The sine of the largest principal angle from the span of some vectors to that of others.</summary>
    public static double Sine(IReadOnlyList<double[]> from, IReadOnlyList<double[]> to)
    {
        var q = Basis(from);
        var p = Basis(to);
        return (q - p * p.TransposeThisAndMultiply(q)).L2Norm();

        static Matrix<double> Basis(IReadOnlyList<double[]> vectors) => DenseMatrix.OfColumns(vectors).QR(MathNet.Numerics.LinearAlgebra.Factorization.QRMethod.Thin).Q;
    }

    /// <summary>Restarted GMRES as a textbook has it: modified Gram–Schmidt, least squares by a dense QR. Returns relative residuals, the first 1.</summary>
    public static List<double> Gmres(Matrix<double> a, Vector<double> b, int restart, double tolerance, int steps)
    {
        var history = new List<double> { 1 };
        Vector<double> x = DenseVector.Create(b.Count, 0), r = b;
        while (history[^1] > tolerance && history.Count <= steps)
        {
            double beta = r.L2Norm();
            var v = new List<Vector<double>> { r / beta };
            var h = new DenseMatrix(restart + 1, restart);
            Vector<double>? y = null;
            for (int j = 0; j < restart && history.Count <= steps && history[^1] > tolerance; j++)
            {
                var w = a * v[j];
                for (int i = 0; i <= j; i++)
                {
                    h[i, j] = v[i] * w;
                    w -= h[i, j] * v[i];
                }
                h[j + 1, j] = w.L2Norm();
                v.Add(w / h[j + 1, j]);
                var hj = h.SubMatrix(0, j + 2, 0, j + 1);
                var e = DenseVector.Create(j + 2, 0);
                e[0] = beta;
                y = hj.QR().Solve(e);
                history.Add((e - hj * y).L2Norm() / b.L2Norm());
            }
            for (int i = 0; i < y!.Count; i++)
                x += y[i] * v[i];
            r = b - a * x;
        }
        return history;
    }
}
