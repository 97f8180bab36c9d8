using Winnow.Numerics.Sparse;

namespace Winnow.Numerics.Krylov;

/// <summary>A system A·x = b.</summary>
/// <param name="Matrix">A, square.</param>
/// <param name="RightSide">b, as long as A has rows.</param>
public sealed record LinearSystem(SparseMatrix<double> Matrix, double[] RightSide);

/// <summary>
/// A family of partial differential equations on the unit square: a field on a square grid, row by row, gives a system. Discretised by
/// finite volumes whose unknowns are the cells of the grid, in the field's order, unless it is said otherwise. Cost of a system: O(cells).
/// </summary>
/// <param name="Name">Its name.</param>
/// <param name="Equation">What is solved, and where the field stands in it.</param>
/// <param name="Build">Makes the system of a field of side² numbers.</param>
public sealed record ProblemFamily(string Name, string Equation, Func<double[], int, LinearSystem> Build)
{
    /// <summary>Flow through a porous medium: the field a is its permeability, positive; fluxes through the faces use its harmonic mean.</summary>
    public static ProblemFamily Darcy { get; } = new("darcy", "-∇·(a∇u) = 1, u = 0 on the boundary",
        (field, side) => FluxForm(Positive(field, side), side, 0, Fixed(0), Fixed(0), Fixed(0), Fixed(0), 1));

    /// <summary>
    /// The Darcy matrix as the paper's published code assembles it, for comparison with that code only: it has 4·a of the own cell on the
    /// diagonal and -a of the neighbour beside it, which is -Δ(a·u), and the coupling to the row above takes the coefficient two cells
    /// further to the left. Unknowns are the (side - 2)² inner points.
    /// </summary>
    public static ProblemFamily DarcyReleased { get; } = new("darcy-released", "-Δ(a·u) = 1 with the published code's coupling to the row above", Released);

    /// <summary>Waves in an uneven medium: indefinite. The field is its stiffness, positive.</summary>
    /// <param name="wavenumber">k; at 4.5 one eigenvalue of a medium of stiffness 1 lies below 0, at 10 six.</param>
    public static ProblemFamily Helmholtz(double wavenumber = 10) => new("helmholtz", "-∇·(a∇u) - k²u = 1, u = 0 on the boundary",
        (field, side) => FluxForm(Positive(field, side), side, wavenumber * wavenumber, Fixed(0), Fixed(0), Fixed(0), Fixed(0), 1));

    /// <summary>A potential: the field f is the charge, so that all systems share their matrix.</summary>
    public static ProblemFamily Poisson { get; } = new("poisson", "-Δu = f, u = 0 on the boundary", (field, side) =>
    {
        CheckField(field, side);
        double[] ones = new double[field.Length];
        Array.Fill(ones, 1);
        var system = FluxForm(ones, side, 0, Fixed(0), Fixed(0), Fixed(0), Fixed(0), 0);
        return system with { RightSide = [.. field.Select(f => f / ((double)side * side))] };
    });

    /// <summary>Heat in a plate: the field is its conductivity, positive. The left edge is held at 1, the right one cools to 0 by convection, the others are insulated.</summary>
    /// <param name="convection">The heat transfer coefficient of the right edge.</param>
    public static ProblemFamily Thermal(double convection = 5) => new("thermal", "-∇·(a∇T) = 0, T = 1 on the left, -a·∂T/∂x = h·T on the right, insulated above and below",
        (field, side) => FluxForm(Positive(field, side), side, 0, Fixed(1), new(0, convection), Insulated, Insulated, 0));

    /// <summary>What is outside an edge: its value, and the coefficient of the transfer to it; infinite where the edge itself has the value.</summary>
    private readonly record struct Edge(double Value, double Transfer)
    {
        /// <summary>Half a cell and the transfer, one after the other, for an edge of length h.</summary>
        public double Conductance(double a, double h) => double.IsPositiveInfinity(Transfer) ? 2 * a : Transfer == 0 ? 0 : 1 / (1 / (2 * a) + 1 / (Transfer * h));
    }

