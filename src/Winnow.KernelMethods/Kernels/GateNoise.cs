using System.Numerics;
using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>
/// A density matrix of few qubits, or an observable, on its way through gates with noise. After each gate each of its qubits becomes, with probability p, an even mixture, and then falls from one to zero with probability γ:
/// <c>ρ → N(g ρ g†)</c>; on an observable <c>O → g N†(O) g†</c>, which is what measuring O after the gate undone comes to, so that the trace of both is the noisy circuit's number. Qubit k is bit k. Cost O(4^q) a gate.
/// </summary>
internal sealed class NoisyOperator
{
    private const int MostQubits = 6;
    private readonly double _mixed, _falls;
    private readonly bool _observable;
    private readonly int _size;

    private NoisyOperator(int qubits, CircuitOptions options, bool observable)
    {
        if (qubits > MostQubits)
            throw InputException.At("rows", $"{qubits} qubits and noise of gates", $"at most {MostQubits}, of which matrices are kept", $"Choose qubits={MostQubits} or fewer, or noise of whole layers (depolarising).");
        (_size, _mixed, _falls, _observable) = (1 << qubits, options.GateDepolarising, options.GateDamping, observable);
        (Real, Imaginary) = (new double[_size * _size], new double[_size * _size]);
    }

    /// <summary>All zeros.</summary>
    public static NoisyOperator Zeros(int qubits, CircuitOptions options)
    {
        var state = new NoisyOperator(qubits, options, false);
        state.Real[0] = 1;
        return state;
    }

    /// <summary>An observable that is diagonal.</summary>
    public static NoisyOperator Observable(int qubits, CircuitOptions options, Func<int, double> diagonal)
    {
        var observable = new NoisyOperator(qubits, options, true);
        for (int b = 0; b < observable._size; b++)
            observable.Real[b * observable._size + b] = diagonal(b);
        return observable;
    }

    /// <summary>Real part [2^q, 2^q].</summary>
    public double[] Real { get; }

    /// <summary>Imaginary part [2^q, 2^q].</summary>
    public double[] Imaginary { get; }

    /// <summary>A gate [[a, b], [c, d]] on a qubit.</summary>
    public void Gate(int qubit, Complex a, Complex b, Complex c, Complex d)
    {
        Before(qubit);
        int bit = 1 << qubit;
        for (int r = 0; r < _size; r++)
            for (int other = 0; other < _size; other++)
                if ((r & bit) == 0)
                    Turn(r * _size + other, (r | bit) * _size + other, a, b, c, d);
        for (int r = 0; r < _size; r++)
            for (int other = 0; other < _size; other++)
                if ((other & bit) == 0)
                    Turn(r * _size + other, r * _size + (other | bit), Complex.Conjugate(a), Complex.Conjugate(b), Complex.Conjugate(c), Complex.Conjugate(d));
        After(qubit);
    }

    /// <summary>A Hadamard gate.</summary>
    public void Hadamard(int qubit) => Gate(qubit, Math.Sqrt(0.5), Math.Sqrt(0.5), Math.Sqrt(0.5), -Math.Sqrt(0.5));

    /// <summary>A phase of a qubit that is one.</summary>
    public void Phase(int qubit, double angle) => Gate(qubit, 1, 0, 0, Complex.Exp(new(0, angle)));

    /// <summary>A controlled not.</summary>
    public void Not(int control, int target)
    {
        Before(control, target);
        int Moved(int b) => (b >> control & 1) == 1 ? b ^ 1 << target : b;
        foreach (double[] values in (double[][])[Real, Imaginary])
        {
            double[] old = [.. values];
            for (int r = 0; r < _size; r++)
                for (int c = 0; c < _size; c++)
                    values[Moved(r) * _size + Moved(c)] = old[r * _size + c];
        }
        After(control, target);
    }

    /// <summary>A controlled sign.</summary>
    public void Sign(int first, int second)
    {
        Before(first, second);
        for (int r = 0; r < _size; r++)
            for (int c = 0; c < _size; c++)
                if (((r >> first & r >> second) & 1) != ((c >> first & c >> second) & 1))
                    (Real[r * _size + c], Imaginary[r * _size + c]) = (-Real[r * _size + c], -Imaginary[r * _size + c]);
        After(first, second);
    }

    /// <summary>The circuit that makes the state of a row, gate after gate.</summary>
    public void FeatureMap(ReadOnlySpan<double> x, CircuitOptions options)
    {
        for (int r = 0; r < options.Repetitions; r++)
        {
            for (int k = 0; k < x.Length; k++)
                Hadamard(k);
            for (int k = 0; k < x.Length; k++)
                Phase(k, 2 * x[k]);
            foreach (var (j, k) in QuantumKernel.Pairs(options.Map == "z" ? "none" : options.Entanglement, x.Length))
            {
                Not(j, k);
                Phase(k, 2 * (Math.PI - x[j]) * (Math.PI - x[k]));
                Not(j, k);
            }
        }
    }

    private void Turn(int i, int j, Complex a, Complex b, Complex c, Complex d)
    {
        Complex u = new(Real[i], Imaginary[i]), v = new(Real[j], Imaginary[j]), first = a * u + b * v, second = c * u + d * v;
        (Real[i], Imaginary[i], Real[j], Imaginary[j]) = (first.Real, first.Imaginary, second.Real, second.Imaginary);
    }

    private void Before(params ReadOnlySpan<int> qubits)
    {
        if (_observable)
            Noise(qubits);
    }

    private void After(params ReadOnlySpan<int> qubits)
    {
        if (!_observable)
            Noise(qubits);
    }

    private void Noise(ReadOnlySpan<int> qubits)
    {
        double off = (1 - _mixed) * Math.Sqrt(1 - _falls);
        foreach (int qubit in qubits)
            foreach (double[] values in (double[][])[Real, Imaginary])
                for (int r = 0, bit = 1 << qubit; r < _size; r++)
                    for (int c = 0; (r & bit) == 0 && c < _size; c++)
                    {
                        if ((c & bit) != 0)
                            continue;
                        ref double zero = ref values[r * _size + c], one = ref values[(r | bit) * _size + (c | bit)];
                        values[r * _size + (c | bit)] *= off;
                        values[(r | bit) * _size + c] *= off;
                        if (_observable)
                            one = (1 - _falls) * one + _falls * zero;
                        double mean = (zero + one) / 2;
                        (zero, one) = (zero + _mixed * (mean - zero), one + _mixed * (mean - one));
                        if (!_observable)
                            (zero, one) = (zero + _falls * one, (1 - _falls) * one);
                    }
    }
}
