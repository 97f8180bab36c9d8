using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics.Tensors;
using System.Text.Json.Nodes;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="WlsDpp"/>.</summary>
public sealed record WlsDppOptions
{
    /// <summary>How points are drawn.</summary>
    [AllowedValues("repeated", "volume", "generalised-volume"), Description("repeated: independent draws of a projection DPP, n a multiple of the functions; volume: volume-rescaled sampling; generalised-volume: the same until the draw is stable")]
    public string Sampler { get; init; } = "repeated";

    /// <summary>When a draw is stable.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true), Description("1 − δ: of generalised-volume, the least smallest eigenvalue of G")]
    public double Stable { get; init; } = 0.5;

    /// <summary>Draws.</summary>
    [Range(1, 1_000_000), Description("draws before generalised-volume gives up")]
    public int Tries { get; init; } = 1000;

    /// <summary>The base law.</summary>
    [AllowedValues("leverage", "uniform", "mixture"), Description("of both volumes: the law of points beside those of the projection DPP; leverage: ν; uniform: the measure μ; mixture: either by halves")]
    public string Law { get; init; } = "leverage";

    /// <summary>Points too many.</summary>
    [Range(0, 1_000_000), Description("points that are drawn beyond those asked for and then removed one after the other, each the one without which the smallest eigenvalue is largest; with repeated a multiple of the functions")]
    public int Surplus { get; init; }

    /// <summary>Boosting.</summary>
    [Range(1, 1_000_000), Description("draws of which the one with the largest smallest eigenvalue is kept")]
    public int Boost { get; init; } = 1;
}

/// <summary>
/// Chooses diverse points for a weighted least-squares fit, so that barely more points than functions give nearly the best approximation.
/// <para>Paper: Nouy and Michel, Weighted least-squares approximation with determinantal point processes and generalized volume sampling, arXiv 2312.14057 (2023); no code was released. Projection DPPs by the chain rule, with proposals from ν and
/// rejection (<see cref="ProjectionDpp"/>, and for functions of a continuum here); volume-rescaled sampling of density ∝ det(G) dνⁿ as m points of a projection DPP and n − m independent draws from ν in random order (Dereziński, Warmuth and Hsu 2018);
/// the generalised one conditioned on λ_min(G) ≥ 1 − δ. Of other base laws ρ the weights are dμ/dρ and det(G) dρⁿ is m points of the same process and n − m draws from ρ, by the formula of Cauchy and Binet. Boosting and the greedy removal of points
/// are those of Haberstich, Nouy and Perrin, Boosted optimal weighted least-squares, Mathematics of Computation 91, 2022 (arXiv 1912.07075), to a number of points instead of to a bound. Left out: base laws of a user's own.</para>
/// <para>Weights w = m / ‖φ(x)‖² of ν, G = (1/n) Σ wᵢ φᵢφᵢᵀ, E[G] = I of repeated draws. Cost O(m³ log m) a projection DPP; the fit (<see cref="WeightedLeastSquares"/>) O(n m²).</para>
/// <code>
/// var basis = new LegendreBasis(size: 15, dimensions: 1);
/// var design = new WlsDpp(new()).Choose(basis, 30, new SeededRandom(1, "points"));
/// using var values = tensor(design.Points.Select(f).ToArray(), [30, 1]);
/// using var coefficients = WeightedLeastSquares.Fit(design, values);
/// </code>
/// </summary>
public sealed class WlsDpp(WlsDppOptions options) : IDesigner
{
    private const int MostProposals = 100_000;