    private static Edge Insulated => new(0, 0);

    private static Edge Fixed(double value) => new(value, double.PositiveInfinity);

    private static LinearSystem FluxForm(double[] a, int side, double reaction, Edge left, Edge right, Edge top, Edge bottom, double source)
    {
        double h = 1.0 / side;
        int n = side * side;
        var b = new double[n];
        var assembly = new Assembly(n);
        for (int cell = 0; cell < n; cell++)
        {
            int row = cell / side, column = cell % side;
            double diagonal = -reaction * h * h, up = 0, west = 0, east = 0, down = 0;
            b[cell] = source * h * h;
            Face(row > 0, -side, top, ref up);
            Face(column > 0, -1, left, ref west);
            Face(column < side - 1, 1, right, ref east);
            Face(row < side - 1, side, bottom, ref down);
            assembly.Row((cell - side, -up), (cell - 1, -west), (cell, diagonal), (cell + 1, -east), (cell + side, -down));

            void Face(bool inside, int step, Edge edge, ref double conductance)
            {
                if (inside)
                {
                    conductance = 2 * a[cell] * a[cell + step] / (a[cell] + a[cell + step]);
                    diagonal += conductance;
                    return;
                }
                double outward = edge.Conductance(a[cell], h);
                diagonal += outward;
                b[cell] += outward * edge.Value;
            }
        }
        return new(assembly.Matrix(), b);
    }

    private static LinearSystem Released(double[] field, int side)
    {
        CheckField(field, side);
        ArgumentOutOfRangeException.ThrowIfLessThan(side, 4);
        int s = side - 2, n = s * s;
        double h = 1.0 / (s - 1);
        var b = new double[n];
        Array.Fill(b, h * h);
        var assembly = new Assembly(n);
        for (int r = 0; r < n; r++)
        {
            int i = r / s, j = r % s;
            double north = r < s ? 0 : At((r - 2) / s, 1 + (r - 2) % s);
            assembly.Row((r - s, -north), (r - 1, j == 0 ? 0 : -At(i + 1, j)), (r, 4 * At(i + 1, j + 1)),
                (r + 1, j == s - 1 ? 0 : -At(i + 1, j + 2)), (r + s, i == s - 1 ? 0 : -At(i + 2, j + 1)));
        }
        return new(assembly.Matrix(), b);

        double At(int row, int column) => field[row * side + column];
    }

    private static double[] Positive(double[] field, int side)
    {
        CheckField(field, side);
        int at = Array.FindIndex(field, v => !(v > 0 && double.IsFinite(v)));
        return at < 0 ? field : throw new ArgumentException($"the field is {field[at]} in row {at / side}, column {at % side}; expected a positive coefficient, e.g. the exponential of a Gaussian field", nameof(field));
    }

    private static void CheckField(double[] field, int side)
    {
        ArgumentNullException.ThrowIfNull(field);
        ArgumentOutOfRangeException.ThrowIfLessThan(side, 1);
        if (field.Length != side * side)
            throw new ArgumentException($"a field of {field.Length} numbers; expected {side}·{side}", nameof(field));
    }

    /// <summary>Rows of five entries, of which those that are zero are left out.</summary>
    private sealed class Assembly(int rows)
    {
        private readonly long[] _starts = new long[rows + 1];
        private readonly List<int> _indices = new(5 * rows);
        private readonly List<double> _values = new(5 * rows);
        private int _row;

        public void Row(params ReadOnlySpan<(int Column, double Value)> entries)
        {
            foreach (var (column, value) in entries)
            {
                if (value == 0)
                    continue;
                _indices.Add(column);
                _values.Add(value);
            }
            _starts[++_row] = _indices.Count;
        }

        public SparseMatrix<double> Matrix() => new(rows, rows, _starts, [.. _indices], [.. _values]);
    }
}
