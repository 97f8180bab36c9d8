using System.Globalization;
using System.Text;
using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data;

/// <summary>A graph as a file gives it.</summary>
/// <param name="Names">A name a node: its label, or its id where it has none.</param>
/// <param name="Values">What each node's <c>value</c> says; null where any has none.</param>
/// <param name="Edges">From and to, by number from 0, and the weight, 1 where there is none.</param>
/// <param name="Directed">Whether edges have a direction.</param>
public sealed record GmlGraph(IReadOnlyList<string> Names, IReadOnlyList<string>? Values, IReadOnlyList<(int From, int To, double Weight)> Edges, bool Directed);

/// <summary>Reads graphs in GML (Himsolt 1997): nodes with id, label and value, edges with source, target and weight or value; other keys are passed over.</summary>
public static class GmlFile
{
    private const long MostBytes = 256L << 20;
    private const int Deepest = 64;

    /// <summary>Reads a file. Cost O(length).</summary>
    /// <exception cref="InputException">The file cannot be read, is no GML, names a node twice or an edge to none; the message names it and the line.</exception>
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
            using var reader = new StreamReader(stream, Encoding.UTF8);
            return new Parser(reader.ReadToEnd(), path).Graph();
        });
    }

    private sealed class Parser(string text, string path)
    {
        private int _at;
        private int _line = 1;

        public GmlGraph Graph()
        {
            while (Token() is { } key)
                if (key == "graph")
                {
                    Open();
                    return Body();
                }
                else
                {
                    Skip();
                }
            throw Wrong("no graph", "'graph [ ... ]'", "Check that this is a GML file.");
        }

        private GmlGraph Body()
        {
            var (names, values, numbers, edges, directed) = (new List<string>(), new List<string?>(), new Dictionary<string, int>(StringComparer.Ordinal), new List<(string From, string To, double Weight, int Line)>(), false);
            for (string key = Need("the end of the graph"); key != "]"; key = Need("the end of the graph"))
                switch (key)
                {
                    case "node":
                        var node = Fields();
                        string id = node.GetValueOrDefault("id") ?? throw Wrong("a node without id", "an id", "Give it one.");
                        if (!numbers.TryAdd(id, names.Count))
                            throw Wrong($"a second node {id}", "each id once", "Leave one out.");
                        names.Add(node.GetValueOrDefault("label") ?? id);
                        values.Add(node.GetValueOrDefault("value"));
                        break;
                    case "edge":
                        int line = _line;
                        var edge = Fields();
                        string? weight = edge.GetValueOrDefault("weight") ?? edge.GetValueOrDefault("value");
                        edges.Add((edge.GetValueOrDefault("source") ?? throw Wrong("an edge without source", "source and target", "Give it both."), edge.GetValueOrDefault("target") ?? throw Wrong("an edge without target", "source and target", "Give it both."),
                            weight is null ? 1 : double.TryParse(weight, NumberStyles.Float, CultureInfo.InvariantCulture, out double w) && double.IsFinite(w) ? w : throw Wrong($"the weight '{weight}'", "a finite number", "Mend it."), line));
                        break;
                    case "directed":
                        directed = Need("0 or 1") == "1";
                        break;
                    default:
                        Skip();
                        break;
                }
            int Number(string id, int line) => numbers.TryGetValue(id, out int n) ? n : throw InputException.At($"{path}, line {line}", $"an edge of node {id}", "nodes that are there", "Add the node, or leave the edge out.");
            return new(names, values.Any(v => v is null) ? null : [.. values.Select(v => v!)], [.. edges.Select(e => (Number(e.From, e.Line), Number(e.To, e.Line), e.Weight))], directed);
        }

        private Dictionary<string, string> Fields()
        {
            Open();
            var fields = new Dictionary<string, string>(StringComparer.Ordinal);
            for (string key = Need("']'"); key != "]"; key = Need("']'"))
            {
                string value = Need("a value");
                if (value == "[")
                    Skip(opened: true);
                else
                    fields.TryAdd(key, value);
            }
            return fields;
        }

        private void Open()
        {
            if (Need("'['") is not "[" and var found)
                throw Wrong($"'{found}'", "'['", "Check that the file is whole.");
        }

        /// <summary>Passes over a value, or over the rest of an opened list.</summary>
        private void Skip(bool opened = false)
        {
            if (!opened && Need("a value") != "[")
                return;
            for (int depth = 1; depth > 0;)
                depth += Need("']'") switch { "[" when depth >= Deepest => throw Wrong("lists in lists", $"at most {Deepest} deep", "This is no graph."), "[" => 1, "]" => -1, _ => 0 };
        }

        private string Need(string what) => Token() ?? throw Wrong("the end of the file", what, "Check that it was written or downloaded completely.");

        private string? Token()
        {
            for (; _at < text.Length; _at++)
                if (text[_at] == '\n')
                    _line++;
                else if (text[_at] == '#')
                    _at = text.IndexOf('\n', _at) is var end and >= 0 ? end - 1 : text.Length - 1;
                else if (!char.IsWhiteSpace(text[_at]))
                    break;
            if (_at >= text.Length)
                return null;
            int first = _at;
            if (text[_at] is '[' or ']')
                return text[_at++].ToString();
            if (text[_at] == '"')
            {
                int end = text.IndexOf('"', _at + 1);
                if (end < 0)
                    throw Wrong("a text that does not end", "'\"'", "Check that the file is whole.");
                _line += text.AsSpan(first, end - first).Count('\n');
                _at = end + 1;
                return text[(first + 1)..end];
            }
            while (_at < text.Length && !char.IsWhiteSpace(text[_at]) && text[_at] is not ('[' or ']'))
                _at++;
            return text[first.._at];
        }

        private InputException Wrong(string found, string expected, string remedy) => InputException.At($"{path}, line {_line}", found, expected, remedy);
    }
}
