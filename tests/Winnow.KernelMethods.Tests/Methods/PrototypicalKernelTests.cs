using System.Text.Json.Nodes;
using TorchSharp;
using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.KernelMethods.Tests.Methods;

public sealed class PrototypicalKernelTests : IDisposable
{
    private static readonly KernelMethodsArena Arena = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-scenes").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    /// <summary>Scores up to 10 in float32: a product of another shape sums in another order.</summary>
    private static void Single(Tensor expected, Tensor actual) => Rows.Close(expected.to(ScalarType.Float64), actual.to(ScalarType.Float64), 1e-4);

    private static Tensor Features(int n, int c, int h, int w, ulong seed = 1) => Rows.Normal(n * c * h, w, seed).reshape(n, c, h, w);

    private static Scenes Drawn(int count = 6, ulong seed = 1, int classes = 2, int always = -1)
    {
        var data = EmbeddedDigits.Open();
        int[][] pools = [.. Enumerable.Range(0, classes).Select(c => Enumerable.Range(0, data.Count).Where(i => data.Labels[i] == c).ToArray())];
        return new GlyphScenes(data, 32, 0.3).Draw(count, pools, [.. Enumerable.Range(1, classes)], always, new(seed, "scenes"));
    }

    private static ISegmentation Learned(string method = "prototypical-kernel", int steps = 2, JsonObject? more = null)
    {
        var options = new JsonObject { ["steps"] = steps, ["channels"] = 6, ["batch"] = 2 };
        foreach (var (name, value) in more ?? [])
            options[name] = value?.DeepClone();
        return ((ISegmenter)Arena.Build(method, options, 3)).Fit(Drawn(), Drawn(4, 2), 2, Now);
    }

    [Fact]
    public void A_prototype_is_the_mean_over_all_pixels_shown_whatever_the_order_of_images()
    {
        using var scope = NewDisposeScope();
        var f = Features(3, 4, 5, 6);
        var one = zeros(3, 5, 6, dtype: ScalarType.Int64);
        one[1, 2, 3] = 1;
        Rows.Close(f[1, TensorIndex.Ellipsis, 2, 3], PrototypicalKernel.Prototype(f, one, "a"), 1e-12);
        Rows.Close(f.mean([0, 2, 3]), PrototypicalKernel.Prototype(f, ones_like(one), "a"), 1e-12);
        var mask = (Rows.Normal(15, 6, 9).reshape(3, 5, 6) > 0.4).to(ScalarType.Int64);
        var turned = tensor(new long[] { 2, 0, 1 });
        Rows.Close(PrototypicalKernel.Prototype(f, mask, "a"), PrototypicalKernel.Prototype(f.index_select(0, turned), mask.index_select(0, turned), "a"), 1e-12);
        double[] sum = new double[4];
        double count = 0;
        for (int s = 0; s < 3; s++)
            for (int p = 0; p < 30; p++)
                if (mask[s, p / 6, p % 6].item<long>() == 1)
                {
                    count++;
                    for (int c = 0; c < 4; c++)
                        sum[c] += f[s, c, p / 6, p % 6].item<double>();
                }
        Rows.Close(tensor([.. sum.Select(v => v / count)], [4]), PrototypicalKernel.Prototype(f, mask, "a"), 1e-12);
        // a mask of twice the size is brought to the features' by the nearest pixel
        Rows.Close(PrototypicalKernel.Prototype(f, mask, "a"), PrototypicalKernel.Prototype(f, mask.repeat_interleave(2, 1).repeat_interleave(2, 2), "a"), 1e-12);
    }

    [Fact]
    public void Cosines_do_not_know_the_scale_and_turn_with_the_classes()
    {
        using var scope = NewDisposeScope();
        var (k, f) = (Rows.Normal(3, 4, 2), Features(2, 4, 3, 3));
        var logits = PrototypicalKernel.Logits(k, f, 10);
        Rows.Close(logits, PrototypicalKernel.Logits(k, f * 7, 10), 1e-12);
        var turned = tensor(new long[] { 2, 0, 1 });
        Rows.Close(logits.index_select(1, turned), PrototypicalKernel.Logits(k.index_select(0, turned), f, 10), 1e-12);
        Rows.Close(zeros_like(logits), PrototypicalKernel.Logits(k, zeros_like(f), 10), 0);
        var shares = logits.softmax(1);
        var groups = PrototypicalKernel.Groups(shares, f);
        for (int c = 0; c < 3; c++)
        {
            var weight = shares.narrow(1, c, 1);
            Rows.Close((weight * f).sum([0, 2, 3]) / weight.sum(), groups[c], 1e-12);
        }
    }

