using System.Diagnostics;
using System.Security.Cryptography;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>What a stream tells its learner.</summary>
/// <param name="Boundaries">Whether tasks are announced.</param>
/// <param name="TaskKnownAtTest">Whether the task of a test row is told: task-incremental.</param>
/// <param name="ClassesArrive">Whether each task brings new classes; otherwise every task has all of them.</param>
/// <param name="BaseFirst">Whether the first task is a base that is weighed against all later ones together: few-shot.</param>
internal sealed record StreamRules(bool Boundaries, bool TaskKnownAtTest, bool ClassesArrive, bool BaseFirst);

/// <summary>The protocol of the arena: the same for every method. Train on each task in turn; after each, or every few, run all tests.</summary>
internal static class Protocol
{
    /// <summary>Runs a learner through a stream; returns the metrics, records series and account in the context.</summary>
    public static TrialResult Run(IContinualLearner learner, PreparedStream prepared, TrialContext context)
    {
        var (stream, rules, plan) = (prepared.Stream, prepared.Rules, prepared.Setup.Training);
        int tasks = stream.Tasks.Count;
        var scoring = prepared.Scoring;
        var matrix = new AccuracyMatrix([.. Enumerable.Range(0, tasks).Where(i => i == tasks - 1 || (i + 1) % stream.TestEvery == 0)],
            [.. stream.Tests.Select(t => t.Learned)], [.. stream.Tests.Select(t => t.Asked)])
        { Best = scoring.Best };
        var order = context.Random("batches");
        var cost = StepReport.None;
        long rows = 0, done = 0;
        int next = 0; // row of the matrix
        var training = new Stopwatch();

        Evaluate(learner, prepared, matrix, -1, context);
        for (int i = 0; i < tasks; i++)
        {
            var info = stream.Tasks[i].Info;
            var train = stream.Tasks[i].Train();
            using var x = train.X;
            using var y = train.Y;
            training.Start();
            if (rules.Boundaries)
                learner.BeginTask(info, train);
            for (int epoch = 0; epoch < plan.Epochs; epoch++)
                foreach (long[] batch in ContinualStream.MiniBatches(train.Count, plan.BatchSize, order))
                {
                    context.Cancellation.ThrowIfCancellationRequested();
                    using var scope = NewDisposeScope();
                    cost += learner.Observe((train with { FirstPass = epoch == 0 }).Rows(tensor(batch)));
                    rows += batch.Length;
                    context.Progress((double)++done / plan.Steps, $"task {i + 1} of {tasks}");
                }
            if (rules.Boundaries)
                cost += learner.EndTask(info, train);
            training.Stop();
            if (i != matrix.Rows[next])
                continue;
            Evaluate(learner, prepared, matrix, next, context);
            context.Metric(scoring.Name, matrix.SeenAccuracy(next), i + 1);
            if (rules.BaseFirst && next > 0)
                context.Metric("harmonic_mean", matrix.HarmonicMean(next), i + 1);
            next++;
        }

        var metrics = scoring.Metrics(matrix);
        metrics["model_bytes"] = Bytes(learner, StateKind.Model);
        metrics["memory_bytes"] = Bytes(learner, StateKind.Memory) + Bytes(learner, StateKind.Statistics) + Bytes(learner, StateKind.Counter);
        metrics["sample_gradients"] = cost.Gradients;
        foreach (var kind in Enum.GetValues<StateKind>())
            context.Account.Add($"{kind.ToString().ToLowerInvariant()}_bytes", Bytes(learner, kind));
        context.Account.Add("sample_forwards", cost.Forward);
        context.Account.Add("sample_gradients", cost.Gradients);
        context.Account.Add("replayed_items", cost.Replayed);
        context.Account.Add("seconds_per_example", training.Elapsed.TotalSeconds / rows);
        return new(metrics);
    }

    /// <summary>A row of the matrix, −1 for the untrained learner. Prediction must not change the learner: its state is hashed before and after.</summary>
    private static void Evaluate(IContinualLearner learner, PreparedStream prepared, AccuracyMatrix matrix, int row, TrialContext context)
    {
        var (stream, rules, scoring) = (prepared.Stream, prepared.Rules, prepared.Scoring);
        byte[] before = Hash(learner);
        int i = row < 0 ? -1 : matrix.Rows[row];
        int[] seen = [.. stream.Tasks.Take(i + 1).SelectMany(t => t.Info.Classes).Distinct()];
        for (int j = 0; j < stream.Tests.Count; j++)
        {
            var (name, info, learned, make) = stream.Tests[j];
            // Among which classes the answer is sought: those of the task when it is told, those seen so far, or all for a test yet to be learned.
            IReadOnlyList<int>? among = !rules.ClassesArrive ? null : rules.TaskKnownAtTest ? info.Classes : learned <= i ? seen : null;
            var test = make();
            using var x = test.X;
            using var y = test.Y;
            matrix[row, j] = scoring.Of(learner, test, rules.TaskKnownAtTest ? info : null, among);
            if (row >= 0)
                context.Metric($"{scoring.Matrix}/{name}", matrix[row, j], i + 1);
        }
        if (!before.AsSpan().SequenceEqual(Hash(learner)))
            throw new InvalidOperationException("Predict changed the learner's state; a prediction must be pure.");
    }

    /// <summary>The step with which each task begins.</summary>
    internal static IReadOnlyList<long> Starts(ContinualStream stream, TrainingPlan plan)
    {
        var starts = new List<long>();
        long step = 0;
        foreach (var task in stream.Tasks)
        {
            starts.Add(step);
            var train = task.Train();
            using var x = train.X;
            using var y = train.Y;
            step += (long)plan.Epochs * ContinualStream.BatchCount(train.Count, plan.BatchSize);
        }
        return starts;
    }

    /// <summary>SHA-256 over the names and bytes of a learner's state.</summary>
    internal static byte[] Hash(IContinualLearner learner)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var entry in learner.State)
        {
            hash.AppendData(System.Text.Encoding.UTF8.GetBytes(entry.Name));
            hash.AppendData(entry.Value.contiguous().bytes);
        }
        return hash.GetHashAndReset();
    }

    private static long Bytes(IContinualLearner learner, StateKind kind) =>
        learner.State.Where(s => s.Kind == kind).Sum(s => s.Value.numel() * s.Value.ElementSize);
}
