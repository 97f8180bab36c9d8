using Winnow.KernelMethods;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of kernel methods.</summary>
internal static class KernelProbes
{
    public static Dictionary<string, GoldenArray> MlpKernels(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (x, y) = (Of(file, "X"), Of(file, "Y"));
        Ntk Kernel(string activation) => new(new() { Depth = file.Param<int>("hidden_layers"), WeightDeviation = file.Param<double>("W_std"), BiasDeviation = file.Param<double>("b_std"), Activation = activation, Normalise = false });
        var (nngp, ntk) = Kernel("relu").Both(x, y);
        var (nngpErf, ntkErf) = Kernel("erf").Both(x, y);
        return new() { ["nngp_relu_xy"] = To(nngp), ["ntk_relu_xy"] = To(ntk), ["ntk_relu_xx"] = To(Kernel("relu").Gram(x, x)), ["nngp_erf_xy"] = To(nngpErf), ["ntk_erf_xy"] = To(ntkErf) };
    }

    public static Dictionary<string, GoldenArray> Empirical(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        double w = file.Param<double>("W_std"), b = file.Param<double>("b_std");
        Tensor[] parameters = [.. ((string[])["W0", "b0", "W1", "b1", "W2", "b2"]).Select(n => Of(file, n).requires_grad_())];
        Tensor Network(Tensor h)
        {
            for (int l = 0; l < 3; l++)
            {
                h = l > 0 ? h.tanh() : h;
                h = h.mm(parameters[2 * l].t()) * (w / Math.Sqrt(h.shape[1])) + parameters[2 * l + 1] * b;
            }
            return h;
        }
        var x = Of(file, "X");
        return new() { ["F"] = To(Network(x)), ["Theta"] = To(Ntk.Empirical(Network, parameters, x)) };
    }

    public static Dictionary<string, GoldenArray> Flow(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        double rate = file.Param<double>("eta") / file.Param<int>("N");
        var made = new Dictionary<string, GoldenArray>();
        foreach (string name in file.Outputs.Keys.Select(k => k.Split("_t")[^1]).Distinct())
        {
            double time = name == "inf" ? double.PositiveInfinity : double.Parse(name, System.Globalization.CultureInfo.InvariantCulture) * rate;
            var (train, test) = Ntk.Flow(Of(file, "Theta_train"), Of(file, "Theta_test_train"), Of(file, "y"), Of(file, "f0_train"), Of(file, "f0_test"), time);
            if (file.Outputs.ContainsKey($"train_t{name}"))
                made[$"train_t{name}"] = To(train);
            made[$"test_t{name}"] = To(test);
        }
        return made;
    }

    public static Dictionary<string, GoldenArray> QuantumZz(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (x, y) = (Of(file, "X"), Of(file, "Y"));
        var (real, imaginary) = new QuantumKernel(new()).States(x);
        return new()
        {
            ["K_full_reps2"] = To(new QuantumKernel(new()).Gram(x, y)),
            ["K_linear_reps2"] = To(new QuantumKernel(new() { Entanglement = "linear" }).Gram(x, y)),
            ["K_full_reps1"] = To(new QuantumKernel(new() { Repetitions = 1 }).Gram(x, y)),
            ["psi_full_reps2_re"] = To(real),
            ["psi_full_reps2_im"] = To(imaginary),
        };
    }

    public static Dictionary<string, GoldenArray> QuantumMaps(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (x, y) = (Of(file, "X"), Of(file, "Y"));
        var (zz, z) = (new QuantumKernel(new() { Repetitions = file.Param<int>("reps") }), new QuantumKernel(new() { Map = "z", Repetitions = file.Param<int>("reps") }));
        var (real, imaginary) = zz.States(x);
        return new() { ["K_zz_xx"] = To(zz.Gram(x, x)), ["K_zz_xy"] = To(zz.Gram(x, y)), ["K_z_xx"] = To(z.Gram(x, x)), ["K_z_xy"] = To(z.Gram(x, y)), ["psi_zz_x_re"] = To(real), ["psi_zz_x_im"] = To(imaginary) };
    }

    public static Dictionary<string, GoldenArray> PsdProjection(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        return new() { ["A_psd"] = To(PositiveSolve.Nearest(Of(file, "A"), out _)) };
    }

    public static Dictionary<string, GoldenArray> ProKerLogits(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (x, names) = (Of(file, "X"), Of(file, "T"));
        double beta = file.Param<double>("beta"), lambda = file.Param<double>("lmbda");
        var method = new ProKer(new() { Beta = beta, Lambda = lambda });
        var rows = new TrainingRows(x, [.. file.Input("labels").Integers.Select(l => (int)l)], file.Param<int>("classes")) { Names = names };
        var gram = new ProKer.Sphere(beta).Gram(x, x);
        using var fitted = method.Fit(rows);
        return new() { ["K"] = To(gram), ["alpha"] = To(method.Alpha(gram, rows.OneHot() - x.mm(names.t()), lambda, out _)), ["logits"] = To(fitted.Scores(Of(file, "X_test"))) };
    }

    public static Dictionary<string, GoldenArray> ReluFeatures(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (x, w, g) = (Of(file, "x"), Of(file, "W"), Of(file, "G"));
        using Snnk plain = new(g), normalised = new(g, normalise: true), floor = new(g, -0.1);
        return new() { ["phi_x"] = To(plain.Of(x)), ["phi_W"] = To(plain.Of(w)), ["out"] = To(plain.Of(x).mm(plain.Of(w).t())), ["phi_x_normalized"] = To(normalised.Of(x)), ["phi_x_c-0.1"] = To(floor.Of(x)) };
    }

