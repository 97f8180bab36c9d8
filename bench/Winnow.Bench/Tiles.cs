using System.Diagnostics;
using System.Globalization;
using Winnow.Core;
using Winnow.Learning;
using Winnow.Numerics;
using static TorchSharp.torch;

namespace Winnow.Bench;

/// <summary>
/// The tiled kernels beside libtorch in the same process: the loss of a large vocabulary beside logits and cross-entropy, the contrastive loss beside
/// dense logits, one-pass attention beside scaled_dot_product_attention. Repetitions alternate; medians are compared, after results.
/// </summary>
internal static class Tiles
{
    private const int Repetitions = 7, Warmups = 1;
    private const double Tolerance = 1e-5;

    public static IEnumerable<BenchCase> Cases =>
    [
        Loss("N=2048 D=256 V=32,000, forward and backward", 0.85, 2048, 32_000, peaked: false),
        Loss("N=2048 D=256 V=32,000, peaked head, filter", 0.6, 2048, 32_000, peaked: true),
        new("compute.cce", "scratch, N=2048 D=256 V=32,000", "bytes", Better.Lower, 1.0 / 20, c => LossScratch(2048, 32_000, c)),
        new("compute.cce", "scratch, N=2048 D=256 V=131,072", "bytes", Better.Lower, 1.0 / 50, c => LossScratch(2048, 131_072, c)),
        new("compute.inf-cl", "n=8,192 D=256, forward and backward", "s", Better.Lower, 1, c => Contrastive(8192, c)),
        new("compute.inf-cl", "scratch, n=32,768 D=256", "bytes", Better.Lower, 64e6 / (2 * 4.0 * 32_768 * 32_768), ContrastiveScratch),
        new("compute.attention", "4,096 x 64, 8 heads", "s", Better.Lower, 1.2, c => Attention(8, 4096, 64, c)),
        new("compute.gemm", "240 x 256 x 256 tiles, 1 thread", "GFLOP/s", Better.Higher, null, Gemm),
    ];

    private static int Threads => Math.Min(2, Environment.ProcessorCount);

    private static BenchCase Loss(string name, double target, int rows, int vocabulary, bool peaked) =>
        new("compute.cce", name, "s", Better.Lower, target, c => Loss(rows, vocabulary, 256, peaked, c));

    /// <summary>Seconds of a loss and its gradients.</summary>
    public static BenchMeasurement Loss(int rows, int vocabulary, int depth, bool peaked, CancellationToken cancellation)
    {
        NativeTorch.SetThreads(Threads);
        using var scope = NewDisposeScope();
        var (e, c, targets) = Head(rows, vocabulary, depth, peaked);
        var kernel = new LinearCrossEntropyOptions { Threads = Threads, FilterEpsilon = peaked ? LinearCrossEntropyOptions.AutoEpsilon(TileType.BFloat16) : 0 };
        var settings = new LinearCrossEntropySettings { Kernel = kernel };
        double[] ours = Step(() => LinearCrossEntropy.Loss(e, c, targets, null, settings), e, c, out var mine);
        // The reference is the dense loss in float64: of a peaked head's logits, float32 products differ by more than the tolerance.
        var (e64, c64) = (e.detach().to_type(ScalarType.Float64).requires_grad_(), c.detach().to_type(ScalarType.Float64).requires_grad_());
        double[] exact = Step(() => nn.functional.cross_entropy(matmul(e64, c64.t()), targets), e64, c64, out var dense);
        // A tile that is filtered has |softmax − onehot| < ε: what a gradient loses is at most ε/N times the other operand's column sums.
        bool accurate = Math.Abs(ours[0] - exact[0]) <= 1e-6 * exact[0] && Within(mine[0], dense[0], c, kernel.FilterEpsilon / rows) && Within(mine[1], dense[1], e, kernel.FilterEpsilon / rows);
        string lost = string.Create(CultureInfo.InvariantCulture, $"gradients differ by {Relative(mine[0], dense[0]):E1} and {Relative(mine[1], dense[1]):E1}");
        var (our, their) = Alternate(
            () => Timed(() => LinearCrossEntropy.Loss(e, c, targets, null, settings), e, c),
            () => Timed(() => nn.functional.cross_entropy(matmul(e, c.t()), targets), e, c), cancellation);
        return new(our, Peer(peaked ? $"; {SkipRate(e, c, targets, kernel):P0} of tiles skipped, {lost}" : ""), their, accurate);
    }

