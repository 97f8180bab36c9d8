using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>A circuit that makes states of rows, and how it is measured.</summary>
public record CircuitOptions
{
    /// <summary>The circuit.</summary>
    [AllowedValues("zz", "z"), Description("zz: phases of single qubits and of pairs; z: of single ones, which a product of cosines is, too")]
    public string Map { get; init; } = "zz";

    /// <summary>Which pairs.</summary>
    [AllowedValues("full", "linear", "circular"), Description("pairs of qubits: all, neighbours, or neighbours and the last with the first")]
    public string Entanglement { get; init; } = "full";

    /// <summary>Repetitions.</summary>
    [Range(1, 100), Description("repetitions of Hadamard gates and phases")]
    public int Repetitions { get; init; } = 2;

    /// <summary>Shots.</summary>
    [Range(0, 100_000_000), Description("times each number is measured; 0: exactly")]
    public int Shots { get; init; }

    /// <summary>Depolarising noise.</summary>
    [Range(0.0, 0.5), Description("how likely each layer of the circuit leaves nothing of the state but an even mixture")]
    public double Depolarising { get; init; }

    /// <summary>Readout errors.</summary>
    [Range(0.0, 0.4), Description("how likely a qubit is read as its opposite")]
    public double Readout { get; init; }

    /// <summary>Depolarising noise of gates.</summary>
    [Range(0.0, 0.5), Description("how likely each gate leaves each of its qubits an even mixture; at most 6 qubits")]
    public double GateDepolarising { get; init; }

    /// <summary>Damping of gates.</summary>
    [Range(0.0, 0.5), Description("how likely each gate lets each of its qubits fall from one to zero; at most 6 qubits")]
    public double GateDamping { get; init; }

    /// <summary>Mitigation.</summary>
    [Description("depolarising noise is extrapolated to none from circuits as long and half as long again, and the known readout errors are inverted; noise of gates stays")]
    public bool Mitigate { get; init; }
}

/// <summary>
/// What of a simulated circuit would be measured (noise of single gates is in the numbers already: <see cref="NoisyOperator"/>): after D layers a share <c>s = (1 − p)^D</c> of the state and else an even mixture; then each qubit read as its opposite with probability ε; then counted.
/// Mitigated, a number m is <c>(c m(1) − m(c)) / (c − 1)</c> from circuits stretched by 1 and c = 1.5 (Temme, Bravyi and Gambetta, PRL 2017), and readings are multiplied by the inverse of the errors of each qubit.
/// </summary>
/// <param name="options">The noise.</param>
/// <param name="random">Counts the shots; needed only for these.</param>
internal sealed class CircuitNoise(CircuitOptions options, SeededRandom? random)
{
    private const double Stretch = 1.5;

    /// <summary>Whether what is measured is not what is.</summary>
    public bool Any => Gates || options.Shots > 0 || options.Depolarising > 0 || options.Readout > 0;

    /// <summary>Whether gates are noisy.</summary>
    public bool Gates => options.GateDepolarising > 0 || options.GateDamping > 0;

    /// <summary>The product of all qubits' Z as it is measured.</summary>
    /// <param name="parity">As it is, from −1 to 1.</param>
    /// <param name="qubits">Qubits.</param>
    /// <param name="layers">Layers of the circuit.</param>
    public double Parity(double parity, int qubits, int layers)
    {
        double read = Math.Pow(1 - 2 * options.Readout, qubits);
        return Extrapolated(stretch =>
        {
            double mean = parity * Kept(stretch * layers) * read;
            double measured = options.Shots == 0 ? mean : 2.0 * Count(options.Shots, (1 + mean) / 2) / options.Shots - 1;
            return options.Mitigate ? measured / read : measured;
        });
    }

    /// <summary>How often all qubits are read as zero.</summary>
    /// <param name="ones">How likely so many qubits are one, [qubits + 1]; without readout errors the first will do.</param>
    /// <param name="qubits">Qubits.</param>
    /// <param name="layers">Layers of the circuit.</param>
    public double Zeros(ReadOnlySpan<double> ones, int qubits, int layers)
    {
        double[] exact = ones.ToArray();
        return Extrapolated(stretch =>
        {
            double kept = Kept(stretch * layers);
            double[] mixed = [.. exact.Select((p, w) => kept * p + (1 - kept) * Choose(qubits, w) / Math.Pow(2, qubits))];
            double error = options.Readout, zeros = 0;
            if (error == 0 || !options.Mitigate)
            {
                for (int w = 0; w < mixed.Length; w++)
                    zeros += mixed[w] * Math.Pow(error, w) * Math.Pow(1 - error, qubits - w);
                return options.Shots == 0 ? zeros : Count(options.Shots, zeros) / (double)options.Shots;
            }
            double[] read = Read(mixed, qubits);
            double left = 1;
            int shots = options.Shots;
            for (int v = 0; v <= qubits; v++)
            {
                double share = read[v];
                if (options.Shots > 0)
                {
                    int count = left <= 0 ? 0 : Count(shots, Math.Clamp(read[v] / left, 0, 1));
                    (shots, left, share) = (shots - count, left - read[v], count / (double)options.Shots);
                }
                zeros += share * Math.Pow(1 - error, qubits - v) * Math.Pow(-error, v) / Math.Pow(1 - 2 * error, qubits);
            }
            return zeros;
        });
    }

    private double Kept(double layers) => Math.Pow(1 - options.Depolarising, layers);

    private double Extrapolated(Func<double, double> measured) => options.Mitigate && options.Depolarising > 0 ? (Stretch * measured(1) - measured(Stretch)) / (Stretch - 1) : measured(1);

    /// <summary>How likely so many ones are read where so many are there.</summary>
    private double[] Read(double[] ones, int qubits)
    {
        double[] read = new double[qubits + 1];
        for (int w = 0; w <= qubits; w++)
            for (int kept = 0; kept <= w; kept++)
                for (int wrong = 0; wrong <= qubits - w; wrong++)
                    read[kept + wrong] += ones[w] * Choose(w, kept) * Choose(qubits - w, wrong) * Math.Pow(options.Readout, w - kept + wrong) * Math.Pow(1 - options.Readout, kept + qubits - w - wrong);
        return read;
    }

    private static double Choose(int n, int k)
    {
        double ways = 1;
        for (int i = 1; i <= k; i++)
            ways = ways * (n - k + i) / i;
        return ways;
    }

    private int Count(int times, double share) => Binomial(random ?? throw new InvalidOperationException("shots without a source of chance; expected one"), times, share);

    /// <summary>How often of so many times; exact up to 200 times and for rare things, else the nearest whole number of a normal with its mean and variance.</summary>
    private static int Binomial(SeededRandom random, int times, double share)
    {
        const int exact = 200, rare = 30;
        if (share > 0.5)
            return times - Binomial(random, times, 1 - share);
        if (share <= 0)
            return 0;
        if (times > exact && times * share > rare)
            return (int)Math.Clamp(Math.Round(times * share + Math.Sqrt(times * share * (1 - share)) * random.NextNormal()), 0, times);
        int count = 0;
        // gaps between hits are geometric
        for (double at = Gap(); at <= times; at += Gap())
            count++;
        return count;

        double Gap() => share >= 1 ? 1 : Math.Floor(Math.Log(1 - random.NextDouble()) / Math.Log(1 - share)) + 1;
    }
}
