using System.CommandLine;
using System.Globalization;
using Winnow.Compute;
using Winnow.Core;

namespace Winnow.Cli.Verbs;

/// <summary><c>winnow data solve --out DIR</c>: the training set of a neural operator, fields and solutions.</summary>
internal static class SolveVerb
{
    public static Command Make()
    {
        var outFolder = new Option<DirectoryInfo>("--out") { Required = true, Description = "folder of the data set; one that was begun goes on" };
        var data = new Option<string?>("--data") { Description = "folder of Matrix Market systems of your own (A1.mtx, A1_b.mtx, ...); default generated equations" };
        var set = new Option<string[]>("--set") { Description = "task.OPTION=VALUE or skr.OPTION=VALUE, e.g. task.systems=1000, task.side=64, task.equation=helmholtz; skr.preconditioner is ilu unless given ('winnow show skr')", Arity = ArgumentArity.ZeroOrMore };
        var seed = new Option<string>("--seed") { Description = "seed of the generated fields", DefaultValueFactory = _ => "1" };
        var threads = new Option<string>("--threads") { Description = "each walks its own piece of the sequence", DefaultValueFactory = _ => Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture) };
        var shard = new Option<string>("--shard") { Description = "pairs in a file", DefaultValueFactory = _ => "256" };
        var first = new Option<string>("--first") { Description = "show what ordering and recycling are worth on so many systems", DefaultValueFactory = _ => "8" };
        var command = new Command("solve", "Writes a data set of coefficient fields and solutions as safetensors; stopped at any moment, the same command goes on.") { outFolder, data, set, seed, threads, shard, first };
        command.SetAction((parsed, cancellation) =>
        {
            var study = new Study
            {
                Arena = "compute",
                Tasks = ["systems"],
                Methods = [new("skr", [])],
                Data = parsed.GetValue(data),
                Seeds = Study.ParseSeeds(parsed.GetValue(seed)!, listed: true),
                Set = [KeyValuePair.Create("skr.preconditioner", "ilu"), .. CompareVerb.Settings(parsed.GetValue(set)!)],
            };
            string folder = parsed.GetValue(outFolder)!.FullName;
            return Task.FromResult(Run(StudyPlan.Make(study, Catalogue.Arena(study.Arena), cancellation), folder, Count(threads), Count(shard), Count(first), cancellation));

            int Count(Option<string> option) => Study.ParseCount(option.Name, parsed.GetValue(option)!);
        });
        return command;
    }

    private static int Run(StudyPlan plan, string folder, int threads, int shard, int first, CancellationToken cancellation)
    {
        if (plan.Trials is not [var trial])
            throw InputException.At("--seed", $"{plan.Trials.Count} seeds", "one", "Write each data set with a command of its own.");
        var (problem, options) = SolutionSet.Of(trial, cancellation);
        var shards = SolutionSet.Open(problem, folder);
        int total = problem.Fields.Count;
        Print($"{problem.Family.Equation}: {total:N0} systems, {Stored():N0} of them in {folder}");
        Print($"restart {options.Restart}, recycled {options.Recycled}, preconditioner {options.Preconditioner.ToString().ToLowerInvariant()}, residual {problem.Tolerance:G3}, {threads} threads");
        try
        {
            if (Stored() < total)
                ShowAblation(problem, options, Math.Min(first, total), cancellation);
            var report = SolutionSet.Write(problem, folder, options, TimeProvider.System, threads, shard, new Progress(total), cancellation);
            if (report.Written > 0)
                Print($"{report.Written:N0} solved: {(double)report.Products / report.Written:F1} products and {report.Time.TotalMilliseconds / report.Written:F1} ms a system{(report.Eliminated > 0 ? $"; {report.Eliminated:N0} of them by elimination" : "")}");
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"winnow: interrupted; {Stored():N0} of {total:N0} are in {folder}, and the same command goes on."));
            return ExitCode.Interrupted;
        }
        Print($"{total:N0} of {total:N0} in {folder}");
        return ExitCode.Done;

        int Stored() => shards.Stored().Count(s => s);
    }

    private static void ShowAblation(SystemSequenceProblem problem, SkrOptions options, int systems, CancellationToken cancellation)
    {
        Print($"on the first {systems}:");
        foreach (var (name, result) in SolutionSet.Ablation(problem, options, systems, TimeProvider.System, cancellation))
            Print($"  {name,-32} {result.ProductsPerSystem,8:F1} products {result.SolvingTime.TotalMilliseconds / systems,8:F1} ms a system{(result.Failures > 0 ? $"; {result.Failures} not solved" : "")}");
    }

    private static void Print(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));

    /// <summary>A line a shard, on the error stream.</summary>
    private sealed class Progress(int total) : IProgress<int>
    {
        public void Report(int value) => Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"[{value:N0}/{total:N0}]"));
    }
}
