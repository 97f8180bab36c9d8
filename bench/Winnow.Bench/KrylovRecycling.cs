using System.Text.Json;
using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Numerics.Krylov;

namespace Winnow.Bench;

/// <summary>
/// A sequence of Darcy systems on a smooth path, shuffled, solved with ordering and recycling, beside what it is made of: GCRO-DR without
/// recycling (products), our GMRES, SciPy's and PETSc's (seconds, the ordering's among ours). No preconditioner, one thread. Every true
/// residual of ours is within the tolerance; how many systems the peer gives up is said, and then its time is less than the whole.
/// </summary>
internal static class KrylovRecycling
{
    private const int Side = 32, Count = 30, Repetitions = 7;
    private const string Bench = "compute.skr";
    private static readonly SequenceOptions Options = new() { Krylov = new() { Tolerance = 1e-8 } };

    /// <summary>PETSc's and SciPy's GMRES judge the tolerance by their recurrence; the true residual may be beyond it by rounding.</summary>
    private const double Slack = 1.01;

    public static IEnumerable<BenchCase> Cases =>
    [
        .. Of(ProblemFamily.Darcy, Side),
        .. Of(ProblemFamily.DarcyReleased, Side + 2), // (side - 2)² unknowns
    ];

    private static IEnumerable<BenchCase> Of(ProblemFamily family, int side)
    {
        string name = $"{family.Name} {Side}x{Side}, {Count} fields, 1e-8";
        return
        [
            new(Bench, $"{name}: products, not recycled", "products/system", Better.Lower, 0.75, c => Products(family, side, c)),
            new(Bench, $"{name}: time, own GMRES", "s", Better.Lower, 1.0 / 8, c => Seconds(family, side, c)),
            new(Bench, $"{name}: time, SciPy GMRES", "s", Better.Lower, 1.0 / 8, c => Seconds(family, side, "scipy", PythonPeer.Candidates, c)),
            new(Bench, $"{name}: time, PETSc GMRES", "s", Better.Lower, 1.0 / 8, c => Seconds(family, side, "petsc", PythonPeer.Candidates, c)),
        ];
    }

    public static BenchMeasurement Products(ProblemFamily family, int side, CancellationToken cancellation)
    {
        var rows = SystemSequence.Ablation(Fields(side), side, family, Options, TimeProvider.System, cancellation);
        return new(rows[3].Result.ProductsPerSystem, rows[1].Name, rows[1].Result.ProductsPerSystem, rows[3].Result.Failures + rows[1].Result.Failures == 0);
    }

    public static BenchMeasurement Seconds(ProblemFamily family, int side, CancellationToken cancellation)
    {
        double[][] fields = Fields(side);
        var plain = Options with { Krylov = Options.Krylov with { Recycled = 0 }, Ordering = FieldOrdering.AsGiven, AcrossSystems = false };
        List<double> ours = [], theirs = [];
        int failures = 0;
        for (int i = 0; i <= Repetitions; i++)
        {
            var recycled = SystemSequence.Solve(fields, side, family, Options, TimeProvider.System, cancellation: cancellation);
            var gmres = SystemSequence.Solve(fields, side, family, plain, TimeProvider.System, cancellation: cancellation);
            ours.Add((recycled.OrderingTime + recycled.SolvingTime).TotalSeconds);
            theirs.Add((gmres.OrderingTime + gmres.SolvingTime).TotalSeconds);
            failures += recycled.Failures;
        }
        return new(TrainingStep.MedianWithoutFirst(ours), $"GMRES({Options.Krylov.Restart}) of Winnow", TrainingStep.MedianWithoutFirst(theirs), failures == 0);
    }

    public static BenchMeasurement Seconds(ProblemFamily family, int side, string library, IReadOnlyList<string> pythons, CancellationToken cancellation)
    {
        double[][] fields = Fields(side);
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, Exchange(fields, side, family).ToJsonString());
            using var peer = PythonPeer.Start(pythons, "krylov.py", file, library);
            bool? accurate = peer is null ? null : true;
            int unsolved = peer?.Ask("residuals").Count(r => !(r <= Slack * Options.Krylov.Tolerance)) ?? 0;
            List<double> ours = [], theirs = [];
            for (int i = 0; i <= Repetitions; i++)
            {
                var recycled = SystemSequence.Solve(fields, side, family, Options, TimeProvider.System, cancellation: cancellation);
                ours.Add((recycled.OrderingTime + recycled.SolvingTime).TotalSeconds);
                accurate &= recycled.Failures == 0;
                if (peer is not null)
                    theirs.Add(peer.Ask("seconds")[0]);
            }
            return new(TrainingStep.MedianWithoutFirst(ours), peer is not null ? peer.Name + (unsolved > 0 ? $" ({unsolved} of {Count} not solved: its time is a lower bound)" : "") : (library == "petsc" ? "PETSc" : "SciPy"), peer is null ? null : TrainingStep.MedianWithoutFirst(theirs), accurate,
                peer is null ? $"a python3 that has {(library == "petsc" ? "petsc4py and scipy (Debian: apt-get install python3-petsc4py python3-scipy)" : "scipy (Debian: apt-get install python3-scipy)")}" : null);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static double[][] Fields(int side)
    {
        var random = new SeededRandom(1, "bench");
        double[][] fields = new GaussianField(side).SmoothPath(Count, random);
        random.Shuffle(fields);
        return fields;
    }

    private static JsonObject Exchange(double[][] fields, int side, ProblemFamily family) => new()
    {
        ["restart"] = Options.Krylov.Restart,
        ["tolerance"] = Options.Krylov.Tolerance,
        ["maximum_products"] = Options.Krylov.MaximumProducts,
        ["systems"] = new JsonArray([.. fields.Select(f => family.Build(f, side)).Select(s => new JsonObject
        {
            ["starts"] = JsonSerializer.SerializeToNode(s.Matrix.Starts),
            ["indices"] = JsonSerializer.SerializeToNode(s.Matrix.Indices),
            ["values"] = JsonSerializer.SerializeToNode(s.Matrix.Values),
            ["right_side"] = JsonSerializer.SerializeToNode(s.RightSide),
        })]),
    };
}
