using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>
/// Rows are sums of parts times discrete values: y ~ N(Σ_h s_h W_h + μ, σ²I). Binary sparse coding with the value 1, ternary with −1 and 1, each as likely, discrete with any finite set, whose shares are learned.
/// W ← (Σ (y − μ) ⟨s⟩ᵀ)(Σ ⟨s sᵀ⟩)⁻¹; σ² ← the mean squared error under the old W; μ ← mean y − W mean ⟨s⟩.
/// </summary>
/// <param name="values">What a cause may be beside 0.</param>
/// <param name="learnsShares">Whether how likely each value is is learned.</param>
/// <param name="learnsMean">Whether μ is.</param>
/// <param name="annealsPrior">As <see cref="ISparseModel.AnnealsPrior"/>.</param>
internal sealed class LinearCauses(double[] values, bool learnsShares, bool learnsMean, bool annealsPrior) : ISparseModel
{
    public double[] Values => values;

    public bool AnnealsPrior => annealsPrior;

    public bool OwnRates => false;

    public SparseParameters Allowed(SparseParameters p) => p;

    public ISparseStep At(SparseParameters p, double temperature, SparseStates states) => new Step(p, states, values.Any(v => v < 0), learnsShares, learnsMean);

    private sealed class Step : ISparseStep
    {
        private readonly SparseParameters _p;
        private readonly SparseStates _states;
        private readonly bool _signs, _learnsShares, _learnsMean;
        private readonly double[] _gram, _norm;

        public Step(SparseParameters p, SparseStates states, bool signs, bool learnsShares, bool learnsMean)
        {
            (_p, _states, _signs, _learnsShares, _learnsMean) = (p, states, signs, learnsShares, learnsMean);
            _gram = SumsOfParts.Gram(p);
            _norm = [.. Enumerable.Range(0, p.H).Select(h => Math.Sqrt(_gram[h * p.H + h]))];
        }

        public void Fit(ReadOnlySpan<double> y, Span<double> fit, Span<int> candidates)
        {
            int h = _p.H, v = _states.Values.Length;
            double[] along = new double[h], score = new double[h];
            double square = SumsOfParts.Along(_p, y, along), by = -0.5 / (_p.Sigma * _p.Sigma), length = Math.Sqrt(square);
            fit[0] = by * square;
            for (int a = 0; a < h; a++)
            {
                for (int value = 0; value < v; value++)
                    fit[1 + a * v + value] = by * (square - 2 * _states.Values[value] * along[a] + _states.Values[value] * _states.Values[value] * _gram[a * h + a]);
                double cosine = _norm[a] * length is var both && both > 0 ? along[a] / both : double.NegativeInfinity;
                score[a] = _signs && both > 0 ? Math.Abs(cosine) : cosine;
            }
            Candidates.Best(score, candidates);
            Span<int> causes = stackalloc int[_states.Gamma], at = stackalloc int[_states.Gamma];
            for (int state = 1 + h * v; state < fit.Length; state++)
                fit[state] = by * (square + Change(along, causes, at, _states.Read(state, candidates, causes, at)));
        }

        /// <summary>‖y − ȳ‖² less ‖y‖².</summary>
        private double Change(double[] along, ReadOnlySpan<int> causes, ReadOnlySpan<int> at, int count)
        {
            double sum = 0;
            for (int i = 0; i < count; i++)
            {
                double value = _states.Values[at[i]], inner = 0;
                for (int j = 0; j < i; j++)
                    inner += _states.Values[at[j]] * _gram[causes[i] * _p.H + causes[j]];
                sum += value * (value * _gram[causes[i] * _p.H + causes[i]] + 2 * inner - 2 * along[causes[i]]);
            }
            return sum;
        }

        public void Add(ReadOnlySpan<double> y, ReadOnlySpan<double> probability, ReadOnlySpan<int> candidates, SparseSums sums)
        {
            double[] along = new double[_p.H], codes = new double[_p.H];
            double square = SumsOfParts.Along(_p, y, along);
            Span<int> causes = stackalloc int[Math.Max(1, _states.Gamma)], at = stackalloc int[Math.Max(1, _states.Gamma)];
            for (int state = 0; state < probability.Length; state++)
            {
                double q = probability[state];
                if (q == 0)
                    continue;
                int count = _states.Read(state, candidates, causes, at);
                sums.Error += q * Math.Max(0, square + Change(along, causes, at, count));
                for (int i = 0; i < count; i++)
                {
                    double value = _states.Values[at[i]];
                    codes[causes[i]] += q * value;
                    sums.There[causes[i]] += q;
                    sums.Values[at[i]] += q;
                    for (int j = 0; j < count; j++)
                        sums.Pairs[causes[i] * _p.H + causes[j]] += q * value * _states.Values[at[j]];
                }
            }
            SumsOfParts.Outer(_p, y, codes, sums);
        }

