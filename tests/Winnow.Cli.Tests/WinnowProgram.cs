using System.Diagnostics;
using System.Text;

namespace Winnow.Cli.Tests;

/// <summary>The program, run as a user runs it: in a folder of its own, its output captured.</summary>
internal sealed class WinnowProgram : IDisposable
{
    public static string Executable { get; } = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "winnow.exe" : "winnow");

    public string Folder { get; } = Directory.CreateTempSubdirectory("winnow-cli-").FullName;

    public string this[string name] => Path.Combine(Folder, name);

    public string Write(string name, string text)
    {
        File.WriteAllText(this[name], text);
        return this[name];
    }

    public Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(Executable) { WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true, StandardOutputEncoding = Encoding.UTF8 };
        foreach (string a in arguments)
            start.ArgumentList.Add(a);
        return Process.Start(start)!;
    }

    public async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, await error);
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(Folder, recursive: true);
        }
        catch (IOException)
        {
            // A process that the test killed may still be closing a file; the system cleans its temporary folder.
        }
    }
}
