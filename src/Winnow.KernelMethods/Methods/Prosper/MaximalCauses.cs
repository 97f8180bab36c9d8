using System.Collections.Concurrent;

namespace Winnow.KernelMethods;

/// <summary>
/// Rows are maxima of parts: y_d ~ N(max_h s_h W_dh, σ²) with W above 0 (maximal causes analysis), or with what is largest in magnitude, sign kept (maximum magnitude causes analysis).
/// ȳ_d = (Σ_h W_dh^ρ)^(1/ρ) with ρ = 1 / (1 − 1 / max(T, 1.05)) goes to the maximum as it cools; of magnitudes it is the largest itself. W_dh ← Σ_n A_dh y_d / Σ_n A_dh with A_dh = Σ_s q(s) (|W_dh| / |ȳ_d|)^(ρ−1)
/// over the states with h.
/// </summary>
/// <param name="magnitudes">Whether parts have signs.</param>
/// <param name="released">Whether a state of one cause weighs W_dh², as the released code has it, rather than 1.</param>
internal sealed class MaximalCauses(bool magnitudes, bool released) : ISparseModel
{
    private const double Floor = 1e-4, LeastTemperature = 1.05;

    /// <summary>So many sets of causes are kept; of more each is worked out anew for every row.</summary>
    private const int MostKept = 20_000;

    public double[] Values { get; } = [1];

    public bool AnnealsPrior => true;

    public bool OwnRates => false;

    public SparseParameters Allowed(SparseParameters p) => magnitudes ? p : p with { W = [.. p.W.Select(w => Math.Max(w, Floor))] };

    public ISparseStep At(SparseParameters p, double temperature, SparseStates states) =>
        new Step(p, states, 1 / (1 - 1 / Math.Max(temperature, LeastTemperature)), magnitudes, released);

    private sealed class Step(SparseParameters p, SparseStates states, double rho, bool magnitudes, bool released) : ISparseStep
    {
        private readonly bool _keeps = p.H <= 64 && SparseStates.CountOf(p.H, p.H, states.Gamma, 1) <= MostKept;
        private readonly ConcurrentDictionary<ulong, Set> _sets = new();

        /// <summary>ȳ of a set of causes [D], and how much each of them has to do with it [count, D].</summary>
        private sealed record Set(double[] Row, double[] Weights);

        private Set Of(ReadOnlySpan<int> causes)
        {
            if (!_keeps)
                return Made(causes);
            ulong key = 0;
            foreach (int h in causes)
                key |= 1UL << h;
            return _sets.TryGetValue(key, out var found) ? found : _sets.GetOrAdd(key, Made(causes));
        }

        private Set Made(ReadOnlySpan<int> causes)
        {
            double[] row = new double[p.D], weights = new double[causes.Length * p.D];
            for (int d = 0; d < p.D; d++)
            {
                double most = 0, sum = 0;
                foreach (int h in causes)
                    if (Math.Abs(p.W[h * p.D + d]) > Math.Abs(most))
                        most = p.W[h * p.D + d];
                if (most == 0)
                {
                    for (int i = 0; i < causes.Length; i++)
                        weights[i * p.D + d] = 1;
                    continue;
                }
                foreach (int h in causes)
                    sum += magnitudes ? 0 : Math.Pow(p.W[h * p.D + d] / most, rho);
                row[d] = magnitudes ? most : most * Math.Pow(sum, 1 / rho);
                for (int i = 0; i < causes.Length; i++)
                    weights[i * p.D + d] = Math.Pow(Math.Abs(p.W[causes[i] * p.D + d] / row[d]), rho - 1);
            }
            return new(row, weights);
        }

        /// <summary>The causes of a state in ascending order, so that a set is worked out in one way.</summary>
        private ReadOnlySpan<int> Causes(int state, ReadOnlySpan<int> candidates, Span<int> causes, Span<int> values)
        {
            var own = causes[..states.Read(state, candidates, causes, values)];
            own.Sort();
            return own;
        }

