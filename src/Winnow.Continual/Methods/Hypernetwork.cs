using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// A generator of all P parameters of a main network from a task embedding. Chunks are laid behind one another, the last one cut off, and a
/// parameter is <c>θ_i = o_i + s_i w_i</c>: s = 1/√fan-in, and o = 1 for the scale of a normalisation, so that the main network starts with the
/// spread of PyTorch's initial weights.
/// </summary>
internal sealed class Hypernetwork : IDisposable
{
    private readonly FlatRange[] _main;
    private readonly Tensor _scale, _origin;
    private readonly GeneratorKind _kind;

    /// <param name="main">Whose parameters are generated.</param>
    /// <param name="options">Kind and sizes.</param>
    /// <param name="tasks">Number of task embeddings.</param>
    /// <param name="random">Initial weights.</param>
    public Hypernetwork(Network main, DependencyHypernetOptions options, int tasks, SeededRandom random)
    {
        _main = [.. main.Modules.SelectMany(m => m.Parameters)];
        _kind = options.Generator;
        Size = main.ParameterValues.Length;
        (_scale, _origin) = Layout(main);
        int steps = (Size + options.Chunk - 1) / options.Chunk, inputs = options.TaskEmbedding + options.ChunkEmbedding;
        Func<double> normal = random.NextNormal;
        var ends = new (string, long[], Func<double>)[] { ("chunks", [steps, options.ChunkEmbedding], normal), ("tasks", [tasks, options.TaskEmbedding], normal) };
        Parameters = new("hypernet", _kind == GeneratorKind.Lstm ? [.. Lstm(options.Hidden, inputs, options.Chunk, random), .. ends] : [.. FeedForward(Width(options.Hidden, inputs, options.Chunk), inputs, options.Chunk, random), .. ends]);
        Recurrent = _kind == GeneratorKind.Lstm ? 4 * options.Hidden * (options.Hidden + 1) : 0;
        Grown = Parameters.Length - Recurrent - tasks * options.TaskEmbedding;

        // The read-out is scaled so that what is generated has the spread 1/√3 of a uniform distribution within ±1.
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        double spread = Raw(Embeddings([.. Enumerable.Range(0, tasks)])).std().item<float>();
        Parameters["output.weight"].mul_(1 / (Math.Sqrt(3) * spread));
        Parameters["output.bias"].mul_(1 / (Math.Sqrt(3) * spread));
    }

    /// <summary>φ: the recurrent weights first, then what a growing generator keeps for each task, then the task embeddings.</summary>
    public TrainableTensors Parameters { get; }

    /// <summary>Parameters P of the main network.</summary>
    public int Size { get; }

    /// <summary>Length of the recurrent weights, at the start of φ.</summary>
    public int Recurrent { get; }

    /// <summary>Length of the parameters after the recurrent ones, without the task embeddings.</summary>
    public int Grown { get; }

    /// <summary>Embeddings [n, e] of tasks, on the graph.</summary>
    public Tensor Embeddings(params int[] tasks) => Parameters["tasks"].index_select(0, tensor(tasks.Select(t => (long)t).ToArray()));

    /// <summary>θ [n, P] of embeddings [n, e], on the graph.</summary>
    public Tensor Generate(Tensor embeddings)
    {
        using var scope = NewDisposeScope();
        return (_origin + _scale * Raw(embeddings).flatten(1).narrow(1, 0, Size)).MoveToOuterDisposeScope();
    }

    /// <summary>θ [P] as the main network's parameters by name.</summary>
    public IReadOnlyDictionary<string, Tensor> Weights(Tensor theta) =>
        theta.split([.. _main.Select(p => (long)p.Length)]).Zip(_main).ToDictionary(p => p.Second.Name, p => p.First.view([.. p.Second.Shape]));

    private Tensor Raw(Tensor embeddings) => _kind == GeneratorKind.Lstm
        ? WeightGenerators.Lstm(embeddings, Parameters["chunks"], Parameters["w-ih"], Parameters["w-hh"], Parameters["b-ih"], Parameters["b-hh"], Parameters["output.weight"], Parameters["output.bias"])
        : WeightGenerators.FeedForward(embeddings, Parameters["chunks"], Layer("layer1"), Layer("layer2"), Layer("output"));

    private (Tensor, Tensor) Layer(string name) => (Parameters[$"{name}.weight"], Parameters[$"{name}.bias"]);

    /// <summary>The widest two hidden layers with which the feed-forward generator has no more parameters than the LSTM.</summary>
    internal static int Width(int hidden, int inputs, int chunk)
    {
        long budget = 4L * hidden * (hidden + inputs + 2) + (long)chunk * hidden;
        int width = 1;
        while ((long)(width + 1) * (inputs + 1 + width + 1 + 1 + chunk) <= budget)
            width++;
        return width;
    }

    private static IEnumerable<(string, long[], Func<double>)> Lstm(int hidden, int inputs, int chunk, SeededRandom random)
    {
        var initial = TrainableTensors.Uniform(random, 1 / Math.Sqrt(hidden));
        return [("w-hh", [4 * hidden, hidden], initial), ("b-hh", [4 * hidden], initial), ("w-ih", [4 * hidden, inputs], initial), ("b-ih", [4 * hidden], initial), .. ConditionalVae.Layer("output", hidden, chunk, random)];
    }

    private static IEnumerable<(string, long[], Func<double>)> FeedForward(int width, int inputs, int chunk, SeededRandom random) =>
        [.. ConditionalVae.Layer("layer1", inputs, width, random), .. ConditionalVae.Layer("layer2", width, width, random), .. ConditionalVae.Layer("output", width, chunk, random)];

    private static (Tensor Scale, Tensor Origin) Layout(Network main)
    {
        float[] scale = new float[main.ParameterValues.Length], origin = new float[scale.Length];
        foreach (var module in main.Modules)
        {
            bool norm = module.Kind == ModuleKind.BatchNorm;
            double fanIn = norm ? 100 : module.Parameters[0].Length / module.Parameters[0].Shape[0];
            scale.AsSpan(module.Offset, module.Length).Fill((float)(1 / Math.Sqrt(fanIn)));
            if (norm)
                origin.AsSpan(module.Parameters[0].Offset, module.Parameters[0].Length).Fill(1);
        }
        return (tensor(scale).DetachFromDisposeScope(), tensor(origin).DetachFromDisposeScope());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Parameters.Dispose();
        _scale.Dispose();
        _origin.Dispose();
    }
}
