using Winnow.KernelMethods;

namespace Winnow.Golden.Tests;

/// <summary>Probes of sparse causes.</summary>
internal static class ProsperProbes
{
    public static Dictionary<string, GoldenArray> BinaryStep(GoldenFile file) => Step(file, new LinearCauses([1], false, false, file.Param<bool>("anneal_prior")));

    public static Dictionary<string, GoldenArray> MaximalStep(GoldenFile file) => Step(file, new MaximalCauses(false, released: true));

    private static Dictionary<string, GoldenArray> Step(GoldenFile file, ISparseModel model)
    {
        int h = file.Param<int>("H"), d = file.Param<int>("D"), candidates = file.Param<int>("Hprime");
        double[] w = file.Input("W").Doubles;
        var states = new SparseStates(h, candidates, file.Param<int>("gamma"), [1]);
        var expectation = new TruncatedExpectation(model, states, file.Input("y").Doubles, d);
        var next = expectation.Next(new()
        {
            W = [.. from part in Enumerable.Range(0, h) from feature in Enumerable.Range(0, d) select w[feature * h + part]],
            Pi = [.. Enumerable.Repeat(file.Param<double>("pi"), h)],
            Sigma = file.Param<double>("sigma"),
            Mean = new double[d],
            Shares = [1],
            SlabMean = new double[h],
            SlabVariance = new double[h],
        }, file.Param<double>("T"), file.Param<double>("Ncut_factor"), CancellationToken.None);
        return new()
        {
            ["candidates"] = GoldenArray.Int64([expectation.Rows, candidates], [.. expectation.Chosen.SelectMany(c => c).Select(c => (long)c)]),
            ["logpj"] = GoldenArray.Float64([expectation.Rows, states.Count], [.. expectation.LogJoint.SelectMany(f => f)]),
            ["W_new"] = GoldenArray.Float64([d, h], [.. from feature in Enumerable.Range(0, d) from part in Enumerable.Range(0, h) select next.W[part * d + feature]]),
            ["pi_new"] = GoldenArray.Float64([], [next.Pi[0]]),
            ["sigma_new"] = GoldenArray.Float64([], [next.Sigma]),
        };
    }
}
