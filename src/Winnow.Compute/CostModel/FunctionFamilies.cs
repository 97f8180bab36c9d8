using Winnow.Core;
using Winnow.Learning;

namespace Winnow.Compute;

/// <summary>
/// Functions of the shapes that models have, family by family, of random sizes, a few thousandths of a second each: what a cost model is trained on and, on other
/// families, tested on. The first two are the workbench's own networks.
/// </summary>
public static class FunctionFamilies
{
    private const double MostFlops = 4e7, MostBytes = 2e7, LeastBytes = 2e4;
    private const int MostLines = 48;

    private static readonly (string Name, Func<SeededRandom, TensorFunction> Make)[] Families =
    [
        ("perceptron", r => OfNetwork(new MlpArchitecture(Size(r, 16, 512), [.. Many(r, 0, 4).Select(_ => Size(r, 16, 256))], Size(r, 2, 64), r.Next(2) == 0), Size(r, 4, 128))),
        ("convolutional", r => OfNetwork(new CnnArchitecture(r.Next(1, 4), Size(r, 8, 32), Size(r, 8, 32), Size(r, 2, 64), r.Next(2) == 0), Size(r, 1, 16))),
        ("residual", Residual), ("inception", Inception), ("bottleneck", Bottleneck), ("attention", Attention), ("encoder", Encoder), ("autoencoder", Autoencoder),
        ("recurrent", Recurrent), ("gated", Gated), ("normalised", Normalised), ("ensemble", Ensemble),
    ];

    /// <summary>The families' names.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Families.Select(f => f.Name)];

    /// <summary>A function of a family, mutated or not (<see cref="FunctionMutations"/>); one in five is small, a candidate of the fusion study.</summary>
    /// <param name="family">The family's name.</param>
    /// <param name="random">Where its sizes come from.</param>
    public static TensorFunction Sample(string family, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(random);
        var make = Families.Where(f => f.Name == family).Select(f => f.Make).FirstOrDefault() ?? throw InputException.Unknown("family", family, Names, "FunctionFamilies.Names");
        while (true)
        {
            var function = make(random);
            for (int i = random.Next(4); i > 0; i--)
                function = FunctionMutations.Mutate(function, random);
            if (random.Next(5) == 0 && FunctionMutations.Candidates(function, random) is var (kept, fused))
                function = random.Next(2) == 0 ? kept : fused;
            double bytes = Enumerable.Range(0, function.Operations.Count).Sum(i => FunctionCosts.Bytes(function, i));
            if (function.Operations.Count <= MostLines && bytes is >= LeastBytes and <= MostBytes && Enumerable.Range(0, function.Operations.Count).Sum(i => FunctionCosts.Flops(function, i)) <= MostFlops)
                return function;
        }
    }

    /// <summary>What a network of the workbench computes from a batch to its logits. Batch normalisation is two pointwise lines, the head on flattened maps a convolution as large as they are.</summary>
    /// <param name="architecture">The network.</param>
    /// <param name="batch">Rows.</param>
    /// <exception cref="ArgumentException">An architecture that has no export.</exception>
    public static TensorFunction OfNetwork(Architecture architecture, int batch)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        var b = new FunctionBuilder();
        if (architecture.Cosine is not null)
            throw new ArgumentException("a network with a cosine head has no export; expected a linear head", nameof(architecture));
        switch (architecture)
        {
            case MlpArchitecture mlp:
                int x = b.Argument(batch, mlp.Width);
                foreach (int width in mlp.Hidden)
                    x = b.Add(TensorOp.Relu, Norm(b.Linear(x, width), width));
                return b.Build("mlp", b.Linear(x, mlp.Outputs));
            case CnnArchitecture cnn:
                int image = b.Argument(batch, cnn.Channels, cnn.Height, cnn.Width);
                foreach (int filters in cnn.Filters)
                {
                    int y = b.Add(TensorOp.Add, b.Convolution(image, filters, 3), b.Argument(filters, 1, 1));
                    image = b.Add(TensorOp.Pool, b.Add(TensorOp.Relu, Norm(y, filters, 1, 1)));
                }
                int logits = b.Add(new TensorOperation(TensorOp.Conv2d, [image, b.Argument(cnn.Outputs, cnn.Filters[^1], cnn.Height / 4, cnn.Width / 4)]));
                return b.Build("cnn", b.Add(TensorOp.Add, logits, b.Argument(cnn.Outputs, 1, 1)));
            default:
                throw new ArgumentException($"a {architecture.GetType().Name} has no export", nameof(architecture));
        }

