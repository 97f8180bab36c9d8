// What a quantum kernel is worth: everything on data that a circuit made, and what counting it with few shots costs:  dotnet run -c Release examples/quantum-kernel.cs
#:project ../src/Winnow.KernelMethods/Winnow.KernelMethods.csproj
#:property PublishAot=false
using System.Globalization;
using Winnow.Core;
using Winnow.KernelMethods;
using Winnow.Learning;
using static TorchSharp.torch;

NativeTorch.Require();
using var scope = NewDisposeScope();

// Angles whose class is the sign of ⟨ψ(x)| Z Z |ψ(x)⟩: what a measurement of the circuit's own state says, kept where it is clear.
var circuit = new QuantumKernel(new());
var random = new SeededRandom(1, "angles");
var (x, labels) = Drawn(40);
var (asked, truth) = Drawn(200);

// The kernel is the overlap of two rows' states; a support vector machine takes it as it takes any other.
Machine("rbf", new Rbf(Rbf.Scale(x)));
Machine("quantum, exact", circuit);
foreach (int shots in (int[])[100, 1000, 10_000])
    Machine($"quantum, {shots} shots", new QuantumKernel(new() { Shots = shots }, new SeededRandom(2, "shots")));

// A matrix of counted overlaps is no kernel's: it has negative eigenvalues, and is brought back to the nearest that has none.
var gram = circuit.Gram(x, x);
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"smallest eigenvalue of the exact kernel: {linalg.eigvalsh(gram)[0].item<double>():E1}"));

void Machine(string name, IKernel kernel)
{
    using var fitted = new SupportVectorMachine(_ => [kernel], [10], new SeededRandom(1, "folds")).Fit(new TrainingRows(x, labels, 2));
    double right = truth.Zip(fitted.Scores(asked).argmax(1).data<long>().ToArray()).Average(p => p.First == p.Second ? 1.0 : 0);
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-22} {right:P0} of {truth.Length} right, {fitted.Report["support"]} rows have a weight"));
}

(Tensor X, int[] Labels) Drawn(int count)
{
    var (rows, classes) = (new List<double>(), new List<int>());
    while (classes.Count < count)
    {
        double[] angles = [2 * Math.PI * random.NextDouble(), 2 * Math.PI * random.NextDouble()];
        var (re, im) = circuit.States(tensor(angles, [1, 2]));
        double[] p = (re.square() + im.square()).data<double>().ToArray();
        double parity = p[0] - p[1] - p[2] + p[3];
        if (Math.Abs(parity) < 0.3)
            continue;
        rows.AddRange(angles);
        classes.Add(parity > 0 ? 1 : 0);
    }
    return (tensor(rows.ToArray(), [count, 2]), [.. classes]);
}
