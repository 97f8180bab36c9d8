using Winnow.Numerics;
using static TorchSharp.torch;

namespace Winnow.Learning;

/// <summary>What a call of the loss is besides its tensors.</summary>
internal sealed record LinearCrossEntropyProblem(TargetRows Rows, LinearCrossEntropySettings Settings, bool WithLogSumExp, bool Gradients, long[] OutputShape)
{
    public Scratch Scratch { get; } = Settings.Scratch ?? new Scratch();

    /// <summary>Whether gradients are computed with the loss.</summary>
    public bool AtOnce(ScalarType type) => Gradients && !WithLogSumExp && Settings is { GradientsWithLoss: true, Kernel.SortVocabulary: false } && Settings.Reduction != nn.Reduction.None && type == ScalarType.Float32;

    /// <summary>By how much a row's loss counts.</summary>
    public double Weight => Settings.Reduction == nn.Reduction.Mean ? 1.0 / Math.Max(1, Rows.Count) : 1;

    public int[]? Order { get; set; } = Settings.VocabularyOrder;
}

/// <summary>Inputs embeddings, classifier, the problem, and perhaps a bias; outputs the loss and the log-sum-exps.</summary>
internal sealed class LinearCrossEntropyFunction : autograd.MultiTensorFunction<LinearCrossEntropyFunction>
{
    public override string Name => nameof(LinearCrossEntropyFunction);

    public override unsafe List<Tensor> forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (e, c, problem, bias) = ((Tensor)vars[0], (Tensor)vars[1], (LinearCrossEntropyProblem)vars[2], vars.Length > 3 ? (Tensor)vars[3] : null);
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        (e, c, bias) = (e.contiguous(), c.contiguous(), bias?.to_type(e.dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32).contiguous());
        int n = problem.Rows.Count;
        double[] lse = new double[n], nll = new double[n];
        List<Tensor> saved = [];
        if (e.dtype == ScalarType.Float64)
        {
            double[] logit = new double[n];
            LinearCrossEntropyFloat64.Forward(e.Values<double>(), c.Values<double>(), bias is null ? default : bias.Values<double>(), (int)c.shape[1], problem.Rows, problem.Settings.Kernel.Softcap, lse, logit, problem.Scratch);
            for (int i = 0; i < n; i++)
                nll[i] = lse[i] - logit[i];
        }
        else
        {
            float[] lses = new float[n], logit = new float[n];
            fixed (float* b = bias is null ? default : bias.Values<float>())
            {
                var kernel = new LinearCrossEntropyKernel(e.Matrix(), c.Matrix(), b, problem.Rows, problem.Settings.Kernel, problem.Scratch);
                if (problem.AtOnce(e.dtype))
                {
                    float[] weights = new float[n];
                    Array.Fill(weights, (float)problem.Weight);
                    saved = [empty_like(e), empty_like(c), .. bias is null ? Array.Empty<Tensor>() : [empty_like(bias)]];
                    kernel.ForwardBackward(weights, lses, logit, saved[0].Matrix(), saved[1].Matrix(), bias is null ? default : saved[2].Values<float>(), problem.Order);
                }
                else
                {
                    float[] average = problem.Settings.Kernel.SortVocabulary && problem.Order is null ? new float[c.shape[0]] : [];
                    kernel.Forward(lses, logit, average);
                    if (average.Length > 0)
                        problem.Order = LinearCrossEntropyKernel.OrderBy(average);
                }
            }
            for (int i = 0; i < n; i++)
                (lse[i], nll[i]) = (lses[i], lses[i] - logit[i]);
        }
        if (!problem.AtOnce(e.dtype))
            saved = [e.detach(), c.detach(), tensor(lse), .. bias is null ? Array.Empty<Tensor>() : [bias.detach()]];
        ctx.save_for_backward([.. saved.Select(t => t.MoveToOuterDisposeScope())]);
        ctx.save_data("problem", problem);
        var type = e.dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
        var loss = problem.Settings.Reduction == nn.Reduction.None ? Scatter(nll) : tensor(nll.Sum() * problem.Weight).to_type(type);
        return [loss.MoveToOuterDisposeScope(), Scatter(lse).MoveToOuterDisposeScope()];

        Tensor Scatter(double[] values)
        {
            double[] all = new double[problem.Rows.OutputCount];
            for (int i = 0; i < n; i++)
                all[problem.Rows.Outputs[i]] = values[i];
            return tensor(all).to_type(type).reshape(problem.OutputShape);
        }
    }

    public override unsafe List<Tensor> backward(autograd.AutogradContext ctx, List<Tensor> grad_outputs)
    {
        var problem = (LinearCrossEntropyProblem)ctx.get_data("problem");
        var saved = ctx.get_saved_variables();
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        if (problem.AtOnce(saved[0].dtype))
        {
            var all = saved.Select(g => g * grad_outputs[0]).ToList();
            return Results(all[0], all[1], all.Count > 2 ? all[2] : null);
        }
        var (e, c, bias) = (saved[0], saved[1], saved.Count > 3 ? saved[3] : null);
        var lses = saved[2].Values<double>();
        int n = problem.Rows.Count;
        double[] ofLoss = new double[n], ofLse = new double[n];
        double[] loss = Doubles(grad_outputs[0]), extra = Doubles(grad_outputs[1]);
        for (int i = 0; i < n; i++)
        {
            ofLoss[i] = problem.Settings.Reduction == nn.Reduction.None ? loss[problem.Rows.Outputs[i]] : loss[0] * problem.Weight;
            ofLse[i] = extra[problem.Rows.Outputs[i]];
        }
        var (dE, dC, dBias) = (empty_like(e), empty_like(c), bias is null ? null : empty_like(bias));
        if (e.dtype == ScalarType.Float64)
        {
            LinearCrossEntropyFloat64.Backward(e.Values<double>(), c.Values<double>(), bias is null ? default : bias.Values<double>(), (int)c.shape[1], problem.Rows, problem.Settings.Kernel.Softcap, lses,
                ofLoss, ofLse, dE.Values<double>(), dC.Values<double>(), dBias is null ? default : dBias.Values<double>(), problem.Scratch);
        }
        else
        {
            fixed (float* b = bias is null ? default : bias.Values<float>())
            {
                new LinearCrossEntropyKernel(e.Matrix(), c.Matrix(), b, problem.Rows, problem.Settings.Kernel, problem.Scratch).Backward(Array.ConvertAll(lses.ToArray(), v => (float)v),
                    Array.ConvertAll(ofLoss, v => (float)v), Array.ConvertAll(ofLse, v => (float)v), dE.Matrix(), dC.Matrix(), dBias is null ? default : dBias.Values<float>(), problem.Order);
            }
        }
        return Results(dE, dC, dBias);
    }

    private static List<Tensor> Results(Tensor dE, Tensor dC, Tensor? dBias)
    {
        dE.MoveToOuterDisposeScope();
        dC.MoveToOuterDisposeScope();
        dBias?.MoveToOuterDisposeScope();
        return dBias is null ? [dE, dC, null!] : [dE, dC, null!, dBias];
    }

    private static double[] Doubles(Tensor gradient)
    {
        using var dense = gradient.to_type(ScalarType.Float64).contiguous();
        return dense.Values<double>().ToArray();
    }
}
