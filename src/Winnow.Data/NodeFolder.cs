using System.Globalization;
using System.Text;
using System.Text.Json;
using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data;

/// <summary>A graph without direction whose nodes have classes.</summary>
/// <param name="Names">A name a node.</param>
/// <param name="Labels">The class of each node; −1 where it is not known.</param>
/// <param name="Classes">A name a class.</param>
/// <param name="Edges">From and to, by number from 0, and the weight.</param>
/// <param name="Words">Of each node the numbers of the words that it has, ascending; null where there are none.</param>
/// <param name="Split">Nodes to learn from and nodes to ask for; null where it is not given.</param>
public sealed record NodeData(IReadOnlyList<string> Names, IReadOnlyList<int> Labels, IReadOnlyList<string> Classes, IReadOnlyList<(int From, int To, double Weight)> Edges, IReadOnlyList<IReadOnlyList<int>>? Words, (IReadOnlyList<int> Train, IReadOnlyList<int> Test)? Split);

/// <summary>
/// Reads a graph whose nodes have classes: a GML file whose nodes have a <c>value</c>, or a folder of <c>nodes.tsv</c> (a header; then a line a node: its name, its class or −1, and the numbers of its words with spaces between),
/// <c>edges.tsv</c> (see <see cref="EdgesFile"/>) and, if there is one, <c>split.json</c> with lists <c>train</c> and <c>test</c> of names.
/// </summary>
public static class NodeFolder
{
    private const int MostNodes = 1_000_000, MostWords = 10_000_000;
    private const long MostBytes = 256L << 20;

    /// <summary>Reads it. Cost O(length).</summary>
    /// <exception cref="InputException">A file that is missing or cannot be read, a line that is no node, or an edge or a split of nodes that are not there; the message names the file and the line.</exception>
    public static NodeData Read(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (!Directory.Exists(path))
            return OfGml(path);
        string nodes = Path.Combine(path, "nodes.tsv"), split = Path.Combine(path, "split.json");
        var (names, classes, words) = (new List<string>(), new List<string>(), new List<int[]>());
        int line = 0;
        foreach (string text in Lines(nodes))
        {
            line++;
            if (line == 1 || text.Length == 0)
                continue;
            string[] fields = text.Split('\t');
            if (fields.Length is not (2 or 3) || fields[0].Length == 0 || fields[1].Length == 0)
                throw InputException.At($"{nodes}, line {line}", $"{fields.Length} fields", "a name, a class (-1: not known) and, if there are any, words, with tabs between", "Mend the line.");
            if (names.Count == MostNodes)
                throw InputException.At(nodes, $"more than {MostNodes:N0} nodes", "fewer", "Take a part of the graph.");
            names.Add(fields[0]);
            classes.Add(fields[1]);
            words.Add(fields.Length == 2 ? [] : [.. fields[2].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(w => int.TryParse(w, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n < MostWords ? n
                : throw InputException.At($"{nodes}, line {line}", $"the word {Excerpt.Of(w)}", $"a number from 0 to {MostWords - 1:N0}", "Number the words.")).Distinct().Order()]);
        }
        if (names.Count == 0)
            throw InputException.At(nodes, "no node", "a header, and a line for each node", "Check that it was written or downloaded completely.");
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (i, name) in names.Index())
            if (!numbers.TryAdd(name, i))
                throw InputException.At(nodes, $"node '{name}' twice", "each node once", "Leave one of the lines out.");
        var edges = EdgesFile.Read(Path.Combine(path, "edges.tsv"));
        int[] ends = [.. edges.Names.Select(n => numbers.TryGetValue(n, out int number) ? number : throw InputException.At(Path.Combine(path, "edges.tsv"), $"an edge of node '{n}'", "nodes of nodes.tsv", "Add the node, or leave the edge out."))];
        return Of(nodes, names, classes, [.. edges.Edges.Select(e => (ends[e.From], ends[e.To], e.Weight))], words.Any(w => w.Length > 0) ? words : null, File.Exists(split) ? Split(split, numbers) : null);
    }

    private static NodeData OfGml(string path)
    {
        var file = GmlFile.Read(path);
        if (file.Directed)
            throw InputException.At(path, "a directed graph", "one without direction", "Leave 'directed 1' out if edges go both ways.");
        return Of(path, file.Names, file.Values ?? throw InputException.At(path, "nodes without value", "a value for every node: its class, -1 where it is not known", "Add them."), file.Edges, null, null);
    }

    private static NodeData Of(string where, IReadOnlyList<string> names, IReadOnlyList<string> values, IReadOnlyList<(int, int, double)> edges, List<int[]>? words, (IReadOnlyList<int>, IReadOnlyList<int>)? split)
    {
        const string unknown = "-1";
        string[] classes = [.. values.Where(v => v != unknown).Distinct().Order(StringComparer.Ordinal)];
        if (classes.Length < 2)
            throw InputException.At(where, $"{classes.Length} classes among {names.Count:N0} nodes", "at least 2", "Give nodes of others.");
        return new(names, [.. values.Select(v => Array.IndexOf(classes, v))], classes, edges, words, split);
    }

    private static (IReadOnlyList<int>, IReadOnlyList<int>) Split(string path, Dictionary<string, int> numbers)
    {
        try
        {
            using var json = JsonDocument.Parse(InputFile.Reading(path, () => File.ReadAllText(path)));
            int[] Nodes(string key) => json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty(key, out var list) && list.ValueKind == JsonValueKind.Array
                ? [.. list.EnumerateArray().Select(e => numbers.TryGetValue(e.ToString(), out int number) ? number : throw InputException.At(path, $"node {Excerpt.Of(e.ToString())} in '{key}'", "nodes of nodes.tsv", "Leave it out."))]
                : throw InputException.At(path, $"no list '{key}'", "lists 'train' and 'test' of nodes", "Add it, or leave the file out.");
            var (train, test) = (Nodes("train"), Nodes("test"));
            return train.Intersect(test).Any() || train.Distinct().Count() < train.Length || test.Distinct().Count() < test.Length
                ? throw InputException.At(path, "a node twice", "each node once, in 'train' or in 'test'", "Leave one out.") : (train, test);
        }
        catch (JsonException e)
        {
            throw new InputException($"{path}, line {e.LineNumber + 1}: found what is not JSON; expected lists 'train' and 'test' of nodes. Mend it, or leave the file out.", e);
        }
    }

    private static List<string> Lines(string path) => InputFile.Reading(path, () =>
    {
        if (new FileInfo(path) is { Exists: true, Length: > MostBytes } large)
            throw InputException.At(path, $"{large.Length:N0} bytes", $"at most {MostBytes:N0}", "Give a part of it.");
        using var stream = InputFile.Open(path).Stream;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        var lines = new List<string>();
        while (reader.ReadLine() is { } line)
            lines.Add(line.TrimEnd('\r'));
        return lines;
    });
}