    /// <summary>Bytes beyond inputs and gradients: the dense loss holds logits (or their log-softmax) and their gradient.</summary>
    public static BenchMeasurement LossScratch(int rows, int vocabulary, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        var (e, c, targets) = Head(rows, vocabulary, 256, peaked: false);
        var scratch = new Scratch();
        Step(() => LinearCrossEntropy.Loss(e, c, targets, null, new() { Scratch = scratch, Kernel = new() { Threads = Threads } }), e, c, out _);
        return new(scratch.PeakBytes, "logits and their gradient, counted", 8.0 * rows * vocabulary, true);
    }

    /// <summary>Seconds of both directions' loss and their gradients.</summary>
    public static BenchMeasurement Contrastive(int n, CancellationToken cancellation)
    {
        NativeTorch.SetThreads(Threads);
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var (q, k) = Pairs(n, 256, generator);
        var scale = tensor(2.6f).requires_grad_();
        var options = new ContrastiveOptions { Threads = Threads };
        var labels = arange(n);
        Tensor Ours() => ContrastiveLoss.Loss(q, k, scale, null, options);
        Tensor Dense()
        {
            var x = matmul(scale.exp() * q, k.t());
            return (nn.functional.cross_entropy(x, labels) + nn.functional.cross_entropy(x.t(), labels)) / 2;
        }
        double[] ours = Step(Ours, q, k, out var mine), theirs = Step(Dense, q, k, out var dense);
        bool accurate = Math.Abs(ours[0] - theirs[0]) <= 1e-5 * theirs[0] && mine.Zip(dense).All(p => Relative(p.First, p.Second) <= 1e-4);
        var (our, their) = Alternate(() => Timed(Ours, q, k), () => Timed(Dense, q, k), cancellation);
        return new(our, Peer(), their, accurate);
    }

    private static BenchMeasurement ContrastiveScratch(CancellationToken cancellation)
    {
        const int n = 32_768;
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var (q, k) = Pairs(n, 256, generator);
        cancellation.ThrowIfCancellationRequested();
        var scratch = new Scratch(64_000_000);
        Step(() => ContrastiveLoss.Loss(q, k, tensor(2.6f), null, new() { Threads = Threads }, scratch), q, k, out _);
        return new(scratch.PeakBytes, "logits and their gradient, counted", 8.0 * n * n, true);
    }

    /// <summary>Seconds of attention without gradients.</summary>
    public static unsafe BenchMeasurement Attention(int heads, int length, int depth, CancellationToken cancellation)
    {
        NativeTorch.SetThreads(Threads);
        using var scope = NewDisposeScope();
        using var off = no_grad();
        using var generator = new Generator(1);
        var x = Enumerable.Range(0, 3).Select(_ => randn(1, heads, length, depth, generator: generator)).ToArray();
        var output = empty_like(x[0]);
        var options = new AttentionOptions { Threads = Threads };
        void Ours() => BlockedAttention.Compute(heads, Matrix(x[0]), Matrix(x[1]), Matrix(x[2]), null, Matrix(output), options, new Scratch(), cancellation);
        void Theirs() => nn.functional.scaled_dot_product_attention(x[0], x[1], x[2]).Dispose();
        Ours();
        bool accurate = Relative(output, nn.functional.scaled_dot_product_attention(x[0], x[1], x[2])) <= Tolerance;
        var (our, their) = Alternate(Ours, Theirs, cancellation);
        return new(our, Peer(), their, accurate);
    }

    /// <summary>The roof under which the others run: the product of tiles on one thread, beside a product of the same sizes.</summary>
    private static unsafe BenchMeasurement Gemm(CancellationToken cancellation)
    {
        NativeTorch.SetThreads(1);
        using var scope = NewDisposeScope();
        using var off = no_grad();
        const int rows = 480, vocabulary = 8192, depth = 256;
        using var generator = new Generator(1);
        var (e, c) = (randn(rows, depth, generator: generator), randn(vocabulary, depth, generator: generator));
        var pairs = TargetRows.Select(new long[rows], rows, vocabulary);
        float[] lse = new float[rows], logit = new float[rows];
        var (our, their) = Alternate(
            () => new LinearCrossEntropyKernel(Matrix(e), Matrix(c), null, pairs, new(), new Scratch()).Forward(lse, logit, default, cancellation),
            () => matmul(e, c.t()).Dispose(), cancellation);
        bool accurate = Relative(tensor(lse), logsumexp(matmul(e, c.t()), 1)) <= Tolerance;
        const double giga = 2e-9 * rows * vocabulary * depth;
        return new(giga / our, $"{Peer()}: the product alone; ours with the log-sum-exp", giga / their, accurate);
    }

