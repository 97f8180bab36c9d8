using Winnow.Core;

namespace Winnow.Learning;

/// <summary>Which modules an architecture has, where their state lies in the flat vectors, and what it is at first.</summary>
internal static class NetworkLayout
{
    /// <summary>The modules in the order of the forward pass, the head last.</summary>
    /// <exception cref="ArgumentException">A size that no network has.</exception>
    public static IReadOnlyList<NetworkModule> Of(Architecture architecture)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(architecture.Inputs, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(architecture.Outputs, 1);
        var modules = new List<NetworkModule>();
        int parameters = 0, buffers = 0;

        void Add(string name, ModuleKind kind, params long[] weight)
        {
            int bias = parameters + (int)weight.Aggregate(1L, (a, b) => a * b);
            long width = weight[0];
            modules.Add(new NetworkModule(name, kind,
                [new($"{name}.weight", parameters, weight), new($"{name}.bias", bias, [width])],
                kind == ModuleKind.BatchNorm
                    ? [new($"{name}.running_mean", buffers, [width]), new($"{name}.running_var", buffers + (int)width, [width])]
                    : []));
            parameters = bias + (int)width;
            buffers += kind == ModuleKind.BatchNorm ? 2 * (int)width : 0;
        }

        switch (architecture)
        {
            case MlpArchitecture mlp:
                int inputs = mlp.Width;
                for (int i = 0; i < mlp.Hidden.Count; i++)
                {
                    ArgumentOutOfRangeException.ThrowIfLessThan(mlp.Hidden[i], 1, nameof(mlp.Hidden));
                    Add($"linear{i + 1}", ModuleKind.Linear, mlp.Hidden[i], inputs);
                    inputs = mlp.Hidden[i];
                    if (mlp.BatchNorm)
                        Add($"norm{i + 1}", ModuleKind.BatchNorm, inputs);
                }
                break;
            case CnnArchitecture cnn:
                ArgumentOutOfRangeException.ThrowIfLessThan(cnn.Height, 4);
                ArgumentOutOfRangeException.ThrowIfLessThan(cnn.Width, 4);
                int channels = cnn.Channels;
                for (int i = 0; i < cnn.Filters.Count; i++)
                {
                    Add($"conv{i + 1}", ModuleKind.Convolution, cnn.Filters[i], channels, 3, 3);
                    channels = cnn.Filters[i];
                    if (cnn.BatchNorm)
                        Add($"norm{i + 1}", ModuleKind.BatchNorm, channels);
                }
                break;
            default:
                throw new ArgumentException($"unknown architecture {architecture.GetType().Name}", nameof(architecture));
        }
        if (architecture.Cosine is { } cosine)
            modules.Add(Cosine(cosine, architecture, parameters, buffers));
        else
            Add("head", ModuleKind.Linear, architecture.Outputs, architecture.Features);
        return modules;
    }

    private static NetworkModule Cosine(CosineHead head, Architecture architecture, int parameters, int buffers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(head.Width, 1);
        if (!head.Projected && head.Width != architecture.Features)
            throw new ArgumentException($"targets of {head.Width} values and features of {architecture.Features}: they are compared directly only when they are equally wide", nameof(head));
        FlatRange[] map = head.Projected ? [new("head.weight", parameters, [head.Width, architecture.Features])] : [];
        return new("head", ModuleKind.Cosine, [.. map, new("head.scale", parameters + map.Sum(m => m.Length), [1])], [new("head.targets", buffers, [architecture.Outputs, head.Width])]);
    }

    /// <summary>PyTorch's defaults: weights and biases uniform within 1/sqrt(fan-in), normalisation as the identity.</summary>
    public static void Initialise(IReadOnlyList<NetworkModule> modules, Span<float> parameters, Span<float> buffers, SeededRandom random)
    {
        foreach (var module in modules)
        {
            var (weight, bias) = (module.Parameters[0], module.Parameters[^1]);
            if (module.Kind == ModuleKind.BatchNorm)
            {
                parameters.Slice(weight.Offset, weight.Length).Fill(1);
                parameters.Slice(bias.Offset, bias.Length).Clear();
                buffers.Slice(module.Buffers[0].Offset, module.Buffers[0].Length).Clear();
                buffers.Slice(module.Buffers[1].Offset, module.Buffers[1].Length).Fill(1);
                continue;
            }
            if (module.Kind == ModuleKind.Cosine)
            {
                parameters[module.Parameters[^1].Offset] = 10;
                buffers.Slice(module.Buffers[0].Offset, module.Buffers[0].Length).Clear();
                if (module.Parameters.Count == 1)
                    continue;
            }
            double bound = 1 / Math.Sqrt((double)weight.Length / weight.Shape[0]);
            foreach (ref float value in parameters.Slice(module.Offset, module.Kind == ModuleKind.Cosine ? weight.Length : module.Length))
                value = (float)(bound * (2 * random.NextDouble() - 1));
        }
    }
}
