using Winnow.Numerics.Sparse;

namespace Winnow.Numerics.Krylov;

/// <summary>
/// GCRO-DR (Parks, de Sturler, Mackey, Johnson and Maiti, 2006), of which GMRES is the case without a recycled space. The memory stays
/// from one system to the next. With C orthonormal, A·U = C, and W = [C, V]: every cycle runs Arnoldi with (I - C·Cᵀ)·A, so that
/// <c>A·[U·D, V] = W·G</c>, minimises the residual over U and V, and chooses a new U from their span.
/// </summary>
internal sealed unsafe class SubspaceSolver : IDisposable
{
    private const double NegligibleColumn = 1e-10, NegligibleProgress = 1e-12;
    private const int PatientCycles = 2;
    private readonly KrylovOptions _options;
    private readonly int _recycled;
    private readonly Scratch _scratch;
    private readonly Action<SubspaceSolver>? _afterCycle;
    private readonly List<double> _history = [];
    private Scratch.Block<double>? _vectors, _small;
    private int _padded;
    private Columns _w, _u, _next;
    private double* _x, _b, _r, _t, _temporary;
    private double* _g, _triangle, _cosines, _sines, _right, _y, _h, _correction;
    private KrylovOperator _a = null!;
    private double _norm, _bNorm;

    public SubspaceSolver(KrylovOptions options, int recycled, Scratch? scratch, Action<SubspaceSolver>? afterCycle)
    {
        (_options, _recycled, _scratch, _afterCycle) = (options, recycled, scratch ?? new Scratch(), afterCycle);
    }

    /// <summary>Rows of the systems solved last; 0 before the first.</summary>
    public int Size { get; private set; }

    /// <summary>Vectors in the recycled space.</summary>
    public int Dimension { get; private set; }

    /// <summary>Basis vectors of a cycle: the restart length, or the unknowns where those are fewer.</summary>
    private int Restart => Math.Min(_options.Restart, Size);

    private int Recycled => Math.Min(_recycled, Restart - 1);

    /// <summary>Copies of what is recycled, of its images, and of the residual: to be checked by tests, and to be handed on.</summary>
    public double[] U(int i) => [.. new ReadOnlySpan<double>(_u[i], Size)];

    internal double[] C(int i) => [.. new ReadOnlySpan<double>(_w[i], Size)];

    internal double[] Residual() => [.. new ReadOnlySpan<double>(_r, Size)];

    public void Forget() => Dimension = 0;

    /// <summary>Takes a space over instead of the one held; its images are computed for each system.</summary>
    public void Recycle(IReadOnlyList<double[]> vectors)
    {
        if (vectors.Count == 0 || vectors[0].Length == 0 || vectors.Any(v => v.Length != vectors[0].Length))
            throw new ArgumentException($"vectors of {string.Join(", ", vectors.Select(v => v.Length))} numbers; expected at least one, all of the length of the unknowns", nameof(vectors));
        Prepare(vectors[0].Length);
        if (vectors.Count > Recycled)
            throw new ArgumentException($"{vectors.Count} vectors to recycle; expected at most {Recycled}", nameof(vectors));
        for (int i = 0; i < vectors.Count; i++)
            vectors[i].CopyTo(new Span<double>(_u[i], Size));
        Dimension = vectors.Count;
    }

    public SolveReport Solve(SparseMatrix<double> a, ReadOnlySpan<double> b, Span<double> x, IPreconditioner? preconditioner, CancellationToken cancellation)
    {
        SystemCheck.Throw(a, b, x, preconditioner);
        Prepare(a.Rows);
        _history.Clear();
        b.CopyTo(new Span<double>(_b, Size));
        x.CopyTo(new Span<double>(_x, Size));
        _a = new(a, preconditioner, _options.Side, _temporary);
        _bNorm = Columns.Norm(_b, _padded);
        if (_bNorm == 0)
        {
            x.Clear();
            return new(SolveStatus.Converged, 0, 0, 0, [0]);
        }
        var (status, residual, spaceProducts) = Iterate(x.ContainsAnyExcept(0), cancellation);
        new ReadOnlySpan<double>(_x, Size).CopyTo(x);
        return new(status, _a.Products, spaceProducts, residual, [.. _history]);
    }

    public void Dispose()
    {
        _vectors?.Dispose();
        _small?.Dispose();
        (Size, Dimension) = (0, 0);
    }

