using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of the task <c>bars</c>.</summary>
public sealed record BarsOptions
{
    /// <summary>Pixels a side.</summary>
    [Range(2, 32), Description("pixels a side; as many bars lie and stand")]
    public int Side { get; init; } = 4;

    /// <summary>How bars meet.</summary>
    [AllowedValues("sum", "max"), Description("where bars cross: sum: they are added; max: the brighter is seen")]
    public string Superposition { get; init; } = "sum";

    /// <summary>Images learned from.</summary>
    [Range(4, 1_000_000), Description("images to learn from")]
    public int Rows { get; init; } = 250;

    /// <summary>Images asked for.</summary>
    [Range(1, 1_000_000), Description("images to test on")]
    public int Test { get; init; } = 250;

    /// <summary>Bars of an image.</summary>
    [Range(0.1, 100.0), Description("bars of an image on average, each there or not by itself")]
    public double Present { get; init; } = 2;

    /// <summary>How bright.</summary>
    [Range(0.001, 1e6), Description("brightness of a bar")]
    public double Strength { get; init; } = 10;

    /// <summary>Noise.</summary>
    [Range(0.0, 1e6), Description("deviation of the normal noise on each pixel")]
    public double Noise { get; init; } = 2;

    /// <summary>Parts.</summary>
    [Range(0, 10_000), Description("parts to learn; 0: as many as there are bars")]
    public int Parts { get; init; }
}

