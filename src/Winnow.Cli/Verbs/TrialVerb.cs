using System.CommandLine;
using System.Reflection;
using System.Text;
using Winnow.Core;
using Winnow.Learning;

namespace Winnow.Cli.Verbs;

/// <summary>The child's side of a trial. Hidden: started by the other verbs.</summary>
internal static class TrialVerb
{
    public static Command Make()
    {
        var command = new Command("trial", "Runs one trial given on standard input.") { Hidden = true };
        command.SetAction(_ => Serve());
        return command;
    }

    /// <summary>How this program is started again, from the apphost or through <c>dotnet</c>.</summary>
    public static TrialCommand Command { get; } =
        Path.GetFileNameWithoutExtension(Environment.ProcessPath) is "dotnet" ? new(Environment.ProcessPath!, [Assembly.GetEntryAssembly()!.Location, "trial"])
        : new(Environment.ProcessPath!, ["trial"]);

    private static int Serve()
    {
        // The terminal sends Ctrl-C to the whole group; the parent decides what happens to its trials.
        Console.CancelKeyPress += (_, e) => e.Cancel = true;
        using var input = new StreamReader(Console.OpenStandardInput(), Encoding.UTF8);
        using var output = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false));
        return TrialProcess.Serve(input, output, Catalogue.Arena, NativeTorch.SetThreads);
    }
}
