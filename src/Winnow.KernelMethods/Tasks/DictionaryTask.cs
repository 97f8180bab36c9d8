using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of the task <c>dictionary</c>.</summary>
public sealed record DictionaryOptions
{
    /// <summary>Parts.</summary>
    [Range(1, 10_000), Description("parts to learn")]
    public int Parts { get; init; } = 16;

    /// <summary>Rows learned from.</summary>
    [Range(2, 1_000_000), Description("rows or patches to learn from; all that are not for testing where there are fewer")]
    public int Rows { get; init; } = 1000;

    /// <summary>Rows asked for.</summary>
    [Range(1, 1_000_000), Description("rows or patches to test on; at most a third of all")]
    public int Test { get; init; } = 500;

    /// <summary>The side of a patch.</summary>
    [Range(0, 1000), Description("of larger images: a patch of so many pixels a side is cut from each, of one channel; 0: images are taken whole")]
    public int Patch { get; init; } = 8;

    /// <summary>Whether the mean is taken off.</summary>
    [Description("each row's mean is taken off, so that parts are patterns rather than brightness")]
    public bool Centre { get; init; }
}

/// <summary>Parts of a user's rows or images are learned.</summary>
internal sealed class DictionaryTask : IKernelTask
{
    public TaskCard Card { get; } = new("dictionary", "Parts of rows", "Parts of which rows or patches of images are made are learned from some and asked to make others; labels are not looked at. Without a file the rows are digits of 8 by 8 pixels.", OptionsSchema.Of<DictionaryOptions>(), ["signals"])
    {
        Metrics =
        [
            new("log_likelihood", "log-likelihood", "nats", Better.Higher, "mean log-density of rows not seen; of truncated models a lower bound, of parts without a density that of a Gaussian along them"),
            new("reconstruction", "reconstructed", "fraction", Better.Higher, "1 − squared error of rows not seen beside what their parts make, over their squared distance from the mean row"),
            new("fit_ms", "time to learn", "ms", Better.Lower, "milliseconds from rows to parts"),
        ],
    };

