using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Data;

namespace Winnow.KernelMethods.Tests;

public sealed class RasterTests : IDisposable
{
    private static readonly KernelMethodsArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-raster").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact] // all pairs of the window, one by one
    public void Texture_is_that_of_a_naive_count()
    {
        const int width = 7, height = 6, levels = 4, window = 3;
        var random = new SeededRandom(1, "grey");
        int[] grey = [.. Enumerable.Range(0, width * height).Select(_ => random.Next(levels))];
        double[] found = Texture.Of(grey, width, levels, window, Cancellation);
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
            {
                (int X, int Y)[] inside = [.. from v in Enumerable.Range(0, height) from u in Enumerable.Range(0, width) where Math.Abs(v - y) <= 1 && Math.Abs(u - x) <= 1 select (u, v)];
                (double A, double B)[] pairs = [.. from a in inside from b in inside where a != b && Math.Abs(a.X - b.X) <= 1 && Math.Abs(a.Y - b.Y) <= 1 select ((double)grey[a.Y * width + a.X], (double)grey[b.Y * width + b.X])];
                double mean = pairs.Average(p => p.A), variance = pairs.Average(p => (p.A - mean) * (p.A - mean));
                double[] shares = [.. pairs.GroupBy(p => p).Select(g => (double)g.Count() / pairs.Length)];
                double[] expected = [mean, variance, pairs.Average(p => 1 / (1 + (p.A - p.B) * (p.A - p.B))), pairs.Average(p => (p.A - p.B) * (p.A - p.B)), pairs.Average(p => Math.Abs(p.A - p.B)), -shares.Sum(s => s * Math.Log(s)), shares.Sum(s => s * s), variance > 1e-12 ? pairs.Average(p => (p.A - mean) * (p.B - mean)) / variance : 1];
                for (int t = 0; t < 8; t++)
                    Assert.Equal(expected[t], found[(y * width + x) * 8 + t], 1e-10);
            }
        Assert.Equal([3, 0, 1, 0, 0, 0, 1, 1], Texture.Of(Enumerable.Repeat(3, 9).ToArray(), 3, 4, 3, Cancellation).Take(8));
        Assert.Equal([0, 1, 2, 3, 3], Texture.Levels([0, 1, 2, 3, 3.5f], 4));
        Assert.Equal([0, 0], Texture.Levels([5, 5], 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => Texture.Of(grey, width, levels, 4, Cancellation));
    }

    private void Write(string name, int width, int[] classes)
    {
        using var file = File.Create(Path.Combine(_folder, name));
        RasterFolder.Write(file, width, classes);
    }

    [Fact]
    public void A_folder_of_bands_and_labels_is_read_and_a_map_of_it_kept()
    {
        int[] truth = [.. Enumerable.Range(0, 400).Select(i => i / 20 < 2 ? -1 : i % 20 / 7)];
        Write("labels.png", 20, truth);
        Write("band.png", 20, [.. truth.Select((t, i) => t < 0 ? i % 3 : t)]);
        var scene = RasterFolder.Read(_folder);
        Assert.Equal((20, 20, 3, 3), (scene.Bands.Width, scene.Bands.Height, scene.Bands.Bands, scene.Classes.Count));
        Assert.Equal(["band 1", "band 2", "band 3"], scene.Names);
        for (int i = 0; i < 400; i++) // the same classes, whatever their numbers
            Assert.Equal(truth[i] < 0, scene.Labels[i] < 0);
        Assert.Equal(3, truth.Zip(scene.Labels).Where(p => p.First >= 0).Distinct().Count());
        var metrics = Run(_folder, new() { ["block"] = 2 }, "random-forest");
        Assert.Equal(1, metrics["kappa"], 1e-12);
        string map = Path.Combine(_folder, "artefacts", "map.png");
        Directory.CreateDirectory(Path.Combine(_folder, "again"));
        File.Copy(map, Path.Combine(_folder, "again", "labels.png"));
        File.Copy(map, Path.Combine(_folder, "again", "band.png"));
        Assert.Equal(3, RasterFolder.Read(Path.Combine(_folder, "again")).Classes.Count);
    }

    private IReadOnlyDictionary<string, double> Run(string? source, JsonObject given, string method, JsonObject? own = null)
    {
        var card = Arena.Task("raster");
        object options = card.Options.Bind(given, "task");
        var data = Arena.Inspect(source, card, options, new(), Cancellation);
        var of = Arena.Method(method);
        return Arena.Run(new(Arena.Id, "raster", card.Options.Canonical(options), of.Id, of.Options.Canonical(of.Options.Bind(own ?? [], of.Id)), 1, data.Reference, "code", 1), new(1, Path.Combine(_folder, "artefacts"), _ => { }, Cancellation)).Metrics;
    }

    [Fact]
    public void Texture_tells_classes_of_radar_apart_that_its_bands_do_not()
    {
        JsonObject Options(bool texture) => new() { ["sensors"] = "radar", ["size"] = 40, ["classes"] = 3, ["rows"] = 300, ["texture"] = texture };
        var (plain, with) = (Run(null, Options(false), "forest-rc", new() { ["trees"] = 5 }), Run(null, Options(true), "forest-rc", new() { ["trees"] = 5 }));
        Assert.True(with["kappa"] > plain["kappa"] + 0.05);
        Assert.All(Arena.MetricsOf("raster"), m => Assert.True(double.IsFinite(with[m.Name]), m.Name));
    }

    [Fact]
    public void Folders_that_are_no_scene_are_refused()
    {
        string Refused(Action run) => Assert.Throws<InputException>(run).Message;
        Assert.Contains("no labels.png", Refused(() => RasterFolder.Read(_folder)));
        Write("labels.png", 4, [.. Enumerable.Repeat(0, 16)]);
        Assert.Contains("0 bands", Refused(() => RasterFolder.Read(_folder)));
        Write("band.png", 5, new int[25]);
        Assert.Contains("5x5 pixels", Refused(() => RasterFolder.Read(_folder)));
        Write("band.png", 4, new int[16]);
        Assert.Contains("16 labelled pixels of 1 classes", Refused(() => Arena.Inspect(_folder, Arena.Task("raster"), new RasterOptions(), new(), Cancellation)));
        Assert.Contains("a file", Refused(() => RasterFolder.Read(Path.Combine(_folder, "band.png"))));
        Assert.Contains("nothing", Refused(() => RasterFolder.Read(Path.Combine(_folder, "none"))));
        Assert.Contains("an odd number", Refused(() => Arena.Inspect(null, Arena.Task("raster"), new RasterOptions { Window = 4 }, new(), Cancellation)));
        Assert.Contains("smaller blocks", Refused(() => Run(null, new() { ["size"] = 16, ["block"] = 100 }, "random-forest")));
    }
}
