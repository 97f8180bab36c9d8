using Winnow.Core;

namespace Winnow.Compute;

/// <summary>Learns what functions cost from examples, to predict the cost of others without running or compiling them.</summary>
public interface ICostModel : IComputeMethod
{
    /// <summary>Learns from functions and what each cost.</summary>
    /// <param name="functions">Texts of <see cref="TensorFunction"/>s.</param>
    /// <param name="costs">The cost of each, at least 0, in any unit.</param>
    /// <param name="context">Threads, and what stops it.</param>
    /// <returns>The predictor, which belongs to the caller.</returns>
    /// <exception cref="InputException">A text that is no function, or a cost that is none.</exception>
    ICostPredictor Train(IReadOnlyList<string> functions, IReadOnlyList<double> costs, ComputeContext context);
}

/// <summary>Predicts costs, in the unit of those it learned from. Not safe for several threads at once.</summary>
public interface ICostPredictor : IDisposable
{
    /// <summary>The costs of functions.</summary>
    /// <exception cref="InputException">A text that is no function, or one that is longer than the model reads.</exception>
    double[] Predict(IReadOnlyList<string> functions, CancellationToken cancellation = default);
}

/// <summary>Costs vary over orders of magnitude: models learn a standardised logarithm, or the cost itself, standardised, and give predictions back in its unit.</summary>
/// <param name="Log">Whether the logarithm of 1 + cost / smallest is learned; the smallest positive cost keeps it free of units.</param>
/// <param name="Unit">What costs are divided by first.</param>
/// <param name="Mean">Mean of what is learned.</param>
/// <param name="Scale">Its standard deviation; 0 for costs that are all equal, which are predicted whatever a model gives.</param>
public sealed record CostScale(bool Log, double Unit, double Mean, double Scale)
{
    /// <summary>The scale of training costs.</summary>
    public static CostScale Of(IReadOnlyList<double> costs, bool log)
    {
        ArgumentNullException.ThrowIfNull(costs);
        double unit = log ? costs.Where(c => c > 0).DefaultIfEmpty(1).Min() : 1;
        double[] learned = [.. costs.Select(c => log ? Math.Log(1 + c / unit) : c)];
        double mean = learned.Average(), deviation = Math.Sqrt(learned.Average(v => (v - mean) * (v - mean)));
        return new(log, unit, mean, deviation > 1e-12 * Math.Max(1, Math.Abs(mean)) ? deviation : 0);
    }

    /// <summary>What a model learns for a cost.</summary>
    public double In(double cost) => Scale == 0 ? 0 : ((Log ? Math.Log(1 + cost / Unit) : cost) - Mean) / Scale;

    /// <summary>The cost for what a model gives, at least 0.</summary>
    public double Out(double learned) => Math.Max(0, Log ? Unit * (Math.Exp(Math.Min(700, learned * Scale + Mean)) - 1) : learned * Scale + Mean);
}