    [Fact]
    public void A_shut_gate_keeps_kernels_an_open_one_makes_prototypes_and_absent_classes_stay()
    {
        using var scope = NewDisposeScope();
        // products of kernels and groups are all 1, so that W₃ alone decides the gate
        var (k, g, identity) = (full([2, 3], 0.5, ScalarType.Float64), full([2, 3], 2.0, ScalarType.Float64), eye(3, dtype: ScalarType.Float64));
        var there = tensor(new[] { true, true });
        var large = ones(3, 3, dtype: ScalarType.Float64) * 100;
        Rows.Close(k, PrototypicalKernel.Updated(k, g, identity, identity, -large, there), 1e-12);
        Rows.Close(g, PrototypicalKernel.Updated(k, g, identity, identity, large, there), 1e-12);
        var some = PrototypicalKernel.Updated(k, g, identity, identity, large, tensor(new[] { true, false }));
        Rows.Close(g[0], some[0], 1e-12);
        Rows.Close(k[1], some[1], 0);
    }

    [Fact]
    public void Features_that_are_the_class_are_segmented_without_learning()
    {
        using var scope = NewDisposeScope();
        var labels = (Features(2, 1, 6, 6, 4).squeeze(1).abs() * 2).clamp(0, 3).to(ScalarType.Int64);
        var f = nn.functional.one_hot(labels, 4).permute(0, 3, 1, 2).to(ScalarType.Float64);
        var kernels = stack([.. Enumerable.Range(0, 4).Select(c => PrototypicalKernel.Prototype(f, (labels == c).to(ScalarType.Int64), $"{c}"))]);
        Assert.True(PrototypicalKernel.Logits(kernels, f, 10).argmax(1).eq(labels).all().item<bool>());
    }

    [Fact]
    public void The_bias_changes_nothing_without_foreground_and_everything_with_it_everywhere()
    {
        using var scope = NewDisposeScope();
        var logits = Features(2, 5, 4, 4);
        Tensor Biased(double foreground, double bias, double threshold, double weak = 1.01) => PrototypicalKernel.Biased(logits, 3, full([2, 4, 4], foreground, ScalarType.Float64), bias, threshold, weak);
        Rows.Close(logits, Biased(1, 0, 0.5), 0);
        Rows.Close(logits, Biased(0, 5, 0.5), 0);
        Rows.Close(logits, Biased(1, 5, 0.5, weak: 0), 0); // every base class is sure
        Assert.True((Biased(1, 1e6, 0).argmax(1) > 0).all().item<bool>());
        Rows.Close(logits.narrow(1, 1, 3), Biased(1, 5, 0.5).narrow(1, 1, 3), 0);
        Rows.Close(logits.narrow(1, 0, 4), PrototypicalKernel.Biased(logits.narrow(1, 0, 4), 3, ones(2, 4, 4, dtype: ScalarType.Float64), 5, 0, 1), 0);
    }

    [Fact] // by hand: class 1 is there twice and said twice, once rightly; the ignored pixel counts for nothing
    public void Intersections_and_unions_are_counted_over_all_pixels()
    {
        var table = new PixelTable(2);
        foreach (var (truth, said) in new[] { (0L, 0L), (1, 1), (1, 0), (0, 1), (255, 1) })
            table.Add(truth, said);
        Assert.Equal([1.0 / 3, 1.0 / 3, double.NaN], table.Iou());
        Assert.Equal(1.0 / 3, PixelTable.Mean(table.Iou()), 12);
        Assert.Equal((0.48, 0.0), (PixelTable.Harmonic(0.4, 0.6), PixelTable.Harmonic(0, 0)));
    }

    [Fact]
    public void A_new_class_leaves_scores_of_base_classes_and_sessions_in_any_order_give_the_same_vectors()
    {
        using var scope = NewDisposeScope();
        using var learned = Learned(more: new() { ["foreground"] = false });
        var (images, shown, other) = (Drawn(2, 5).Images, Drawn(2, 6, 3, always: 2), Drawn(2, 7, 3, always: 2));
        using var more = learned.With(3, "two", shown);
        Assert.Equal((2, 3), (learned.Classes, more.Classes));
        Single(learned.Scores(images), more.Scores(images).narrow(1, 0, 3));
        var renamed = new Scenes(other.Images, where(other.Labels == 3, 4, where(other.Labels == 4, 3, other.Labels)));
        using var both = more.With(4, "again", renamed);
        using var first = learned.With(3, "again", other);
        using var turned = first.With(4, "two", new Scenes(shown.Images, where(shown.Labels == 3, 4, shown.Labels)));
        Single(both.Scores(images).index_select(1, tensor(new long[] { 0, 1, 2, 4, 3 })), turned.Scores(images));
    }

