using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Winnow.Bench;

/// <summary>
/// A Python program of <c>peers/</c> that answers one line of numbers to each line it is asked, so that its repetitions can alternate
/// with ours. Its first line is its name.
/// </summary>
internal sealed class PythonPeer : IDisposable
{
    private readonly Process _process;

    private PythonPeer(Process process, string name) => (_process, Name) = (process, name);

    /// <summary>Where a Python with PyTorch may be.</summary>
    public static IReadOnlyList<string> Candidates { get; } = OperatingSystem.IsWindows() ? ["python"] : ["/usr/bin/python3", "python3"];

    /// <summary>What to install where no peer starts.</summary>
    public const string Missing = "a python3 that has torch (Debian: apt-get install python3-torch libopenblas0-pthread)";

    /// <summary>Library, version and settings.</summary>
    public string Name { get; }

    /// <summary>Starts a script with the first program that can run it, or returns null.</summary>
    public static PythonPeer? Start(IReadOnlyList<string> pythons, string script, params string[] arguments)
    {
        foreach (string python in pythons)
        {
            var start = new ProcessStartInfo(python, [Path.Combine(AppContext.BaseDirectory, "peers", script), .. arguments])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            Process? process = null;
            try
            {
                process = Process.Start(start);
                process!.ErrorDataReceived += (_, _) => { };
                process.BeginErrorReadLine();
                if (process.StandardOutput.ReadLine() is { } name)
                    return new PythonPeer(process, name);
                process.Dispose();
            }
            catch (Win32Exception)
            {
                // No such program: the next may be there.
            }
        }
        return null;
    }

    /// <summary>Asks and waits for the numbers.</summary>
    /// <exception cref="InvalidOperationException">The program ended.</exception>
    public double[] Ask(string question)
    {
        _process.StandardInput.WriteLine(question);
        _process.StandardInput.Flush();
        string answer = _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException($"{Name} ended when asked '{question}'");
        return [.. answer.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(n => double.Parse(n, CultureInfo.InvariantCulture))];
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(5)))
            _process.Kill();
        _process.Dispose();
    }
}
