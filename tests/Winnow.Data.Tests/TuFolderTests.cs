using Winnow.Core;

namespace Winnow.Data.Tests;

public sealed class TuFolderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-tu").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private TuData Read(string edges = "1, 2\n2, 1\n3, 2\n5, 4\n", string indicator = "1\n1\n1\n2\n2\n", string labels = "1\n-1\n", string? nodes = "7\n0\n7\n0\n0\n")
    {
        File.WriteAllText(Path.Combine(_folder, "MINE_A.txt"), edges);
        File.WriteAllText(Path.Combine(_folder, "MINE_graph_indicator.txt"), indicator);
        File.WriteAllText(Path.Combine(_folder, "MINE_graph_labels.txt"), labels);
        if (nodes is not null)
            File.WriteAllText(Path.Combine(_folder, "MINE_node_labels.txt"), nodes);
        return TuFolder.Read(_folder);
    }

    [Fact]
    public void Graphs_their_classes_and_their_nodes_labels_are_read_and_edges_both_ways_are_one()
    {
        var data = Read();
        Assert.Equal(["-1", "1"], data.Classes);
        Assert.Equal([1, 0], data.Labels);
        Assert.Equal(2, data.NodeLabels);
        Assert.Equal([1, 0, 1], data.Graphs[0].Labels);
        Assert.Equal([(0, 1), (1, 2)], data.Graphs[0].Edges);
        Assert.Equal([(0, 1)], data.Graphs[1].Edges);
        File.Delete(Path.Combine(_folder, "MINE_node_labels.txt"));
        var bare = Read(edges: "", nodes: null);
        Assert.Equal(1, bare.NodeLabels);
        Assert.All(bare.Graphs, g => Assert.True(g.Edges.Count == 0 && g.Labels.All(l => l == 0)));
    }

    [Fact]
    public void Nodes_of_graphs_in_any_order_keep_theirs()
    {
        var data = Read(edges: "1, 3\n2, 4\n", indicator: "2\n1\n2\n1\n1\n", nodes: "0\n1\n2\n3\n4\n");
        Assert.Equal([1, 3, 4], data.Graphs[0].Labels);
        Assert.Equal([0, 2], data.Graphs[1].Labels);
        Assert.Equal([(0, 1)], data.Graphs[0].Edges);
        Assert.Equal([(0, 1)], data.Graphs[1].Edges);
    }

    [Theory]
    [InlineData("1, 6\n", null, null, null, "line 1: found an edge of nodes 1 and 6")]
    [InlineData("1, 2\n0, 1\n", null, null, null, "line 2: found an edge of nodes 0 and 1")]
    [InlineData("3, 4\n", null, null, null, "an edge of node 3 of graph 1 and node 4 of graph 2")]
    [InlineData("3, 3\n", null, null, null, "an edge of node 3 with itself")]
    [InlineData("1, 2\n3", null, null, null, "line 2: found '3'")]
    [InlineData("1, 2, 3\n", null, null, null, "2 whole numbers")]
    [InlineData("1, x\n", null, null, null, "'1, x'")]
    [InlineData(null, "1\n1\n1\n3\n3\n", null, null, "line 4: found graph 3")]
    [InlineData(null, "1\n1\n1\n0\n2\n", null, null, "line 4: found graph 0")]
    [InlineData(null, "1\n1\n1\n1\n1\n", null, null, "no node of graph 2")]
    [InlineData(null, "1\n1\n", null, null, "no node of graph 2")]
    [InlineData(null, "", null, null, "an empty file")]
    [InlineData(null, "1\n\n1\n", null, null, "line 2: found ''")]
    [InlineData(null, null, "", null, "an empty file")]
    [InlineData(null, null, "1\n", null, "line 4: found graph 2")]
    [InlineData(null, null, "1\n2.5\n", null, "line 2: found '2.5'")]
    [InlineData(null, null, null, "1\n2\n", "2 lines")]
    public void What_is_not_of_the_format_is_refused_with_its_file_and_line(string? edges, string? indicator, string? labels, string? nodes, string expected)
    {
        string message = Assert.Throws<InputException>(() => Read(edges ?? "1, 2\n", indicator ?? "1\n1\n1\n2\n2\n", labels ?? "1\n2\n", nodes)).Message;
        Assert.Contains(expected, message);
        Assert.Contains("MINE_", message);
    }

    [Fact]
    public void Folders_without_one_data_set_and_missing_files_are_refused()
    {
        Assert.Contains("0 files NAME_A.txt", Assert.Throws<InputException>(() => TuFolder.Read(_folder)).Message);
        Assert.Contains("nothing", Assert.Throws<InputException>(() => TuFolder.Read(Path.Combine(_folder, "none"))).Message);
        File.WriteAllText(Path.Combine(_folder, "MINE_A.txt"), "1, 2\n");
        Assert.Contains("MINE_graph_labels.txt", Assert.Throws<InputException>(() => TuFolder.Read(_folder)).Message);
        Assert.Contains("a file", Assert.Throws<InputException>(() => TuFolder.Read(Path.Combine(_folder, "MINE_A.txt"))).Message);
        File.WriteAllText(Path.Combine(_folder, "OTHER_A.txt"), "1, 2\n");
        Assert.Contains("2 files", Assert.Throws<InputException>(() => TuFolder.Read(_folder)).Message);
    }
}
