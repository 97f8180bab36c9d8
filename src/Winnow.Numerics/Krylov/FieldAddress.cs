using System.Numerics.Tensors;
using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.LinearAlgebra.Double;

namespace Winnow.Numerics.Krylov;

/// <summary>
/// A field compressed to a few numbers from 0 to 1: the lowest frequencies of its discrete Fourier transform, real and imaginary parts,
/// then their principal components, each scaled by its least and greatest value. Sizes are those of the paper's published code.
/// </summary>
public static class FieldAddress
{
    /// <summary>Frequencies kept along each axis, from -6 to 5.</summary>
    public const int Frequencies = 12;

    /// <summary>Numbers of an address.</summary>
    public const int Dimensions = 7;

    /// <summary>The addresses of fields. Cost: O(n·p·12) and the principal components of n vectors of 288 numbers.</summary>
    /// <param name="fields">Square fields, row by row.</param>
    /// <param name="side">Rows and columns of a field; those below 12 have fewer frequencies.</param>
    /// <returns>For each field <see cref="Dimensions"/> numbers; those of components that do not vary are 0.</returns>
    /// <exception cref="ArgumentException">A field has not side² numbers.</exception>
    public static double[][] Of(IReadOnlyList<double[]> fields, int side)
    {
        ArgumentNullException.ThrowIfNull(fields);
        ArgumentOutOfRangeException.ThrowIfLessThan(side, 1);
        if (fields.Count == 0)
            return [];
        double[][] features = [.. fields.Select(f => LowFrequencies(f, side))];
        int width = features[0].Length;
        var data = DenseMatrix.Create(fields.Count, width, (i, j) => features[i][j]);
        var mean = data.ColumnSums() / fields.Count;
        for (int i = 0; i < fields.Count; i++)
            data.SetRow(i, data.Row(i) - mean);
        Matrix<double> projected = data * Components(data);
        var addresses = new double[fields.Count][];
        for (int i = 0; i < fields.Count; i++)
            addresses[i] = new double[Dimensions];
        for (int d = 0; d < projected.ColumnCount; d++)
        {
            double[] column = projected.Column(d).ToArray();
            double least = column.Min(), range = column.Max() - least;
            for (int i = 0; i < fields.Count && range > 0; i++)
                addresses[i][d] = (column[i] - least) / range;
        }
        return addresses;
    }

    /// <summary>The central block of the shifted two-dimensional DFT, real parts and then imaginary parts, by rows: so few frequencies that sums along either axis need no fast transform.</summary>
    internal static double[] LowFrequencies(double[] field, int side)
    {
        if (field.Length != side * side)
            throw new ArgumentException($"a field of {field.Length} numbers; expected {side}·{side}", nameof(field));
        int first = Math.Max(-Frequencies / 2, -(side / 2)), count = Math.Min(Frequencies, side);
        var (cosines, sines) = (new double[count * side], new double[count * side]);
        for (int k = 0; k < count; k++)
        {
            for (int j = 0; j < side; j++)
                (sines[k * side + j], cosines[k * side + j]) = Math.SinCos(2 * Math.PI * ((long)(first + k) * j % side) / side);
        }
        var result = new double[2 * count * count];
        var (real, imaginary) = (new double[side], new double[side]);
        for (int l = 0; l < count; l++)
        {
            for (int i = 0; i < side; i++)
            {
                var row = field.AsSpan(i * side, side);
                real[i] = TensorPrimitives.Dot(row, cosines.AsSpan(l * side, side));
                imaginary[i] = -TensorPrimitives.Dot(row, sines.AsSpan(l * side, side));
            }
            for (int k = 0; k < count; k++)
            {
                ReadOnlySpan<double> cosine = cosines.AsSpan(k * side, side), sine = sines.AsSpan(k * side, side);
                result[k * count + l] = TensorPrimitives.Dot(cosine, real) + TensorPrimitives.Dot(sine, imaginary);
                result[(count + k) * count + l] = TensorPrimitives.Dot(cosine, imaginary) - TensorPrimitives.Dot(sine, real);
            }
        }
        return result;
    }

    /// <summary>The leading principal directions of centred rows, from the smaller of the two Gram matrices.</summary>
    private static Matrix<double> Components(DenseMatrix data)
    {
        bool wide = data.ColumnCount > data.RowCount;
        var gram = wide ? data.TransposeAndMultiply(data) : data.TransposeThisAndMultiply(data);
        var evd = gram.Evd(Symmetricity.Symmetric);
        int most = Math.Min(Dimensions, gram.RowCount);
        double largest = evd.EigenValues[gram.RowCount - 1].Real;
        // Eigenvalues ascend; those that are rounding beside the largest are no directions.
        int[] leading = [.. Enumerable.Range(1, most).Select(i => gram.RowCount - i).TakeWhile(i => evd.EigenValues[i].Real > 1e-12 * largest)];
        var directions = DenseMatrix.Create(data.ColumnCount, leading.Length, 0);
        for (int d = 0; d < leading.Length; d++)
        {
            var vector = evd.EigenVectors.Column(leading[d]);
            directions.SetColumn(d, wide ? data.TransposeThisAndMultiply(vector).Normalize(2) : vector);
        }
        return directions;
    }
}