/// <summary>Images made of bars (Földiák 1990): each is there or not by itself, and a dictionary should be these bars.</summary>
internal sealed class BarsTask : IKernelTask
{
    public TaskCard Card { get; } = new("bars", "Bars", "Images are made of bars that lie or stand, each there or not by itself, and noise. Parts are learned; they should be the bars, whatever their size and sign.", OptionsSchema.Of<BarsOptions>(), ["signals"])
    {
        Data = null,
        Metrics =
        [
            new("bars", "bars found", "fraction", Better.Higher, "share of the bars whose part, parts matched with bars as well as can be, is theirs: times the best number it is off by less than a fifth of the brightness, root mean square over pixels"),
            new("all", "all found", "fraction", Better.Higher, "1 where every bar is found, else 0"),
            new("reconstruction", "reconstructed", "fraction", Better.Higher, "1 − squared error of images not seen beside what their parts make, over their squared distance from the mean image"),
            new("log_likelihood", "log-likelihood", "nats", Better.Higher, "mean log-density of images not seen; of truncated models a lower bound, of parts without a density that of a Gaussian along them"),
            new("pi_error", "rate error", "fraction", Better.Lower, "how far the rate at which bars are there is from the true one; of methods without a rate, the share of codes above half their largest"),
            new("sigma_error", "noise error", "brightness", Better.Lower, "how far the learned deviation of noise is from the true one"),
            new("fit_ms", "time to learn", "ms", Better.Lower, "milliseconds from images to parts"),
        ],
    };

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation)
    {
        var o = (BarsOptions)options;
        return source is not null ? throw InputException.At("--data", $"'{source}'", "none: this task makes its images", "Leave it out, or choose --task dictionary.")
            : o.Present > 2 * o.Side ? throw InputException.At("task.present", string.Create(CultureInfo.InvariantCulture, $"{o.Present} bars an image"), $"at most {2 * o.Side}, the bars there are", "Take fewer, or a larger side.")
            : KernelTrial.Made(Card, o, "Made bars", string.Create(CultureInfo.InvariantCulture, $"{2 * o.Side} bars of {o.Side} by {o.Side} pixels, {o.Present} an image, {o.Rows} images, {o.Test} to test on"), reading);
    }

    public TrialResult Run(KernelTrial trial)
    {
        var o = (BarsOptions)trial.Options;
        var random = trial.Context.Random("bars");
        var (y, test, bars) = (Images(o, o.Rows, random), Images(o, o.Test, random), Bars(o));
        trial.Context.Progress(0.1, "learning");
        var method = (IDictionaryLearner)trial.Method();
        using var learned = trial.Timed(() => method.Learn(y, o.Parts > 0 ? o.Parts : 2 * o.Side, trial.Context.Cancellation), out double fit);
        trial.Context.Progress(0.8, "asking");
        foreach (var (name, value) in learned.Report)
            trial.Context.Metric($"report/{name}", value, 1);
        DictionaryTask.Draw(learned.Dictionary, o.Side, o.Side, trial.Context);
        double found = Found(learned.Dictionary, bars, 0.2 * o.Strength);
        double rate = learned.Report.TryGetValue("pi", out double pi) ? pi : Rate(learned.Codes(y));
        return new(new Dictionary<string, double>
        {
            ["bars"] = found,
            ["all"] = found == 1 ? 1 : 0,
            ["reconstruction"] = DictionaryTask.Reconstructed(learned, test),
            ["log_likelihood"] = learned.LogLikelihood(test).mean().item<double>(),
            ["pi_error"] = Math.Abs(rate - o.Present / (2 * o.Side)),
            ["sigma_error"] = Math.Abs(learned.Report["sigma"] - o.Noise),
            ["fit_ms"] = fit,
        });
    }

    /// <summary>The share of bars that are among the parts.</summary>
    /// <param name="dictionary">Parts as columns [d, parts].</param>
    /// <param name="bars">Bars as rows [bars, d].</param>
    /// <param name="off">The root mean square, times the best number, below which a part is a bar.</param>
    internal static double Found(Tensor dictionary, Tensor bars, double off)
    {
        using var scope = NewDisposeScope();
        int count = (int)bars.shape[0], parts = (int)dictionary.shape[1];
        double[] along = bars.mm(dictionary).data<double>().ToArray(), own = dictionary.square().sum([0]).data<double>().ToArray(), size = bars.square().sum(1).data<double>().ToArray();
        double[,] apart = new double[count, Math.Max(count, parts)];
        for (int b = 0; b < count; b++)
            for (int p = 0; p < apart.GetLength(1); p++)
                apart[b, p] = Math.Sqrt(Math.Max(0, size[b] - (p < parts && own[p] > 0 ? along[b * parts + p] * along[b * parts + p] / own[p] : 0)) / bars.shape[1]);
        int[] match = Assignment.Of(apart);
        return Enumerable.Range(0, count).Count(b => match[b] < parts && apart[b, match[b]] < off) / (double)count;
    }

    private static double Rate(Tensor codes)
    {
        using var scope = NewDisposeScope();
        var size = codes.abs();
        return (size > size.max(0).values / 2).to(ScalarType.Float64).mean().item<double>();
    }

    /// <summary>Bars as rows [2 side, side²], the lying first.</summary>
    internal static Tensor Bars(BarsOptions o) =>
        Aligned.Of([.. from bar in Enumerable.Range(0, 2 * o.Side) from pixel in Enumerable.Range(0, o.Side * o.Side) select (bar < o.Side ? pixel / o.Side == bar : pixel % o.Side == bar - o.Side) ? o.Strength : 0], 2 * o.Side, o.Side * o.Side);

    /// <summary>Images as rows.</summary>
    internal static Tensor Images(BarsOptions o, int count, SeededRandom random)
    {
        using var scope = NewDisposeScope();
        double rate = o.Present / (2 * o.Side);
        var there = Aligned.Of([.. Enumerable.Range(0, count * 2 * o.Side).Select(_ => random.NextDouble() < rate ? 1.0 : 0)], count, 2 * o.Side);
        var bars = Bars(o);
        var clean = o.Superposition == "sum" ? there.mm(bars) : (there.unsqueeze(2) * bars.unsqueeze(0)).amax([1]);
        return (clean + Aligned.Of([.. Enumerable.Range(0, count * o.Side * o.Side).Select(_ => o.Noise * random.NextNormal())], count, o.Side * o.Side)).MoveToOuterDisposeScope();
    }

    public string Program(Trial trial, string version) => DictionaryTask.Written(trial, version);
}
