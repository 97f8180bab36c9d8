using Winnow.Core;

namespace Winnow.Data.Tests;

public sealed class GmlFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-gml").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private GmlGraph Read(string text)
    {
        string path = Path.Combine(_folder, "graph.gml");
        File.WriteAllText(path, text);
        return GmlFile.Read(path);
    }

    [Fact]
    public void Nodes_edges_labels_values_and_weights_are_read_and_other_keys_passed_over()
    {
        var graph = Read("""
            Creator "someone [ on a day ]"
            # a remark ]
            graph [
              directed 0 comment "two [ lines
            of text ]"
              node [ id 10 label "one" value 3 graphics [ x 1 y [ z 2 ] ] ]
              node [ id 7 value x ]
              edge [ source 10 target 7 weight 2.5 ]
              edge [ source 7 target 10 ]
            ]
            """);
        Assert.Equal(["one", "7"], graph.Names);
        Assert.Equal(["3", "x"], graph.Values!);
        Assert.Equal([(0, 1, 2.5), (1, 0, 1.0)], graph.Edges);
        Assert.False(graph.Directed);
        Assert.Null(Read("graph [ directed 1 node [ id 1 value 2 ] node [ id 2 ] ]").Values);
        Assert.True(Read("graph [ directed 1 ]").Directed);
    }

    [Theory]
    [InlineData("", "an empty file")]
    [InlineData("Creator me", "no graph")]
    [InlineData("graph 5", "'['")]
    [InlineData("graph [ node [ id 1 ]", "line 1: found the end of the file")]
    [InlineData("graph [\nnode [ id 1 ]\nnode [ id 1 ] ]", "line 3: found a second node 1")]
    [InlineData("graph [\nnode [ id 1 ]\nedge [ source 1 target 2 ] ]", "line 3: found an edge of node 2")]
    [InlineData("graph [ node [ label x ] ]", "a node without id")]
    [InlineData("graph [ edge [ source 1 ] ]", "an edge without target")]
    [InlineData("graph [ node [ id 1 ] edge [ source 1 target 1 weight nan ] ]", "the weight 'nan'")]
    [InlineData("graph [ node [ id 1 label \"x ] ]", "a text that does not end")]
    public void What_is_no_graph_is_refused_with_its_line(string text, string found) => Assert.Contains(found, Assert.Throws<InputException>(() => Read(text)).Message);

    [Fact]
    public void Lists_in_lists_without_end_are_refused_without_depth()
    {
        Assert.Contains("deep", Assert.Throws<InputException>(() => Read("graph [ x " + string.Concat(Enumerable.Repeat("[ y ", 100_000)))).Message);
        Assert.Throws<InputException>(() => GmlFile.Read(_folder));
        Assert.Throws<InputException>(() => GmlFile.Read(Path.Combine(_folder, "none.gml")));
    }
}
