// Labels a training set: many Darcy flow problems, ordered, solved with a recycled subspace, and written away:  dotnet run -c Release examples/solve-many-systems.cs
// Stop it at any moment and run it again: it goes on where it was. An argument sets how many.
#:project ../src/Winnow.Numerics/Winnow.Numerics.csproj
#:project ../src/Winnow.Data/Winnow.Data.csproj
#:property PublishAot=false
using System.Globalization;
using Winnow.Core;
using Winnow.Data;
using Winnow.Numerics.Krylov;

const int side = 32;
int count = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 60;
string folder = args.Length > 1 ? args[1] : Path.Combine(Path.GetTempPath(), $"winnow-darcy-{count}");

// Permeability fields along a smooth path, in no order, as a training set would have them.
var random = new SeededRandom(1, "fields");
double[][] fields = new GaussianField(side).SmoothPath(count, random);
random.Shuffle(fields);

// What ordering and recycling each are worth, on the first thirty.
var options = new SequenceOptions { Krylov = new() { Restart = 30, Recycled = 10, Tolerance = 1e-8 } };
foreach (var (name, result) in SystemSequence.Ablation(fields[..Math.Min(30, count)], side, ProblemFamily.Darcy, options, TimeProvider.System))
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-30} {result.ProductsPerSystem,7:F1} products a system, {result.OrderingTime.TotalMilliseconds:F0} ms to order, {result.SolvingTime.TotalMilliseconds:F0} ms to solve"));

// The data set, in shards of 16 pairs; only the missing ones are solved, each with the space that the one before it left.
var set = new SampleShards(folder, count, [new("permeability", [side, side]), new("pressure", [side, side])], $"darcy {side}x{side}, smooth path, seed 1, 1e-8");
using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    stop.Cancel();
};
try
{
    int written = set.Write(
        missing =>
        {
            double[][] left = [.. missing.Select(i => fields[i])];
            return SystemSequence.Along(left, side, ProblemFamily.Darcy, FieldOrder.Greedy(left, stop.Token), options, cancellation: stop.Token)
                .Select(s => s.Report.Status == SolveStatus.Converged ? (missing[s.Index], new[] { left[s.Index], s.Solution })
                    : throw new InvalidOperationException($"field {missing[s.Index]}: {s.Report.Status}"));
        }, samplesPerShard: 16, cancellation: stop.Token);
    Console.WriteLine($"{written} pairs written, {set.Stored().Count(s => s)} of {count} stored in {folder}");
}
catch (OperationCanceledException)
{
    Console.WriteLine($"stopped; {set.Stored().Count(s => s)} of {count} stored in {folder}");
}
