using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics;
using System.Numerics.Tensors;
using Winnow.Core;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="QuantumKernel"/>.</summary>
public sealed record QuantumKernelOptions : CircuitOptions
{
    /// <summary>Qubits.</summary>
    [Range(0, 14), Description("qubits: so many principal components of the rows, from 0 to π; 0: a qubit a feature, which is an angle as it is, where there are at most 14, else 8 components")]
    public int Qubits { get; init; }

    /// <summary>The bound of a weight.</summary>
    [Range(0.0, 1e9), Description("C of the support vector machine; 0: chosen among 1, 10 and 100 by three folds")]
    public double C { get; init; }

    /// <summary>Alignment.</summary>
    [Range(0, 10_000), Description("most steps to scales and shifts of angles that let classes be separated by the widest margins, after some scales were tried; 0: no alignment")]
    public int Align { get; init; }
}

/// <summary>
/// Each row becomes the state of a small quantum circuit, simulated, and the kernel is the overlap of two states, <c>K = |⟨ψ(x)|ψ(y)⟩|²</c>, for a support vector machine.
/// <para>Paper: Havlíček, Córcoles, Temme, Harrow, Kandala, Chow and Gambetta, Supervised learning with quantum enhanced feature spaces, Nature 567, 2019 (arXiv 1804.11326).
/// The paper's other classifier is <see cref="QuantumClassifier"/>. Angles may be scaled and shifted so that the machines' margins are widest (kernel alignment, Glick et al. 2021), gates may be noisy (<see cref="NoisyOperator"/>). Left out: hardware.</para>
/// <para>Repeated: Hadamard gates on all qubits, then amplitude b times <c>exp(i φ(b))</c>, <c>φ(b) = Σ_k 2 x_k b_k + Σ_{j&lt;k} 2 (π − x_j)(π − x_k) (b_j xor b_k)</c>. Qubit k is bit k. States are made once a row:
/// cost O(n · repetitions · 2^q · q) and O(n m 2^q) for the overlaps; memory 16 · 2^q bytes a row. Measured with noise (<see cref="CircuitOptions"/>) an overlap is how
/// often the circuit of one row undone after that of another reads all zeros; a matrix of rows with themselves is then brought back to the nearest without negative eigenvalues.</para>
/// </summary>
/// <param name="options">The circuit.</param>
/// <param name="random">Counts the shots; needed only for these.</param>
public sealed class QuantumKernel(QuantumKernelOptions options, SeededRandom? random = null) : IKernel
{
    private const int MostQubits = 14, Usual = 8;
    private readonly CircuitNoise _noise = new(options, random);

