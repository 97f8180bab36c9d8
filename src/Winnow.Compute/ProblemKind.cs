using System.Text.Json;
using Winnow.Core;

namespace Winnow.Compute;

/// <summary>A kind of problem: how one is made, what its true answer is, and how far another answer is from it.</summary>
internal interface IProblemKind
{
    TaskCard Task { get; }

    /// <summary>The name, in C#, of the interface of its methods.</summary>
    string Interface { get; }

    /// <summary>A member, in C#, that does the job with a <c>method</c> and a <c>context</c>.</summary>
    string Use { get; }

    DataSummary Inspect(string? source, ProblemOptions options, DataReading reading, CancellationToken cancellation);

    /// <summary>What a method says beforehand of its cost on the problem of a seed.</summary>
    CostEstimate? Predict(IComputeMethod method, ProblemOptions options, SeededRandom random);

    TrialResult Run(IComputeMethod method, Trial trial, ProblemOptions options, TrialContext context, TimeProvider clock);
}

/// <inheritdoc cref="IProblemKind"/>
/// <typeparam name="TProblem">What is given.</typeparam>
/// <typeparam name="TAnswer">What is asked for.</typeparam>
/// <typeparam name="TOptions">The options of the task.</typeparam>
internal sealed class ProblemKind<TProblem, TAnswer, TOptions> : IProblemKind where TOptions : ComputeOptions
{
    public required TaskCard Task { get; init; }

    /// <summary>Makes the problem of a seed: from the data where there are some, else generated.</summary>
    public required Func<ProblemSource, TOptions, SeededRandom, TProblem> Make { get; init; }

    /// <summary>The answer to compare with, computed by other means and, where that can be, in double precision.</summary>
    public required Func<TProblem, CancellationToken, TAnswer> Reference { get; init; }

    /// <summary>The relative distance of an answer from the reference, in the problem's own norm.</summary>
    public required Func<TAnswer, TAnswer, double> Error { get; init; }

    /// <summary>Says what data were found; null for a problem that is always generated.</summary>
    public Func<ProblemSource, TOptions, DataSummary>? Data { get; init; }

    /// <summary>What is generated, in a few words.</summary>
    public required Func<TOptions, string> Text { get; init; }

    public string Interface => $"IComputeMethod<{typeof(TProblem).Name}, {Named(typeof(TAnswer))}>";

    public string Use => $"{Named(typeof(TAnswer))} Solve({typeof(TProblem).Name} problem) => method.Run(problem, context);";

    private static string Named(Type type) => type.IsArray ? $"{Named(type.GetElementType()!)}[]" : type.IsGenericType ? $"{type.Namespace}.{type.Name.Split('`')[0]}<{Named(type.GetGenericArguments()[0])}>"
        : type == typeof(float) ? "float" : type == typeof(double) ? "double" : type.Name;

    public DataSummary Inspect(string? source, ProblemOptions options, DataReading reading, CancellationToken cancellation)
    {
        if (source is not null)
            return Data is null ? throw InputException.At("--data", $"'{source}'", $"no data: the problems of '{Task.Id}' are generated", "Leave --data away; --set task.… changes the sizes ('winnow arenas').")
                : Data(new(source, reading, cancellation), (TOptions)options);
        // the options are the content: another size is another problem
        string content = JsonSerializer.Serialize((TOptions)options, WinnowJson.Options);
        return new(new("generated", DataRef.HashOf(content), reading), "Generated from the seed", Text((TOptions)options), null);
    }

    public CostEstimate? Predict(IComputeMethod method, ProblemOptions options, SeededRandom random) =>
        ((IComputeMethod<TProblem, TAnswer>)method).Predict(Make(new(null, new(), CancellationToken.None), (TOptions)options, random));

    public TrialResult Run(IComputeMethod method, Trial trial, ProblemOptions options, TrialContext context, TimeProvider clock)
    {
        if (method is not IComputeMethod<TProblem, TAnswer> fitting)
            throw new ArgumentException($"'{trial.Method}' does not solve problems of '{Task.Id}'.", nameof(method));
        string? source = trial.Data.Source == "generated" ? null : trial.Data.Source;
        if (source is not null)
            trial.Data.Require(Inspect(source, options, trial.Data.Reading, context.Cancellation).Reference.Hash);
        var problem = Make(new(source, trial.Data.Reading, context.Cancellation), (TOptions)options, context.Random("problem"));
        return new(Protocol.Measure(fitting, problem, Reference, Error, (TOptions)options, trial.Threads, context, clock));
    }
}

/// <summary>Where a problem's data are, if it has any.</summary>
/// <param name="Path">A path or a name; null for a generated problem.</param>
/// <param name="Reading">How to read it.</param>
/// <param name="Cancellation">Stops the reading.</param>
internal sealed record ProblemSource(string? Path, DataReading Reading, CancellationToken Cancellation);
