using System.CommandLine;
using Winnow.Cli;
using Winnow.Cli.Verbs;
using Winnow.Core;

var root = new RootCommand("Winnow compares published methods for learning with less: on your data, with confidence intervals, memory and time.")
{
    CompareVerb.Compare(), CompareVerb.Run(), CompareVerb.Resume(), CompareVerb.Report(), KeepVerb.Keep(), KeepVerb.Predict(),
    CatalogueVerbs.Arenas(), CatalogueVerbs.Methods(), CatalogueVerbs.Show(), LedgerVerb.Make(), DataVerb.Make(), GenerateVerb.Make(), ChatVerb.Make(), TrainVerb.Make(), BenchVerb.Make(),
    DoctorVerb.Make(), DocsVerb.Make(), TrialVerb.Make(),
};

var parsed = root.Parse(args);
if (parsed.Errors.Count > 0)
{
    Console.Error.WriteLine($"winnow: {parsed.Errors[0].Message.TrimEnd('.')}. See 'winnow {string.Join(' ', parsed.CommandResult.Command == root ? [] : (string[])[parsed.CommandResult.Command.Name, ""])}--help'.");
    return ExitCode.BadInput;
}
try
{
    return await parsed.InvokeAsync(new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(2) });
}
catch (InputException e)
{
    Console.Error.WriteLine($"winnow: {e.Message}");
    return ExitCode.BadInput;
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("winnow: interrupted; what was finished is kept. The same command goes on; a study also by 'winnow resume'.");
    return ExitCode.Interrupted;
}
