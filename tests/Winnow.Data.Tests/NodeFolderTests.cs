using Winnow.Core;

namespace Winnow.Data.Tests;

public sealed class NodeFolderTests : IDisposable
{
    private const string Nodes = "node\tlabel\twords\na\tx\t3 1 3\nb\ty\t\nc\t-1\t2\n", Edges = "source\ttarget\nb\ta\nc\tb\n";
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-nodes").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private NodeData Read(string nodes = Nodes, string edges = Edges, string? split = null)
    {
        File.WriteAllText(Path.Combine(_folder, "nodes.tsv"), nodes);
        File.WriteAllText(Path.Combine(_folder, "edges.tsv"), edges);
        if (split is not null)
            File.WriteAllText(Path.Combine(_folder, "split.json"), split);
        return NodeFolder.Read(_folder);
    }

    [Fact]
    public void Nodes_classes_words_edges_and_the_split_are_read()
    {
        var data = Read();
        Assert.Equal(["a", "b", "c"], data.Names);
        Assert.Equal(["x", "y"], data.Classes);
        Assert.Equal([0, 1, -1], data.Labels);
        Assert.Equal([[1, 3], [], [2]], data.Words!);
        Assert.Equal([(1, 0, 1.0), (2, 1, 1.0)], data.Edges);
        Assert.Null(data.Split);
        Assert.Null(Read("node\tlabel\na\tx\nb\ty\nc\tx\n").Words);
        var (train, test) = Read(split: "{\"train\": [\"b\"], \"val\": [], \"test\": [\"a\", \"c\"], \"classes\": 2}").Split!.Value;
        Assert.Equal([1], train);
        Assert.Equal([0, 2], test);
        string gml = Path.Combine(_folder, "graph.gml");
        File.WriteAllText(gml, "graph [ node [ id 1 value x ] node [ id 2 value -1 ] node [ id 3 value y ] edge [ source 1 target 3 weight 2 ] ]");
        Assert.Equal([0, -1, 1], NodeFolder.Read(gml).Labels);
    }

    [Theory]
    [InlineData("node\tlabel\na\n", "line 2: found 1 fields")]
    [InlineData("node\tlabel\na\tx\t1\t2\n", "line 2: found 4 fields")]
    [InlineData("node\tlabel\na\tx\t1 z\n", "line 2: found the word 'z'")]
    [InlineData("node\tlabel\na\tx\t-1\n", "the word '-1'")]
    [InlineData("node\tlabel\na\tx\na\ty\nb\ty\nc\ty\n", "node 'a' twice")]
    [InlineData("node\tlabel\na\tx\nb\tx\nc\tx\n", "1 classes among 3 nodes")]
    [InlineData("node\tlabel\n", "no node")]
    [InlineData("", "an empty file")]
    [InlineData("node\tlabel\na\tx\nb\ty\n", "an edge of node 'c'")]
    public void Nodes_that_are_none_are_refused_with_their_line(string nodes, string expected) => Assert.Contains(expected, Assert.Throws<InputException>(() => Read(nodes)).Message);

    [Theory]
    [InlineData("{", "line 1: found what is not JSON")]
    [InlineData("[]", "no list 'train'")]
    [InlineData("{\"train\": [\"a\"]}", "no list 'test'")]
    [InlineData("{\"train\": [\"z\"], \"test\": [\"a\"]}", "node 'z' in 'train'")]
    [InlineData("{\"train\": [\"a\"], \"test\": [\"a\"]}", "a node twice")]
    public void Splits_that_are_none_are_refused(string split, string expected) => Assert.Contains(expected, Assert.Throws<InputException>(() => Read(split: split)).Message);

    [Fact]
    public void Missing_files_and_graphs_without_classes_are_refused()
    {
        Assert.Contains("nodes.tsv", Assert.Throws<InputException>(() => NodeFolder.Read(_folder)).Message);
        string gml = Path.Combine(_folder, "graph.gml");
        File.WriteAllText(gml, "graph [ node [ id 1 ] ]");
        Assert.Contains("nodes without value", Assert.Throws<InputException>(() => NodeFolder.Read(gml)).Message);
        File.WriteAllText(gml, "graph [ directed 1 node [ id 1 value 2 ] ]");
        Assert.Contains("a directed graph", Assert.Throws<InputException>(() => NodeFolder.Read(gml)).Message);
    }
}
