using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Winnow.Core;
using Winnow.Data;
using Winnow.KernelMethods;
using Winnow.Learning;
using Winnow.Numerics;
using static TorchSharp.torch;

namespace Winnow.Bench;

/// <summary>
/// Estimators on Gram matrices beside scikit-learn, a quantum kernel beside NumPy, a sampler beside DPPy: the same numbers in, repetitions alternating, and what comes out compared before it is timed.
/// </summary>
internal static class KernelEstimators
{
    private const int Repetitions = 5, Threads = 2;

    /// <summary>Runs of ours before it is measured: the runtime compiles in stages, and the last comes after 30 calls.</summary>
    private static readonly TimeSpan Warming = TimeSpan.FromSeconds(2);

    /// <summary>What has to be installed.</summary>
    public const string Missing = "a python3 that has scikit-learn (Debian: apt-get install python3-sklearn libopenblas0-pthread)";

    public static IEnumerable<BenchCase> Cases =>
    [
        new("kernels.krr", "kernel ridge, rbf, n = 4,000, d = 50, 10 outputs: fit and 1,000 answers", "s", Better.Lower, 0.8, c => Ridge(4000, 50, PythonPeer.Candidates, c)),
        new("kernels.gp", "Gaussian process, rbf, height, length and noise by the evidence, n = 1,000, d = 10: fit and 500 answers with their variance", "s", Better.Lower, 0.5, c => Process(1000, 10, PythonPeer.Candidates, c)),
        new("kernels.pca", "kernel principal components, rbf, n = 4,000, d = 50, 16 components", "s", Better.Lower, 0.5, c => Components(4000, 50, 16, PythonPeer.Candidates, c)),
        new("kernels.svm", "support vector machine, rbf, digits: fit 1,297 and 500 answers", "s", Better.Lower, 1, c => Machine(PythonPeer.Candidates, c)),
        new("kernels.forest", "random forest, 100 trees, digits: fit 1,297 and 500 answers", "s", Better.Lower, 0.7, c => Forest(PythonPeer.Candidates, c)),
        new("kernels.gram", "rbf Gram matrix, 8,000 x 8,000, d = 128, float32", "s", Better.Lower, 1.5, c => Gram(8000, 128, c)),
        new("kernels.dpp", "projection determinantal point process, 50 of 10,000: from the basis to a sample", "s", Better.Lower, 0.3, c => Sampled(10_000, 50, PythonPeer.Candidates, c)),
        new("kernels.zz", "ZZ kernel of 2,000 x 2,000 points, 10 qubits", "s", Better.Lower, 1, c => Quantum(2000, 10, PythonPeer.Candidates, c)),
    ];

    /// <summary>Kernel ridge regression.</summary>
    public static BenchMeasurement Ridge(int n, int d, IReadOnlyList<string> pythons, CancellationToken cancellation)
    {
        const int classes = 10;
        const double ridge = 1e-2;
        var random = new SeededRandom(1, "rows");
        int asked = n / 4;
        double[] all = [.. Enumerable.Range(0, (n + asked) * d).Select(_ => random.NextNormal())];
        int[] labels = [.. Enumerable.Range(0, n).Select(_ => random.Next(0, classes))];
        double[] targets = [.. labels.SelectMany(l => Enumerable.Range(0, classes).Select(c => (c == l ? 1.0 : 0) - 1.0 / classes))];
        using var scope = NewDisposeScope();
        var (x, t) = (tensor(all[..(n * d)], [n, d]), tensor(all[(n * d)..], [asked, d]));
        double gamma = 0.5 / d;
        var method = new KernelRidge(_ => [new Rbf(gamma)], new() { Ridge = ridge });
        double[] Ours()
        {
            using var inner = NewDisposeScope();
            using var fitted = method.Fit(new TrainingRows(x, labels, classes), cancellation);
            return fitted.Scores(t).data<double>().ToArray();
        }
        return Beside("krr", [(all[..(n * d)], d), (targets, classes), (all[(n * d)..], d), ([gamma, ridge, 0, 0, 0], 5)], Ours, (a, b) => Largest(a, b) <= 1e-9, pythons, Missing, cancellation);
    }