    /// <summary>The parts of a trial, side by side.</summary>
    public IReadOnlyList<FigureCard> Figures { get; } = [new("parts", FigureKind.Heatmap, "Parts", "part", "column of pixels, part after part", "row of pixels, sixteen parts above the next", "What each method takes images apart into: bars, strokes, or whole images. Each part is scaled to a largest size of 1.")];

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation) => Classification.Inspect(source, reading, cancellation);

    public TrialResult Run(KernelTrial trial)
    {
        var o = (DictionaryOptions)trial.Options;
        var (y, test, height, width) = Rows(Classification.Opened(trial), o, trial.Context.Random("rows"));
        if (o.Parts > y.shape[0])
            throw InputException.At("task.parts", $"{o.Parts}", $"at most {y.shape[0]}, the rows learned from", "Take fewer parts, or more rows.");
        trial.Context.Progress(0.1, "learning");
        var method = (IDictionaryLearner)trial.Method();
        using var learned = trial.Timed(() => method.Learn(y, o.Parts, trial.Context.Cancellation), out double fit);
        trial.Context.Progress(0.8, "asking");
        foreach (var (name, value) in learned.Report)
            trial.Context.Metric($"report/{name}", value, 1);
        Draw(learned.Dictionary, height, width, trial.Context);
        return new(new Dictionary<string, double>
        {
            ["log_likelihood"] = learned.LogLikelihood(test).mean().item<double>(),
            ["reconstruction"] = Reconstructed(learned, test),
            ["fit_ms"] = fit,
        });
    }

    /// <summary>How much of what rows differ by their parts explain.</summary>
    internal static double Reconstructed(ILearnedParts learned, Tensor test)
    {
        using var scope = NewDisposeScope();
        double error = (learned.Reconstruct(test) - test).square().sum().item<double>(), all = (test - test.mean([0], keepdim: true)).square().sum().item<double>();
        return all > 0 ? 1 - error / all : 0;
    }

    /// <summary>Records the first parts as an image, sixteen beside each other.</summary>
    internal static void Draw(Tensor dictionary, int height, int width, TrialContext context)
    {
        const int beside = 16, most = 64;
        using var scope = NewDisposeScope();
        int parts = (int)Math.Min(most, dictionary.shape[1]), across = Math.Min(beside, parts);
        double[] values = (dictionary / dictionary.abs().amax([0], keepdim: true).clamp_min(double.Epsilon)).t().contiguous().data<double>().ToArray();
        for (int band = 0; band * across < parts; band++)
            for (int row = 0; row < height; row++)
                for (int part = 0; part < across; part++)
                    for (int column = 0; column < width; column++)
                        if (band * across + part < parts)
                            context.Metric(FormattableString.Invariant($"part/{part:D2}.{column:D3}"), values[(band * across + part) * height * width + row * width + column], band * height + row);
    }

    /// <summary>Rows to learn from and others; of images that are larger, a patch of each.</summary>
    private static (Tensor Y, Tensor Test, int Height, int Width) Rows(LabelledData data, DictionaryOptions o, SeededRandom random)
    {
        int[] order = [.. Enumerable.Range(0, data.Count)];
        random.Shuffle(order);
        int test = Math.Max(1, Math.Min(o.Test, data.Count / 3)), train = Math.Min(o.Rows, data.Count - test);
        bool images = data.Shape.Count == 3;
        int high = images ? data.Shape[1] : 1, wide = images ? data.Shape[2] : data.Width, channels = images ? data.Shape[0] : 1;
        bool cut = images && o.Patch > 0 && (high > o.Patch || wide > o.Patch);
        int height = cut ? Math.Min(o.Patch, high) : high * channels, width = cut ? Math.Min(o.Patch, wide) : wide;
        float[] row = new float[data.Width];
        Tensor Made(int[] rows)
        {
            double[] values = new double[rows.Length * height * width];
            for (int i = 0; i < rows.Length; i++)
            {
                data.CopyRows([rows[i]], row);
                int channel = cut ? random.Next(channels) : 0, top = cut ? random.Next(high - height + 1) : 0, left = cut ? random.Next(wide - width + 1) : 0;
                for (int r = 0; r < height; r++)
                    for (int c = 0; c < width; c++)
                        values[(i * height + r) * width + c] = row[cut ? (channel * high + top + r) * wide + left + c : r * width + c];
            }
            var made = Aligned.Of(values, rows.Length, height * width);
            return o.Centre ? made - made.mean([1], keepdim: true) : made;
        }
        return (Made(order[test..(test + train)]), Made(order[..test]), height, width);
    }

    public string Program(Trial trial, string version) => Written(trial, version);

    /// <summary>Learns parts from nine rows in ten of a file and has them make the others.</summary>
    internal static string Written(Trial trial, string version) =>
        $$"""
            // dotnet run -c Release Use.cs FILE.csv PARTS: learns parts from all but the last row in ten, and has them make these
            {{KeptProgram.Packages(version)}}
            using Winnow.Core;
            using Winnow.Data;
            using Winnow.KernelMethods;
            using static TorchSharp.torch;

            Winnow.Learning.NativeTorch.Require();
            var data = DataSources.Open(args.Length > 0 ? args[0] : null, new DataReading(), CancellationToken.None);
            using var rows = Take(Enumerable.Range(0, data.Count).Where(i => i % 10 != 9).ToArray());
            using var asked = Take(Enumerable.Range(0, data.Count).Where(i => i % 10 == 9).ToArray());
            var method = (IDictionaryLearner){{KeptProgram.Method(trial)}};
            using var learned = method.Learn(rows, args.Length > 1 ? int.Parse(args[1]) : 8);
            using var codes = learned.Codes(asked);
            for (int i = 0; i < asked.shape[0]; i++)
                Console.WriteLine(string.Join('\t', Enumerable.Range(0, (int)codes.shape[1]).Select(h => codes[i, h].item<double>().ToString("G4"))));

            Tensor Take(int[] some)
            {
                var values = new float[some.Length * data.Width];
                data.CopyRows(some, values);
                return tensor(values.Select(v => (double)v).ToArray(), new long[] { some.Length, data.Width });
            }

            """;
}