        public SparseParameters Next(SparseSums sums)
        {
            double[] w = SumsOfParts.Solve(sums, _p);
            double[] mean = _learnsMean ? SumsOfParts.Mean(sums, w, _p) : _p.Mean;
            double all = sums.Values.Sum();
            return _p with
            {
                W = w,
                Mean = mean,
                Sigma = Math.Sqrt(Math.Max(1e-300, sums.Error / (sums.Rows * _p.D))),
                Shares = _learnsShares && all > 0 ? [.. sums.Values.Select(v => Math.Max(1e-6, v / all))] : _p.Shares,
            };
        }

        public void Expect(ReadOnlySpan<double> y, ReadOnlySpan<double> probability, ReadOnlySpan<int> candidates, Span<double> codes, Span<double> row)
        {
            Span<int> causes = stackalloc int[Math.Max(1, _states.Gamma)], at = stackalloc int[Math.Max(1, _states.Gamma)];
            for (int state = 0; state < probability.Length; state++)
                for (int i = 0, count = _states.Read(state, candidates, causes, at); i < count; i++)
                    codes[causes[i]] += probability[state] * _states.Values[at[i]];
            SumsOfParts.Sum(_p, codes, row);
        }
    }
}

/// <summary>What models whose rows are sums share.</summary>
internal static class SumsOfParts
{
    /// <summary>W Wᵀ of parts [H, H].</summary>
    public static double[] Gram(SparseParameters p)
    {
        double[] gram = new double[p.H * p.H];
        for (int a = 0; a < p.H; a++)
            for (int b = 0; b <= a; b++)
                gram[a * p.H + b] = gram[b * p.H + a] = Dot(p.Part(a), p.Part(b));
        return gram;
    }

    /// <summary>W (y − μ) [H]; returns ‖y − μ‖².</summary>
    public static double Along(SparseParameters p, ReadOnlySpan<double> y, double[] along)
    {
        double[] less = new double[p.D];
        for (int d = 0; d < p.D; d++)
            less[d] = y[d] - p.Mean[d];
        for (int h = 0; h < p.H; h++)
            along[h] = Dot(p.Part(h), less);
        return Dot(less, less);
    }

    /// <summary>Adds ⟨s⟩ (y − μ)ᵀ, ⟨s⟩ and y.</summary>
    public static void Outer(SparseParameters p, ReadOnlySpan<double> y, double[] codes, SparseSums sums)
    {
        for (int h = 0; h < p.H; h++)
        {
            sums.Codes[h] += codes[h];
            for (int d = 0; codes[h] != 0 && d < p.D; d++)
                sums.Parts[h * p.D + d] += codes[h] * (y[d] - p.Mean[d]);
        }
        for (int d = 0; d < p.D; d++)
            sums.Row[d] += y[d];
        sums.Rows++;
    }

    /// <summary>(Σ ⟨s sᵀ⟩)⁻¹ Σ ⟨s⟩ yᵀ; a cause that was never there keeps its part.</summary>
    public static double[] Solve(SparseSums sums, SparseParameters p)
    {
        using var scope = NewDisposeScope();
        double most = Enumerable.Range(0, p.H).Max(h => sums.Pairs[h * p.H + h]), floor = 1e-10 * most + double.Epsilon;
        double[] pairs = sums.Pairs[..(p.H * p.H)], parts = [.. sums.Parts];
        for (int h = 0; h < p.H; h++)
        {
            pairs[h * p.H + h] += floor;
            for (int d = 0; d < p.D; d++)
                parts[h * p.D + d] += floor * p.W[h * p.D + d];
        }
        return PositiveSolve.Solve(Aligned.Of(pairs, p.H, p.H), Aligned.Of(parts, p.H, p.D), out _).contiguous().data<double>().ToArray();
    }

    /// <summary>The mean row less W mean ⟨s⟩ [D].</summary>
    public static double[] Mean(SparseSums sums, double[] w, SparseParameters p) =>
        [.. Enumerable.Range(0, p.D).Select(d => (sums.Row[d] - Enumerable.Range(0, p.H).Sum(h => w[h * p.D + d] * sums.Codes[h])) / sums.Rows)];

    /// <summary>Adds Σ_h s_h W_h + μ.</summary>
    public static void Sum(SparseParameters p, ReadOnlySpan<double> codes, Span<double> row)
    {
        for (int d = 0; d < p.D; d++)
            row[d] += p.Mean[d];
        for (int h = 0; h < p.H; h++)
            for (int d = 0; d < p.D; d++)
                row[d] += codes[h] * p.W[h * p.D + d];
    }

    public static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }
}

/// <summary>The causes a row is looked at closely for.</summary>
internal static class Candidates
{
    /// <summary>Those of the largest scores, ascending; of equal ones the later is taken for better.</summary>
    public static void Best(double[] score, Span<int> candidates)
    {
        int[] order = [.. Enumerable.Range(0, score.Length)];
        Array.Sort([.. score], order); // not stable: equal scores are put in order below
        for (int i = 1; i < order.Length; i++)
            for (int j = i; j > 0 && score[order[j]] == score[order[j - 1]] && order[j] < order[j - 1]; j--)
                (order[j], order[j - 1]) = (order[j - 1], order[j]);
        order.AsSpan(order.Length - candidates.Length).CopyTo(candidates);
    }
}