    /// <summary>Random states and classifier; peaked as after training: a feature of all rows carries the vocabulary's frequencies, and states point at their targets.</summary>
    private static (Tensor E, Tensor C, Tensor Targets) Head(int rows, int vocabulary, int depth, bool peaked)
    {
        using var generator = new Generator(1);
        var c = 0.05f * randn(vocabulary, depth, generator: generator);
        if (!peaked)
            return (randn(rows, depth, generator: generator).requires_grad_(), c.requires_grad_(), randint(0, vocabulary, [rows], generator: generator));
        var targets = (vocabulary * rand(rows, generator: generator).pow(6)).to_type(ScalarType.Int64); // few classes are frequent
        var e = 0.3f * randn(rows, depth, generator: generator) + 12 * c.index_select(0, targets);
        c.select(1, 0).copy_(-2 * log(arange(vocabulary, ScalarType.Float32) + 1));
        e.select(1, 0).fill_(1);
        return (e.requires_grad_(), c.requires_grad_(), targets);
    }

    private static (Tensor Q, Tensor K) Pairs(int n, int depth, Generator generator)
    {
        var q = randn(n, depth, generator: generator);
        var k = q + randn(n, depth, generator: generator);
        return (nn.functional.normalize(q, dim: 1).detach().requires_grad_(), nn.functional.normalize(k, dim: 1).detach().requires_grad_());
    }

    private static unsafe double SkipRate(Tensor e, Tensor c, Tensor targets, LinearCrossEntropyOptions options)
    {
        var rows = TargetRows.Select(targets.data<long>().ToArray(), (int)targets.shape[0], (int)c.shape[0]);
        float[] weights = new float[rows.Count], lse = new float[rows.Count], logit = new float[rows.Count];
        using var dE = empty_like(e);
        using var dC = empty_like(c);
        return new LinearCrossEntropyKernel(Matrix(e), Matrix(c), null, rows, options, new Scratch()).ForwardBackward(weights, lse, logit, Matrix(dE), Matrix(dC), default).SkipRate;
    }

    private static double[] Step(Func<Tensor> loss, Tensor a, Tensor b, out Tensor[] gradients)
    {
        using var scope = NewDisposeScope();
        a.grad = null!;
        b.grad = null!;
        var value = loss();
        value.backward();
        gradients = [a.grad!.MoveToOuterDisposeScope(), b.grad!.MoveToOuterDisposeScope()];
        return [value.to_type(ScalarType.Float64).item<double>()];
    }

    private static void Timed(Func<Tensor> loss, Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        Step(loss, a, b, out _);
    }

    private static (double Ours, double Theirs) Alternate(Action ours, Action theirs, CancellationToken cancellation)
    {
        List<double> our = [], their = [];
        for (int i = 0; i < Warmups + Repetitions; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            our.Add(Seconds(ours));
            their.Add(Seconds(theirs));
        }
        return (our.Skip(Warmups).Order().ElementAt(Repetitions / 2), their.Skip(Warmups).Order().ElementAt(Repetitions / 2));
    }

    private static double Seconds(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double Relative(Tensor actual, Tensor expected)
    {
        using var off = no_grad();
        return (actual - expected).norm().to_type(ScalarType.Float64).item<double>() / expected.norm().to_type(ScalarType.Float64).item<double>();
    }

    /// <summary>Whether a gradient is the expected one but for rounding and what a filter may lose of it.</summary>
    private static bool Within(Tensor actual, Tensor expected, Tensor other, double epsilon)
    {
        using var off = no_grad();
        return epsilon == 0 ? Relative(actual, expected) <= Tolerance : ((actual - expected).abs() <= epsilon * other.abs().sum(dim: 0) + Tolerance * expected.abs().max()).all().item<bool>();
    }

    private static unsafe TileMatrix Matrix(Tensor tensor)
    {
        int columns = (int)tensor.shape[^1];
        fixed (byte* data = tensor.bytes)
            return new((float*)data, (int)(tensor.numel() / columns), columns);
    }

    private static string Peer(string more = "") => string.Create(CultureInfo.InvariantCulture, $"libtorch {__version__}, {get_num_threads()} threads{more}");
}
