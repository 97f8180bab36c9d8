using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of the task <c>raster</c>.</summary>
public sealed record RasterOptions
{
    /// <summary>The share learned from.</summary>
    [Range(0.01, 0.95), Description("share of the blocks to learn from")]
    public double Train { get; init; } = 0.4;

    /// <summary>Pixels learned from.</summary>
    [Range(2, 100_000), Description("most pixels to learn from, evenly taken")]
    public int Rows { get; init; } = 1000;

    /// <summary>Blocks.</summary>
    [Range(1, 10_000), Description("pixels on a side of a block, all of which are learned from or asked for, since pixels beside each other are alike; 1: pixel by pixel, as papers do")]
    public int Block { get; init; } = 8;

    /// <summary>Texture.</summary>
    [Description("eight numbers of texture of each band beside it")]
    public bool Texture { get; init; }

    /// <summary>The window of texture.</summary>
    [Range(3, 99), Description("pixels on a side of the window of texture; odd")]
    public int Window { get; init; } = 7;

    /// <summary>Grey levels.</summary>
    [Range(2, 256), Description("grey levels of texture")]
    public int Levels { get; init; } = 16;

    /// <summary>Bands of a made scene.</summary>
    [AllowedValues("optical", "radar", "both"), Description("of a made scene: four optical bands, two of radar, or both")]
    public string Sensors { get; init; } = "optical";

    /// <summary>The size of a made scene.</summary>
    [Range(16, 2048), Description("of a made scene: pixels on a side")]
    public int Size { get; init; } = 96;

    /// <summary>Classes of a made scene.</summary>
    [Range(2, 50), Description("of a made scene: classes")]
    public int Classes { get; init; } = 6;
}

/// <summary>Classes of the pixels of a scene.</summary>
internal sealed class RasterTask : IKernelTask
{
    public TaskCard Card { get; } = new("raster", "Land cover of a scene", "Pixels of several bands, some with a class: those of some blocks are learned from, those of others asked for, and the map of all is kept. Without a folder a scene of fields is made.", OptionsSchema.Of<RasterOptions>(), ["rows", "examples", "table"])
    {
        Data = "FOLDER",
        Metrics = [Metrics.Cards.First(m => m.Name == "kappa"), .. Metrics.Cards.Where(m => m.Name != "kappa")],
    };

    public IReadOnlyList<FigureCard> Figures { get; } = [new("cover", FigureKind.Map, "The scene", "cover", "pixels", "pixels", "The class of each pixel, of the first seed, those learned from included; pixels without a label are grey in what is there. Specks are noise that texture or a smoother method would take away; whole fields are classes that look alike.")];

    public DataSummary Inspect(string? source, object options, DataReading reading, CancellationToken cancellation)
    {
        var o = (RasterOptions)options;
        if (o.Window % 2 == 0)
            throw InputException.At("task.window", $"{o.Window}", "an odd number", "Take one more or less.");
        if (source is null)
            return KernelTrial.Made(Card, o, "A made scene", $"{o.Size} by {o.Size} pixels of {o.Classes} classes, {o.Sensors}", reading);
        string path = Path.GetFullPath(source);
        var scene = RasterProblem.Read(path);
        return new(new(path, Hash(scene), reading), Path.GetFileName(path), $"{scene.Bands.Width} by {scene.Bands.Height} pixels, {scene.Bands.Bands} bands, {scene.Labels.Count(l => l >= 0):N0} pixels of {scene.Classes.Count} classes", null);
    }

    public TrialResult Run(KernelTrial trial)
    {
        var (data, o, context) = (trial.Trial.Data, (RasterOptions)trial.Options, trial.Context);
        Scene scene;
        if (data.Source == "made")
        {
            scene = RasterProblem.Made(o, context.Random("scene"));
        }
        else
        {
            scene = RasterProblem.Read(data.Source);
            data.Require(Hash(scene));
        }
        var features = RasterProblem.Features(scene, o, context.Cancellation);
        var problem = RasterProblem.Of(scene, features, o, context.Random, out var scaled);
        return Classification.Run(trial, problem, fitted =>
        {
            using var scope = NewDisposeScope();
            int[] map = [.. fitted.Scores(scaled).argmax(1).data<long>().ToArray().Select(a => (int)a)];
            if (trial.Trial.Seed == 1)
            {
                int[] shown = ClassMaps.Begin(context, "cover", scene.Bands.Width, scene.Bands.Height);
                ClassMaps.Record(context, "cover-truth", [.. shown.Select(i => scene.Labels[i])], scene.Classes);
                ClassMaps.Record(context, "cover", [.. shown.Select(i => map[i])], scene.Classes);
            }
            using var png = context.Artefact("map.png");
            RasterFolder.Write(png, scene.Bands.Width, map);
        });
    }

