using System.Diagnostics;

namespace Winnow.Repository.Tests;

/// <summary>What a command printed and how it ended.</summary>
internal sealed record Printed(int Code, string Output, string Error)
{
    /// <summary>The output of a command that must succeed.</summary>
    public string OrFail() => Code == 0 ? Output : throw new InvalidOperationException($"exit code {Code}\n{Output}\n{Error}");
}

/// <summary>Runs commands as a user's terminal would: without what this test's own build put into the environment.</summary>
internal static class Terminal
{
    private static readonly string[] Ours = ["MSBUILD", "DOTNET_HOST_PATH", "DOTNET_CLI_TEST", "TESTINGPLATFORM", "VSTEST", "NUGET_PACKAGES_", "MSBuild"];

    /// <summary>Runs a program to its end.</summary>
    /// <param name="folder">The folder it is run in.</param>
    /// <param name="program">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="environment">Variables set beside the user's.</param>
    public static async Task<Printed> RunAsync(string folder, string program, IEnumerable<string> arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        foreach (string name in start.Environment.Keys.Where(k => Ours.Any(o => k.StartsWith(o, StringComparison.OrdinalIgnoreCase))).ToArray())
            start.Environment.Remove(name);
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        var cancellation = TestContext.Current.CancellationToken;
        using var process = Process.Start(start)!;
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellation);
            var error = process.StandardError.ReadToEndAsync(cancellation);
            await process.WaitForExitAsync(cancellation);
            return new(process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    /// <summary>Runs <c>dotnet</c>; no build server stays behind.</summary>
    public static Task<Printed> DotnetAsync(string folder, IEnumerable<string> arguments, params (string Name, string Value)[] environment) =>
        RunAsync(folder, "dotnet", arguments, [("DOTNET_CLI_USE_MSBUILD_SERVER", "0"), ("MSBUILDDISABLENODEREUSE", "1"), ("DOTNET_NOLOGO", "1"), .. environment]);
}