    /// <summary>What the ledger measures.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        Ratio("Legendre, m = 15, n = 30: the error of repeated DPPs over the best is no more than that of volume sampling.", 30, "repeated", "wls-dpp", new() { ["sampler"] = "volume" }),
        Ratio("Legendre, m = 15, n = 30: that of volume sampling no more than that of independent draws by leverage.", 30, "volume", "leverage-sampling", []),
        Ratio("Legendre, m = 15, n = 60: repeated DPPs against volume sampling.", 60, "repeated", "wls-dpp", new() { ["sampler"] = "volume" }),
        Ratio("Legendre, m = 15, n = 60: volume sampling against independent draws by leverage.", 60, "volume", "leverage-sampling", []),
        Ratio("Legendre, m = 15, n = 30, by the median of draws: repeated DPPs against volume sampling.", 30, "repeated", "wls-dpp", new() { ["sampler"] = "volume" }, "median_error_ratio"),
        Ratio("Legendre, m = 15, n = 30, by the median of draws: volume sampling against independent draws by leverage.", 30, "volume", "leverage-sampling", [], "median_error_ratio"),
        new()
        {
            Text = "Digits, 50 functions of kernel PCA, n = 100 rows are labelled: the error of repeated DPPs over the best is smaller than that of rows chosen evenly at random.",
            Task = "design",
            Data = "digits",
            Metric = "rms_error_ratio",
            Baseline = "uniform-sampling",
            Margin = 0,
            TaskOptions = new() { ["functions"] = 50, ["points"] = 100, ["draws"] = 20 },
        },
    ];

    private static Claim Ratio(string text, int points, string sampler, string baseline, JsonObject baselineOptions, string metric = "rms_error_ratio") => new()
    {
        Text = text,
        Task = "design",
        Metric = metric,
        Baseline = baseline,
        Margin = 0,
        MethodOptions = new() { ["sampler"] = sampler },
        BaselineOptions = baselineOptions,
        TaskOptions = new() { ["points"] = points },
    };

    /// <inheritdoc/>
    public Design Choose(IBasis basis, int points, SeededRandom random, CancellationToken cancellation = default)
    {
        Design.Require(basis, points);
        ArgumentNullException.ThrowIfNull(random);
        Design? kept = null;
        for (int i = 0; i < options.Boost; i++)
        {
            var drawn = Drawn(basis, points + options.Surplus, random, cancellation);
            if (kept is null || drawn.SmallestEigenvalue > kept.SmallestEigenvalue)
                kept = drawn;
        }
        while (kept!.Count > points)
        {
            cancellation.ThrowIfCancellationRequested();
            kept = Without(kept, basis.Width);
        }
        return kept;
    }

    private Design Drawn(IBasis basis, int points, SeededRandom random, CancellationToken cancellation)
    {
        if (options.Sampler == "repeated")
            return points % basis.Size == 0 ? Repeated(basis, points / basis.Size, random, cancellation)
                : throw InputException.At("points", $"{points}", $"a multiple of {basis.Size}, the functions, each draw having as many points", "Take another number, or sampler=volume.");
        if (options.Sampler == "volume")
            return Volume(basis, points, random, cancellation);
        double best = 0;
        for (int i = 1; i <= options.Tries; i++)
        {
            var design = Volume(basis, points, random, cancellation);
            double smallest = design.SmallestEigenvalue;
            if (smallest >= options.Stable)
                return design with { Tries = i };
            best = Math.Max(best, smallest);
        }
        throw InputException.At("points", FormattableString.Invariant($"{points} for {basis.Size} functions, whose smallest eigenvalue was at most {best:G3} in {options.Tries:N0} draws"), FormattableString.Invariant($"one of at least {options.Stable}"), "Take more points, a smaller stable, or sampler=repeated.");
    }

    /// <summary>As many independent projection DPPs as it takes to be stable, from one on.</summary>
    /// <param name="basis">The functions.</param>
    /// <param name="random">The draw.</param>
    /// <param name="most">The most draws.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">Not stable with the most.</exception>
    public Design UntilStable(IBasis basis, SeededRandom random, int most = 100, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(basis);
        var points = new List<double>();
        for (int r = 1; r <= most; r++)
        {
            points.AddRange(Draw(basis, random, cancellation));
            var design = Weighted(basis, [.. points]);
            if (design.SmallestEigenvalue >= options.Stable)
                return design with { Tries = r };
        }
        throw InputException.At("draws", $"{most} that are not stable together", FormattableString.Invariant($"a smallest eigenvalue of at least {options.Stable}"), "Take more draws or a smaller stable.");
    }

    private static Design Repeated(IBasis basis, int draws, SeededRandom random, CancellationToken cancellation) =>
        Weighted(basis, [.. Enumerable.Range(0, draws).SelectMany(_ => Draw(basis, random, cancellation))]);

    private Design Volume(IBasis basis, int points, SeededRandom random, CancellationToken cancellation)
    {
        double[][] rows = new double[points][];
        foreach (var (i, row) in Draw(basis, random, cancellation).Chunk(basis.Width).Index())
            rows[i] = row;
        for (int i = basis.Size; i < points; i++)
        {
            rows[i] = new double[basis.Width];
            if (options.Law == "leverage" || options.Law == "mixture" && random.Next(2) == 0)
                basis.DrawLeverage(random, rows[i]);
            else
                basis.DrawUniform(random, rows[i]);
        }
        random.Shuffle(rows);
        var design = Weighted(basis, [.. rows.SelectMany(r => r)]);
        // dμ/dρ, of ν m / ‖φ‖² as they are
        return options.Law == "leverage" ? design : design with { Weights = [.. design.Weights.Select(w => options.Law == "uniform" ? 1 : 2 / (1 + 1 / w))] };
    }

    /// <summary>A design without the point that leaves the largest smallest eigenvalue, which scales with the points that are left. Cost O(n m³).</summary>
    private static Design Without(Design design, int width)
    {
        using var scope = NewDisposeScope();
        int n = design.Count, m = design.Size;
        var phi = Aligned.Of(design.Features, n, m) * Aligned.Of([.. design.Weights.Select(Math.Sqrt)], n, 1);
        var least = linalg.eigvalsh(phi.t().mm(phi) - phi.unsqueeze(2) * phi.unsqueeze(1)).select(1, 0);
        int left = (int)least.argmax().item<long>();
        double[] Rest(double[] values, int each) => [.. values[..(left * each)], .. values[((left + 1) * each)..]];
        return design with { Points = Rest(design.Points, width), Features = Rest(design.Features, m), Weights = Rest(design.Weights, 1) };
    }

    private static Design Weighted(IBasis basis, double[] points) =>
        Design.Of(basis, points.Length / basis.Width, (i, x) => points.AsMemory(i * basis.Width, basis.Width).CopyTo(x), weighted: true);

    /// <summary>The points of one projection DPP [m, width]: each is proposed from ν and taken with probability (k(x, x) − k_xS K_SS⁻¹ k_Sx) / k(x, x).</summary>
    private static double[] Draw(IBasis basis, SeededRandom random, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (basis is CandidateBasis candidates)
            return Array.ConvertAll(candidates.Process.Sample(random), j => (double)j);
        int m = basis.Size;
        double[] points = new double[m * basis.Width], phi = new double[m];
        var left = new Complement(m);
        for (int t = 0; t < m; t++)
        {
            var point = points.AsSpan(t * basis.Width, basis.Width);
            int proposal = 0;
            do
            {
                if (++proposal > MostProposals)
                    throw InputException.At("functions", $"none of {MostProposals:N0} proposals taken after {t} points", "functions that are orthonormal, and draws by their leverage", "Check the basis: under its measure the functions depend on each other.");
                basis.DrawLeverage(random, point);
                basis.Values(point, phi);
            }
            while (random.NextDouble() * TensorPrimitives.Dot<double>(phi, phi) >= left.Of(phi));
            left.Take(phi);
        }
        return points;
    }
}
