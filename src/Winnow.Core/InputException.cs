namespace Winnow.Core;

/// <summary>
/// What the user gave cannot be used. The message is one line that names what was found, what was expected and the remedy;
/// the command-line program prints it without a stack trace and exits with code 2.
/// </summary>
public sealed class InputException : Exception
{
    /// <summary>An error with its whole message.</summary>
    public InputException(string message) : base(message) { }

    /// <summary>An error with its whole message and what caused it.</summary>
    public InputException(string message, Exception? cause) : base(message, cause) { }

    /// <summary>An error in the house form: <c>where: found X; expected Y. Remedy.</c></summary>
    /// <param name="where">The file with line or byte, the option, or the command-line word.</param>
    /// <param name="found">What is there.</param>
    /// <param name="expected">What should be there.</param>
    /// <param name="remedy">What the user can do, as a sentence.</param>
    public static InputException At(string where, string found, string expected, string remedy) =>
        new($"{where}: found {found}; expected {expected}. {remedy}");

    /// <summary>An unknown name, with the nearest known one.</summary>
    /// <param name="kind">What the name should be, e.g. <c>method</c>.</param>
    /// <param name="name">The name given.</param>
    /// <param name="known">All names that would have been right.</param>
    /// <param name="list">The command that lists them, or null.</param>
    public static InputException Unknown(string kind, string name, IEnumerable<string> known, string? list = null)
    {
        string[] all = [.. known];
        string hint = Nearest.To(name, all) is { } near ? $"did you mean '{near}'?" : $"known: {string.Join(", ", all)}.";
        return new($"unknown {kind} '{name}'; {hint}{(list is null ? "" : $" All of them: {list}")}");
    }
}