    /// <summary>A Gaussian process, from the same beginning. Evidences are compared by what both say of new rows.</summary>
    public static BenchMeasurement Process(int n, int d, IReadOnlyList<string> pythons, CancellationToken cancellation)
    {
        var random = new SeededRandom(1, "rows");
        int asked = n / 2;
        double[] all = [.. Enumerable.Range(0, (n + asked) * d).Select(_ => random.NextNormal())], y = [.. Enumerable.Range(0, n).Select(i => Math.Sin(2 * all[i * d]) + all[i * d + 1] + 0.3 * random.NextNormal())];
        double mean = y.Average(), deviation = Math.Sqrt(y.Average(v => (v - mean) * (v - mean)));
        y = [.. y.Select(v => (v - mean) / deviation)];
        using var scope = NewDisposeScope();
        var (x, t, values) = (tensor(all[..(n * d)], [n, d]), tensor(all[(n * d)..], [asked, d]), tensor(y));
        double length = 1 / Math.Sqrt(2 * Rbf.Median(x));
        double[] Ours()
        {
            using var inner = NewDisposeScope();
            using var fitted = new GaussianProcess(new()).Fit(new RegressionRows(x, values), cancellation);
            var (expected, variance) = fitted.Predict(t);
            return [fitted.Report["evidence"], .. Values(expected), .. Values(variance!.sqrt())];
        }
        return Beside("gp", [(all[..(n * d)], d), (y, 1), (all[(n * d)..], d), ([1, length, 0.05], 3)], Ours, (a, b) => a[0] >= b[0] - 1e-2 && Largest(a[1..], b[1..]) <= 1e-2, pythons, Missing, cancellation);
    }

    /// <summary>A sample of a projection process. Both draw by the same law; what is compared is that so many different rows were drawn.</summary>
    public static BenchMeasurement Sampled(int n, int k, IReadOnlyList<string> pythons, CancellationToken cancellation)
    {
        var random = new SeededRandom(1, "basis");
        using var scope = NewDisposeScope();
        var (basis, _) = linalg.qr(tensor([.. Enumerable.Range(0, n * k).Select(_ => random.NextNormal())], [n, k]));
        var source = new SeededRandom(2, "draws");
        double[] Ours()
        {
            double[] tenths = new double[10];
            foreach (int row in new ProjectionDpp(basis).Sample(source).Distinct())
                tenths[(long)row * 10 / n]++;
            return tenths;
        }
        return Beside("dpp", [(Values(basis), k)], Ours, (a, b) => a.Sum() == k && b.Sum() == k, pythons, "a python3 that has DPPy (its folder on PYTHONPATH)", cancellation);
    }

    /// <summary>Kernel principal components of rows around ten centres.</summary>
    public static BenchMeasurement Components(int n, int d, int components, IReadOnlyList<string> pythons, CancellationToken cancellation)
    {
        var random = new SeededRandom(1, "rows");
        double[] centres = [.. Enumerable.Range(0, 10 * d).Select(_ => random.NextNormal())], all = [.. Enumerable.Range(0, n * d).Select(i => centres[i / d % 10 * d + i % d] + random.NextNormal())];
        using var scope = NewDisposeScope();
        var x = tensor(all, [n, d]);
        double gamma = 0.25 / d;
        double[] Ours()
        {
            using var inner = NewDisposeScope();
            using var pca = KernelPca.Fit(new Rbf(gamma), x, components, cancellation: cancellation);
            return Values(pca.Embedding.abs());
        }
        return Beside("pca", [(all, d), ([gamma, components], 2)], Ours, (a, b) => Largest(a, b) <= 1e-6, pythons, Missing, cancellation);
    }

    private static BenchMeasurement Machine(IReadOnlyList<string> pythons, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var (x, y, t, truth) = Digits();
        double gamma = Rbf.Scale(x);
        const double c = 10;
        double[] Ours() => Answers(new SupportVectorMachine(_ => [new Rbf(gamma)], [c], new SeededRandom(1, "folds")), x, y, t, cancellation);
        return Beside("svc", [(Values(x), 64), (Values(y), 1), (Values(t), 64), ([gamma, c], 2)], Ours, (a, b) => Right(a, truth) >= Right(b, truth) - 0.002, pythons, Missing, cancellation);
    }

