namespace Winnow.KernelMethods;

/// <summary>
/// Gaussian sparse coding: y ~ N(Σ_h s_h z_h W_h, σ²I), s_h there with probability π_h and z_h ~ N(μ_h, Ψ_h) (Sheikh, Shelton and Lücke, A truncated EM approach for spike-and-slab sparse coding, 2014; Ψ diagonal
/// here). Given the causes of a state, with r = y − W_s μ_s, c = W_sᵀ r / σ² and Λ = (W_sᵀ W_s / σ² + Ψ_s⁻¹)⁻¹: log p(y | s) = −½ (log |Λ⁻¹ Ψ_s| + ‖r‖²/σ² − cᵀ Λ c) − (D/2) log 2πσ², and z ~ N(μ_s + Λ c, Λ).
/// W ← (Σ y ⟨sz⟩ᵀ)(Σ ⟨sz szᵀ⟩)⁻¹, σ² from the new W, μ_h ← Σ ⟨s z⟩ / Σ ⟨s⟩, Ψ_h ← Σ ⟨s z²⟩ / Σ ⟨s⟩ − μ_h².
/// </summary>
/// <param name="learnsMean">Whether what is added to every row is learned, as the mean row less W mean ⟨sz⟩.</param>
/// <param name="annealsPrior">As <see cref="ISparseModel.AnnealsPrior"/>.</param>
internal sealed class SpikeAndSlab(bool learnsMean, bool annealsPrior) : ISparseModel
{
    private const double LeastVariance = 1e-6;

    public double[] Values { get; } = [1];

    public bool AnnealsPrior => annealsPrior;

    public bool OwnRates => true;

    public SparseParameters Allowed(SparseParameters p) => p;

    public ISparseStep At(SparseParameters p, double temperature, SparseStates states) => new Step(p, states, learnsMean);

    private sealed class Step(SparseParameters p, SparseStates states, bool learnsMean) : ISparseStep
    {
        private readonly double[] _gram = SumsOfParts.Gram(p);

        /// <summary>log p(y | s), the mean of z and, row after row, Λ.</summary>
        private double Posterior(double square, double[] along, ReadOnlySpan<int> causes, Span<double> mean, Span<double> lambda)
        {
            int k = causes.Length;
            double precision = 1 / (p.Sigma * p.Sigma), rest = square, log = 0;
            Span<double> c = stackalloc double[k], factor = stackalloc double[k * k];
            for (int i = 0; i < k; i++)
            {
                double inner = 0;
                for (int j = 0; j < k; j++)
                    inner += _gram[causes[i] * p.H + causes[j]] * p.SlabMean[causes[j]];
                c[i] = precision * (along[causes[i]] - inner);
                rest += p.SlabMean[causes[i]] * (inner - 2 * along[causes[i]]);
                for (int j = 0; j < k; j++)
                    factor[i * k + j] = precision * _gram[causes[i] * p.H + causes[j]] + (i == j ? 1 / p.SlabVariance[causes[i]] : 0);
            }
            // Cholesky in place, then Λ column after column
            for (int i = 0; i < k; i++)
            {
                for (int j = 0; j <= i; j++)
                {
                    double sum = factor[i * k + j];
                    for (int l = 0; l < j; l++)
                        sum -= factor[i * k + l] * factor[j * k + l];
                    factor[i * k + j] = i == j ? Math.Sqrt(Math.Max(sum, 1e-300)) : sum / factor[j * k + j];
                }
                log += 2 * Math.Log(factor[i * k + i]) + Math.Log(p.SlabVariance[causes[i]]);
            }
            for (int column = 0; column < k; column++)
            {
                for (int i = 0; i < k; i++)
                {
                    double sum = i == column ? 1 : 0;
                    for (int l = 0; l < i; l++)
                        sum -= factor[i * k + l] * lambda[l * k + column];
                    lambda[i * k + column] = sum / factor[i * k + i];
                }
                for (int i = k - 1; i >= 0; i--)
                {
                    double sum = lambda[i * k + column];
                    for (int l = i + 1; l < k; l++)
                        sum -= factor[l * k + i] * lambda[l * k + column];
                    lambda[i * k + column] = sum / factor[i * k + i];
                }
            }
            double gain = 0;
            for (int i = 0; i < k; i++)
            {
                double step = 0;
                for (int j = 0; j < k; j++)
                    step += lambda[i * k + j] * c[j];
                mean[i] = p.SlabMean[causes[i]] + step;
                gain += c[i] * step;
            }
            return -0.5 * (log + rest * precision - gain);
        }

