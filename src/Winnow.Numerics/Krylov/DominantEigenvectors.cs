using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace Winnow.Numerics.Krylov;

/// <summary>
/// The eigenvectors of a small real matrix that belong to its eigenvalues of largest magnitude: Householder reduction to Hessenberg form,
/// Francis' implicit double-shift QR steps for the eigenvalues alone, and inverse iteration on the Hessenberg form for the few vectors
/// wanted. Cost: about 12·n³ operations and O(n²) for each vector.
/// </summary>
internal static unsafe class DominantEigenvectors
{
    private const double Epsilon = 2.220446049250313e-16;
    private const int MostSteps = 60;

    /// <summary>
    /// Unit vectors of the largest eigenvalues, falling; of a complex pair the real and the imaginary part, one after the other. Where only
    /// one of the two would have room, the pair is passed over. None, where the matrix is 0 or the QR steps do not converge.
    /// </summary>
    /// <param name="matrix">Finite numbers, by columns; overwritten.</param>
    /// <param name="n">Rows and columns.</param>
    /// <param name="most">How many vectors are wanted at most.</param>
    public static List<double[]> Of(double[] matrix, int n, int most)
    {
        var result = new List<double[]>(most);
        double largest = 0;
        foreach (double value in matrix)
            largest = Math.Max(largest, Math.Abs(value));
        if (largest == 0)
            return result;
        var h = new double[n * n]; // by rows, the largest entry 1
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
                h[i * n + j] = matrix[j * n + i] / largest;
        }
        double[] reflectors = Reduce(h, n);
        if (Eigenvalues([.. h], n) is not { } values)
            return result;
        foreach (var value in values.OrderByDescending(v => v.Magnitude))
        {
            // Of a pair, the one with the positive imaginary part stands for both.
            if (value.Imaginary < 0 || result.Count + (value.Imaginary > 0 ? 2 : 1) > most)
                continue;
            if (value.Imaginary == 0)
                result.Add(Back(reflectors, InverseIteration(h, n, value.Real), n));
            else
            {
                Complex[] vector = InverseIteration(h, n, value);
                result.Add(Back(reflectors, Array.ConvertAll(vector, v => v.Real), n));
                result.Add(Back(reflectors, Array.ConvertAll(vector, v => v.Imaginary), n));
            }
        }
        return result;
    }

    /// <summary>Brings a matrix to Hessenberg form by reflections from both sides; returns their vectors, of squared length 2, by rows.</summary>
    private static double[] Reduce(double[] h, int n)
    {
        var reflectors = new double[Math.Max(0, n - 2) * n];
        var sums = new double[n];
        for (int k = 0; k < n - 2; k++)
        {
            var v = reflectors.AsSpan(k * n, n);
            double norm = 0;
            for (int i = k + 1; i < n; i++)
                norm = double.Hypot(norm, v[i] = h[i * n + k]);
            if (norm == 0)
                continue;
            double alpha = v[k + 1] < 0 ? norm : -norm;
            v[k + 1] -= alpha;
            double length = 0;
            for (int i = k + 1; i < n; i++)
                length += v[i] * v[i];
            double scale = Math.Sqrt(2 / length);
            for (int i = k + 1; i < n; i++)
                v[i] *= scale;
            Array.Clear(sums);
            for (int i = k + 1; i < n; i++)
            {
                TensorPrimitives.MultiplyAdd(h.AsSpan(i * n + k, n - k), v[i], sums.AsSpan(k, n - k), sums.AsSpan(k, n - k));
            }
            for (int i = k + 1; i < n; i++)
            {
                var row = h.AsSpan(i * n + k, n - k);
                TensorPrimitives.MultiplyAdd(sums.AsSpan(k, n - k), -v[i], row, row);
                h[i * n + k] = i == k + 1 ? alpha : 0;
            }
            for (int i = 0; i < n; i++)
            {
                var row = h.AsSpan(i * n + k + 1, n - k - 1);
                TensorPrimitives.MultiplyAdd(v[(k + 1)..], -TensorPrimitives.Dot<double>(row, v[(k + 1)..]), row, row);
            }
        }
        return reflectors;
    }

    /// <summary>A vector of the Hessenberg form as one of the matrix, of length 1.</summary>
    private static double[] Back(double[] reflectors, double[] x, int n)
    {
        for (int k = n - 3; k >= 0; k--)
        {
            double sum = 0;
            for (int i = k + 1; i < n; i++)
                sum += reflectors[k * n + i] * x[i];
            for (int i = k + 1; i < n; i++)
                x[i] -= sum * reflectors[k * n + i];
        }
        double norm = Math.Sqrt(x.Sum(v => v * v));
        return norm == 0 ? x : Array.ConvertAll(x, v => v / norm);
    }

    /// <summary>The eigenvalues of a Hessenberg matrix, which is overwritten; null when the steps do not converge.</summary>
    private static Complex[]? Eigenvalues(double[] h, int n)
    {
        var values = new Complex[n];
        for (int end = n - 1, steps = 0; end >= 0;)
        {
            int start = end;
            while (start > 0)
            {
                double size = Math.Abs(h[(start - 1) * n + start - 1]) + Math.Abs(h[start * n + start]);
                if (Math.Abs(h[start * n + start - 1]) <= Epsilon * (size == 0 ? 1 : size))
                    break;
                start--;
            }
            if (start == end)
                values[end] = h[end * n + end];
            else if (start == end - 1)
                (values[start], values[end]) = Pair(h[start * n + start], h[start * n + end], h[end * n + start], h[end * n + end]);
            else
            {
                if (++steps > MostSteps)
                    return null;
                fixed (double* data = h)
                    Francis(data, n, start, end, exceptional: steps % 10 == 0);
                continue;
            }
            (end, steps) = (start - 1, 0);
        }
        return values;
    }

    /// <summary>The eigenvalues of <c>[a b; c d]</c>.</summary>
    private static (Complex, Complex) Pair(double a, double b, double c, double d)
    {
        double half = (a - d) / 2, middle = (a + d) / 2, discriminant = half * half + b * c;
        if (discriminant < 0)
            return (new(middle, Math.Sqrt(-discriminant)), new(middle, -Math.Sqrt(-discriminant)));
        // The one further from d without cancellation, the other from the product of both distances to d.
        double root = half + (half < 0 ? -1 : 1) * Math.Sqrt(discriminant);
        return (d + root, root == 0 ? d : d - b * c / root);
    }

    /// <summary>A double-shift QR step on rows and columns start to end, by chasing the bulge.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Francis(double* h, int n, int start, int end, bool exceptional)
    {
        double a = h[(end - 1) * n + end - 1], d = h[end * n + end];
        double trace = a + d, determinant = a * d - h[(end - 1) * n + end] * h[end * n + end - 1];
        if (exceptional)
        {
            double s = Math.Abs(h[end * n + end - 1]) + Math.Abs(h[(end - 1) * n + end - 2]);
            (trace, determinant) = (1.5 * s, s * s);
        }
        double h00 = h[start * n + start], h10 = h[(start + 1) * n + start];
        double x = h00 * (h00 - trace) + h[start * n + start + 1] * h10 + determinant;
        double y = h10 * (h00 + h[(start + 1) * n + start + 1] - trace);
        double z = h10 * h[(start + 2) * n + start + 1];
        for (int k = start; k < end; k++)
        {
            bool three = k < end - 1;
            if (k > start)
                (x, y, z) = (h[k * n + k - 1], h[(k + 1) * n + k - 1], three ? h[(k + 2) * n + k - 1] : 0);
            else if (!three)
                z = 0;
            double length = double.Hypot(double.Hypot(x, y), z);
            if (length == 0)
                continue;
            double alpha = x < 0 ? length : -length;
            double u = x - alpha, scale = Math.Sqrt(2 / (u * u + y * y + z * z)), v0 = u * scale, v1 = y * scale, v2 = z * scale;
            if (k > start)
            {
                (h[k * n + k - 1], h[(k + 1) * n + k - 1]) = (alpha, 0);
                if (three)
                    h[(k + 2) * n + k - 1] = 0;
            }
            double* row0 = h + k * n, row1 = row0 + n, row2 = three ? row1 + n : row1;
            double w2 = three ? v2 : 0;
            int column = k;
            for (int lanes = Vector<double>.Count; column + lanes <= end + 1; column += lanes)
            {
                Vector<double> a0 = Vector.Load(row0 + column), a1 = Vector.Load(row1 + column), a2 = Vector.Load(row2 + column);
                var sum = v0 * a0 + v1 * a1 + w2 * a2;
                if (three)
                    Vector.Store(a2 - w2 * sum, row2 + column);
                Vector.Store(a0 - v0 * sum, row0 + column);
                Vector.Store(a1 - v1 * sum, row1 + column);
            }
            for (; column <= end; column++)
            {
                double sum = v0 * row0[column] + v1 * row1[column] + w2 * row2[column];
                if (three)
                    row2[column] -= sum * w2;
                row0[column] -= sum * v0;
                row1[column] -= sum * v1;
            }
            int last = Math.Min(k + 3, end);
            for (int i = start; i <= last; i++)
            {
                double* at = h + i * n + k;
                double sum = v0 * at[0] + v1 * at[1] + (three ? v2 * at[2] : 0);
                at[0] -= sum * v0;
                at[1] -= sum * v1;
                if (three)
                    at[2] -= sum * v2;
            }
        }
    }

    /// <summary>An eigenvector of a Hessenberg matrix: two solves with H - λ·I, whose LU factors exchange neighbouring rows only.</summary>
    private static T[] InverseIteration<T>(double[] h, int n, T value) where T : INumberBase<T>
    {
        T tiny = T.CreateChecked(Epsilon);
        var u = new T[n * n];
        for (int i = 0; i < n; i++)
        {
            for (int j = Math.Max(0, i - 1); j < n; j++)
                u[i * n + j] = T.CreateChecked(h[i * n + j]);
            u[i * n + i] -= value;
        }
        var (factors, exchanged) = (new T[n], new bool[n]);
        for (int k = 0; k < n; k++)
        {
            int top = k * n, below = top + n;
            if (k < n - 1 && Size(u[below + k]) > Size(u[top + k]))
            {
                exchanged[k] = true;
                for (int j = k; j < n; j++)
                    (u[top + j], u[below + j]) = (u[below + j], u[top + j]);
            }
            if (Size(u[top + k]) < Epsilon)
                u[top + k] = tiny; // λ is an eigenvalue of H up to this
            if (k == n - 1)
                break;
            T factor = factors[k] = u[below + k] / u[top + k];
            if (T.IsZero(factor))
                continue;
            for (int j = k + 1; j < n; j++)
                u[below + j] -= factor * u[top + j];
        }
        var x = new T[n];
        Array.Fill(x, T.One);
        for (int round = 0; round < 2; round++)
        {
            // The first round begins behind L, whose inverse applied to some vector is as good a start as any.
            for (int k = 0; round > 0 && k < n - 1; k++)
            {
                if (exchanged[k])
                    (x[k], x[k + 1]) = (x[k + 1], x[k]);
                x[k + 1] -= factors[k] * x[k];
            }
            double largest = 0;
            for (int k = n - 1; k >= 0; k--)
            {
                T sum = x[k];
                for (int j = k + 1; j < n; j++)
                    sum -= u[k * n + j] * x[j];
                x[k] = sum / u[k * n + k];
                largest = Math.Max(largest, Size(x[k]));
            }
            for (int k = 0; k < n; k++)
                x[k] *= T.CreateChecked(1 / largest);
        }
        return x;

        static double Size(T v) => v is Complex c ? Math.Abs(c.Real) + Math.Abs(c.Imaginary) : Math.Abs(double.CreateChecked(v));
    }
}
