using System.Globalization;
using System.Text;
using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>Numbers between runs of spaces or tabs, a row a line and no header: the form of many files of the UCI repository. Blank lines are passed over.</summary>
/// <param name="request">What to read.</param>
internal sealed class SpacedReader(ReadRequest request)
{
    private const int LongestLine = 1 << 26;
    private static readonly char[] Between = [' ', '\t'];

    /// <summary>Whether a file that starts like this is one: its first line holds two or more numbers and nothing else between spaces. Single tabs alone are a TSV, whose fields may be empty.</summary>
    public static bool Starts(ReadOnlySpan<byte> head)
    {
        string[] lines = Encoding.UTF8.GetString(head).Split('\n');
        string first = (lines.FirstOrDefault(l => !string.IsNullOrWhiteSpace(l)) ?? "").TrimEnd('\r');
        string[] fields = first.Split(Between, StringSplitOptions.RemoveEmptyEntries);
        if (first.Split('\t').Length == fields.Length && !first.Contains(' ', StringComparison.Ordinal))
            return false;
        // the last of many may be cut where the head ends
        return fields.Length > 1 && fields.Take(lines.Length > 1 ? fields.Length : fields.Length - 1).All(f => float.TryParse(f, NumberStyles.Float, CultureInfo.InvariantCulture, out _));
    }

    /// <summary>Reads a whole table.</summary>
    /// <param name="utf8">The text; read once, front to back.</param>
    public Table Read(Stream utf8)
    {
        using var reader = new StreamReader(utf8, Encoding.UTF8, detectEncodingFromByteOrderMarks: true, leaveOpen: true);
        TableRows? rows = null;
        for (long number = 1; reader.ReadLine() is { } line; number++)
        {
            if (number % 1024 == 0)
                request.Cancellation.ThrowIfCancellationRequested();
            if (line.Length > LongestLine)
                throw InputException.At($"{request.Where}, line {number}", $"{line.Length:N0} characters", $"at most {LongestLine:N0}", "Check that lines end.");
            string[] fields = line.Split(Between, StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length == 0)
                continue;
            rows ??= new(request, null, fields.Length, null);
            rows.Add(fields.Length, c => Encoding.UTF8.GetBytes(fields[c]), number);
        }
        return rows?.Finish() ?? throw InputException.At(request.Where, "blank lines only", "data", "Check that it was written or downloaded completely.");
    }
}
