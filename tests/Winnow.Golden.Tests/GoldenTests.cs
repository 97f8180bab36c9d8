namespace Winnow.Golden.Tests;

/// <summary>Every golden file of the repository and of the folder that WINNOW_GOLDEN names, against the product.</summary>
public class GoldenTests
{
    /// <summary>The files, named as a person would look for them.</summary>
    public static IEnumerable<TheoryDataRow<string>> Files()
    {
        var folders = new List<string> { Path.Combine(AppContext.BaseDirectory, "golden") };
        if (Environment.GetEnvironmentVariable("WINNOW_GOLDEN") is { Length: > 0 } more)
            folders.Add(more);
        return folders.SelectMany(folder => Directory.EnumerateFiles(folder, "*.json").Order(StringComparer.Ordinal)).Select(path => new TheoryDataRow<string>(path));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Product_computes_what_the_golden_file_records(string path)
    {
        var file = GoldenFile.Read(path);
        Assert.SkipUnless(file.Outputs.Count > 0, "the file records no outputs: it is data for a study");
        Assert.True(Probes.All.ContainsKey(file.Probe), $"no probe is registered for '{file.Probe}' ({Path.GetFileName(path)}): add it to Probes.All");
        var differences = file.Differences(Probes.All[file.Probe](file));
        Assert.True(differences.Count == 0, $"{Path.GetFileName(path)} ({file.Probe}):\n{string.Join('\n', differences)}");
    }
}
