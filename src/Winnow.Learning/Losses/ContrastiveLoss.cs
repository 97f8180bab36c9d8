using TorchSharp.Modules;
using Winnow.Numerics;
using static TorchSharp.torch;

namespace Winnow.Learning;

/// <summary>
/// The contrastive loss of pairs with a learned log scale, without the matrix of logits. Method, shapes and cost: <see cref="ContrastiveKernel"/>.
/// </summary>
public sealed class ContrastiveLoss : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly ContrastiveOptions _options;
#pragma warning disable CA1051, IDE1006 // TorchSharp finds parameters by field
    /// <summary>The logarithm of the scale, a scalar.</summary>
    public readonly Parameter logit_scale;
#pragma warning restore CA1051, IDE1006

    /// <summary>A loss with an initial temperature, 1/scale.</summary>
    public ContrastiveLoss(double temperature = 0.07, ContrastiveOptions? options = null) : base(nameof(ContrastiveLoss))
    {
        if (!(temperature > 0))
            throw new ArgumentOutOfRangeException(nameof(temperature), temperature, "the temperature must be positive");
        _options = options ?? new();
        logit_scale = new Parameter(tensor((float)-Math.Log(temperature)));
        RegisterComponents();
    }

    /// <summary>The loss of normalised queries [n, d] and keys [n, d].</summary>
    public override Tensor forward(Tensor input, Tensor keys) => Loss(input, keys, logit_scale, null, _options);

    /// <summary>The loss as a function.</summary>
    /// <param name="queries">Q [n, d], float32.</param>
    /// <param name="keys">K [n, d], float32.</param>
    /// <param name="logScale">The logarithm of the scale, a float32 scalar.</param>
    /// <param name="labels">The key of every query; null for the one of its own index.</param>
    /// <param name="options">How to compute; null for the defaults: both directions.</param>
    /// <param name="scratch">Where temporaries come from; null for memory without a limit.</param>
    public static Tensor Loss(Tensor queries, Tensor keys, Tensor logScale, int[]? labels = null, ContrastiveOptions? options = null, Scratch? scratch = null)
    {
        foreach (var (tensor, name) in new[] { (queries, nameof(queries)), (keys, nameof(keys)) })
        {
            TensorTiles.Check(tensor, name, ScalarType.Float32);
            if (tensor.dim() != 2)
                throw new ArgumentException($"{name} of shape [{string.Join(", ", tensor.shape)}]; expected [n, d]", name);
        }
        TensorTiles.Check(logScale.reshape(1), nameof(logScale), ScalarType.Float32);
        return ContrastiveFunction.apply(queries, keys, logScale, new ContrastiveProblem(labels, options ?? new(), scratch ?? new Scratch()));
    }
}

/// <summary>What a call of the loss is besides its tensors.</summary>
internal sealed record ContrastiveProblem(int[]? Labels, ContrastiveOptions Options, Scratch Scratch)
{
    public ContrastiveKernel? Kernel { get; set; }
}

/// <summary>Inputs queries, keys, log scale and the problem; output the loss.</summary>
internal sealed class ContrastiveFunction : autograd.SingleTensorFunction<ContrastiveFunction>
{
    public override string Name => nameof(ContrastiveFunction);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (q, k, logScale, problem) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2], (ContrastiveProblem)vars[3]);
        using var noGradient = no_grad();
        (q, k) = (q.detach().contiguous(), k.detach().contiguous());
        problem.Kernel = new ContrastiveKernel(q.Matrix(), k.Matrix(), MathF.Exp(logScale.item<float>()), problem.Labels, problem.Options, problem.Scratch);
        double loss = problem.Kernel.Forward();
        ctx.save_for_backward([q, k]);
        ctx.save_data("problem", problem);
        return tensor((float)loss);
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var problem = (ContrastiveProblem)ctx.get_data("problem");
        var saved = ctx.get_saved_variables();
        using var noGradient = no_grad();
        var (dQ, dK) = (empty_like(saved[0]), empty_like(saved[1]));
        double dLogScale = problem.Kernel!.Backward(grad_output.item<float>(), dQ.Matrix(), dK.Matrix());
        GC.KeepAlive(saved); // the kernel reads their memory
        return [dQ, dK, tensor((float)dLogScale), null!];
    }
}
