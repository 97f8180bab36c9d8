using System.Globalization;
using System.Text;
using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data;

/// <summary>One of many graphs without direction.</summary>
/// <param name="Labels">A label a node, from 0; all 0 where nodes have none.</param>
/// <param name="Edges">From and to, by number from 0 within the graph, each once, the smaller first.</param>
public sealed record TuGraph(IReadOnlyList<int> Labels, IReadOnlyList<(int From, int To)> Edges);

/// <summary>Graphs with classes.</summary>
/// <param name="Graphs">The graphs.</param>
/// <param name="Labels">The class of each.</param>
/// <param name="Classes">A name a class.</param>
/// <param name="NodeLabels">How many labels nodes have; 1 where they have none.</param>
public sealed record TuData(IReadOnlyList<TuGraph> Graphs, IReadOnlyList<int> Labels, IReadOnlyList<string> Classes, int NodeLabels);

/// <summary>
/// Reads a folder of whole graphs with classes in the TU format (Kersting, Kriege, Morris, Mutzel and Neumann, Benchmark data sets for graph kernels, 2016): NAME_A.txt, a line an edge of two node numbers from 1;
/// NAME_graph_indicator.txt, the number of the graph of each node; NAME_graph_labels.txt, the class of each graph; and, if there is one, NAME_node_labels.txt. Other files are passed over, and the direction of edges, too.
/// </summary>
public static class TuFolder
{
    private const int MostNodes = 20_000_000, MostGraphs = 1_000_000;
    private const long MostBytes = 1L << 30;

    /// <summary>The files of a folder that are read.</summary>
    /// <exception cref="InputException">No such folder, or not one data set in it.</exception>
    public static IReadOnlyList<string> Files(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        if (!Directory.Exists(folder))
            throw File.Exists(folder) ? InputException.At(folder, "a file", "a folder with NAME_A.txt", "Name the folder.") : InputFile.Missing(folder);
        string[] edges = [.. Directory.EnumerateFiles(folder, "*_A.txt").Order(StringComparer.Ordinal)];
        if (edges.Length != 1)
            throw InputException.At(folder, $"{edges.Length} files NAME_A.txt", "one", "Name the folder of one data set.");
        string name = edges[0][..^"A.txt".Length];
        return [edges[0], name + "graph_indicator.txt", name + "graph_labels.txt", name + "node_labels.txt"];
    }

    /// <summary>Reads a folder. Cost O(length).</summary>
    /// <exception cref="InputException">A file is missing or cannot be read, has no numbers or too few of them, an edge joins nodes that are not there, of two graphs, or a node with itself, or a graph has no node; the message names the file and the line.</exception>
    public static TuData Read(string folder)
    {
        var files = Files(folder);
        var (edgesFile, indicatorFile, labelsFile, nodesFile) = (files[0], files[1], files[2], files[3]);
        var classes = Numbers(labelsFile, 1, MostGraphs);
        var graphOf = Numbers(indicatorFile, 1, MostNodes);
        int[] size = new int[classes.Count], place = new int[graphOf.Count];
        foreach (var (node, graph) in graphOf.Select(g => g[0]).Index())
        {
            if (graph < 1 || graph > classes.Count)
                throw InputException.At($"{indicatorFile}, line {node + 1}", $"graph {graph}", $"1 to {classes.Count:N0}, the lines of {Path.GetFileName(labelsFile)}", "Check that both files are whole.");
            place[node] = size[graph - 1]++;
        }
        if (Array.IndexOf(size, 0) is var empty and >= 0)
            throw InputException.At(indicatorFile, $"no node of graph {empty + 1}", $"nodes of each of the {classes.Count:N0} graphs", "Check that the file is whole, or leave the graph's class out.");
        var nodeLabels = File.Exists(nodesFile) ? Numbers(nodesFile, 1, MostNodes) : null;
        if (nodeLabels is not null && nodeLabels.Count != graphOf.Count)
            throw InputException.At(nodesFile, $"{nodeLabels.Count:N0} lines", $"{graphOf.Count:N0}, one a node", "Check that the file is whole.");
        int[] kinds = [.. (nodeLabels ?? []).Select(l => l[0]).Distinct().Order()];
        var kind = kinds.Index().ToDictionary(k => k.Item, k => k.Index);
        int[][] labels = [.. size.Select(s => new int[s])];
        for (int node = 0; node < graphOf.Count && nodeLabels is not null; node++)
            labels[graphOf[node][0] - 1][place[node]] = kind[nodeLabels[node][0]];
        HashSet<(int, int)>[] edges = [.. size.Select(_ => new HashSet<(int, int)>())];
        foreach (var (line, edge) in Numbers(edgesFile, 2, int.MaxValue, mayBeEmpty: true).Index())
        {
            string where = $"{edgesFile}, line {line + 1}";
            if (edge.Any(n => n < 1 || n > graphOf.Count))
                throw InputException.At(where, $"an edge of nodes {edge[0]} and {edge[1]}", $"1 to {graphOf.Count:N0}, the lines of {Path.GetFileName(indicatorFile)}", "Nodes are numbered from 1; check that both files are whole.");
            int graph = graphOf[edge[0] - 1][0], other = graphOf[edge[1] - 1][0], from = place[edge[0] - 1], to = place[edge[1] - 1];
            if (graph != other)
                throw InputException.At(where, $"an edge of node {edge[0]} of graph {graph} and node {edge[1]} of graph {other}", "nodes of the same graph", "Leave it out.");
            if (from == to)
                throw InputException.At(where, $"an edge of node {edge[0]} with itself", "two different nodes", "Leave it out.");
            edges[graph - 1].Add((Math.Min(from, to), Math.Max(from, to)));
        }
        int[] values = [.. classes.Select(c => c[0]).Distinct().Order()];
        return new([.. labels.Zip(edges, (l, e) => new TuGraph(l, [.. e.Order()]))], [.. classes.Select(c => Array.IndexOf(values, c[0]))], [.. values.Select(v => v.ToString(CultureInfo.InvariantCulture))], Math.Max(1, kinds.Length));
    }

    private static List<int[]> Numbers(string path, int fields, int most, bool mayBeEmpty = false) => InputFile.Reading(path, () =>
    {
        var rows = new List<int[]>();
        if (new FileInfo(path) is { Exists: true, Length: var length } && (length > MostBytes || length == 0 && mayBeEmpty))
            return length == 0 ? rows : throw InputException.At(path, $"{length:N0} bytes", $"at most {MostBytes:N0}", "Give a part of the graphs.");
        using var stream = InputFile.Open(path).Stream;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        for (string? line = reader.ReadLine(); line is not null; line = reader.ReadLine())
        {
            if (string.IsNullOrWhiteSpace(line) && reader.Peek() < 0)
                break;
            string[] texts = line.Split(',');
            int[] row = new int[fields];
            for (int i = 0; i < fields; i++)
                if (texts.Length != fields || !int.TryParse(texts[i], NumberStyles.Integer, CultureInfo.InvariantCulture, out row[i]))
                    throw InputException.At($"{path}, line {rows.Count + 1}", Excerpt.Of(line), fields == 1 ? "a whole number" : $"{fields} whole numbers with a comma between", "Check that it was written or downloaded completely.");
            if (rows.Count == most)
                throw InputException.At(path, $"more than {most:N0} lines", "fewer", "Give a part of the graphs.");
            rows.Add(row);
        }
        return rows;
    });
}