    private (SolveStatus Status, double Residual, int SpaceProducts) Iterate(bool guessed, CancellationToken cancellation)
    {
        double goal = _options.Tolerance * _bNorm;
        double scale = ResidualScale();
        double truth = FreshResidual(guessed), target = _options.Tolerance * scale;
        _history.Add(_norm / scale);
        if (truth <= goal)
            return (SolveStatus.Converged, truth / _bNorm, 0);
        int before = _a.Products;
        if (Dimension > 0)
        {
            SetUpSpace();
            UseSpace();
            _history.Add(_norm / scale);
        }
        int spaceProducts = _a.Products - before;
        for (int idle = 0; ;)
        {
            while (_norm > target && idle < PatientCycles && _a.Products < _options.MaximumProducts)
            {
                double old = _norm;
                Cycle(target, scale, cancellation);
                idle = _norm < old * (1 - NegligibleProgress) ? 0 : idle + 1;
                _afterCycle?.Invoke(this);
            }
            // What the recurrence says is checked against b - A·x, and taken up from there when it was wrong.
            double last = truth;
            truth = FreshResidual(true);
            if (truth <= goal)
                return (SolveStatus.Converged, truth / _bNorm, spaceProducts);
            if (_a.Products >= _options.MaximumProducts)
                return (SolveStatus.ProductLimit, truth / _bNorm, spaceProducts);
            if (idle >= PatientCycles || !(truth < last / 2))
                return (SolveStatus.Stagnated, truth / _bNorm, spaceProducts);
            target = Math.Min(target, _norm / 2 * goal / truth);
            UseSpace();
        }
    }

    /// <summary>The norm that relative residuals are relative to.</summary>
    private double ResidualScale()
    {
        Columns.Scale(1, _b, _r, _padded);
        _a.PreconditionResidual(_r);
        return Columns.Norm(_r, _padded);
    }

    /// <summary>r = b - A·x, preconditioned where that is iterated on; returns the norm of the true one.</summary>
    private double FreshResidual(bool hasSolution)
    {
        Columns.Scale(1, _b, _r, _padded);
        if (hasSolution)
        {
            _a.Multiply(_x, _t);
            Columns.Add(-1, _t, _r, _padded);
        }
        double truth = Columns.Norm(_r, _padded);
        _a.PreconditionResidual(_r);
        _norm = Columns.Norm(_r, _padded);
        return truth;
    }

    /// <summary>C·R = A·U, U ← U·R⁻¹ by Gram–Schmidt on both; a vector whose image depends on those before it is dropped.</summary>
    private void SetUpSpace()
    {
        int kept = 0;
        for (int i = 0; i < Dimension; i++)
        {
            double* c = _w[kept], u = _u[kept];
            if (kept < i)
                Columns.Scale(1, _u[i], u, _padded);
            _a.Apply(u, c);
            double image = Columns.Norm(c, _padded);
            _w.Orthogonalise(kept, c, _h, _correction);
            _u.Subtract(kept, _h, u);
            double norm = Columns.Norm(c, _padded);
            if (!(norm > NegligibleColumn * image) || !double.IsFinite(1 / norm))
                continue;
            Columns.Scale(1 / norm, c, c, _padded);
            Columns.Scale(1 / norm, u, u, _padded);
            kept++;
        }
        Dimension = kept;
    }

    /// <summary>Minimises the residual over the recycled space: x += U·Cᵀr, r -= C·Cᵀr.</summary>
    private void UseSpace()
    {
        if (Dimension == 0)
            return;
        _w.Project(Dimension, _r, _y);
        _u.Multiply(Dimension, _y, Dimension, 1, new Columns(_t, _padded, 0), accumulate: false);
        _a.AddSolution(_t, _x, _padded);
        _w.SubtractAndProject(Dimension, _y, _r, _correction);
        _w.Subtract(Dimension, _correction, _r);
        _norm = Columns.Norm(_r, _padded);
    }

    private void Cycle(double target, double scale, CancellationToken cancellation)
    {
        int m = Restart, c = Dimension, rows = m + 1, steps = 0;
        double beta = _norm, breakdown = 0;
        Columns.Scale(1 / beta, _r, _w[c], _padded);
        new Span<double>(_g, rows * m).Clear();
        new Span<double>(_right, rows).Clear();
        _right[c] = beta;
        for (int j = c; j < m; j++)
        {
            cancellation.ThrowIfCancellationRequested();
            double* next = _w[j + 1], column = _g + j * rows;
            _a.Apply(_w[j], next);
            breakdown = Math.Max(breakdown, 1e-14 * Columns.Norm(next, _padded));
            _w.Orthogonalise(j + 1, next, column, _correction);
            double norm = Columns.Norm(next, _padded);
            bool invariant = !(norm > breakdown);
            column[j + 1] = invariant ? 0 : norm;
            Columns.Scale(invariant ? 0 : 1 / norm, next, next, _padded);
            Rotate(j, c);
            steps++;
            _history.Add(Math.Abs(_right[j + 1]) / scale);
            if (invariant || Math.Abs(_right[j + 1]) <= target || _a.Products >= _options.MaximumProducts)
                break;
        }
        int n = c + steps;
        Minimise(c, n);
        if (Recycled > 0)
            UpdateSpace(c, n);
    }

    /// <summary>Applies the rotations so far to column j of H, and one more that makes it triangular; the right side goes along.</summary>
    private void Rotate(int j, int c)
    {
        int rows = Restart + 1;
        double* r = _triangle + j * rows, g = _g + j * rows;
        for (int i = 0; i <= j + 1; i++)
            r[i] = g[i];
        for (int i = c; i < j; i++)
            (r[i], r[i + 1]) = (_cosines[i] * r[i] + _sines[i] * r[i + 1], _cosines[i] * r[i + 1] - _sines[i] * r[i]);
        double length = double.Hypot(r[j], r[j + 1]);
        (_cosines[j], _sines[j]) = length == 0 ? (1, 0) : (r[j] / length, r[j + 1] / length);
        (r[j], r[j + 1]) = (length, 0);
        (_right[j], _right[j + 1]) = (_cosines[j] * _right[j], -_sines[j] * _right[j]);
    }

