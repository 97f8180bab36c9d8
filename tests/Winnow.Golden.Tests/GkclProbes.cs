using Winnow.Continual;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of generative kernel continual learning.</summary>
internal static class GkclProbes
{
    public static Dictionary<string, GoldenArray> Divergence(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var kl = DiagonalGaussian.Divergence(file.Tensor("m"), file.Tensor("logv"), file.Tensor("m0"), file.Tensor("logv0"));
        return new() { ["kl"] = GoldenArray.Float64([], [kl.item<double>()]) };
    }

    public static Dictionary<string, GoldenArray> KernelRidge(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        int classes = file.Param<int>("num_classes_onehot_kept");
        double floor = file.Param<double>("ridge_floor");
        var (support, query) = (file.Tensor("support"), file.Tensor("query"));
        var labels = tensor(file.Input("support_labels").Integers);
        var scalars = cat([file.Tensor("lambda"), file.Tensor("gamma"), file.Tensor("beta")]);
        var (bases, phases) = (file.Tensor("rff_bases"), file.Tensor("rff_bias").flatten());
        var (randomSupport, randomQuery) = (Winnow.Continual.KernelRidge.RandomFeatures(support, bases, phases), Winnow.Continual.KernelRidge.RandomFeatures(query, bases, phases));
        return new()
        {
            ["pred_linear"] = Scores(KernelKind.Linear, support, query),
            ["pred_rbf"] = Scores(KernelKind.Rbf, support, query),
            ["pred_poly"] = Scores(KernelKind.Poly, support, query),
            ["pred_rff"] = Scores(KernelKind.Rff, randomSupport, randomQuery),
            ["rff_support"] = randomSupport.AsFloat32(),
        };

        GoldenArray Scores(KernelKind kind, Tensor s, Tensor q) => Winnow.Continual.KernelRidge.Predict(kind, s, labels, q, classes, scalars, floor).Scores.AsFloat32();
    }
}