    private static BenchMeasurement Forest(IReadOnlyList<string> pythons, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var (x, y, t, truth) = Digits();
        double[] Ours() => Answers(new RandomForest(new(p => new SeededRandom(1, p)), new() { Trees = 100 }), x, y, t, cancellation);
        return Beside("forest", [(Values(x), 64), (Values(y), 1), (Values(t), 64), ([100], 1)], Ours, (a, b) => Right(a, truth) >= Right(b, truth) - 0.015, pythons, Missing, cancellation);
    }

    /// <summary>A Gram matrix in float32, beside what its product alone takes and what writing as many bytes takes.</summary>
    public static unsafe BenchMeasurement Gram(int n, int d, CancellationToken cancellation)
    {
        NativeTorch.SetThreads(Threads);
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        float gamma = 0.5f / d;
        var x = randn(n, d, generator: generator);
        Tensor gram = empty(n, n), product = empty(n, n);
        var options = new GramOptions { Threads = Threads };
        void Ours() => GramBlocks.Compute(Matrix(x), Matrix(x), new RbfFunction(gamma), Matrix(gram), options, new Scratch(), cancellation);
        List<double> ours = [], products = [], writes = [];
        for (int i = 0; i <= Repetitions + 1; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            ours.Add(Seconds(Ours));
            products.Add(Seconds(() => product.addmm_(x, x.t(), beta: 0, alpha: 1)));
            writes.Add(Seconds(() => product.fill_(1)));
        }
        using var inner = NewDisposeScope();
        var exact = new Rbf(gamma).Gram(x.narrow(0, 0, 500).to(ScalarType.Float64), x.to(ScalarType.Float64));
        bool accurate = (exact - gram.narrow(0, 0, 500)).abs().max().item<double>() <= 1e-5;
        var (gemm, write) = (TrainingStep.MedianWithoutFirst(products), TrainingStep.MedianWithoutFirst(writes));
        return new(TrainingStep.MedianWithoutFirst(ours), string.Create(CultureInfo.InvariantCulture, $"libtorch {__version__}, {Threads} threads: the product alone {gemm:F3} s, and {write:F3} s to write {4e-6 * n * n:F0} MB"), gemm + write, accurate);
    }