    public static Dictionary<string, GoldenArray> CosineFeatures(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (real, imaginary, psi) = Snnk.CosineFeatures(Of(file, "x"), Of(file, "W"), Of(file, "G"), Of(file, "xi"));
        return new() { ["phi_x_re"] = To(real), ["phi_x_im"] = To(imaginary), ["psi_W_re"] = To(psi), ["out_re"] = To(real.mm(psi.t())), ["out_im"] = To(imaginary.mm(psi.t())) };
    }

    public static Dictionary<string, GoldenArray> KappaPcaVote(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        int classes = file.Param<int>("classes");
        var table = Metrics.Table([.. file.Input("pred").Integers.Select(p => (int)p)], [.. file.Input("y").Integers.Select(y => (int)y)], classes);
        var x = Of(file, "X");
        var loadings = PrincipalAxes.Of(x, out var variances);
        var turned = (x - x.mean([0], keepdim: true)).mm(loadings);
        int voters = file.Input("votes").Shape[1];
        return new()
        {
            ["kappa"] = GoldenArray.Float64([1], [Metrics.Kappa(table)]),
            ["confusion"] = GoldenArray.Int64([classes, classes], [.. table.Cast<long>()]),
            ["cond_kappa"] = GoldenArray.Float64([classes], Metrics.ConditionalKappa(table)),
            ["R_abs"] = To(loadings.abs()),
            ["explained_variance"] = To(variances),
            ["majority"] = GoldenArray.Int64([(int)x.shape[0]], [.. file.Input("votes").Integers.Chunk(voters).Select(v => (long)ForestRc.Majority([.. v.Select(c => (int)c)], classes))]),
            ["XR_gram"] = To(turned.mm(turned.t())),
        };
    }

    public static Dictionary<string, GoldenArray> Fusion(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var texture = Of(file, "texture");
        var (fused, fit) = ForestRc.Fuse(Of(file, "optical"), texture, Of(file, "optical_interp"), texture, file.Param<double>("lambda"));
        return new() { ["alpha"] = GoldenArray.Float64([], [fit.Alpha]), ["beta"] = To(fit.Beta), ["s"] = GoldenArray.Float64([], [fit.Residual]), ["cov"] = To(fit.Covariance), ["fused"] = To(fused) };
    }

    public static Dictionary<string, GoldenArray> Measures(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        using var graph = new Graph(Of(file, "A"));
        double walk = file.Param<double>("walk_fraction"), place = file.Param<double>("frac_param"), alpha = file.Param<double>("sct_alpha"), beta = file.Param<double>("rsp_beta");
        Tensor K(string measure, double g) => Proximity.Of(graph, measure, Proximity.Strength(graph, measure, g));
        var made = new Dictionary<string, GoldenArray>
        {
            ["rho"] = GoldenArray.Float64([1], [Proximity.Radius(graph)]),
            ["t_walk"] = GoldenArray.Float64([1], [Proximity.Strength(graph, "walk", walk)]),
            ["t_frac"] = GoldenArray.Float64([1], [Proximity.Strength(graph, "forest", place)]),
            ["K_walk"] = To(K("walk", walk)),
            ["K_logwalk"] = To(Proximity.Log(K("walk", walk))!),
            ["D_logwalk"] = To(Proximity.Distance(Proximity.Log(K("walk", walk))!)),
            ["K_ct"] = To(Proximity.CommuteTime(graph)),
            ["D_ct"] = To(Proximity.CommuteDistance(graph)),
            ["K_sct"] = To(Proximity.Sigmoid(Proximity.CommuteTime(graph), alpha)),
            ["K_scct"] = To(Proximity.Sigmoid(Proximity.CorrectedCommuteTime(graph), alpha)),
        };
        foreach (var (name, measure) in new[] { ("for", "forest"), ("comm", "communicability"), ("heat", "heat") })
        {
            var plain = K(measure, place);
            var log = Proximity.Log(plain)!;
            Tensor D(Tensor k) => measure == "communicability" ? Proximity.Distance(k).clamp_min(0).sqrt() : Proximity.Distance(k);
            (made[$"K_{name}"], made[$"K_log{name}"], made[$"D_{name}"], made[$"D_log{name}"]) = (To(plain), To(log), To(D(plain)), To(D(log)));
        }
        var (cost, energy) = Proximity.Randomised(graph, beta);
        (made["D_rsp"], made["D_fe"], made["K_fe"]) = (To(cost), To(energy), To(Proximity.FromDistance(energy)));
        return made;
    }

    public static Dictionary<string, GoldenArray> KarateWard(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        using var graph = new Graph(Of(file, "A"));
        int[] club = [.. file.Input("club").Integers.Select(c => (int)c)];
        var made = new Dictionary<string, GoldenArray>();
        foreach (var (name, measure) in new[] { ("comm", "communicability"), ("for", "forest"), ("walk", "walk") })
        {
            var found = new LogProximity(new(_ => throw new InvalidOperationException()), new() { Measure = measure, Strength = file.Param<double>($"log{name}_frac") }).Group(graph, 2);
            made[$"ward_log{name}"] = GoldenArray.Int64([graph.Nodes], [.. found.Labels.Select(l => (long)l)]);
            made[$"ari_log{name}"] = GoldenArray.Float64([1], [KernelClusters.AdjustedRand(found.Labels, club)]);
        }
        return made;
    }

    private static Tensor Of(GoldenFile file, string name) => tensor(file.Input(name).Doubles, [.. file.Input(name).Shape.Select(s => (long)s)]);

    private static GoldenArray To(Tensor x) => GoldenArray.Float64([.. x.shape.Select(s => (int)s)], x.contiguous().data<double>().ToArray());
}
