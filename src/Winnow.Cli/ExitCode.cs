namespace Winnow.Cli;

/// <summary>What the program's exit code says.</summary>
internal static class ExitCode
{
    public const int Done = 0, SomeFailed = 1, BadInput = 2, Interrupted = 130;
}
