using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of language-guided-cl.</summary>
internal static class LanguageGuidedProbes
{
    public static Dictionary<string, GoldenArray> Head(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var features = Of(file.Input("features")).requires_grad_(true);
        Tensor[] blocks = [.. Enumerable.Range(1, file.Inputs.Count).Select(i => $"emb_task{i}").TakeWhile(file.Inputs.ContainsKey).Select(name => Of(file.Input(name)))];
        var logits = CosineLogits.Of(features, cat(blocks), tensor(file.Param<double>("eta"), ScalarType.Float64));
        var loss = nn.functional.cross_entropy(logits, tensor(file.Input("labels").Integers));
        return new()
        {
            ["logits"] = Out(logits),
            ["loss"] = Out(loss),
            ["grad_features"] = Out(autograd.grad([loss], [features])[0]),
        };

        static Tensor Of(GoldenArray array) => tensor(array.Doubles).reshape([.. array.Shape.Select(s => (long)s)]);

        static GoldenArray Out(Tensor value) => GoldenArray.Float64([.. value.shape.Select(s => (int)s)], value.detach().contiguous().data<double>().ToArray());
    }
}
