using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>How the answers of a stream are scored, and what is reported of the scores.</summary>
/// <param name="Name">Series of the mean score over the tasks seen.</param>
/// <param name="Matrix">Family of series of the single scores.</param>
/// <param name="Best">The largest score.</param>
/// <param name="Of">Scores a learner on test rows, given their task where it is told and the classes among which the answer is sought (null for all).</param>
/// <param name="Metrics">The metrics that follow from the scores.</param>
internal sealed record Scoring(string Name, string Matrix, double Best, Func<IContinualLearner, Batch, TaskInfo?, IReadOnlyList<int>?, double> Of,
    Func<AccuracyMatrix, Dictionary<string, double>> Metrics)
{
    private const int Rows = 1000;

    /// <summary>Share of rows whose most likely class is theirs.</summary>
    public static Scoring Labels { get; } = new("accuracy", "R", 1, Accuracy, m => m.Values());

    /// <summary>PSNR of frames.</summary>
    public static Scoring Frames { get; } = new("psnr", "psnr-matrix", MostPsnr, (learner, test, task, _) => Psnr(learner, test, task), m => new()
    {
        ["psnr"] = m.Accuracy,
        ["psnr_backward_transfer"] = m.BackwardTransfer,
        ["worst_psnr"] = Enumerable.Range(0, m.Tests).Min(j => m[m.Rows.Count - 1, j]),
    });

    /// <summary>The PSNR, in dB, of an answer without error; smaller errors than 1e-10 count as this.</summary>
    public const double MostPsnr = 100;

    /// <summary>The metrics of a stream of frames; the first decides the ranking.</summary>
    public static IReadOnlyList<MetricCard> FrameCards { get; } =
    [
        new("psnr", "PSNR", "dB", Better.Higher, "(1/T) Σ_j P[T, j]: mean over all videos after the last; P[i, j] is the mean over the frames of video j of −10 log10 of the mean squared error, after learning video i"),
        new("psnr_backward_transfer", "BWT", "dB", Better.Higher, "(1/(T−1)) Σ_{j<T} (P[T, j] − P[j, j])"),
        new("worst_psnr", "worst video", "dB", Better.Higher, "min_j P[T, j]"),
        .. AccuracyMatrix.Cards.Where(c => c.Name is "model_bytes" or "memory_bytes" or "sample_gradients"),
    ];

    /// <summary>Mean over rows of the PSNR of an answer, values in [0, 1].</summary>
    public static double Psnr(Tensor answers, Tensor frames)
    {
        using var scope = NewDisposeScope();
        var errors = (answers - frames).to_type(ScalarType.Float64).square().mean([1]);
        return (-10 * errors.clamp_min(1e-10).log10()).mean().item<double>();
    }

    private static double Psnr(IContinualLearner learner, Batch test, TaskInfo? task)
    {
        double sum = 0;
        for (int start = 0; start < test.Count; start += Rows)
        {
            using var scope = NewDisposeScope();
            var x = test.X.narrow(0, start, Math.Min(Rows, test.Count - start));
            var answers = learner.Predict(x, task);
            if (answers.isnan().any().item<bool>())
                throw new InvalidOperationException("The learner answers NaN: its training diverged. Lower the learning rate.");
            sum += x.shape[0] * Psnr(answers, test.Y.narrow(0, start, x.shape[0]));
        }
        return sum / test.Count;
    }

    private static double Accuracy(IContinualLearner learner, Batch test, TaskInfo? task, IReadOnlyList<int>? among)
    {
        long right = 0;
        for (int start = 0; start < test.Count; start += Rows)
        {
            using var scope = NewDisposeScope();
            var x = test.X.narrow(0, start, Math.Min(Rows, test.Count - start));
            var y = test.Y.narrow(0, start, x.shape[0]);
            var logits = learner.Predict(x, task);
            if (logits.isnan().any().item<bool>())
                throw new InvalidOperationException("The learner predicts NaN: its training diverged. Lower the learning rate or the strength of its regulariser.");
            if (among is not null)
            {
                var index = tensor(among.Order().Select(c => (long)c).ToArray());
                right += index.index_select(0, logits.index_select(1, index).argmax(1)).eq(y).sum().item<long>();
            }
            else
                right += logits.argmax(1).eq(y).sum().item<long>();
        }
        return (double)right / test.Count;
    }
}
