using System.Text;
using CsvHelper;
using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data;

/// <summary>Reads the edges of a tree or graph, one a line: two names with a comma, semicolon, tab or | between, such as parent and child; a first line <c>parent,child</c>, <c>from,to</c> or <c>source,target</c> is a header.</summary>
public static class EdgesFile
{
    private const long MostBytes = 256L << 20;
    private const int LongestRow = 1 << 16;
    private static readonly string[] Headers = ["parent child", "from to", "source target"];

    private static readonly CsvReaderOptions Options = new()
    {
        HasHeader = false,
        TrackLineNumbers = true,
        TrimWhitespace = true,
        PoolStrings = true,
        MaxRecordSize = LongestRow,
        MalformedData = CsvMalformedDataHandling.Throw,
    };

    /// <summary>Reads a file. Nodes are numbered as they first come. Cost O(length).</summary>
    /// <exception cref="InputException">The file cannot be read, a line has not two names, an edge joins a name with itself or comes twice; the message names the file and the line.</exception>
    public static GmlGraph Read(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (Directory.Exists(path))
            throw InputFile.IsFolder(path);
        return InputFile.Reading(path, () =>
        {
            if (new FileInfo(path) is { Exists: true, Length: > MostBytes } large)
                throw InputException.At(path, $"{large.Length:N0} bytes", $"at most {MostBytes:N0}", "Give a part of the graph.");
            using var stream = InputFile.Open(path).Stream;
            try
            {
                using var csv = CsvReader.Create(stream, Options, leaveOpen: true);
                return Read(csv, path);
            }
            catch (CsvFormatException e)
            {
                throw new InputException($"{path}, line {e.LineNumber}: found a row that is not CSV ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}); expected two names. Check the quotes on this line and before it.", e);
            }
        });
    }

    private static GmlGraph Read(CsvReader csv, string path)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        var names = new List<string>();
        var edges = new List<(int, int, double)>();
        var seen = new HashSet<(int, int)>();
        for (bool first = true; csv.Read(); first = false)
        {
            string where = $"{path}, line {csv.LineNumber}";
            if (csv.FieldCount != 2)
                throw InputException.At(where, $"{csv.FieldCount} fields", "2, the names at the ends of an edge", "Leave other columns out.");
            string from = Encoding.UTF8.GetString(csv.GetSpan(0)), to = Encoding.UTF8.GetString(csv.GetSpan(1));
            if (first && Headers.Contains($"{from} {to}".ToLowerInvariant()))
                continue;
            if (from.Length == 0 || to.Length == 0)
                throw InputException.At(where, "an empty name", "two names", "Fill the gap or leave the line out.");
            var edge = (Number(from), Number(to));
            if (edge.Item1 == edge.Item2)
                throw InputException.At(where, $"'{from}' joined with itself", "two different names", "Leave the line out.");
            if (!seen.Add((Math.Min(edge.Item1, edge.Item2), Math.Max(edge.Item1, edge.Item2))))
                throw InputException.At(where, $"the edge of '{from}' and '{to}' again", "each edge once", "Leave one of the lines out.");
            edges.Add((edge.Item1, edge.Item2, 1));
        }
        return edges.Count > 0 ? new(names, null, edges, false) : throw InputException.At(path, "no edge", "a line for each edge", "Check that it was written or downloaded completely.");

        int Number(string name)
        {
            if (!numbers.TryGetValue(name, out int number))
            {
                numbers[name] = number = names.Count;
                names.Add(name);
            }
            return number;
        }
    }
}
