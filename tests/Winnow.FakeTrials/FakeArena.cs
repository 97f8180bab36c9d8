using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using Winnow.Core;

namespace Winnow.FakeTrials;

public sealed record FakeOptions
{
    [Range(0.0, 10.0), Description("seconds the trial takes")]
    public double Seconds { get; init; }

    [Range(1, 100), Description("points of the series")]
    public int Points { get; init; } = 3;
}

/// <summary>An arena whose trials behave well, badly and worse: for tests of the runner and the store.</summary>
public sealed class FakeArena : Arena<TrialContext, Func<FakeOptions, TrialResult>>
{
    public FakeArena()
    {
        foreach (string id in (string[])["ok", "hang", "memory", "abort", "kill", "throw", "refuse", "noisy", "artefact", "nan", "silent"])
            Add<FakeOptions>(MethodKind.Baseline, id, id, "no paper", 2026, id, (_, o) => throw new NotSupportedException());
    }

    public override string Id => "fake";

    public override string Question => "Does the runner hold?";

    public override IReadOnlyList<TaskCard> Tasks { get; } = [new("only", "Only", "The only task.", OptionsSchema.Of<FakeOptions>(), [])];

    public override IReadOnlyList<MetricCard> Metrics { get; } = [new("value", "value", "number", Better.Higher, "a function of the seed")];

    public override DataSummary Inspect(string? source, TaskCard task, object taskOptions, DataReading reading, CancellationToken cancellation) =>
        new(new(source ?? "nothing", "0", reading), "Nothing", "no rows", null);

    public override string Program(Trial trial, string version) => throw new NotSupportedException();

    public override TrialResult Run(Trial trial, TrialContext context)
    {
        var options = (FakeOptions)this.Method(trial.Method).Options.Bind(trial.Options, trial.Method);
        var random = context.Random("value");
        for (int i = 0; i < options.Points; i++)
        {
            Wait(options.Seconds / options.Points);
            context.Metric("series", random.NextDouble(), i);
            context.Progress((i + 1.0) / options.Points, "waiting");
        }
        switch (trial.Method)
        {
            case "hang": Wait(double.PositiveInfinity); break;
            case "memory": Eat(); break;
            case "abort": Abort(); break;
            case "kill": Process.GetCurrentProcess().Kill(); Wait(10); break;
            case "throw": throw new InvalidOperationException("a bug in the method");
            case "refuse": throw new InputException("rows.csv, line 3: found 'x'; expected a number. Mend the line.");
            case "silent": Environment.Exit(0); break;
            case "noisy":
                Console.Out.WriteLine("a native library greets");
                Console.Out.WriteLine("{\"event\":\"metric\",\"na");
                Console.Error.WriteLine("a warning");
                break;
            case "artefact":
                using (var file = context.Artefact("notes.txt"))
                    file.Write(Encoding.UTF8.GetBytes($"seed {trial.Seed}"));
                break;
        }
        context.Account.Add("rows", 10);
        return new(new Dictionary<string, double> { ["value"] = trial.Method == "nan" ? double.NaN : random.NextDouble() });
    }

    public static Trial Trial(string method, ulong seed, JsonObject? options = null)
    {
        var card = new FakeArena().Method(method);
        var task = new FakeArena().Tasks[0];
        return new("fake", "only", task.Options.Canonical(task.Options.Bind([], "task")), method, card.Options.Canonical(card.Options.Bind(options ?? [], method)), seed, new("nothing", "0", new()), "code", 1);
    }

    private static void Wait(double seconds) => new ManualResetEventSlim().Wait(double.IsInfinity(seconds) ? Timeout.InfiniteTimeSpan : TimeSpan.FromSeconds(seconds));

    private static void Eat()
    {
        var held = new List<byte[]>();
        for (int i = 0; i < 4000; i++)
        {
            var block = new byte[1 << 20];
            Array.Fill(block, (byte)1);
            held.Add(block);
            Wait(0.001);
        }
        GC.KeepAlive(held);
    }

    [DllImport("libc", EntryPoint = "abort")]
    private static extern void NativeAbort();

    private static void Abort()
    {
        if (OperatingSystem.IsWindows())
            Environment.FailFast("abort");
        NativeAbort();
    }
}
