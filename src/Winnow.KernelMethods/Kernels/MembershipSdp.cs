using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>What <see cref="MembershipSdp"/> found, and what another solve may begin with.</summary>
/// <param name="m">Matrices.</param>
/// <param name="n">Their size.</param>
internal sealed class Memberships(int m, int n)
{
    /// <summary>Matrices.</summary>
    public int M { get; } = m;

    /// <summary>Their size.</summary>
    public int N { get; } = n;

    /// <summary>Z, [m, n, n] row after row: rows of the sum are 1 and its trace is as told, the rest holds to the residual.</summary>
    public double[] X { get; } = new double[m * n * n];

    /// <summary>The parts without negative eigenvalues, and without negative entries.</summary>
    public double[] Y { get; init; } = new double[m * n * n];

    /// <inheritdoc cref="Y"/>
    public double[] W { get; init; } = new double[m * n * n];

    /// <summary>The prices of X = Y and X = W by the penalty.</summary>
    public double[] U { get; init; } = new double[m * n * n];

    /// <inheritdoc cref="U"/>
    public double[] V { get; init; } = new double[m * n * n];

    /// <summary>The penalty.</summary>
    public double Rho { get; set; } = 1;

    /// <summary>Σ ⟨A_k, Z_k⟩.</summary>
    public double Objective { get; set; }

    /// <summary>What no allowed Z exceeds.</summary>
    public double Bound { get; set; }

    /// <summary>Largest of what the parts differ by and what they moved by in the last step, relative to their size.</summary>
    public double Residual { get; set; } = double.PositiveInfinity;

    /// <summary>Steps taken.</summary>
    public int Steps { get; set; }

    /// <summary>Z as a tensor, float64 [m, n, n].</summary>
    public Tensor Z() => Aligned.Of(X, M, N, N);

    /// <summary>The part without negative entries, float64 [m, n, n]: weighted by it, no sum of squares is negative, however rough the solution.</summary>
    public Tensor Weights() => Aligned.Of(W, M, N, N);
}

/// <summary>
/// Maximises Σ_k ⟨A_k, Z_k⟩ over matrices Z_1 … Z_m that are symmetric, without negative eigenvalues and without negative entries, with (Σ_k Z_k) 1 = 1 and Σ_k tr Z_k = K. With m = 1 that is the relaxation of
/// k-means (Peng and Wei, Approximating k-means-type clustering via semidefinite programming, 2007), with m = K the likelihood-adjusted one.
/// <para>By alternating directions of multipliers with two blocks: X meets the equations, Y ⪰ 0 and W ≥ 0 the cones, U and V are the scaled prices of X = Y and X = W. A step is
/// C = (Y − U + W − V + A/ρ) / 2; X = C + (P(ΣC) − ΣC) / m with the projection P on the equations; then, with the over-relaxed R = αX + (1 − α)Y + U, Y is the positive part of R and U the rest of it; the same for
/// W and V. ρ is doubled or halved where the residuals of primal and dual are out of balance. Cost m eigendecompositions of n × n a step; memory 6 m n² numbers.</para>
/// <para>The bound: for any λ and N_k ≥ 0, with M_k = (λ1ᵀ + 1λᵀ)/2 − A_k − N_k and t = max_k −λ_min(M_k), each allowed Z has Σ ⟨A_k, Z_k⟩ = Σ ⟨(λ1ᵀ + 1λᵀ)/2 + tI − (M_k + tI) − N_k, Z_k⟩ ≤ 1ᵀλ + tK, since the
/// equations fix the first two terms and the others are products of what is not negative. λ = −4ρu/m is the price of the rows in the last projection and N_k = −ρV_k; the bound holds however early the steps end.</para>
/// </summary>
internal static class MembershipSdp
{
    private const double Relaxation = 1.6, Apart = 5;
    private const int Balance = 20, Look = 10;