    public string Program(Trial trial, string version) =>
        $$"""
            // dotnet run -c Release Use.cs FOLDER: learns from the pixels of labels.png and writes the class of every pixel to map.png
            {{KeptProgram.Packages(version)}}
            using Winnow.Data;
            using Winnow.KernelMethods;
            using static TorchSharp.torch;

            Winnow.Learning.NativeTorch.Require();
            var scene = RasterFolder.Read(args[0]);
            int[] known = Enumerable.Range(0, scene.Labels.Length).Where(i => scene.Labels[i] >= 0).ToArray();
            var x = tensor(scene.Bands.Values.Select(v => (double)v).ToArray(), new long[] { scene.Labels.Length, scene.Bands.Bands });
            x = (x - x.mean(new long[] { 0 })) / x.std(0).clamp_min(1e-12);
            var method = (IClassifier){{KeptProgram.Method(trial)}};
            using var fitted = method.Fit(new TrainingRows(x.index_select(0, tensor(known)), known.Select(i => scene.Labels[i]).ToArray(), scene.Classes.Count));
            using var answers = fitted.Scores(x).argmax(1);
            using var map = File.Create("map.png");
            RasterFolder.Write(map, scene.Bands.Width, answers.data<long>().ToArray().Select(a => (int)a).ToArray());

            """;

    private static string Hash(Scene scene) => DataRef.HashOf(Convert.ToBase64String(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(scene.Bands.Values)) + string.Join(',', scene.Labels));
}

/// <summary>Pixels whose classes are known.</summary>
internal static class RasterProblem
{
    private const int MostPixels = 4_000_000;

    /// <summary>Reads a user's scene; loads no tensor library.</summary>
    /// <exception cref="InputException">Fewer than two classes, too few pixels with one, or too many pixels.</exception>
    public static Scene Read(string folder)
    {
        var scene = RasterFolder.Read(folder);
        if (scene.Classes.Count < 2 || scene.Labels.Count(l => l >= 0) < 4)
            throw InputException.At(folder, $"{scene.Labels.Count(l => l >= 0)} labelled pixels of {scene.Classes.Count} classes", "at least 4 of 2 classes", "Label more in labels.png.");
        return scene.Labels.Length <= MostPixels ? scene : throw InputException.At(folder, $"{scene.Labels.Length:N0} pixels", $"at most {MostPixels:N0}", "Cut the scene into parts.");
    }

    /// <summary>Fields of classes: cells of random points. Optical bands have a mean of the class, one of the field, and noise; radar has speckle, and its texture is the class's.</summary>
    public static Scene Made(RasterOptions o, SeededRandom random)
    {
        const int perClass = 6, optical = 4, radar = 2;
        int size = o.Size, fields = perClass * o.Classes;
        (double X, double Y)[] centres = [.. Enumerable.Range(0, fields).Select(_ => (size * random.NextDouble(), size * random.NextDouble()))];
        int[] field = new int[size * size];
        for (int i = 0; i < field.Length; i++)
            field[i] = Enumerable.Range(0, fields).MinBy(f => Math.Pow(centres[f].X - i % size, 2) + Math.Pow(centres[f].Y - i / size, 2));
        int[] labels = [.. field.Select(f => f % o.Classes)];
        double[] Normal(int count, double scale) => [.. Enumerable.Range(0, count).Select(_ => scale * random.NextNormal())];
        double[] means = Normal(o.Classes * optical, 0.8), offsets = Normal(fields * optical, 0.4), shared = Normal(size * size, 1);
        double[] strength = Normal(o.Classes * radar, 0.15);
        double[] rough = [.. Enumerable.Range(0, o.Classes).Select(c => 0.1 + 0.9 * c / Math.Max(1, o.Classes - 1))];
        double[] clumps = Smooth(Normal(size * size, 1), size, 2);
        int first = o.Sensors == "radar" ? 0 : optical, bands = first + (o.Sensors == "optical" ? 0 : radar);
        float[] values = new float[size * size * bands];
        for (int i = 0; i < field.Length; i++)
        {
            for (int b = 0; b < first; b++) // bands are bright together
                values[i * bands + b] = (float)(means[labels[i] * optical + b] + offsets[field[i] * optical + b] + 0.9 * shared[i] + 0.3 * random.NextNormal());
            for (int b = first; b < bands; b++)
                values[i * bands + b] = (float)(strength[labels[i] * radar + b - first] + rough[labels[i]] * clumps[i] + 0.5 * random.NextNormal());
        }
        return new(new(size, size, bands, values), [.. Enumerable.Range(0, bands).Select(b => b < first ? $"optical {b + 1}" : $"radar {b - first + 1}")], labels, [.. Enumerable.Range(1, o.Classes).Select(c => $"cover {c}")]);

        // the mean of a square around, to a deviation of 1
        static double[] Smooth(double[] noise, int size, int half)
        {
            double[] smooth = new double[noise.Length];
            for (int i = 0; i < noise.Length; i++)
            {
                int count = 0;
                for (int y = Math.Max(0, i / size - half); y <= Math.Min(size - 1, i / size + half); y++)
                    for (int x = Math.Max(0, i % size - half); x <= Math.Min(size - 1, i % size + half); x++, count++)
                        smooth[i] += noise[y * size + x];
                smooth[i] /= Math.Sqrt(count);
            }
            return smooth;
        }
    }