        int Norm(int y, params int[] shape) => architecture.BatchNorm ? b.Add(TensorOp.Add, b.Add(TensorOp.Mul, y, b.Argument(shape)), b.Argument(shape)) : y;
    }

    /// <summary>A size between two bounds, every octave as likely, a multiple of 4 from 16 on.</summary>
    internal static int Size(SeededRandom r, int low, int high)
    {
        double size = low * Math.Pow((double)high / low, r.NextDouble());
        return size < 16 ? (int)Math.Round(size) : 4 * (int)Math.Round(size / 4);
    }

    private static IEnumerable<int> Many(SeededRandom r, int low, int high) => Enumerable.Range(0, r.Next(low, high + 1)).ToArray();

    private static TensorFunction Residual(SeededRandom r)
    {
        var b = new FunctionBuilder();
        int c = Size(r, 4, 32), x = b.Argument(Size(r, 1, 8), c, Size(r, 8, 24), Size(r, 8, 24));
        foreach (int _ in Many(r, 1, 4))
        {
            int y = b.Convolution(b.Add(TensorOp.Relu, b.Convolution(x, c, 3)), c, 3);
            x = b.Add(TensorOp.Relu, b.Add(TensorOp.Add, x, y));
        }
        return b.Build("residual", b.Reduce(b.Reduce(x, 2), 3));
    }

    private static TensorFunction Inception(SeededRandom r)
    {
        var b = new FunctionBuilder();
        int x = b.Argument(Size(r, 1, 8), Size(r, 4, 24), Size(r, 8, 20), Size(r, 8, 20));
        foreach (int _ in Many(r, 1, 3))
        {
            int[] branches = [.. Many(r, 2, 4).Select((_, i) => b.Add(TensorOp.Relu, b.Convolution(x, Size(r, 4, 16), 2 * (i % 3) + 1)))];
            x = b.Add(new TensorOperation(TensorOp.Concat, branches) { Axis = 1 });
        }
        return b.Build("inception", b.Convolution(x, Size(r, 4, 32), 1));
    }

    private static TensorFunction Bottleneck(SeededRandom r)
    {
        var b = new FunctionBuilder();
        int c = Size(r, 8, 48), x = b.Argument(Size(r, 1, 8), c, Size(r, 8, 20), Size(r, 8, 20));
        foreach (int _ in Many(r, 1, 4))
        {
            int narrow = Size(r, 4, 16), y = b.Add(TensorOp.Relu, b.Convolution(x, narrow, 1));
            y = b.Add(TensorOp.Relu, b.Convolution(y, narrow, 3));
            x = b.Add(TensorOp.Add, b.Convolution(y, c, 1), x);
        }
        return b.Build("bottleneck", b.Add(TensorOp.Pool, x));
    }

    private static TensorFunction Attention(SeededRandom r)
    {
        var b = new FunctionBuilder();
        return b.Build("attention", AttentionBlock(b, b.Argument(Size(r, 1, 8), Size(r, 8, 96), Size(r, 16, 96)), Size(r, 8, 64)));
    }

    private static int AttentionBlock(FunctionBuilder b, int x, int width)
    {
        int q = b.Linear(x, width, bias: false), k = b.Linear(x, width, bias: false), v = b.Linear(x, width, bias: false);
        int weights = b.Softmax(b.Add(TensorOp.Matmul, q, b.Add(new TensorOperation(TensorOp.Transpose, [k]) { Permutation = [0, 2, 1] })));
        return b.Linear(b.Add(TensorOp.Matmul, weights, v), b.Shape(x)[^1], bias: false);
    }

    private static TensorFunction Encoder(SeededRandom r)
    {
        var b = new FunctionBuilder();
        int width = Size(r, 16, 64), x = b.Argument(Size(r, 1, 4), Size(r, 8, 64), width);
        foreach (int _ in Many(r, 1, 2))
        {
            x = b.Add(TensorOp.Add, x, AttentionBlock(b, x, width));
            x = b.Add(TensorOp.Add, x, b.Linear(b.Add(TensorOp.Relu, b.Linear(x, 2 * width)), width));
        }
        return b.Build("encoder", x);
    }

    private static TensorFunction Autoencoder(SeededRandom r)
    {
        var b = new FunctionBuilder();
        int inputs = Size(r, 32, 512), x = b.Argument(Size(r, 4, 128), inputs), start = x;
        int[] widths = [.. Many(r, 1, 3).Select(_ => Size(r, 8, 128)).OrderDescending()];
        foreach (int width in widths.Concat(widths.Reverse().Skip(1)))
            x = b.Add(TensorOp.Relu, b.Linear(x, width));
        int error = b.Add(TensorOp.Add, b.Linear(x, inputs), start);
        return b.Build("autoencoder", b.Reduce(b.Add(TensorOp.Mul, error, error), 1));
    }

    private static TensorFunction Recurrent(SeededRandom r)
    {
        var b = new FunctionBuilder();
        int batch = Size(r, 4, 64), width = Size(r, 16, 128), inputs = Size(r, 8, 128), w = b.Argument(inputs, width), u = b.Argument(width, width), h = b.Argument(batch, width);
        var states = new List<int>();
        foreach (int _ in Many(r, 2, 8))
            states.Add(h = b.Add(TensorOp.Relu, b.Add(TensorOp.Add, b.Add(TensorOp.Matmul, b.Argument(batch, inputs), w), b.Add(TensorOp.Matmul, h, u))));
        return b.Build("recurrent", r.Next(2) == 0 ? h : b.Add(new TensorOperation(TensorOp.Concat, states) { Axis = 0 }));
    }

    private static TensorFunction Gated(SeededRandom r)
    {
        var b = new FunctionBuilder();
        int width = Size(r, 16, 128), x = b.Argument(Size(r, 8, 128), width);
        foreach (int _ in Many(r, 1, 4))
        {
            int hidden = Size(r, 16, 256), gate = b.Add(TensorOp.Exp, b.Linear(x, hidden)), value = b.Linear(x, hidden);
            x = b.Add(TensorOp.Add, x, b.Linear(b.Add(TensorOp.Mul, gate, value), width, bias: false));
        }
        return b.Build("gated", x);
    }

    private static TensorFunction Normalised(SeededRandom r)
    {
        var b = new FunctionBuilder();
        int width = Size(r, 32, 512), x = b.Argument(Size(r, 16, 512), width);
        foreach (int _ in Many(r, 1, 4))
        {
            int centred = b.Add(TensorOp.Add, x, b.Add(TensorOp.Mul, b.Reduce(x, 1), b.Argument(1)));
            int scaled = b.Add(TensorOp.Div, centred, b.Reduce(b.Add(TensorOp.Mul, centred, centred), 1));
            x = b.Add(TensorOp.Relu, b.Add(TensorOp.Add, b.Add(TensorOp.Mul, scaled, b.Argument(width)), b.Argument(width)));
        }
        return b.Build("normalised", b.Reduce(x, 0, maximum: true));
    }

    private static TensorFunction Ensemble(SeededRandom r)
    {
        var b = new FunctionBuilder();
        int batch = Size(r, 8, 128), width = Size(r, 16, 128), x = b.Argument(batch, width), outputs = Size(r, 4, 64);
        List<int> members = [.. Many(r, 2, 8).Select(_ => b.Softmax(b.Linear(x, outputs)))];
        while (members.Count > 1)
            members = [.. members.Chunk(2).Select(p => p.Length == 2 ? b.Add(TensorOp.Add, p[0], p[1]) : p[0])];
        return b.Build("ensemble", members[0]);
    }
}
