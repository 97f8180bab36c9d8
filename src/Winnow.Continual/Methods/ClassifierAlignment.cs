using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>How the age of a class is found when its mean is shrunk.</summary>
public enum TaskIndexRule
{
    /// <summary>The task that brought the class.</summary>
    Paper,

    /// <summary>As the released code does: the class's position in order of arrival divided by the size of the current task, which is wrong where tasks differ in size.</summary>
    Released,
}

/// <summary>How a classifier is aligned.</summary>
public sealed record AlignmentPlan
{
    /// <summary>Step size at the start of the cosine schedule, one step of the schedule an epoch.</summary>
    public double LearningRate { get; init; } = 0.01;

    /// <summary>SGD momentum.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>SGD weight decay.</summary>
    public double WeightDecay { get; init; } = 5e-4;

    /// <summary>Epochs E; new samples are drawn in each.</summary>
    public int Epochs { get; init; } = 5;

    /// <summary>Samples S drawn for each class in each epoch.</summary>
    public int SamplesPerClass { get; init; } = 256;

    /// <summary>Rows of a mini-batch.</summary>
    public int BatchSize { get; init; } = 256;

    /// <summary>Temperature τ of the logit normalisation; null switches the normalisation off.</summary>
    public double? LogitNorm { get; init; } = 0.1;

    /// <summary>How the age of a class is found.</summary>
    public TaskIndexRule TaskIndex { get; init; } = TaskIndexRule.Paper;
}

/// <summary>
/// The second stage of SLCA: a linear head is trained on rows drawn from the classes' normal distributions, so that classes of all ages
/// weigh the same. K classes seen so far, in order of arrival; T tasks, whose sizes add up to K.
/// </summary>
public static class ClassifierAlignment
{
    /// <summary>Aligns a head. Cost: O(E·K·S·(d² + d·K)).</summary>
    /// <param name="weight">Weights [K, d], float32; not changed.</param>
    /// <param name="bias">Biases [K], float32; not changed.</param>
    /// <param name="taskSizes">Classes of each task, in order of arrival; the last is the current task.</param>
    /// <param name="gaussians">The distributions.</param>
    /// <param name="labels">The label in <paramref name="gaussians"/> of each of the K classes.</param>
    /// <param name="plan">How.</param>
    /// <param name="draws">For an epoch the standard normal noise [K, S, d] in float64, and a permutation of the K·S rows.</param>
    /// <param name="cancellation">Stops the work.</param>
    /// <returns>The aligned weights and biases; the current dispose scope owns them.</returns>
    /// <exception cref="ArgumentException">No classes, or shapes that do not fit each other.</exception>
    public static (Tensor Weight, Tensor Bias) Align(Tensor weight, Tensor bias, IReadOnlyList<int> taskSizes, ClassGaussians gaussians, IReadOnlyList<int> labels,
        AlignmentPlan plan, Func<int, (Tensor Noise, Tensor Order)> draws, CancellationToken cancellation)
    {
        int classes = labels.Count;
        if (classes == 0)
            throw new ArgumentException("There are no classes to align: at least one task must have been learned.", nameof(labels));
        if (weight.dim() != 2 || weight.shape[0] != classes || bias.dim() != 1 || bias.shape[0] != classes || taskSizes.Sum() != classes)
            throw new ArgumentException($"weights [{string.Join(", ", weight.shape)}], biases [{string.Join(", ", bias.shape)}] and task sizes {string.Join(" + ", taskSizes)} do not fit {classes} classes", nameof(weight));
        using var grad = enable_grad();
        using var scope = NewDisposeScope();
        // A network without hidden layers is exactly the head.
        using var head = Network.Mlp((int)weight.shape[1], [], classes, batchNorm: false, new SeededRandom(0, "overwritten"));
        weight.contiguous().Values<float>().CopyTo(head.ParameterValues);
        bias.contiguous().Values<float>().CopyTo(head.ParameterValues[(int)weight.numel()..]);
        double[] scale = MeanScales(taskSizes, plan.TaskIndex);
        var targets = arange(classes, ScalarType.Int64).repeat_interleave(plan.SamplesPerClass);
        using var optimizer = new Sgd(head, plan.LearningRate, plan.Momentum, plan.WeightDecay);
        for (int epoch = 0; epoch < plan.Epochs; epoch++)
        {
            using var epochScope = NewDisposeScope();
            optimizer.LearningRate = plan.LearningRate * (1 + Math.Cos(Math.PI * epoch / plan.Epochs)) / 2;
            var (noise, order) = draws(epoch);
            var rows = cat([.. labels.Select((label, c) => gaussians.Sample(label, scale[c], noise[c]))]).to_type(ScalarType.Float32).index_select(0, order);
            var y = targets.index_select(0, order);
            for (long start = 0; start < rows.shape[0]; start += plan.BatchSize)
            {
                cancellation.ThrowIfCancellationRequested();
                long count = Math.Min(plan.BatchSize, rows.shape[0] - start);
                using var x = rows.narrow(0, start, count);
                using var target = y.narrow(0, start, count);
                head.ZeroGradient();
                head.AddGradient(x, logits => Loss(logits, target, taskSizes, plan.LogitNorm));
                optimizer.Step();
            }
        }
        using var _ = no_grad();
        return (head.Parameters.narrow(0, 0, weight.numel()).view(weight.shape).clone().MoveToOuterDisposeScope(),
            head.Parameters.narrow(0, weight.numel(), classes).clone().MoveToOuterDisposeScope());
    }

    /// <summary>
    /// Cross-entropy of ℓ/(m·τ), where m is the mean, over the tasks' blocks of logits ℓ_i, of ‖ℓ_i‖₂ + 1e-7; plain cross-entropy when τ is null.
    /// </summary>
    /// <param name="logits">Logits [B, K], the tasks' blocks side by side.</param>
    /// <param name="targets">Labels [B].</param>
    /// <param name="taskSizes">Classes of each block.</param>
    /// <param name="tau">Temperature τ, or null.</param>
    public static Tensor Loss(Tensor logits, Tensor targets, IReadOnlyList<int> taskSizes, double? tau)
    {
        if (tau is not { } temperature)
            return F.cross_entropy(logits, targets);
        var norms = logits.split([.. taskSizes.Select(s => (long)s)], dim: 1).Select(block => block.norm(1, keepdim: true) + 1e-7);
        var mean = cat([.. norms], 1).mean([1], keepdim: true);
        return F.cross_entropy(logits / mean / temperature, targets);
    }

    /// <summary>a_c = 0.9 + 0.1·(t_c + 1)/T for each class: means shrink towards the origin with age.</summary>
    internal static double[] MeanScales(IReadOnlyList<int> taskSizes, TaskIndexRule rule)
    {
        int[] task = [.. taskSizes.SelectMany((size, t) => Enumerable.Repeat(t, size))];
        if (rule == TaskIndexRule.Released)
            task = [.. task.Select((_, c) => c / taskSizes[^1])];
        return [.. task.Select(t => 0.9 + 0.1 * (t + 1) / taskSizes.Count)];
    }
}
