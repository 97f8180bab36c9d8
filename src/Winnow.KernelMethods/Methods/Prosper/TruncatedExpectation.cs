namespace Winnow.KernelMethods;

/// <summary>
/// Expectation truncated to some states of each row, and maximisation. Rows are gone through in blocks of fixed size in parallel, whose sums are added in order, so that nothing depends on how many processors there
/// are. Cost a step O(n (H D + states · γ²)) of sums of parts, and O(n states D) of maxima; memory n · states numbers.
/// </summary>
internal sealed class TruncatedExpectation
{
    private const int Block = 32;
    private const double LeastRate = 1e-5;
    private readonly ISparseModel _model;
    private readonly SparseStates _states;
    private readonly double[] _y;
    private readonly int _d;

    /// <param name="model">The model.</param>
    /// <param name="states">States of a row.</param>
    /// <param name="y">Rows, one after the other.</param>
    /// <param name="d">Features.</param>
    public TruncatedExpectation(ISparseModel model, SparseStates states, double[] y, int d)
    {
        (_model, _states, _y, _d) = (model, states, y, d);
        Rows = y.Length / d;
        LogJoint = new double[Rows][];
        Chosen = new int[Rows][];
        LogEvidence = new double[Rows];
        for (int n = 0; n < Rows; n++)
            (LogJoint[n], Chosen[n]) = (new double[states.Count], new int[states.Candidates]);
    }

    /// <summary>Rows.</summary>
    public int Rows { get; }

    /// <summary>Of the last expectation: the logarithm of each state's weight [row][state], without what is the same for all states.</summary>
    public double[][] LogJoint { get; }

    /// <summary>Candidates of each row.</summary>
    public int[][] Chosen { get; }

    /// <summary>log Σ exp over states.</summary>
    public double[] LogEvidence { get; }

    /// <summary>Weighs the states of each row: with β = 1 / T, the prior and β times the fit, or both unscaled where the model anneals them together.</summary>
    public ISparseStep Weigh(SparseParameters p, double temperature, CancellationToken cancellation)
    {
        var step = _model.At(p, temperature, _states);
        double beta = _model.AnnealsPrior ? 1 : 1 / temperature;
        double[] odds = [.. p.Pi.Select(r => Math.Log(r / (1 - r)))], shares = [.. p.Shares.Select(share => Math.Log(share))];
        OverBlocks(block =>
        {
            int[] causes = new int[Math.Max(1, _states.Gamma)], values = new int[causes.Length];
            for (int n = block * Block; n < Math.Min(Rows, (block + 1) * Block); n++)
            {
                double[] f = LogJoint[n];
                step.Fit(_y.AsSpan(n * _d, _d), f, Chosen[n]);
                for (int state = 0; state < f.Length; state++)
                {
                    double prior = 0;
                    for (int i = 0, count = _states.Read(state, Chosen[n], causes, values); i < count; i++)
                        prior += odds[causes[i]] + shares[values[i]];
                    f[state] = prior + beta * f[state];
                }
                LogEvidence[n] = LogSum(f, 1);
            }
        }, cancellation);
        return step;
    }

    /// <summary>One step of expectation and maximisation.</summary>
    /// <param name="p">Parameters.</param>
    /// <param name="temperature">T.</param>
    /// <param name="cut">How much of what has more causes than states is left out, 0 to 1.</param>
    /// <param name="cancellation">Stops.</param>
    public SparseParameters Next(SparseParameters p, double temperature, double cut, CancellationToken cancellation)
    {
        p = _model.Allowed(p);
        var step = Weigh(p, temperature, cancellation);
        var (within, causes) = Truncation(p.Pi, _states.Gamma);
        int used = Math.Clamp((int)Math.Floor(Rows * (1 - (1 - within) * cut)), 1, Rows);
        bool[] uses = new bool[Rows];
        foreach (int n in Enumerable.Range(0, Rows).OrderByDescending(n => LogEvidence[n]).Take(used))
            uses[n] = true;
        var sums = new SparseSums[(Rows + Block - 1) / Block];
        OverBlocks(block =>
        {
            var own = sums[block] = new(p.H, _d, p.Shares.Length);
            double[] probability = new double[_states.Count];
            for (int n = block * Block; n < Math.Min(Rows, (block + 1) * Block); n++)
                if (uses[n])
                {
                    Probabilities(n, _model.AnnealsPrior ? 1 / temperature : 1, probability);
                    step.Add(_y.AsSpan(n * _d, _d), probability, Chosen[n], own);
                }
        }, cancellation);
        var all = new SparseSums(p.H, _d, p.Shares.Length);
        foreach (var own in sums)
            all.Add(own);
        // had rows of more causes not been left out, so many would be there
        double more = p.Pi.Sum() * within / causes;
        double[] rates = [.. all.There.Select(t => t / all.Rows)];
        double mean = rates.Average();
        return step.Next(all) with { Pi = [.. rates.Select(r => Math.Clamp(more * (_model.OwnRates ? r : mean), LeastRate, 1 - LeastRate))] };
    }

    /// <summary>The log-likelihood of each row after <see cref="Weigh"/> at temperature 1: a lower bound, by what states leave out, of the model with at most γ causes.</summary>
    public double[] LogLikelihoods(SparseParameters p)
    {
        double all = p.Pi.Sum(r => Math.Log(1 - r)) - 0.5 * _d * Math.Log(2 * Math.PI * p.Sigma * p.Sigma) - Math.Log(Truncation(p.Pi, _states.Gamma).Within);
        return [.. LogEvidence.Select(e => e + all)];
    }

    /// <summary>Probabilities of a row's states.</summary>
    public void Probabilities(int n, double beta, double[] probability)
    {
        double[] f = LogJoint[n];
        double all = LogSum(f, beta);
        for (int state = 0; state < f.Length; state++)
            probability[state] = Math.Exp(beta * f[state] - all);
    }

    /// <summary>Work over blocks of rows.</summary>
    public void OverBlocks(Action<int> work, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        Parallel.For(0, (Rows + Block - 1) / Block, new ParallelOptions { CancellationToken = cancellation }, work);
    }

    /// <summary>Rows of a block.</summary>
    public IEnumerable<int> Of(int block) => Enumerable.Range(block * Block, Math.Min(Block, Rows - block * Block));

    /// <summary>How likely no more than γ causes are, A, and Σ over these of causes times likelihood, B.</summary>
    internal static (double Within, double Causes) Truncation(double[] rates, int gamma)
    {
        double[] likely = new double[rates.Length + 1]; // of so many causes
        likely[0] = 1;
        foreach (double rate in rates)
            for (int k = rates.Length; k >= 0; k--)
                likely[k] = likely[k] * (1 - rate) + (k > 0 ? likely[k - 1] * rate : 0);
        return (likely.Take(gamma + 1).Sum(), Enumerable.Range(0, gamma + 1).Sum(k => k * likely[k]));
    }

    private static double LogSum(double[] f, double beta)
    {
        double most = f.Max(), sum = 0;
        foreach (double value in f)
            sum += Math.Exp(beta * (value - most));
        return beta * most + Math.Log(sum);
    }
}
