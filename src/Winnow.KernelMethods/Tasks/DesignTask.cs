using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of the task <c>design</c>.</summary>
public sealed record DesignOptions
{
    /// <summary>Functions.</summary>
    [Range(1, 1000), Description("m: functions of the approximation: Legendre polynomials, or of rows the constant and the first of kernel PCA")]
    public int Functions { get; init; } = 15;

    /// <summary>Points.</summary>
    [Range(1, 100_000), Description("n: points at which the function is asked, or rows that are labelled")]
    public int Points { get; init; } = 30;

    /// <summary>Draws.</summary>
    [Range(1, 100_000), Description("draws of points, over which errors are averaged")]
    public int Draws { get; init; } = 60;

    /// <summary>Dimensions.</summary>
    [Range(1, 3), Description("without data: dimensions of the cube from -1 to 1")]
    public int Dimensions { get; init; } = 1;

    /// <summary>What is approximated.</summary>
    [AllowedValues("runge", "wave", "absolute"), Description("without data: runge: 1 / (1 + 5 |x|²); wave: exp(s) sin(3 s) + s / 10, s the mean coordinate; absolute: the mean of |x|")]
    public string Function { get; init; } = "runge";

    /// <summary>Candidates.</summary>
    [Range(2, 5000), Description("with data: rows drawn as candidates; all where there are fewer")]
    public int Candidates { get; init; } = 1000;
}

/// <summary>Points are chosen at which a function is asked.</summary>
internal sealed class DesignTask : IKernelTask
{
    private const int Nodes = 200;
    private const double Nothing = 1e-26; // of squares: rounding

    public TaskCard Card { get; } = new("design", "Which points to ask", "A function is approximated from its values at chosen points. Without a file it is one on a cube, approximated by Legendre polynomials; of a user's rows some are chosen to be labelled, and the labels of all are approximated by functions of kernel PCA.", OptionsSchema.Of<DesignOptions>(), ["basis"]) { Metrics = OfDesigns };

    public IReadOnlyList<FigureCard> Figures { get; } = [new("draws", FigureKind.Lines, "Errors of all draws", "draw", "draw, from the best to the worst", "error over the best there is", "A way of choosing points is as good as its worst draws: a line that turns up at the end spoils the mean.")];

