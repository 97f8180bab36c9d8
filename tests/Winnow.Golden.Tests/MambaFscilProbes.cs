using Winnow.Continual;
using static TorchSharp.torch;

namespace Winnow.Golden.Tests;

/// <summary>Probes of mamba-fscil.</summary>
internal static class MambaFscilProbes
{
    public static Dictionary<string, GoldenArray> Etf(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (x, labels) = (Single(file, "x").requires_grad_(true), tensor(file.Input("labels").Integers));
        var frame = SimplexEtf.Of(Single(file, "U"));
        var (balanced, balancedGradient) = Loss(true);
        var (plain, plainGradient) = Loss(false);
        return new()
        {
            ["etf"] = Out(frame),
            ["loss_with_len"] = Out(balanced),
            ["grad_with_len"] = Out(balancedGradient),
            ["loss_plain"] = Out(plain),
            ["grad_plain"] = Out(plainGradient),
            ["target_len"] = Out(SimplexEtf.Lengths(labels, (int)frame.shape[1]).unsqueeze(0)),
            ["scores"] = Out(SimplexEtf.Cosines(x, frame)),
        };

        (Tensor, Tensor) Loss(bool withLengths)
        {
            var loss = SimplexEtf.DotRegression(x, labels, frame, file.Param<double>("loss_weight"), withLengths);
            return (loss, autograd.grad([loss], [x])[0]);
        }
    }

    public static Dictionary<string, GoldenArray> Scan(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (u, a, b, c) = (Single(file, "u"), Single(file, "A"), Single(file, "B"), Single(file, "C"));
        var delta = nn.functional.softplus(Single(file, "delta_raw") + Single(file, "delta_bias").unsqueeze(1));
        var (y, state) = SelectiveScan.Run(u, delta, a, b, c, Single(file, "D"), Single(file, "z"));
        return new()
        {
            ["y"] = Out(y),
            ["last_state"] = Out(state),
            ["y_noD_noz"] = Out(SelectiveScan.Run(u, delta, a, b, c).Y),
        };
    }

    public static Dictionary<string, GoldenArray> Separation(GoldenFile file)
    {
        using var scope = NewDisposeScope();
        var (parameters, main) = (Double(file, "params"), Double(file, "main"));
        var novel = tensor(file.Input("is_novel").Integers).to_type(ScalarType.Bool);
        double separation = Of(ClassSensitiveScan.Separation(parameters, novel, 0, 1, 3));
        return new()
        {
            ["sep_01"] = GoldenArray.Float64([], [Of(ClassSensitiveScan.Separation(parameters, novel, 0, 1))]),
            ["sep_03"] = GoldenArray.Float64([], [Of(ClassSensitiveScan.Separation(parameters, novel, 0, 3))]),
            ["sep_013"] = GoldenArray.Float64([], [separation]),
            ["supp_base"] = GoldenArray.Float64([], [Of(ClassSensitiveScan.Suppression(main, novel.logical_not(), file.Param<double>("loss_weight_supp")))]),
            ["supp_novel"] = GoldenArray.Float64([], [Of(ClassSensitiveScan.Suppression(main, novel, -file.Param<double>("loss_weight_supp_novel")))]),
            ["sep_new_weighted"] = GoldenArray.Float64([], [file.Param<double>("loss_weight_sep_new") * separation]),
        };

        static double Of(Tensor? loss) => loss?.item<double>() ?? 0;
    }

    private static long[] Shape(GoldenFile file, string name) => [.. file.Input(name).Shape.Select(s => (long)s)];

    private static Tensor Single(GoldenFile file, string name) => tensor(file.Input(name).Singles).reshape(Shape(file, name));

    private static Tensor Double(GoldenFile file, string name) => tensor(file.Input(name).Doubles).reshape(Shape(file, name));

    private static GoldenArray Out(Tensor value) => GoldenArray.Float32([.. value.shape.Select(s => (int)s)], value.detach().contiguous().data<float>().ToArray());
}
