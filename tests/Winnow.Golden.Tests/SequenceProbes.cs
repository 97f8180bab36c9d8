using Winnow.KernelMethods;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of methods on sequences.</summary>
internal static class SequenceProbes
{
    public static Dictionary<string, GoldenArray> Embed(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (train, test) = (Codes(file, "train"), Codes(file, "test"));
        var kernel = new SubstitutionKernel("rbf", SubstitutionKernel.Median(train));
        using var pca = KernelPca.Fit(kernel, train, file.Param<int>("components"));
        var (z, asked) = (pca.Embedding, pca.Transform(test));
        return new()
        {
            ["D_train"] = To(Sequences.Poisson(train, train)),
            ["D_test_train"] = To(Sequences.Poisson(test, train)),
            ["K_train"] = To(kernel.Gram(train, train)),
            ["Z_train_abs"] = To(z.abs()),
            ["Z_train_gram"] = To(z.mm(z.t())),
            ["Z_test_gram"] = To(asked.mm(z.t())),
            ["eigenvalues"] = To(pca.Values),
        };
    }

    public static Dictionary<string, GoldenArray> Scores(GoldenFile file)
    {
        int[] labels = [.. file.Input("y_true").Integers.Select(l => (int)l)], answers = [.. file.Input("y_pred").Integers.Select(l => (int)l)];
        var found = HardScores.Of(answers, labels, Math.Max(labels.Max(), answers.Max()) + 1);
        GoldenArray Number(string name) => GoldenArray.Float64([], [found[name]]);
        return new() { ["accuracy"] = Number("accuracy"), ["precision_weighted"] = Number("weighted_precision"), ["recall_weighted"] = Number("accuracy"), ["f1_weighted"] = Number("weighted_f1"), ["f1_macro"] = Number("macro_f1"), ["roc_auc_ovr_hard"] = Number("auc") };
    }

    private static Tensor Codes(GoldenFile file, string name) => tensor(Array.ConvertAll(file.Input(name).Integers, c => (double)c), [.. file.Input(name).Shape.Select(s => (long)s)]);

    private static GoldenArray To(Tensor x) => GoldenArray.Float64([.. x.shape.Select(s => (int)s)], x.contiguous().data<double>().ToArray());
}