    private static double Seconds(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static unsafe TileMatrix Matrix(Tensor a)
    {
        fixed (byte* data = a.narrow(0, 0, 1).bytes)
            return new((float*)data, (int)a.shape[0], (int)a.shape[1]);
    }

    /// <summary>The overlaps of the states of two sets of angles.</summary>
    public static BenchMeasurement Quantum(int n, int qubits, IReadOnlyList<string> pythons, CancellationToken cancellation)
    {
        var random = new SeededRandom(1, "angles");
        double[] all = [.. Enumerable.Range(0, 2 * n * qubits).Select(_ => 2 * Math.PI * random.NextDouble())];
        using var scope = NewDisposeScope();
        var (x, y) = (tensor(all[..(n * qubits)], [n, qubits]), tensor(all[(n * qubits)..], [n, qubits]));
        var kernel = new QuantumKernel(new());
        double[] Ours()
        {
            using var inner = NewDisposeScope();
            return kernel.Gram(x, y).data<double>().ToArray();
        }
        return Beside("zz", [(all[..(n * qubits)], qubits), (all[(n * qubits)..], qubits)], Ours, (a, b) => Largest(a, b) <= 1e-10, pythons, "a python3 that has scipy (Debian: apt-get install python3-scipy)", cancellation);
    }

    /// <summary>Runs ours and a case of <c>kernels.py</c> on the same matrices, alternating.</summary>
    /// <param name="name">The case.</param>
    /// <param name="matrices">Values row after row, and the length of a row.</param>
    /// <param name="ours">Computes what the case computes.</param>
    /// <param name="same">Whether ours and theirs are the same.</param>
    /// <param name="pythons">Where a Python may be.</param>
    /// <param name="missing">What to install without one.</param>
    /// <param name="cancellation">Stops between repetitions.</param>
    public static BenchMeasurement Beside(string name, IReadOnlyList<(double[] Values, int Columns)> matrices, Func<double[]> ours, Func<double[], double[], bool> same, IReadOnlyList<string> pythons, string missing, CancellationToken cancellation)
    {
        NativeTorch.SetThreads(Threads);
        using var given = new PeerMatrices(matrices);
        using var peer = PythonPeer.Start(pythons, "kernels.py", $"{name},{Threads},{given.Prefix}");
        bool? accurate = peer is null ? null : same(ours(), given.Answer(peer));
        long begin = Stopwatch.GetTimestamp();
        for (int runs = 0; runs < 2 || Stopwatch.GetElapsedTime(begin) < Warming; runs++)
            ours();
        List<double> mine = [], theirs = [];
        for (int i = 0; i <= Repetitions; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            long start = Stopwatch.GetTimestamp();
            ours();
            mine.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            if (peer is not null)
                theirs.Add(peer.Ask("seconds")[0]);
        }
        return new(TrainingStep.MedianWithoutFirst(mine), peer?.Name ?? "scikit-learn", peer is null ? null : TrainingStep.MedianWithoutFirst(theirs), accurate, peer is null ? missing : null);
    }

    private static (Tensor X, Tensor Y, Tensor T, double[] Truth) Digits()
    {
        const int learned = 1297;
        var data = DataSources.Open(null, new DataReading(), CancellationToken.None);
        float[] values = new float[data.Count * data.Width];
        data.CopyRows(Enumerable.Range(0, data.Count).ToArray(), values);
        var all = tensor(Array.ConvertAll(values, v => (double)v), [data.Count, data.Width]);
        double[] labels = [.. data.Labels.ToArray().Select(l => (double)l)];
        return (all.narrow(0, 0, learned).clone(), tensor(labels[..learned], [learned, 1]), all.narrow(0, learned, data.Count - learned).clone(), labels[learned..]);
    }

    private static double[] Answers(IClassifier method, Tensor x, Tensor y, Tensor t, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        int[] labels = [.. Values(y).Select(v => (int)v)];
        using var fitted = method.Fit(new TrainingRows(x, labels, labels.Max() + 1), cancellation);
        return [.. fitted.Scores(t).argmax(1).data<long>().ToArray().Select(a => (double)a)];
    }

    private static double Right(double[] answers, double[] truth) => answers.Zip(truth).Average(p => p.First == p.Second ? 1.0 : 0);

    /// <summary>The numbers of a tensor, row after row.</summary>
    public static double[] Values(Tensor x) => x.contiguous().data<double>().ToArray();

    /// <summary>The largest difference of two lists as long.</summary>
    private static double Largest(double[] a, double[] b) => a.Length != b.Length ? double.PositiveInfinity : a.Zip(b).Max(p => Math.Abs(p.First - p.Second));
}

/// <summary>Matrices in files that a peer reads, and the file it writes; gone with the object.</summary>
internal sealed class PeerMatrices : IDisposable
{
    public PeerMatrices(IReadOnlyList<(double[] Values, int Columns)> matrices)
    {
        for (int i = 0; i < matrices.Count; i++)
        {
            using var file = File.Create(string.Create(CultureInfo.InvariantCulture, $"{Prefix}.{i}"));
            file.Write(MemoryMarshal.AsBytes<long>([matrices[i].Values.Length / matrices[i].Columns, matrices[i].Columns]));
            file.Write(MemoryMarshal.AsBytes(matrices[i].Values.AsSpan()));
        }
    }

    /// <summary>How their names begin.</summary>
    public string Prefix { get; } = Path.GetTempFileName();

    /// <summary>What a peer computes.</summary>
    public double[] Answer(PythonPeer peer)
    {
        peer.Ask("check");
        return MemoryMarshal.Cast<byte, double>(File.ReadAllBytes(Prefix + ".out")).ToArray();
    }

    public void Dispose()
    {
        foreach (string file in Directory.GetFiles(Path.GetDirectoryName(Prefix)!, Path.GetFileName(Prefix) + "*"))
            File.Delete(file);
    }
}