        public void Fit(ReadOnlySpan<double> y, Span<double> fit, Span<int> candidates)
        {
            double by = -0.5 / (p.Sigma * p.Sigma);
            double[] score = new double[p.H];
            fit[0] = by * SumsOfParts.Dot(y, y);
            for (int h = 0; h < p.H; h++)
            {
                var part = p.Part(h);
                double square = 0;
                for (int d = 0; d < y.Length; d++)
                {
                    square += (y[d] - part[d]) * (y[d] - part[d]);
                    double larger = magnitudes ? Math.Abs(part[d]) > Math.Abs(y[d]) ? part[d] : y[d] : Math.Max(part[d], y[d]);
                    score[h] -= Math.Abs(larger - y[d]);
                }
                fit[1 + h] = by * square;
            }
            Candidates.Best(score, candidates);
            candidates.Reverse(); // of maxima the best stands first
            Span<int> causes = stackalloc int[Math.Max(1, states.Gamma)], values = stackalloc int[Math.Max(1, states.Gamma)];
            for (int state = 1 + p.H; state < fit.Length; state++)
                fit[state] = by * Apart(y, Of(Causes(state, candidates, causes, values)).Row);
        }

        public void Add(ReadOnlySpan<double> y, ReadOnlySpan<double> probability, ReadOnlySpan<int> candidates, SparseSums sums)
        {
            Span<int> room = stackalloc int[Math.Max(1, states.Gamma)], values = stackalloc int[Math.Max(1, states.Gamma)];
            for (int state = 0; state < probability.Length; state++)
            {
                double q = probability[state];
                if (q == 0)
                    continue;
                var causes = Causes(state, candidates, room, values);
                if (causes.Length == 0)
                {
                    sums.Error += q * SumsOfParts.Dot(y, y);
                    continue;
                }
                var set = causes.Length > 1 ? Of(causes) : null;
                sums.Error += q * Apart(y, set is null ? p.Part(causes[0]) : set.Row);
                for (int i = 0; i < causes.Length; i++)
                {
                    int h = causes[i];
                    sums.There[h] += q;
                    for (int d = 0; d < p.D; d++)
                    {
                        double a = q * (set is not null ? set.Weights[i * p.D + d] : released ? p.W[h * p.D + d] * p.W[h * p.D + d] : 1);
                        sums.Parts[h * p.D + d] += a * y[d];
                        sums.Pairs[h * p.D + d] += a;
                    }
                }
            }
            sums.Rows++;
        }

        public SparseParameters Next(SparseSums sums) => p with
        {
            W = [.. Enumerable.Range(0, p.W.Length).Select(i => sums.Pairs[i] > 1e-200 ? sums.Parts[i] / sums.Pairs[i] : p.W[i])],
            Sigma = Math.Sqrt(Math.Max(1e-300, sums.Error / (sums.Rows * p.D))),
        };

        public void Expect(ReadOnlySpan<double> y, ReadOnlySpan<double> probability, ReadOnlySpan<int> candidates, Span<double> codes, Span<double> row)
        {
            Span<int> room = stackalloc int[Math.Max(1, states.Gamma)], values = stackalloc int[Math.Max(1, states.Gamma)];
            for (int state = 1; state < probability.Length; state++)
            {
                if (probability[state] == 0)
                    continue;
                var causes = Causes(state, candidates, room, values);
                foreach (int h in causes)
                    codes[h] += probability[state];
                var made = causes.Length == 1 ? p.Part(causes[0]) : Of(causes).Row;
                for (int d = 0; d < p.D; d++)
                    row[d] += probability[state] * made[d];
            }
        }

        private static double Apart(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
        {
            double sum = 0;
            for (int i = 0; i < a.Length; i++)
                sum += (a[i] - b[i]) * (a[i] - b[i]);
            return sum;
        }
    }
}
