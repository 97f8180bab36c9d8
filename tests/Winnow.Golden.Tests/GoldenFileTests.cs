namespace Winnow.Golden.Tests;

/// <summary>The comparison itself: it must be able to fail.</summary>
public class GoldenFileTests
{
    private static GoldenFile File(string outputs, string extra = "") =>
        GoldenFile.Parse($$"""{"probe": "a/b", "params": {}, "inputs": {}, "outputs": {{{outputs}}}, "rtol": 1e-3, "atol": 1e-6{{extra}}}""");

    private const string Two = """ "w": {"shape": [2], "dtype": "float64", "data": [1.0, 2.0]} """;

    [Theory]
    [InlineData(1.0, 2.001, true)]
    [InlineData(1.0, 2.01, false)]
    [InlineData(double.NaN, 2.0, false)]
    public void Floats_are_compared_within_the_tolerance_of_the_file(double first, double second, bool equal)
    {
        var differences = File(Two).Differences(new Dictionary<string, GoldenArray> { ["w"] = GoldenArray.Float64([2], [first, second]) });
        Assert.Equal(equal, differences.Count == 0);
    }

    [Fact]
    public void Integers_are_compared_exactly()
    {
        var file = File(""" "n": {"shape": [], "dtype": "int64", "data": [1000000]} """);
        Assert.Empty(file.Differences(new Dictionary<string, GoldenArray> { ["n"] = GoldenArray.Int64([], [1_000_000]) }));
        Assert.Single(file.Differences(new Dictionary<string, GoldenArray> { ["n"] = GoldenArray.Int64([], [1_000_001]) }));
    }

    [Fact]
    public void Shape_dtype_missing_and_extra_outputs_each_count_as_a_difference()
    {
        var file = File(Two);
        Assert.Contains("shape", Assert.Single(file.Differences(new Dictionary<string, GoldenArray> { ["w"] = GoldenArray.Float64([1, 2], [1, 2]) })), StringComparison.Ordinal);
        Assert.Contains("dtype", Assert.Single(file.Differences(new Dictionary<string, GoldenArray> { ["w"] = GoldenArray.Float32([2], [1, 2]) })), StringComparison.Ordinal);
        var both = file.Differences(new Dictionary<string, GoldenArray> { ["v"] = GoldenArray.Float64([2], [1, 2]) });
        Assert.Equal(["w: missing", "v: not an output of the file"], both);
    }

    [Fact]
    public void Named_numbers_are_read_bare_and_quoted_and_text_is_left_alone()
    {
        var file = File(""" "w": {"shape": [4], "dtype": "float64", "data": [NaN, -Infinity, "inf", 1]}, "t": {"shape": [1], "dtype": "string", "data": ["a NaN \"b\" Infinity"]} """);
        Assert.Equal([double.NaN, double.NegativeInfinity, double.PositiveInfinity, 1], file.Outputs["w"].Doubles);
        Assert.Equal(["a NaN \"b\" Infinity"], file.Outputs["t"].Texts);
        Assert.Empty(file.Differences(file.Outputs));
    }

    [Fact]
    public void Json_outputs_are_compared_deeply_floats_within_tolerance()
    {
        var file = File(""" "j": {"shape": [], "dtype": "json", "data": {"n": 3, "x": [1.0, null]}} """);
        Assert.Empty(file.Differences(Json("""{"x": [1.0001, null], "n": 3}""")));
        Assert.Equal("j.n: 4, expected 3", Assert.Single(file.Differences(Json("""{"x": [1.0, null], "n": 4}"""))));
        Assert.Single(file.Differences(Json("""{"x": [1.0, 0], "n": 3}""")));
        Assert.Equal("j.y: unexpected", Assert.Single(file.Differences(Json("""{"x": [1.0, null], "n": 3, "y": 0}"""))));

        static Dictionary<string, GoldenArray> Json(string text) => new() { ["j"] = new("json", [], System.Text.Json.Nodes.JsonNode.Parse(text)) };
    }

    [Theory]
    [InlineData("{", "not a golden file")]
    [InlineData("[]", "root is not an object")]
    [InlineData("""{"rtol": 1, "atol": 1}""", "names no 'probe'")]
    [InlineData("""{"probe": "a", "rtol": 1, "atol": 1, "outputs": {"w": {"shape": [2], "dtype": "float64", "data": [1]}}}""", "'w' has 1 values; its shape [2] needs 2")]
    [InlineData("""{"probe": "a", "rtol": 1, "atol": 1, "outputs": {"w": {"shape": [1], "dtype": "float64", "data": ["x"]}}}""", "'x' is not a number")]
    [InlineData("""{"probe": "a", "rtol": 1, "atol": 1, "outputs": {"w": {"shape": [1], "dtype": "int64", "data": [1.5]}}}""", "not a golden file")]
    public void A_bad_file_is_named_with_the_reason(string text, string reason)
    {
        string path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.json");
        System.IO.File.WriteAllText(path, text);
        try
        {
            var error = Assert.Throws<InvalidDataException>(() => GoldenFile.Read(path));
            Assert.Contains(path, error.Message, StringComparison.Ordinal);
            Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        }
        finally
        {
            System.IO.File.Delete(path);
        }
    }
}