    /// <summary>What the ledger measures.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "Data that the circuit itself makes: at least 98 of 100 are right.", Task = "ad-hoc", Metric = "accuracy", Baseline = "svm", BaselineFactor = 0, Margin = 0.98 },
        new() { Text = "There a tuned support vector machine with an rbf kernel is at least 10 points behind.", Task = "ad-hoc", Metric = "accuracy", Baseline = "svm", Margin = 0.1 },
        new() { Text = "Each overlap counted 64 times instead of known costs at most 3 points.", Task = "ad-hoc", Metric = "accuracy", Baseline = "quantum-kernel", Margin = -0.03, MethodOptions = new() { ["shots"] = 64 } },
        new() { Text = "Not better than it on ordinary data: digits, 8 principal components, at least a point behind.", Task = "classify", Metric = "accuracy", Wants = Better.Lower, Baseline = "svm", Margin = 0.01 },
    ];

    /// <summary>As a method: with a support vector machine.</summary>
    internal static IClassifier Method(KernelSetup setup, QuantumKernelOptions options) => options.Align > 0 ? new QuantumAlignment(options, setup)
        : new SupportVectorMachine(x => [Needs(options, x) ? new OnAngles(x, options, setup.Random("shots")) : new QuantumKernel(options, setup.Random("shots"))], Bounds(options), setup.Random("svm-folds"));

    /// <summary>Values of C that are tried.</summary>
    internal static double[] Bounds(QuantumKernelOptions options) => options.C > 0 ? [options.C] : [1, 10, 100];

    /// <summary>What makes angles of rows, and the kernel of angles.</summary>
    internal static (Func<Tensor, Tensor> Place, QuantumKernel Kernel) Placed(Tensor x, QuantumKernelOptions options, SeededRandom random)
    {
        if (!Needs(options, x))
            return (rows => rows, new(options, random));
        var on = new OnAngles(x, options, random);
        return (on.Angles, on.Kernel);
    }

    /// <summary>Whether angles are principal components.</summary>
    private static bool Needs(QuantumKernelOptions options, Tensor x) => options.Qubits > 0 || x.shape[1] > MostQubits;

    /// <inheritdoc/>
    public Tensor Gram(Tensor x, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(y);
        using var scope = NewDisposeScope();
        bool same = ReferenceEquals(x, y);
        if (_noise.Gates)
            return OfGates(x, y, same).MoveToOuterDisposeScope();
        var (a, b) = States(x);
        var (c, d) = same ? (a, b) : States(y);
        // (a + ib)(c − id) by three real products
        var (ac, bd) = (a.mm(c.t()), b.mm(d.t()));
        var imaginary = (a + b).mm((c - d).t()).sub_(ac).add_(bd);
        var gram = ac.add_(bd).pow_(2).add_(imaginary.pow_(2));
        gram.clamp_(0, 1);
        if (same)
            Products.Symmetric(gram).diagonal().fill_(1);
        if (!_noise.Any)
            return gram.MoveToOuterDisposeScope();
        if (options.Readout == 0)
            return Measured(gram, (int)x.shape[1], _ => null, same).MoveToOuterDisposeScope();
        int q = (int)x.shape[1], size = 1 << q;
        double[] angles = x.contiguous().data<double>().ToArray(), real = c.data<double>().ToArray(), imaginaries = d.data<double>().ToArray(), phase = new double[size], w = new double[size];
        bool[,] joined = Joined(q);
        return Measured(gram, q, i =>
        {
            Phases(angles.AsSpan(i * q, q), joined, phase, w);
            return j => Undone(phase, real.AsSpan(j * size, size).ToArray(), imaginaries.AsSpan(j * size, size).ToArray(), q);
        }, same).MoveToOuterDisposeScope();
    }

    /// <summary>Overlaps by circuits whose gates are noisy: the trace of the state of one row with what counting ones is before the circuit of the other is undone.</summary>
    private Tensor OfGates(Tensor x, Tensor y, bool same)
    {
        int q = (int)x.shape[1], counts = options.Readout > 0 ? q + 1 : 1;
        var states = NoisyStates(y, options);
        Tensor[] grams = [.. Enumerable.Range(0, counts).Select(ones => Operators(x, row =>
        {
            var effect = NoisyOperator.Observable(q, options, b => BitOperations.PopCount((uint)b) == ones ? 1 : 0);
            effect.FeatureMap(row, options);
            return effect;
        }).mm(states.t()).clamp_(0, 1))];
        double[][] values = [.. grams.Select(g => g.data<double>().ToArray())];
        int m = (int)y.shape[0];
        var gram = grams[0].clone();
        if (same)
            gram.diagonal().fill_(1);
        return Measured(gram, q, i => j => [.. values.Select(v => v[i * m + j])], same);
    }

    /// <summary>Density matrices of rows whose circuits have noisy gates, [n, 2 · 4^q]: real parts, then imaginary ones.</summary>
    internal static Tensor NoisyStates(Tensor x, CircuitOptions options) => Operators(x, row =>
    {
        var state = NoisyOperator.Zeros(row.Length, options);
        state.FeatureMap(row, options);
        return state;
    });

    private static Tensor Operators(Tensor x, Func<double[], NoisyOperator> of)
    {
        Finite.Require(x, "rows");
        int n = (int)x.shape[0], q = (int)x.shape[1];
        double[] angles = x.contiguous().data<double>().ToArray();
        var made = new NoisyOperator[n];
        Parallel.For(0, n, Products.Threads(), i => made[i] = of(angles[(i * q)..((i + 1) * q)]));
        return Aligned.Of([.. made.SelectMany(o => o.Real.Concat(o.Imaginary))], n, 2L << 2 * q);
    }

    /// <inheritdoc/>
    public Tensor Diagonal(Tensor x) => ones(x.shape[0], dtype: ScalarType.Float64);

    /// <summary>The states of rows.</summary>
    /// <param name="x">Angles, float64 [n, q].</param>
    /// <returns>Real and imaginary parts, float64 [n, 2^q] each.</returns>
    /// <exception cref="InputException">More qubits than can be simulated.</exception>
    public (Tensor Real, Tensor Imaginary) States(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (x.dim() != 2 || x.shape[1] < 1 || x.shape[1] > MostQubits)
            throw InputException.At("rows", $"[{string.Join(", ", x.shape)}]", $"[n, q] of 1 to {MostQubits} qubits", $"Choose qubits=1 to {MostQubits}: so many principal components stand for the features.");
        Finite.Require(x, "rows");
        int n = (int)x.shape[0], q = (int)x.shape[1], size = 1 << q;
        if ((long)n * size > Array.MaxLength)
            throw InputException.At("rows", $"{n:N0} of {q} qubits, {(long)n * size:N0} amplitudes", $"at most {Array.MaxLength:N0}", "Take fewer rows at once.");
        double[] angles = x.contiguous().data<double>().ToArray(), real = new double[(long)n * size], imaginary = new double[real.Length];
        bool[,] joined = Joined(q);
        double root = Math.Pow(2, -q / 2.0 * options.Repetitions);
        Parallel.For(0, n, new ParallelOptions { MaxDegreeOfParallelism = get_num_threads() }, () => new double[4 * size], (row, _, own) =>
        {
            Span<double> phase = own.AsSpan(0, size), w = own.AsSpan(size, size), cos = own.AsSpan(2 * size, size), sin = own.AsSpan(3 * size, size);
            Phases(angles.AsSpan(row * q, q), joined, phase, w);
            TensorPrimitives.SinCos<double>(phase, sin, cos);
            var re = real.AsSpan(row * size, size);
            var im = imaginary.AsSpan(row * size, size);
            re[0] = root;
            for (int r = 0; r < options.Repetitions; r++)
            {
                Hadamards(re);
                Hadamards(im);
                for (int b = 0; b < size; b++)
                    (re[b], im[b]) = (re[b] * cos[b] - im[b] * sin[b], re[b] * sin[b] + im[b] * cos[b]);
            }
            return own;
        }, _ => { });
        return (Aligned.Of(real, n, size), Aligned.Of(imaginary, n, size));
    }

    /// <summary>φ of all b, bit after bit: with bit k unset comes <c>w = Σ_{j&lt;k} c_jk b_j</c>, c_jk = 2 (π − x_j)(π − x_k), and with it set <c>2 x_k + Σ_{j&lt;k} c_jk − w</c>. Cost O(2^q).</summary>
    private static void Phases(ReadOnlySpan<double> x, bool[,] joined, Span<double> phase, Span<double> w)
    {
        (phase[0], w[0]) = (0, 0);
        for (int k = 0; k < x.Length; k++)
        {
            double all = 2 * x[k];
            for (int j = 0; j < k; j++)
            {
                double c = joined[k, j] ? 2 * (Math.PI - x[j]) * (Math.PI - x[k]) : 0;
                all += c;
                for (int b = 0; b < 1 << j; b++)
                    w[b + (1 << j)] = w[b] + c;
            }
            int half = 1 << k;
            for (int b = 0; b < half; b++)
                (phase[b], phase[b + half]) = (phase[b] + w[b], phase[b] + all - w[b]);
        }
    }

    /// <summary>Hadamard gates on all qubits, without their factor: the fast Walsh–Hadamard transform.</summary>
    private static void Hadamards(Span<double> state)
    {
        for (int half = 1; half < state.Length; half *= 2)
            for (int first = 0; first < state.Length; first += 2 * half)
            {
                Span<double> low = state.Slice(first, half), high = state.Slice(first + half, half);
                int b = 0;
                for (; b + Vector<double>.Count <= half; b += Vector<double>.Count)
                {
                    var (u, v) = (new Vector<double>(low[b..]), new Vector<double>(high[b..]));
                    (u + v).CopyTo(low[b..]);
                    (u - v).CopyTo(high[b..]);
                }
                for (; b < half; b++)
                    (low[b], high[b]) = (low[b] + high[b], low[b] - high[b]);
            }
    }

    /// <summary>Pairs of qubits that have a gate in common.</summary>
    internal static IEnumerable<(int, int)> Pairs(string entanglement, int q) => entanglement switch
    {
        "none" => [],
        "full" => from j in Enumerable.Range(0, q) from k in Enumerable.Range(j + 1, q - j - 1) select (j, k),
        "linear" => Enumerable.Range(0, q - 1).Select(k => (k, k + 1)),
        _ => Enumerable.Range(0, q - 1).Select(k => (k, k + 1)).Concat(q > 2 ? [(q - 1, 0)] : []),
    };

    /// <summary>Overlaps as they are measured.</summary>
    /// <param name="gram">As they are [n, m].</param>
    /// <param name="q">Qubits.</param>
    /// <param name="ones">Of a row, and then of one of the others, how likely so many qubits are one; null where zeros are all that counts.</param>
    /// <param name="same">Whether rows are with themselves.</param>
    private Tensor Measured(Tensor gram, int q, Func<int, Func<int, double[]>?> ones, bool same)
    {
        int n = (int)gram.shape[0], m = (int)gram.shape[1];
        double[] values = gram.data<double>().ToArray();
        for (int i = 0; i < n; i++)
        {
            var own = ones(i);
            for (int j = same ? i + 1 : 0; j < m; j++)
            {
                values[i * m + j] = _noise.Zeros(own is null ? [values[i * m + j]] : own(j), q, 2 * options.Repetitions);
                if (same)
                    values[j * m + i] = values[i * m + j];
            }
        }
        var measured = Aligned.Of(values, n, m);
        return same ? PositiveSolve.Nearest(measured, out _) : measured;
    }

    /// <summary>How likely so many qubits are one after a row's circuit is undone on a state, [q + 1].</summary>
    private double[] Undone(double[] phase, double[] re, double[] im, int q)
    {
        double root = Math.Pow(2, -q / 2.0);
        for (int r = 0; r < options.Repetitions; r++)
        {
            for (int b = 0; b < re.Length; b++)
            {
                var (sin, cos) = Math.SinCos(-phase[b]);
                (re[b], im[b]) = (root * (re[b] * cos - im[b] * sin), root * (re[b] * sin + im[b] * cos));
            }
            Hadamards(re);
            Hadamards(im);
        }
        double[] ones = new double[q + 1];
        for (int b = 0; b < re.Length; b++)
            ones[BitOperations.PopCount((uint)b)] += re[b] * re[b] + im[b] * im[b];
        return ones;
    }

    private bool[,] Joined(int q)
    {
        bool[,] joined = new bool[q, q];
        foreach (var (j, k) in Pairs(options.Map == "z" ? "none" : options.Entanglement, q))
            joined[Math.Max(j, k), Math.Min(j, k)] = true;
        return joined;
    }

    /// <summary>The kernel of principal components, each from 0 to π over the rows learned from.</summary>
    private sealed class OnAngles : IKernel
    {
        private readonly QuantumKernel _kernel;
        private readonly double[] _mean, _axes, _low, _range;
        private readonly int _features, _qubits;

        public OnAngles(Tensor x, QuantumKernelOptions options, SeededRandom random)
        {
            using var scope = NewDisposeScope();
            options = options.Qubits > 0 ? options : options with { Qubits = Usual };
            _kernel = new(options, random);
            (_features, _qubits) = ((int)x.shape[1], Math.Min(options.Qubits, (int)Math.Min(x.shape[0], x.shape[1])));
            var mean = x.mean([0]);
            var axes = PrincipalAxes.Of(x, out _).narrow(1, 0, _qubits);
            var placed = (x - mean).mm(axes);
            var low = placed.amin([0]);
            (_mean, _axes, _low) = (mean.data<double>().ToArray(), axes.contiguous().data<double>().ToArray(), low.data<double>().ToArray());
            _range = (placed.amax([0]) - low).clamp_min(1e-12).data<double>().ToArray();
        }

        public Tensor Gram(Tensor x, Tensor y)
        {
            using var scope = NewDisposeScope();
            var a = Angles(x);
            return _kernel.Gram(a, ReferenceEquals(x, y) ? a : Angles(y)).MoveToOuterDisposeScope();
        }

        public Tensor Diagonal(Tensor x) => _kernel.Diagonal(x);

        public QuantumKernel Kernel => _kernel;

        public Tensor Angles(Tensor x) => ((x - Aligned.Of(_mean, _features)).mm(Aligned.Of(_axes, _features, _qubits)) - Aligned.Of(_low, _qubits)) / Aligned.Of(_range, _qubits) * Math.PI;
    }
}