    [Fact]
    public void Base_classes_are_learned_and_a_method_without_stages_and_foreground_is_the_imprinted_one()
    {
        using var scope = NewDisposeScope();
        using var plain = Learned(steps: 3, more: new() { ["stages"] = 0, ["foreground"] = false });
        using var imprinted = Learned("imprinted-segmenter", 3);
        var asked = Drawn(3, 8);
        Assert.True(plain.Scores(asked.Images).eq(imprinted.Scores(asked.Images)).all().item<bool>());
    }

    [Theory, InlineData("prototypical-kernel"), InlineData("imprinted-segmenter"), InlineData("base-segmenter")]
    public void Every_method_reports_every_metric_twice_the_same_leaks_nothing_and_stops(string id)
    {
        var (card, method) = (Arena.Task("segment"), Arena.Method(id));
        object options = card.Options.Bind(new JsonObject { ["size"] = 16, ["train"] = 60, ["validation"] = 4, ["test"] = 4 }, "task");
        var data = Arena.Inspect(null, card, options, new(), Now);
        var few = method.Options.Bind(new JsonObject { ["steps"] = 2, ["channels"] = 4, ["batch"] = 2 }, id);
        var trial = new Trial(Arena.Id, "segment", card.Options.Canonical(options), id, method.Options.Canonical(few), 1, data.Reference, "code", 1);
        IReadOnlyDictionary<string, double> Run(CancellationToken cancellation) => Arena.Run(trial, new(1, _folder, _ => { }, cancellation)).Metrics;
        var first = Run(Now);
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var second = Run(Now);
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.All(Arena.MetricsOf("segment"), m => Assert.True(double.IsFinite(first[m.Name]), m.Name));
        Assert.All(first.Where(m => !m.Key.EndsWith("_ms", StringComparison.Ordinal)), m => Assert.Equal(m.Value, second[m.Key]));
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => Run(stop.Token));
    }

    [Fact]
    public void Masks_without_a_pixel_labels_that_are_taken_and_images_of_another_kind_are_refused()
    {
        using var scope = NewDisposeScope();
        string Refused(Func<object?> act) => Assert.Throws<InputException>(() => act()).Message;
        using var learned = Learned();
        var shown = Drawn(1, 6, 3, always: 2);
        Assert.Contains("class 'two': found no pixel", Refused(() => learned.With(3, "two", new(shown.Images, zeros_like(shown.Labels)))));
        Assert.Contains("label 2, which another class has", Refused(() => learned.With(2, "two", shown)));
        Assert.Contains("3, the next one", Refused(() => learned.With(5, "two", shown)));
        Assert.Contains("at least one image", Refused(() => PrototypicalKernel.Prototype(Features(1, 3, 2, 2).narrow(0, 0, 0), zeros(0, 2, 2, dtype: ScalarType.Int64), "a")));
        Assert.Contains("features of zeros", Refused(() => PrototypicalKernel.Prototype(zeros(1, 3, 2, 2), ones(1, 2, 2, dtype: ScalarType.Int64), "a")));
        Assert.Contains("[n, 1, height, width]", Refused(() => learned.Scores(zeros(1, 3, 32, 32))));
        Assert.Contains("of at least one image", Refused(() => new Scenes(zeros(0, 1, 4, 4), zeros(0, 4, 4, dtype: ScalarType.Int64))));
        Assert.Contains("one an image", Refused(() => new Scenes(zeros(2, 1, 4, 4), zeros(1, 4, 4, dtype: ScalarType.Int64))));
        Assert.Contains("NaN", Refused(() => new Scenes(full([1, 1, 4, 4], float.NaN), zeros(1, 4, 4, dtype: ScalarType.Int64))));
        var method = (ISegmenter)Arena.Build("prototypical-kernel", new() { ["steps"] = 1, ["channels"] = 4 });
        Assert.Contains("a label above the classes", Refused(() => method.Fit(Drawn(classes: 3), Drawn(), 2, Now)));
        Assert.Contains("a label below 0", Refused(() => method.Fit(new(Drawn().Images, Drawn().Labels - 1), Drawn(), 2, Now)));
        Assert.Contains("no pixel of class 3", Refused(() => method.Fit(Drawn(), Drawn(), 3, Now)));
        var card = Arena.Task("segment");
        Assert.Contains("at least 11", Refused(() => Arena.Inspect(null, card, card.Options.Bind(new JsonObject { ["novel"] = 9 }, "task"), new(), Now)));
        string file = Path.Combine(_folder, "odd.csv");
        File.WriteAllText(file, "a,b,kind\n" + string.Concat(Enumerable.Range(0, 50).Select(i => FormattableString.Invariant($"{i % 3},1,k{i % 5}\n"))));
        Assert.Contains("a square has", Refused(() => Arena.Inspect(file, card, card.Options.Bind([], "task"), new(), Now)));
    }
}