    /// <summary>y = arg min ‖β·e₁ - H·y‖; x += V·y - U·B·y; r = V·(β·e₁ - H·y).</summary>
    private void Minimise(int c, int n)
    {
        int rows = Restart + 1;
        double largest = 0;
        for (int i = c; i < n; i++)
            largest = Math.Max(largest, _triangle[i * rows + i]);
        new Span<double>(_y, rows).Clear();
        new Span<double>(_h, rows).Clear();
        for (int i = n - 1; i >= c; i--)
        {
            double sum = _right[i], pivot = _triangle[i * rows + i];
            for (int j = i + 1; j < n; j++)
                sum -= _triangle[j * rows + i] * _y[j];
            if (pivot > 1e-15 * largest)
                _y[i] = sum / pivot;
            else
                _h[i] = sum;
        }
        // What is left over of the triangular problem, turned back: this keeps r orthogonal to C and V·H where y is large.
        _h[n] = _right[n];
        for (int i = n - 1; i >= c; i--)
            (_h[i], _h[i + 1]) = (_cosines[i] * _h[i] - _sines[i] * _h[i + 1], _sines[i] * _h[i] + _cosines[i] * _h[i + 1]);
        for (int j = c; j < n; j++)
        {
            for (int i = 0; i < c; i++)
                _h[i] -= _g[j * rows + i] * _y[j];
        }
        var t = new Columns(_t, _padded, 0);
        _w.From(c).Multiply(n - c, _y + c, rows, 1, t, accumulate: false);
        if (c > 0)
            _u.Multiply(c, _h, rows, 1, t, accumulate: true);
        _a.AddSolution(_t, _x, _padded);
        _w.From(c).Multiply(n - c + 1, _h + c, rows, 1, new Columns(_r, _padded, 0), accumulate: false);
        _norm = Columns.Norm(_r, _padded);
    }

    /// <summary>The harmonic Ritz vectors P of the smallest values: U ← [U·D, V]·P·R⁻¹, C ← W·Q, with Q·R = G·P.</summary>
    private void UpdateSpace(int c, int n)
    {
        int rows = Restart + 1;
        for (int i = 0; i < c; i++)
        {
            // D makes the columns of U as long as those of V.
            double d = 1 / Columns.Norm(_u[i], _padded);
            Columns.Scale(d, _u[i], _u[i], _padded);
            _g[i * rows + i] = _triangle[i * rows + i] = d;
            for (int row = 0; row < i; row++)
                _triangle[i * rows + row] = 0;
        }
        var overlap = new double[(n + 1) * n];
        fixed (double* s = overlap)
        {
            _w.Project(n + 1, _u, c, s, n + 1);
            for (int i = c; i < n; i++)
                s[i * (n + 1) + i] = 1;
            var ritz = HarmonicRitz.Smallest(new(_g, _triangle, rows, c, n), _cosines, _sines, s, Recycled);
            if (ritz.Count == 0)
            {
                for (int i = 0; i < c; i++)
                    Columns.Scale(1 / _g[i * rows + i], _u[i], _u[i], _padded);
                return;
            }
            fixed (double* p = ritz.Vectors, q = ritz.Images)
            {
                _u.Multiply(c, p, n, ritz.Count, _next, accumulate: false);
                _w.From(c).Multiply(n - c, p + c, n, ritz.Count, _next, accumulate: true);
                (_u, _next) = (_next, _u);
                _w.Multiply(n + 1, q, n + 1, ritz.Count, _next, accumulate: false);
            }
            for (int i = 0; i < ritz.Count; i++)
                Columns.Scale(1, _next[i], _w[i], _padded);
            Dimension = ritz.Count;
        }
    }

    /// <summary>Memory for systems of a size; a space of another size is dropped.</summary>
    private void Prepare(int size)
    {
        if (size == Size)
            return;
        Dispose();
        Size = size;
        _padded = Columns.PaddedRows(size);
        nint stride = Columns.StrideOf(size);
        int m = Restart, rows = m + 1, k = Recycled;
        try
        {
            _vectors = _scratch.Take<double>(stride * (rows + 2L * k + 5));
            _small = _scratch.Take<double>(2L * rows * m + 6L * rows);
        }
        catch
        {
            Dispose(); // of no size: the next system begins anew
            throw;
        }
        _w = new(_vectors.Data, _padded, stride);
        _u = _w.From(rows);
        _next = _u.From(k);
        Columns single = _next.From(k);
        _x = single[0];
        _b = single[1];
        _r = single[2];
        _t = single[3];
        _temporary = single[4];
        double* at = _small.Data;
        _g = at;
        _triangle = _g + rows * m;
        _cosines = _triangle + rows * m;
        _sines = _cosines + rows;
        _right = _sines + rows;
        _y = _right + rows;
        _h = _y + rows;
        _correction = _h + rows;
    }
}