    private static IReadOnlyList<MetricCard> OfDesigns =>
    [
        new("rms_error_ratio", "error over the best", "ratio", Better.Lower, "root of the mean over draws of ‖f − f̂‖², over ‖f − v‖ of the best v there is in the space; a draw that leaves coefficients open answers 0"),
        new("median_error_ratio", "its median", "ratio", Better.Lower, "the median over draws of ‖f − f̂‖ / ‖f − v‖"),
        new("lambda_min", "smallest eigenvalue", "score", Better.Higher, "mean over draws of the smallest eigenvalue of G = (1/n) Σ w φφᵀ, whose best is 1"),
        new("stable", "stable draws", "fraction", Better.Higher, "share of draws whose smallest eigenvalue is at least one half"),
        new("fit_ms", "time to choose", "ms", Better.Lower, "milliseconds a draw from functions to points, the fit not included"),
    ];

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation)
    {
        var o = (DesignOptions)options;
        if (o.Points < o.Functions)
            throw InputException.At("task.points", $"{o.Points}", $"at least {o.Functions}, one for each function", "Take more points, or fewer functions (task.functions).");
        if (source is null)
            return KernelTrial.Made(Card, o, "A function on a cube", $"{o.Function} in {o.Dimensions} dimensions by {o.Functions} polynomials, {o.Points} points", reading);
        var data = DataSources.Open(source, reading, cancellation);
        if (Math.Min(data.Count, o.Candidates) < o.Functions)
            throw InputException.At(source, $"{Math.Min(data.Count, o.Candidates)} candidates", $"at least {o.Functions}, one for each function", "Take fewer functions (task.functions) or more candidates (task.candidates).");
        return data.Summary(Path.Exists(source) ? Path.GetFullPath(source) : source, reading);
    }

    public TrialResult Run(KernelTrial trial)
    {
        var (context, o) = (trial.Context, (DesignOptions)trial.Options);
        var problem = trial.Trial.Data.Source == "made" ? OnCube(o) : OfRows(Classification.Opened(trial), o, context.Random("candidates"));
        var designer = (IDesigner)trial.Method();
        var random = context.Random("points");
        var errors = new List<double>();
        var (eigenvalues, milliseconds, tries) = (new List<double>(), 0.0, 0);
        for (int draw = 0; draw < o.Draws; draw++)
        {
            using var scope = NewDisposeScope();
            context.Progress((double)draw / o.Draws, "drawing");
            var design = trial.Timed(() => designer.Choose(problem.Basis, o.Points, random, context.Cancellation), out double took);
            milliseconds += took;
            tries += design.Tries;
            eigenvalues.Add(design.SmallestEigenvalue);
            errors.Add(problem.Error(design) / problem.Best);
        }
        foreach (var (i, error) in errors.Order().Index())
            context.Metric("draw", error, i + 1);
        context.Metric("report/tries", (double)tries / o.Draws, 1);
        double[] sorted = [.. errors.Order()];
        return new(new Dictionary<string, double>
        {
            ["rms_error_ratio"] = Math.Sqrt(errors.Average(e => e * e)),
            ["median_error_ratio"] = (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2,
            ["lambda_min"] = eigenvalues.Average(),
            ["stable"] = eigenvalues.Average(l => l >= 0.5 ? 1.0 : 0),
            ["fit_ms"] = milliseconds / o.Draws,
        });
    }

    /// <summary>A function whose coefficients are integrated.</summary>
    internal static DesignProblem OnCube(DesignOptions o)
    {
        var basis = new LegendreBasis(o.Functions, o.Dimensions);
        int each = o.Dimensions == 1 ? Nodes : o.Dimensions == 2 ? 80 : 40, count = (int)Math.Pow(each, o.Dimensions);
        var (nodes, weights) = Jacobi.Quadrature(each, 0, 0);
        double[] coefficients = new double[o.Functions], point = new double[o.Dimensions], phi = new double[o.Functions];
        var (square, best) = (0.0, 0.0);
        Integrate((weight, f) =>
        {
            square += weight * f * f;
            for (int k = 0; k < phi.Length; k++)
                coefficients[k] += weight * f * phi[k];
        });
        // what is left over, not the difference of two large numbers
        Integrate((weight, f) => best += weight * Math.Pow(f - coefficients.Zip(phi, (c, p) => c * p).Sum(), 2));
        if (!(best > Nothing * square))
            throw InputException.At("task.functions", $"{o.Functions}, in whose span '{o.Function}' is", "a function that leaves an error", "Take fewer functions.");
        return new(basis, design => Aligned.Of([.. design.Points.Chunk(o.Dimensions).Select(x => At(o.Function, x))], design.Count, 1), Aligned.Of(coefficients, o.Functions, 1), square, Math.Sqrt(best));

        void Integrate(Action<double, double> add)
        {
            for (int i = 0; i < count; i++)
            {
                double weight = 1;
                for (int c = 0, left = i; c < o.Dimensions; c++, left /= each)
                    (point[c], weight) = (nodes[left % each], weight * weights[left % each]);
                basis.Values(point, phi);
                add(weight, At(o.Function, point));
            }
        }
    }

    private static DesignProblem OfRows(LabelledData data, DesignOptions o, SeededRandom random)
    {
        int[] order = [.. Enumerable.Range(0, data.Count)];
        random.Shuffle(order);
        int[] rows = order[..Math.Min(o.Candidates, data.Count)];
        var scale = Standardiser.Fit(data, rows);
        float[] values = new float[(long)rows.Length * data.Width];
        data.CopyRows(rows, values);
        scale.Apply(values);
        var basis = CandidateBasis.KernelPca(Aligned.Of(Array.ConvertAll(values, v => (double)v), rows.Length, data.Width), o.Functions);
        var f = new TrainingRows(zeros(rows.Length, 1, dtype: ScalarType.Float64), LabelsOf(data, rows), data.LabelNames.Count).OneHot();
        double[] phi = new double[rows.Length * o.Functions];
        for (int i = 0; i < rows.Length; i++)
            basis.Values([i], phi.AsSpan(i * o.Functions, o.Functions));
        var functions = Aligned.Of(phi, rows.Length, o.Functions);
        var coefficients = functions.t().mm(f) / rows.Length;
        double square = f.square().sum().item<double>() / rows.Length, best = (f - functions.mm(coefficients)).square().sum().item<double>() / rows.Length;
        if (!(best > Nothing * square))
            throw InputException.At("task.functions", $"{o.Functions}, which give the labels exactly", "functions that leave an error", "Take fewer functions.");
        return new(basis, design => f.index_select(0, tensor(design.Points.Select(p => (long)p).ToArray())), coefficients, square, Math.Sqrt(best));
    }

    private static int[] LabelsOf(LabelledData data, int[] rows)
    {
        int[] labels = new int[rows.Length];
        for (int i = 0; i < rows.Length; i++)
            labels[i] = data.Labels[rows[i]];
        return labels;
    }

    /// <summary>The function that is approximated.</summary>
    internal static double At(string function, ReadOnlySpan<double> x)
    {
        double square = 0, sum = 0, size = 0;
        foreach (double v in x)
            (square, sum, size) = (square + v * v, sum + v, size + Math.Abs(v));
        double mean = sum / x.Length;
        return function switch
        {
            "runge" => 1 / (1 + 5 * square),
            "wave" => Math.Exp(mean) * Math.Sin(3 * mean) + 0.1 * mean,
            _ => size / x.Length,
        };
    }

    public string Program(Trial trial, string version) =>
        $$"""
            // dotnet run -c Release Use.cs FILE.csv FUNCTIONS POINTS: which rows to label, and what each counts in the fit
            {{KeptProgram.Packages(version)}}
            using Winnow.Core;
            using Winnow.Data;
            using Winnow.KernelMethods;
            using static TorchSharp.torch;

            Winnow.Learning.NativeTorch.Require();
            var data = DataSources.Open(args.Length > 0 ? args[0] : null, new DataReading(), CancellationToken.None);
            int[] rows = Enumerable.Range(0, data.Count).ToArray();
            var values = new float[rows.Length * data.Width];
            data.CopyRows(rows, values);
            Standardiser.Fit(data, rows).Apply(values);
            var basis = CandidateBasis.KernelPca(tensor(values.Select(v => (double)v).ToArray(), new long[] { rows.Length, data.Width }), int.Parse(args[1]));
            var method = (IDesigner){{KeptProgram.Method(trial)}};
            var design = method.Choose(basis, int.Parse(args[2]), new SeededRandom(1, "points"));
            for (int i = 0; i < design.Count; i++)
                Console.WriteLine($"{design.Points[i]}\t{design.Weights[i]:G6}");

            """;
}

/// <summary>A function that is approximated.</summary>
/// <param name="Basis">By what.</param>
/// <param name="Values">The function at the points of a design [n, k].</param>
/// <param name="Coefficients">Of the best approximation [m, k].</param>
/// <param name="Square">‖f‖².</param>
/// <param name="Best">‖f − v‖ of the best v.</param>
internal sealed record DesignProblem(IBasis Basis, Func<Design, Tensor> Values, Tensor Coefficients, double Square, double Best)
{
    /// <summary>‖f − f̂‖ of the fit to a design: what no approximation has, and the distance from the best coefficients.</summary>
    public double Error(Design design)
    {
        using var scope = NewDisposeScope();
        if (!(design.SmallestEigenvalue > 1e-12))
            return Math.Sqrt(Square);
        return Math.Sqrt(Best * Best + (WeightedLeastSquares.Fit(design, Values(design)) - Coefficients).square().sum().item<double>());
    }
}
