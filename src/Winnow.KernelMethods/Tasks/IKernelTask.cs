using Winnow.Core;
using Winnow.Learning;

namespace Winnow.KernelMethods;

/// <summary>A task of the arena: what a user may bring, the protocol that is the same for every method, and the program that uses a kept winner.</summary>
internal interface IKernelTask
{
    /// <summary>The card.</summary>
    TaskCard Card { get; }

    /// <summary>The figures that its trials record series for and no other task has named.</summary>
    IReadOnlyList<FigureCard> Figures => [];

    /// <summary>Reads the data a study would use and says what was found; loads no tensor library.</summary>
    /// <exception cref="InputException">The data cannot be read, or the protocol cannot be run on them.</exception>
    DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation);

    /// <summary>Runs one trial.</summary>
    TrialResult Run(KernelTrial trial);

    /// <summary>A single-file C# program that uses the method of a trial on a user's file.</summary>
    string Program(Trial trial, string version);
}

/// <summary>What a task is run with.</summary>
/// <param name="Trial">The trial.</param>
/// <param name="Options">The task's options, bound.</param>
/// <param name="Context">Where series, progress and chance come from and go to.</param>
/// <param name="Clock">What methods are timed by.</param>
/// <param name="Method">Builds the trial's method.</param>
internal sealed record KernelTrial(Trial Trial, object Options, TrialContext Context, TimeProvider Clock, Func<IKernelMethod> Method)
{
    /// <summary>Milliseconds that something takes.</summary>
    public T Timed<T>(Func<T> work, out double milliseconds)
    {
        long start = Clock.GetTimestamp();
        var result = work();
        milliseconds = Clock.GetElapsedTime(start).TotalMilliseconds;
        return result;
    }

    /// <summary>A summary of data that the task makes by its options and the seed.</summary>
    public static DataSummary Made(TaskCard card, object options, string title, string text, DataReading reading) =>
        new(new("made", DataRef.HashOf(card.Options.Canonical(options).ToJsonString()), reading), title, text, null);
}

/// <summary>What is the same of all programs that are kept beside a winner.</summary>
internal static class KeptProgram
{
    /// <summary>The packages it takes, and what its options are read with.</summary>
    public static string Packages(string version) =>
        $"""
        #:package Winnow.KernelMethods@{version}
        #:package {NativeTorch.Package.Id}@{NativeTorch.Package.Version}
        #:property PublishAot=false
        using System.Text.Json.Nodes;
        """;

    /// <summary>The trial's method, built with its options.</summary>
    public static string Method(Trial trial) => $"""""
        new KernelMethodsArena().Build("{trial.Method}", (JsonObject)JsonNode.Parse("""{trial.Options.ToJsonString()}""")!)
        """"";
}
