using System.Text.RegularExpressions;

namespace Winnow.Repository.Tests;

/// <summary>What the conventions ask of the text of the repository.</summary>
public sealed class SourceTests
{
    private static readonly string[] Text = [".cs", ".csproj", ".props", ".targets", ".slnx", ".md", ".txt", ".json", ".yaml", ".yml", ".html", ".css", ".js", ".py", ".sh", "run"];

    private static IEnumerable<(string File, int Lines)> Lengths(IEnumerable<string> files) => files.Select(f => (f, File.ReadLines(Repository.FullPath(f)).Count()));

    [Fact]
    public void No_source_file_is_longer_than_600_lines_and_no_test_file_longer_than_800()
    {
        foreach (var (file, lines) in Lengths(Repository.FilesWith(".cs")))
            Assert.True(lines <= (file.StartsWith("tests/", StringComparison.Ordinal) ? 800 : 600), $"{file} has {lines} lines: split it.");
    }

    [Fact]
    public void A_method_file_has_at_most_400_lines_and_half_of_them_at_most_120()
    {
        var lengths = Lengths(Repository.FilesWith(".cs").Where(f => Regex.IsMatch(f, "^src/[^/]+/(Methods|Baselines)/"))).OrderBy(f => f.Lines).ToArray();
        Assert.NotEmpty(lengths);
        Assert.True(lengths[^1].Lines <= 400, $"{lengths[^1].File} has {lengths[^1].Lines} lines.");
        Assert.True(lengths[lengths.Length / 2].Lines <= 120, $"the median method file has {lengths[lengths.Length / 2].Lines} lines; 120 are enough for a paper.");
    }

    [Theory]
    [InlineData(@"(?<![\w.])/(root|work)/", "a path of somebody's machine")]
    [InlineData(@"(?<![\w.])/(home|Users)/(?!someone\b)\w+|[A-Z]:\\Users\\", "a path of somebody's machine")]
    [InlineData(@"\b(api|www)\.nuget\.org|\bpypi\.org|\bregistry\.npmjs\.org", "a registry's host: builds take whatever sources the machine is configured with")]
    [InlineData(@"\b(TODO|FIXME|HACK|XXX)\b", "unfinished work: finish it or open an issue")]
    [InlineData(@"^(<{7}|>{7}) ", "a conflict left by a merge")]
    public void No_file_contains(string pattern, string what)
    {
        var forbidden = new Regex(pattern, RegexOptions.Multiline | RegexOptions.CultureInvariant);
        foreach (string file in Repository.Files.Where(f => Text.Any(f.EndsWith) && f != "tests/Winnow.Repository.Tests/SourceTests.cs"))
            if (forbidden.Match(Repository.Read(file)) is { Success: true } match)
                Assert.Fail($"{file} contains '{match.Value}': {what}.");
    }

    [Fact]
    public void Every_text_file_ends_lines_with_line_feeds_and_ends_with_one()
    {
        foreach (string file in Repository.Files.Where(f => Text.Any(f.EndsWith) && !f.StartsWith("tests/golden/", StringComparison.Ordinal))) // those are kept as computed
        {
            string text = Repository.Read(file);
            Assert.False(text.Contains('\r', StringComparison.Ordinal), $"{file} has carriage returns.");
            Assert.True(text.Length == 0 || text[^1] == '\n', $"{file} does not end with a line feed.");
        }
    }

    [Fact]
    public void No_large_file_is_committed()
    {
        foreach (string file in Repository.Files)
            Assert.True(new FileInfo(Repository.FullPath(file)).Length < 2_000_000, $"{file} is larger than 2 MB.");
    }
}
