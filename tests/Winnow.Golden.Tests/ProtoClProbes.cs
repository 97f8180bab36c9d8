using Winnow.Continual;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of ProtoCL.</summary>
internal static class ProtoClProbes
{
    public static Dictionary<string, GoldenArray> Sequence(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (q0, x, y) = (file.Input("Q0"), file.Input("X"), file.Input("y").Integers);
        int classes = q0.Shape[0], width = q0.Shape[1];
        using var prototypes = new GaussianPrototypes(file.Param<double>("sigma_eps"), tensor(q0.Doubles).reshape(classes, width),
            tensor(file.Input("logL0").Doubles).exp(), full(classes, Math.Exp(file.Param<double>("log_dirichlet")), ScalarType.Float64));
        var rows = tensor(x.Doubles).reshape(x.Shape[0], width);
        var before = new List<double>();
        for (int i = 0; i < y.Length; i++)
        {
            var row = rows.narrow(0, i, 1);
            before.AddRange(prototypes.LogPosterior(row).neg().data<double>().ToArray());
            prototypes.Add(row, tensor(new[] { y[i] }));
        }
        var (q, l, a) = prototypes.Posterior;
        return new()
        {
            ["nll"] = GoldenArray.Float64([y.Length, classes], [.. before]),
            ["Q"] = GoldenArray.Float64([classes, width], q.data<double>().ToArray()),
            ["L"] = GoldenArray.Float64([classes], l.data<double>().ToArray()),
            ["dirichlet"] = GoldenArray.Float64([classes], a.data<double>().ToArray()),
            ["mean"] = GoldenArray.Float64([classes, width], (q / l.unsqueeze(1)).data<double>().ToArray()),
        };
    }
}