    /// <summary>Solves.</summary>
    /// <param name="a">A, float64 [m, n, n], each symmetric.</param>
    /// <param name="trace">K.</param>
    /// <param name="tolerance">Ends at this residual.</param>
    /// <param name="steps">Most steps.</param>
    /// <param name="begin">What to begin with, such as the solution of a problem near this one; null for zeros. Taken over and changed.</param>
    /// <param name="cancellation">Stops.</param>
    public static Memberships Solve(Tensor a, double trace, double tolerance, int steps, Memberships? begin, CancellationToken cancellation)
    {
        int m = (int)a.shape[0], n = (int)a.shape[1];
        double scale = Math.Max(a.abs().max().item<double>(), double.Epsilon);
        double[] cost = a.contiguous().data<double>().ToArray(), rest = new double[cost.Length], old = new double[cost.Length], prices = [];
        for (int i = 0; i < cost.Length; i++)
            cost[i] /= scale;
        var s = begin ?? new(m, n);
        double[] x = s.X, y = s.Y, w = s.W, u = s.U, v = s.V;
        using var room = zeros(m, n, n, dtype: ScalarType.Float64);
        (s.Residual, s.Steps) = (double.PositiveInfinity, 0);
        while (s.Steps < steps && s.Residual > tolerance)
        {
            cancellation.ThrowIfCancellationRequested();
            s.Steps++;
            bool look = s.Steps % Look == 0 || s.Steps == steps;
            for (int i = 0; i < x.Length; i++)
                x[i] = 0.5 * (y[i] - u[i] + w[i] - v[i] + cost[i] / s.Rho);
            prices = Meet(x, m, n, trace);
            if (look)
                y.CopyTo(old, 0);
            for (int i = 0; i < x.Length; i++)
                rest[i] = Relaxation * x[i] + (1 - Relaxation) * y[i] + u[i];
            Positive(room, rest, y, n);
            double moved = 0, size = 0, fromY = 0, fromW = 0, priceY = 0, priceW = 0;
            for (int i = 0; i < x.Length; i++)
            {
                double relaxed = Relaxation * x[i] + (1 - Relaxation) * w[i] + v[i], next = Math.Max(relaxed, 0);
                u[i] = rest[i] - y[i];
                v[i] = relaxed - next;
                if (look)
                {
                    moved += Square(y[i] - old[i] + next - w[i]);
                    size += x[i] * x[i];
                    fromY += Square(x[i] - y[i]);
                    fromW += Square(x[i] - next);
                    priceY += u[i] * u[i];
                    priceW += v[i] * v[i];
                }
                w[i] = next;
            }
            if (!look)
                continue;
            double primal = (Math.Sqrt(fromY) + Math.Sqrt(fromW)) / Math.Max(1, Math.Sqrt(size)), dual = s.Rho * Math.Sqrt(moved) / Math.Max(1, s.Rho * Math.Sqrt(Math.Max(priceY, priceW)));
            s.Residual = Math.Max(primal, dual);
            if (s.Steps % Balance == 0 && s.Steps < steps && s.Residual > tolerance && (primal > Apart * dual || dual > Apart * primal))
            {
                double by = primal > dual ? 2 : 0.5;
                s.Rho *= by;
                for (int i = 0; i < u.Length; i++)
                    (u[i], v[i]) = (u[i] / by, v[i] / by);
            }
        }
        using var scope = NewDisposeScope();
        s.Objective = scale * cost.Zip(x).Sum(p => p.First * p.Second);
        s.Bound = scale * Bound(Aligned.Of(cost, m, n, n), Aligned.Of(prices, n) * (-4 * s.Rho / m), Aligned.Of(v, m, n, n) * -s.Rho, trace);
        return s;
    }

    /// <summary>What no allowed Z exceeds, by any prices of the rows and any N without negative entries.</summary>
    public static double Bound(Tensor a, Tensor lambda, Tensor n, double trace)
    {
        using var scope = NewDisposeScope();
        var rows = (lambda.unsqueeze(1) + lambda.unsqueeze(0)) / 2;
        double t = -linalg.eigvalsh(rows.unsqueeze(0) - a - n).min().item<double>();
        return lambda.sum().item<double>() + trace * t;
    }

    /// <summary>Moves symmetric matrices [m, n, n] to the nearest whose sum has rows of 1 and a trace: each by its part of <c>u1ᵀ + 1uᵀ + tI</c>.</summary>
    /// <returns>u.</returns>
    public static double[] Meet(double[] x, int m, int n, double trace)
    {
        double[] missing = new double[n];
        double tau = trace;
        for (int k = 0; k < m; k++)
            for (int i = 0; i < n; i++)
            {
                double sum = 0;
                foreach (double value in x.AsSpan((k * n + i) * n, n))
                    sum += value;
                missing[i] -= sum;
                tau -= x[(k * n + i) * n + i];
            }
        for (int i = 0; i < n; i++)
            missing[i] += 1;
        // r = 1 − S1 = nu + (1ᵀu)1 + t1 and τ = K − tr S = 2·1ᵀu + nt
        double all = n == 1 ? missing[0] / 2 : (missing.Sum() - tau) / (2 * n - 2), t = n == 1 ? 0 : (tau - 2 * all) / n;
        double[] u = [.. missing.Select(r => (r - all - t) / n)];
        for (int k = 0; k < m; k++)
            for (int i = 0; i < n; i++)
            {
                var row = x.AsSpan((k * n + i) * n, n);
                for (int j = 0; j < n; j++)
                    row[j] += (u[i] + u[j]) / m;
                row[i] += t / m;
            }
        return u;
    }

    /// <summary>The part without negative eigenvalues of each symmetric matrix, from whichever has fewer eigenvectors, it or the negative part.</summary>
    private static void Positive(Tensor room, double[] from, double[] to, int n)
    {
        using var scope = NewDisposeScope();
        from.CopyTo(MemoryMarshal.Cast<byte, double>(room.bytes));
        var (eigenvalues, eigenvectors) = linalg.eigh(room);
        double[] values = eigenvalues.data<double>().ToArray(), vectors = eigenvectors.transpose(1, 2).contiguous().data<double>().ToArray();
        for (int k = 0; k < values.Length / n; k++)
        {
            var own = values.AsSpan(k * n, n);
            int negative = own.IndexOfAnyInRange(0, double.PositiveInfinity) is var first && first < 0 ? n : first;
            bool less = negative < n - negative; // the eigenvalues ascend
            var into = to.AsSpan(k * n * n, n * n);
            if (less)
                from.AsSpan(k * n * n, n * n).CopyTo(into);
            else
                into.Clear();
            for (int e = less ? 0 : negative; e < (less ? negative : n); e++)
            {
                var vector = vectors.AsSpan((k * n + e) * n, n);
                double value = less ? -own[e] : own[e];
                for (int i = 0; i < n; i++)
                {
                    double by = value * vector[i];
                    var row = into.Slice(i * n, i + 1);
                    for (int j = 0; j < row.Length; j++)
                        row[j] += by * vector[j];
                }
            }
            for (int i = 0; i < n; i++)
                for (int j = 0; j < i; j++)
                    into[j * n + i] = into[i * n + j];
        }
    }

    private static double Square(double x) => x * x;
}
