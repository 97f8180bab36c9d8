using Winnow.KernelMethods;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of membership programs.</summary>
internal static class IlaSdpProbes
{
    private const double Tolerance = 1e-9;
    private const int Steps = 200_000;

    public static Dictionary<string, GoldenArray> Core(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var x = tensor(file.Input("X").Doubles, [.. file.Input("X").Shape.Select(s => (long)s)]);
        int n = file.Input("X").Shape[0], d = file.Input("X").Shape[1], groups = file.Param<int>("K");
        var sigma = IlaSdp.Covariances(x, SdpKMeans.Indicators([.. file.Input("labels0").Integers.Select(l => (int)l)], groups), file.Param<double>("ridge"));
        var a = IlaSdp.Affinities(x, sigma);
        var found = MembershipSdp.Solve(a, groups, Tolerance, Steps, null, CancellationToken.None);
        var single = MembershipSdp.Solve(x.mm(x.t()).unsqueeze(0), groups, Tolerance, Steps, null, CancellationToken.None);
        double[] projected = [.. file.Input("B").Doubles];
        MembershipSdp.Meet(projected, 1, n, groups);
        return new()
        {
            ["Sigma"] = GoldenArray.Float64([groups, d, d], sigma.data<double>().ToArray()),
            ["A"] = GoldenArray.Float64([groups, n, n], a.data<double>().ToArray()),
            ["objective"] = GoldenArray.Float64([], [found.Objective]),
            ["Z_rowsums"] = GoldenArray.Float64([groups, n], found.Z().sum(2).data<double>().ToArray()),
            ["labels"] = GoldenArray.Int64([n], [.. IlaSdp.ByRows(found.Z()).Select(l => (long)l)]),
            ["objective_pengwei"] = GoldenArray.Float64([], [single.Objective]),
            ["Z_pengwei"] = GoldenArray.Float64([n, n], single.X),
            ["B_proj"] = GoldenArray.Float64([n, n], projected),
        };
    }
}
