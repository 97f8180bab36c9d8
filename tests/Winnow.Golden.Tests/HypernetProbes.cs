using Winnow.Continual;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of dependency preserving hypernetworks.</summary>
internal static class HypernetProbes
{
    public static Dictionary<string, GoldenArray> LstmRegulariser(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var tasks = file.Tensor("task_emb");
        var recurrent = file.Tensor("W_hh").requires_grad_(true);
        var generated = WeightGenerators.Lstm(tasks, file.Tensor("layer_emb"), file.Tensor("W_ih"), recurrent, file.Tensor("b_ih"), file.Tensor("b_hh"), file.Tensor("W_out"), file.Tensor("b_out"));
        var targets = file.Tensor("targets");
        var earlier = generated.narrow(0, 0, targets.shape[0]);
        var plain = WeightGenerators.OutputRegulariser(targets, earlier);
        var weighted = WeightGenerators.OutputRegulariser(targets, earlier, file.Tensor("importance"));
        weighted.backward();
        return new()
        {
            ["weights_task0"] = generated[0].AsFloat64(),
            ["weights_last"] = generated[-1].AsFloat64(),
            ["reg_plain"] = plain.AsFloat64(),
            ["reg_importance"] = weighted.AsFloat64(),
            ["grad_W_hh"] = recurrent.grad!.AsFloat64(),
        };
    }
}
