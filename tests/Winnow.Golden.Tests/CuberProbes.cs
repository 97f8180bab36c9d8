using Winnow.Continual;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of CUBER and of gradient projection memory.</summary>
internal static class CuberProbes
{
    public static Dictionary<string, GoldenArray> Basis(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var old = Matrix(file.Input("O"));
        var (kept, fresh) = Subspace.Joint(Matrix(file.Input("R")), old, file.Param<double>("threshold"), RankRule.Below);
        long[] columns = [.. Enumerable.Range(0, kept.Length).Where(i => kept[i]).Select(i => (long)i)];
        var basis = cat([old.index_select(1, tensor(columns, ScalarType.Int64)), fresh], 1);
        return new()
        {
            ["rank"] = Whole(basis.shape[1]),
            ["proj_task"] = Array(Projector(basis)),
            ["old_kept"] = GoldenArray.Int64([kept.Length], [.. kept.Select(k => k ? 1L : 0L)]),
            ["n_new"] = Whole(fresh.shape[1]),
            ["proj_union"] = Array(Projector(cat([old, fresh], 1))),
        };
    }

    public static Dictionary<string, GoldenArray> Gpm(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        double threshold = file.Param<double>("threshold");
        var results = new Dictionary<string, GoldenArray>();
        var ranks = new List<long>();
        Tensor? basis = null;
        foreach (var inputs in FromOne(file, "R").Select(Matrix))
        {
            basis ??= inputs.narrow(1, 0, 0);
            basis = cat([basis, Subspace.Residual(inputs, basis, threshold, RankRule.Below)], 1);
            ranks.Add(basis.shape[1]);
            results[$"P{ranks.Count}"] = Array(Projector(basis));
        }
        results["ranks"] = GoldenArray.Int64([ranks.Count], [.. ranks]);
        var gradient = Matrix(file.Input("grad"));
        results["grad_projected"] = Array(gradient - Subspace.Project(gradient, basis!));
        return results;
    }

    public static Dictionary<string, GoldenArray> Regimes(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (gradient, bases, old) = (Matrix(file.Input("G")), Matrix(file.Input("bases_padded")), Matrix(file.Input("G_old")));
        int tasks = (int)old.shape[0];
        double[] shares = [.. Enumerable.Range(0, tasks).Select(j => Transfer.Share(gradient, bases[j]))];
        double[] cosines = [.. Enumerable.Range(0, tasks).Select(j => Transfer.Cosine(old[j], gradient))];
        return new()
        {
            ["proj_ratio"] = GoldenArray.Float64([tasks], shares),
            ["cosine"] = GoldenArray.Float64([tasks], cosines),
            ["regime"] = GoldenArray.Int64([tasks], [.. shares.Zip(cosines, (s, c) => (long)Transfer.Regime(s, c, file.Param<double>("eps1"), file.Param<double>("eps2")))]),
        };
    }

    public static Dictionary<string, GoldenArray> ScaledProjection(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (x, w, c) = (Matrix(file.Input("x")), Matrix(file.Input("W")), Matrix(file.Input("c")));
        (Tensor B, Tensor Q)[] scales = [.. FromOne(file, "B").Zip(FromOne(file, "Q"), (b, q) => (Matrix(b), Matrix(q)))];
        var scaling = Continual.ScaledProjection.Scaling(scales);
        var (byW, byQ) = Continual.ScaledProjection.Gradients(c.T.matmul(x), w, scaling, scales.Select(s => s.B)); // y = x W̃ᵀ, so ∂ Σ(y∘c) / ∂W̃ = cᵀ x
        var results = new Dictionary<string, GoldenArray>
        {
            ["y_task1_only"] = Array(x.matmul(Continual.ScaledProjection.Weight(w, Continual.ScaledProjection.Scaling(scales[..1])).T)),
            ["y_both"] = Array(x.matmul(Continual.ScaledProjection.Weight(w, scaling).T)),
            ["grad_W"] = Array(byW),
        };
        for (int j = 0; j < byQ.Length; j++)
            results[$"grad_Q{j + 1}"] = Array(byQ[j]);
        return results;
    }

    public static Dictionary<string, GoldenArray> Select(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var gradients = file.Numbered("G_layer");
        int tasks = Enumerable.Range(0, file.Inputs.Count).TakeWhile(j => file.Inputs.ContainsKey($"B_task{j}_layer0")).Count();
        double[][] shares = [.. gradients.Select((g, l) => Enumerable.Range(0, tasks).Select(j => Transfer.Share(Matrix(g), Matrix(file.Input($"B_task{j}_layer{l}")))).ToArray())];
        int[][] selected = [.. shares.Select(s => Transfer.Select(s, file.Param<int>("top")))];
        double epsilon1 = file.Param<double>("eps1");
        return new()
        {
            ["sufficient"] = GoldenArray.Int64([gradients.Count, tasks], [.. shares.SelectMany(s => s.Select(v => Transfer.Sufficient(v, epsilon1) ? 2L : 1L))]),
            ["selected"] = GoldenArray.Int64([gradients.Count, selected[0].Length], [.. selected.SelectMany(s => s.Select(j => (long)j))]),
        };
    }

    private static IEnumerable<GoldenArray> FromOne(GoldenFile file, string name) =>
        Enumerable.Range(1, file.Inputs.Count).Select(i => $"{name}{i}").TakeWhile(file.Inputs.ContainsKey).Select(n => file.Inputs[n]);

    private static Tensor Matrix(GoldenArray array) => tensor(array.Doubles, ScalarType.Float64).reshape([.. array.Shape.Select(s => (long)s)]);

    private static Tensor Projector(Tensor basis) => basis.matmul(basis.T);

    private static GoldenArray Array(Tensor values) => GoldenArray.Float64([.. values.shape.Select(s => (int)s)], values.contiguous().data<double>().ToArray());

    private static GoldenArray Whole(long value) => GoldenArray.Int64([], [value]);
}
