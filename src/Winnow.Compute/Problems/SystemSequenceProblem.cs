using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Winnow.Core;
using Winnow.Numerics.Krylov;

namespace Winnow.Compute;

/// <summary>Many similar linear systems: one for each field.</summary>
/// <param name="Fields">Coefficient fields, side × side values each.</param>
/// <param name="Side">Cells along a side; 0 for systems that belong to no grid.</param>
/// <param name="Family">Makes the system of a field.</param>
/// <param name="Tolerance">Largest residual of a solution, relative to its right side.</param>
public sealed record SystemSequenceProblem(IReadOnlyList<double[]> Fields, int Side, ProblemFamily Family, double Tolerance);

/// <summary>An equation whose discretisation is solved.</summary>
public enum EquationKind
{
    /// <summary>−div(a grad u) = 1 in flux form.</summary>
    Darcy,

    /// <summary>The matrix that the paper's code assembles for it, which is another operator.</summary>
    DarcyReleased,

    /// <summary>Indefinite waves.</summary>
    Helmholtz,

    /// <summary>−Δu = f.</summary>
    Poisson,

    /// <summary>Conduction and convection of heat.</summary>
    Thermal,
}

/// <summary>Sizes of a sequence of systems.</summary>
public sealed record SystemSequenceOptions : ComputeOptions
{
    /// <inheritdoc/>
    public override double Tolerance { get; init; } = 1e-3;

    /// <summary>The equation.</summary>
    [Description("equation: darcy in flux form, darcy-released as the paper's code assembles it, helmholtz, poisson, thermal")]
    public EquationKind Equation { get; init; } = EquationKind.Darcy;

    /// <summary>Systems.</summary>
    [Range(1, 1_000_000), Description("systems of the sequence")]
    public int Systems { get; init; } = 30;

    /// <summary>Cells along a side.</summary>
    [Range(4, 1024), Description("cells along a side of the grid")]
    public int Side { get; init; } = 24;

    /// <summary>Whether the fields lie on a path.</summary>
    [Description("true: fields lie on a smooth path of one parameter, shuffled; false: they are drawn independently")]
    public bool Smooth { get; init; } = true;

    /// <summary>Residual.</summary>
    [Range(1e-14, 0.1), Description("largest residual of a solution, relative to its right side")]
    public double Residual { get; init; } = 1e-8;
}

internal static class SystemSequenceKind
{
    public const string Offer = "sequence of systems";

    public static IProblemKind Kind { get; } = new ProblemKind<SystemSequenceProblem, double[][], SystemSequenceOptions>
    {
        Task = new("systems", "Many similar linear systems", "Partial differential equations with random coefficient fields, as the training sets of neural operators need; asked for is the solution of each.", OptionsSchema.Of<SystemSequenceOptions>(), [Offer])
        {
            Data = "FOLDER",
            Metrics = [.. Protocol.Cards, new("products", "products", "", Better.Lower, "products with a matrix for a system, on average; those that set up a recycled space are among them"), new("unsolved", "unsolved", "", Better.Lower, "systems that were not solved to the residual")],
        },
        Make = (source, o, random) => Problem(source.Path, o, random, source.Cancellation),
        Data = (source, options) =>
        {
            var files = SystemFiles.Read(source.Path!, source.Cancellation);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            foreach (double[] field in files.Fields)
                hash.AppendData(MemoryMarshal.AsBytes(field.AsSpan()));
            var (first, _) = files.Family.Build(files.Fields[0], 0);
            hash.AppendData(MemoryMarshal.AsBytes(first.Indices.AsSpan()));
            string text = FormattableString.Invariant($"{files.Names.Count:N0} systems of {files.Size:N0} unknowns and {first.Entries:N0} entries, {files.RightSides:N0} with a right side of their own, else ones");
            return new(new(Path.GetFullPath(source.Path!), Convert.ToHexStringLower(hash.GetHashAndReset()), source.Reading), Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(source.Path!))), text, null);
        },
        Reference = Direct,
        Error = (x, y) => x.Zip(y, (a, b) => Values.RelativeDistance(a, b)).Max(),
        Text = o => FormattableString.Invariant($"{o.Systems:N0} {o.Equation} systems of {o.Side} × {o.Side} cells, fields {(o.Smooth ? "on a smooth path" : "drawn independently")}"),
    };

    /// <summary>The systems of a folder, or generated ones.</summary>
    public static SystemSequenceProblem Problem(string? folder, SystemSequenceOptions o, SeededRandom random, CancellationToken cancellation)
    {
        if (folder is null)
            return new(Fields(o, random), o.Side, Family(o.Equation), o.Residual);
        var files = SystemFiles.Read(folder, cancellation);
        return new(files.Fields, 0, files.Family, o.Residual);
    }

    private static double[][] Fields(SystemSequenceOptions o, SeededRandom random)
    {
        var field = new GaussianField(o.Side);
        double[][] fields = o.Smooth ? field.SmoothPath(o.Systems, random) : field.Coefficients(o.Systems, random);
        if (o.Smooth)
            random.Shuffle(fields);
        return fields;
    }

    private static ProblemFamily Family(EquationKind equation) => equation switch
    {
        EquationKind.DarcyReleased => ProblemFamily.DarcyReleased,
        EquationKind.Helmholtz => ProblemFamily.Helmholtz(),
        EquationKind.Poisson => ProblemFamily.Poisson,
        EquationKind.Thermal => ProblemFamily.Thermal(),
        _ => ProblemFamily.Darcy,
    };

    /// <summary>By elimination.</summary>
    private static double[][] Direct(SystemSequenceProblem problem, CancellationToken cancellation) =>
    [
        .. problem.Fields.Select(field =>
        {
            cancellation.ThrowIfCancellationRequested();
            var (matrix, right) = problem.Family.Build(field, problem.Side);
            using var factors = new BandedLu(matrix);
            var x = new double[right.Length];
            factors.Solve(right, x);
            return x;
        }),
    ];
}
