using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>A quantum kernel whose circuit takes angles <c>sₖ xₖ + tₖ</c>, with scales s and shifts t that align it with the classes (<see cref="KernelAlignment"/>); learned on overlaps as they are, without noise, at the least C that is tried. What is found is one of many minima, for phases go around.</summary>
/// <param name="options">The circuit; <see cref="QuantumKernelOptions.Align"/> steps.</param>
/// <param name="setup">Draws folds and shots.</param>
internal sealed class QuantumAlignment(QuantumKernelOptions options, KernelSetup setup) : IClassifier
{
    private static readonly double Narrowest = Math.Log(0.05), Widest = Math.Log(4);

    /// <summary>Logarithms of scales that are tried of each angle first.</summary>
    private static readonly double[] Scales = [Narrowest, Math.Log(0.25), Math.Log(0.5), Math.Log(2)];

    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        using var scope = NewDisposeScope();
        var (place, kernel) = QuantumKernel.Placed(rows.X, options, setup.Random("shots"));
        var angles = place(rows.X);
        int q = (int)angles.shape[1];
        var exact = new QuantumKernel(options with { Shots = 0, Depolarising = 0, Readout = 0, GateDepolarising = 0, GateDamping = 0 });
        double[] bounds = QuantumKernel.Bounds(options);
        double[] Box(double scale, double shift) => [.. Enumerable.Repeat(scale, q), .. Enumerable.Repeat(shift, q)];
        Tensor Gram(double[] at)
        {
            var moved = Moved(angles, at);
            return exact.Gram(moved, moved);
        }
        var (at, before, after) = rows.Labels.Distinct().Count() < 2 ? (Box(0, 0), 0, 0)
            : KernelAlignment.Learn(Gram, rows.Labels, bounds.Min(), Box(0, 0), Box(Narrowest, -Math.PI), Box(Widest, Math.PI), p => p < q ? Scales : [], options.Align, cancellation);
        var report = new Dictionary<string, double> { ["dual_before"] = before, ["dual_after"] = after };
        for (int k = 0; k < q; k++)
            (report[$"scale_{k}"], report[$"shift_{k}"]) = (Math.Exp(at[k]), at[q + k]);
        return new Fitted(new SupportVectorMachine(_ => [new OnMoved(kernel, place, at)], bounds, setup.Random("svm-folds")).Fit(rows, cancellation), report);
    }

    /// <summary>Angles scaled and shifted: logarithms of scales, then shifts.</summary>
    private static Tensor Moved(Tensor angles, double[] at)
    {
        int q = at.Length / 2;
        return angles * Aligned.Of([.. at[..q].Select(Math.Exp)], q) + Aligned.Of(at[q..], q);
    }

    private sealed class OnMoved(QuantumKernel kernel, Func<Tensor, Tensor> place, double[] at) : IKernel
    {
        public Tensor Gram(Tensor x, Tensor y)
        {
            using var scope = NewDisposeScope();
            var a = Moved(place(x), at);
            return kernel.Gram(a, ReferenceEquals(x, y) ? a : Moved(place(y), at)).MoveToOuterDisposeScope();
        }

        public Tensor Diagonal(Tensor x) => kernel.Diagonal(x);
    }

    private sealed class Fitted(IFitted machines, Dictionary<string, double> found) : IFitted, IOnKernel
    {
        public IReadOnlyDictionary<string, double> Report { get; } = new Dictionary<string, double>(machines.Report.Concat(found));

        public IKernel Kernel => ((IOnKernel)machines).Kernel;

        public Tensor Scores(Tensor x) => machines.Scores(x);

        public void Dispose() => machines.Dispose();
    }
}
