using System.Diagnostics;
using System.Security.Cryptography;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>What a stream tells its learner.</summary>
/// <param name="Boundaries">Whether tasks are announced.</param>
/// <param name="TaskKnownAtTest">Whether the task of a test row is told: task-incremental.</param>
/// <param name="ClassesArrive">Whether each task brings new classes; otherwise every task has all of them.</param>
internal sealed record StreamRules(bool Boundaries, bool TaskKnownAtTest, bool ClassesArrive);

/// <summary>The protocol of the arena: the same for every method. Train on each task in turn; after each, test on all.</summary>
internal static class Protocol
{
    /// <summary>Runs a learner through a stream; returns the metrics, records series and account in the context.</summary>
    public static TrialResult Run(IContinualLearner learner, PreparedStream prepared, TrialContext context)
    {
        var (stream, rules, plan) = (prepared.Stream, prepared.Rules, prepared.Setup.Training);
        int tasks = stream.Tasks.Count;
        var scoring = prepared.Scoring;
        var matrix = new AccuracyMatrix(tasks, scoring.Best);
        var order = context.Random("batches");
        var cost = StepReport.None;
        long rows = 0, done = 0;
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
            Evaluate(learner, prepared, matrix, i, context);
            context.Metric(scoring.Name, matrix.SeenAccuracy(i), i + 1);
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

    /// <summary>Row i of the matrix. Prediction must not change the learner: its state is hashed before and after.</summary>
    private static void Evaluate(IContinualLearner learner, PreparedStream prepared, AccuracyMatrix matrix, int i, TrialContext context)
    {
        var (stream, rules, scoring) = (prepared.Stream, prepared.Rules, prepared.Scoring);
        byte[] before = Hash(learner);
        int[] seen = [.. stream.Tasks.Take(i + 1).SelectMany(t => t.Info.Classes).Distinct()];
        foreach (var task in stream.Tasks)
        {
            int j = task.Info.Id;
            // Among which classes the answer is sought: those of the task when it is told, those seen so far, or all for a task yet to come.
            IReadOnlyList<int>? among = !rules.ClassesArrive ? null : rules.TaskKnownAtTest ? task.Info.Classes : j <= i ? seen : null;
            var test = task.Test();
            using var x = test.X;
            using var y = test.Y;
            matrix[i, j] = scoring.Of(learner, test, rules.TaskKnownAtTest ? task.Info : null, among);
            if (i >= 0)
                context.Metric($"{scoring.Matrix}/{j + 1}", matrix[i, j], i + 1);
        }
        if (!before.AsSpan().SequenceEqual(Hash(learner)))
            throw new InvalidOperationException("Predict changed the learner's state; a prediction must be pure.");
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
