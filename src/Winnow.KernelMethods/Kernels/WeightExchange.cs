using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>What weights travel by between those who hold the data and whoever brings them together.</summary>
public interface IWeightExchange
{
    /// <summary>Sends weights.</summary>
    /// <param name="weights">What is sent.</param>
    /// <param name="receivers">To how many.</param>
    /// <returns>What arrives, the same for all.</returns>
    double[] Send(double[] weights, int receivers);

    /// <summary>Bits that were sent.</summary>
    double Bits { get; }

    /// <summary>Bits that would have been sent as numbers of 64 bits.</summary>
    double PlainBits { get; }
}

/// <summary>
/// Sends weights as multiples of a resolution Δ, rounded at random so that they are right on average: to <c>Δ⌊x/Δ⌋</c> or one more, the nearer the likelier. A message of d numbers takes
/// <c>d log₂((max − min)/Δ + 1)</c> bits. With Δ = 0 numbers arrive as they are, in 64 bits each.
/// </summary>
/// <param name="resolution">Δ, not below 0.</param>
/// <param name="random">Rounds.</param>
public sealed class RoundedExchange(double resolution, SeededRandom random) : IWeightExchange
{
    private readonly double _resolution = resolution >= 0 && double.IsFinite(resolution) ? resolution : throw new ArgumentOutOfRangeException(nameof(resolution), resolution, "expected a finite number of at least 0");

    /// <inheritdoc/>
    public double Bits { get; private set; }

    /// <inheritdoc/>
    public double PlainBits { get; private set; }

    /// <inheritdoc/>
    public double[] Send(double[] weights, int receivers)
    {
        ArgumentNullException.ThrowIfNull(weights);
        double[] arrived = [.. weights.Select(w => _resolution == 0 ? w : Round(w, _resolution, random.NextDouble()))];
        double plain = 64.0 * weights.Length;
        PlainBits += receivers * plain;
        Bits += receivers * (_resolution == 0 ? plain : MessageBits(weights, _resolution));
        return arrived;
    }

    /// <summary>The multiple of Δ below, or above where a uniform number is less than what is left.</summary>
    public static double Round(double x, double resolution, double uniform)
    {
        double below = Math.Floor(x / resolution);
        return resolution * (below + (uniform < x / resolution - below ? 1 : 0));
    }

    /// <summary>Bits of a message.</summary>
    public static double MessageBits(IReadOnlyCollection<double> values, double resolution) => values.Count * Math.Log2((values.Max() - values.Min()) / resolution + 1);
}