        public void Fit(ReadOnlySpan<double> y, Span<double> fit, Span<int> candidates)
        {
            int most = Math.Max(1, states.Gamma);
            double[] along = new double[p.H];
            double square = SumsOfParts.Along(p, y, along);
            Span<int> causes = stackalloc int[most], values = stackalloc int[most];
            Span<double> mean = stackalloc double[most], lambda = stackalloc double[most * most];
            for (int state = 0; state <= p.H; state++)
                fit[state] = Posterior(square, along, causes[..states.Read(state, candidates, causes, values)], mean, lambda);
            Candidates.Best(fit.Slice(1, p.H).ToArray(), candidates);
            for (int state = 1 + p.H; state < fit.Length; state++)
                fit[state] = Posterior(square, along, causes[..states.Read(state, candidates, causes, values)], mean, lambda);
        }

        public void Add(ReadOnlySpan<double> y, ReadOnlySpan<double> probability, ReadOnlySpan<int> candidates, SparseSums sums)
        {
            int most = Math.Max(1, states.Gamma);
            double[] along = new double[p.H], codes = new double[p.H];
            double square = SumsOfParts.Along(p, y, along);
            Span<int> room = stackalloc int[most], values = stackalloc int[most];
            Span<double> mean = stackalloc double[most], lambda = stackalloc double[most * most];
            for (int state = 0; state < probability.Length; state++)
            {
                double q = probability[state];
                if (q == 0)
                    continue;
                var causes = room[..states.Read(state, candidates, room, values)];
                Posterior(square, along, causes, mean, lambda);
                for (int i = 0; i < causes.Length; i++)
                {
                    int h = causes[i];
                    codes[h] += q * mean[i];
                    sums.There[h] += q;
                    sums.Squares[h] += q * (mean[i] * mean[i] + lambda[i * causes.Length + i]);
                    for (int j = 0; j < causes.Length; j++)
                        sums.Pairs[h * p.H + causes[j]] += q * (mean[i] * mean[j] + lambda[i * causes.Length + j]);
                }
            }
            sums.Error += square;
            SumsOfParts.Outer(p, y, codes, sums);
        }

        public SparseParameters Next(SparseSums sums)
        {
            double[] w = SumsOfParts.Solve(sums, p), mean = [.. p.SlabMean], variance = [.. p.SlabVariance];
            var next = p with { W = w };
            double[] gram = SumsOfParts.Gram(next);
            double error = sums.Error;
            for (int h = 0; h < p.H; h++)
            {
                error -= 2 * SumsOfParts.Dot(next.Part(h), sums.Parts.AsSpan(h * p.D, p.D));
                for (int g = 0; g < p.H; g++)
                    error += gram[h * p.H + g] * sums.Pairs[h * p.H + g];
                if (sums.There[h] > 1e-6)
                    (mean[h], variance[h]) = (sums.Codes[h] / sums.There[h], Math.Max(LeastVariance, sums.Squares[h] / sums.There[h] - Math.Pow(sums.Codes[h] / sums.There[h], 2)));
            }
            return next with { Mean = learnsMean ? SumsOfParts.Mean(sums, w, p) : p.Mean, SlabMean = mean, SlabVariance = variance, Sigma = Math.Sqrt(Math.Max(1e-300, error / (sums.Rows * p.D))) };
        }

        public void Expect(ReadOnlySpan<double> y, ReadOnlySpan<double> probability, ReadOnlySpan<int> candidates, Span<double> codes, Span<double> row)
        {
            int most = Math.Max(1, states.Gamma);
            double[] along = new double[p.H];
            double square = SumsOfParts.Along(p, y, along);
            Span<int> room = stackalloc int[most], values = stackalloc int[most];
            Span<double> mean = stackalloc double[most], lambda = stackalloc double[most * most];
            for (int state = 1; state < probability.Length; state++)
            {
                if (probability[state] == 0)
                    continue;
                var causes = room[..states.Read(state, candidates, room, values)];
                Posterior(square, along, causes, mean, lambda);
                for (int i = 0; i < causes.Length; i++)
                    codes[causes[i]] += probability[state] * mean[i];
            }
            SumsOfParts.Sum(p, codes, row);
        }
    }
}