    /// <summary>Bands and, if asked for, their texture, [pixels, features].</summary>
    public static double[][] Features(Scene scene, RasterOptions o, CancellationToken cancellation)
    {
        int pixels = scene.Labels.Length, bands = scene.Bands.Bands;
        var columns = new List<double[]>();
        for (int b = 0; b < bands; b++)
        {
            float[] band = [.. Enumerable.Range(0, pixels).Select(i => scene.Bands.Values[(long)i * bands + b])];
            columns.Add(Array.ConvertAll(band, v => (double)v));
            if (!o.Texture)
                continue;
            double[] texture = KernelMethods.Texture.Of(KernelMethods.Texture.Levels(band, o.Levels), scene.Bands.Width, o.Levels, o.Window, cancellation);
            int count = KernelMethods.Texture.Names.Count;
            columns.AddRange(Enumerable.Range(0, count).Select(t => Enumerable.Range(0, pixels).Select(i => texture[i * count + t]).ToArray()));
        }
        return [.. columns];
    }

    /// <summary>Blocks of pixels to learn from and to ask for.</summary>
    /// <param name="scene">The scene.</param>
    /// <param name="features">A column a feature.</param>
    /// <param name="o">How.</param>
    /// <param name="random">Draws the blocks.</param>
    /// <param name="scaled">All pixels [pixels, features], scaled by the mean and deviation of those learned from.</param>
    /// <exception cref="InputException">Only one class among the pixels to learn from, or none to ask for.</exception>
    public static Problem Of(Scene scene, double[][] features, RasterOptions o, Func<string, SeededRandom> random, out Tensor scaled)
    {
        using var scope = NewDisposeScope();
        int width = scene.Bands.Width, across = (width + o.Block - 1) / o.Block;
        int[][] blocks = [.. Enumerable.Range(0, scene.Labels.Length).Where(i => scene.Labels[i] >= 0).GroupBy(i => i / width / o.Block * across + i % width / o.Block).OrderBy(g => g.Key).Select(g => g.ToArray())];
        random("blocks").Shuffle(blocks);
        int learned = (int)Math.Round(o.Train * blocks.Length);
        int[] train = [.. blocks.Take(learned).SelectMany(b => b).Order()], test = [.. blocks.Skip(learned).SelectMany(b => b).Order()];
        if (train.Length > o.Rows)
            train = [.. Enumerable.Range(0, o.Rows).Select(i => train[(long)i * train.Length / o.Rows])];
        int[] Of(int[] rows) => [.. rows.Select(i => scene.Labels[i])];
        if (Of(train).Distinct().Count() < 2 || test.Length == 0)
            throw InputException.At("scene", $"{blocks.Length} blocks, {train.Length} pixels of {Of(train).Distinct().Count()} classes to learn from and {test.Length} to ask for", "two classes to learn from and pixels to ask for", "Take smaller blocks (task.block), or label more.");
        var x = stack([.. features.Select(f => Aligned.Of(f, f.Length))], 1);
        var own = x.index_select(0, tensor(train));
        var mean = own.mean([0], keepdim: true);
        var deviation = (own - mean).square().mean([0], keepdim: true).sqrt();
        scaled = ((x - mean) / where(deviation > 0, deviation, ones_like(deviation))).MoveToOuterDisposeScope();
        return new(new(scaled.index_select(0, tensor(train)).MoveToOuterDisposeScope(), Of(train), scene.Classes.Count), scaled.index_select(0, tensor(test)).MoveToOuterDisposeScope(), Of(test), scene.Classes)
        {
            Features = new([.. scene.Names.SelectMany(n => o.Texture ? (string[])[n, .. KernelMethods.Texture.Names.Select(t => $"{n} {t}")] : [n])], mean.data<double>().ToArray(), where(deviation > 0, deviation, ones_like(deviation)).data<double>().ToArray()),
        };
    }
}
