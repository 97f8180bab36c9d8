using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Kernels of classes over a network's features, and how they are learned.</summary>
internal sealed class KernelSegmentation : ISegmentation
{
    private const int Together = 16, Kept = 64, Support = 5, Hidden = 16;
    private static readonly double[] Biases = [0, 1, 2, 4, 8], Thresholds = [0.3, 0.5, 0.7, 0.9], Weaknesses = [0.5, 0.7, 0.9, 1.01];

    private readonly SceneNetwork _network;
    private readonly Tensor[] _learned;
    private readonly Tensor _kernels;
    private readonly PrototypicalKernelOptions _options;
    private readonly int _base;
    private readonly bool _own;

    private KernelSegmentation(SceneNetwork network, Tensor[] learned, Tensor kernels, PrototypicalKernelOptions options, int classes, bool own) =>
        (_network, _learned, _kernels, _options, _base, _own) = (network, learned, kernels.detach().clone().DetachFromDisposeScope(), options, classes, own);

    public int Classes => (int)_kernels.shape[0] - 1;

    public IReadOnlyDictionary<string, double> Report => new Dictionary<string, double> { ["bias"] = _options.Foreground ? _options.Bias : 0, ["threshold"] = _options.Threshold, ["weak"] = _options.Weak };

    /// <summary>Trains network, kernels, stages and foreground together, then chooses the bias.</summary>
    public static KernelSegmentation Fit(KernelSetup setup, PrototypicalKernelOptions o, Scenes train, Scenes validation, int classes, CancellationToken cancellation)
    {
        Require(train, classes, complete: true);
        Require(validation, classes, complete: false);
        using var scope = NewDisposeScope();
        var (random, order) = (setup.Random("weights"), setup.Random("order"));
        int c = o.Channels;
        var network = new SceneNetwork((int)train.Images.shape[1], c, random);
        // kernels, W₁, W₂, W₃, and both layers of the foreground's network
        Tensor[] learned = [.. new[] { SceneNetwork.Normal(random, 1 / Math.Sqrt(c), classes + 1, c), eye(c), eye(c), SceneNetwork.Normal(random, 1 / Math.Sqrt(c), c, c), SceneNetwork.Normal(random, 1 / Math.Sqrt(c), Hidden, 2 * c + 1, 1, 1), SceneNetwork.Normal(random, 1 / Math.Sqrt(Hidden), 1, Hidden, 1, 1), zeros(1) }.Select(p => p.requires_grad_().DetachFromDisposeScope())];
        try
        {
            Tensor[] all = [.. network.Parameters, learned[0], .. o.Stages > 0 ? learned[1..4] : [], .. o.Foreground ? learned[4..] : []];
            using var adam = new TensorAdam(all, [.. all.Select(_ => o.Rate)]);
            for (int step = 0; step < o.Steps; step++)
            {
                cancellation.ThrowIfCancellationRequested();
                using var inner = NewDisposeScope();
                var some = tensor([.. Enumerable.Range(0, o.Batch).Select(_ => (long)order.Next(train.Count))]);
                var features = network.Forward(train.Images.index_select(0, some));
                var labels = Scenes.Resized(train.Labels.index_select(0, some), features.shape[2], features.shape[3]);
                var loss = Loss(o, learned, features, labels, classes, 1 + order.Next(classes));
                if (!float.IsFinite(loss.item<float>()))
                    throw InputException.At("loss", $"{loss.item<float>()}", "a finite number", "Take a smaller step size.");
                adam.Step(autograd.grad([loss], all), TensorAdam.Cosine(step, o.Steps));
            }
            using var untracked = no_grad();
            var kernels = Refined(o, network, learned, train, cancellation);
            return new(network, learned, kernels, o.Foreground ? Chosen(o, network, learned, kernels, train, validation, cancellation) : o, classes, own: true);
        }
        catch
        {
            network.Dispose();
            foreach (var part in learned)
                part.Dispose();
            throw;
        }
    }

    /// <summary>Cross-entropy and dice after each stage, and the foreground's cross-entropy with one class not among those it attends to.</summary>
    private static Tensor Loss(PrototypicalKernelOptions o, Tensor[] learned, Tensor features, Tensor labels, int classes, int left)
    {
        var kernels = learned[0];
        var known = labels != Scenes.Ignored;
        var truth = nn.functional.one_hot(where(known, labels, zeros_like(labels)), classes + 1).permute(0, 3, 1, 2).to(ScalarType.Float32) * known.unsqueeze(1);
        var there = truth.sum([0, 2, 3]) > 0;
        var pixels = known.sum().to(ScalarType.Float32).clamp_min(1);
        var loss = zeros(1).sum();
        for (int t = 0; t <= o.Stages; t++)
        {
            var logits = PrototypicalKernel.Logits(kernels, features, o.Scale);
            var shares = logits.softmax(1);
            loss -= (nn.functional.log_softmax(logits, 1) * truth).sum() / pixels;
            if (o.Dice > 0)
            {
                var (both, either) = ((shares * truth).sum([0, 2, 3]), ((shares + truth) * known.unsqueeze(1)).sum([0, 2, 3]));
                loss += (there * (1 - (2 * both + 1) / (either + 1))).sum() / there.sum() * o.Dice;
            }
            if (t < o.Stages)
                kernels = PrototypicalKernel.Updated(kernels, PrototypicalKernel.Groups((shares * known.unsqueeze(1)).detach(), features), learned[1], learned[2], learned[3], there);
        }
        loss /= o.Stages + 1;
        if (!o.Foreground)
            return loss;
        long[] bank = [.. Enumerable.Range(1, classes).Where(k => k != left || classes == 1).Select(k => (long)k)];
        var z = Foreground(learned, kernels.index_select(0, tensor(bank)), features, o.Scale);
        var objects = (labels > 0).to(ScalarType.Float32);
        return loss + ((z.clamp_min(0) - z * objects + (1 + (-z.abs()).exp()).log()) * known).sum() / pixels;
    }

    /// <summary>The logit of any object [n, h, w]: of unit features, of what they attend to among kernels of objects, and of the largest cosine.</summary>
    private static Tensor Foreground(Tensor[] learned, Tensor bank, Tensor features, double scale)
    {
        var cosines = PrototypicalKernel.Logits(bank, features, 1);
        var unit = bank / bank.norm(1, keepdim: true).clamp_min(1e-12);
        var context = nn.functional.conv2d((cosines * scale).softmax(1), unit.t().unsqueeze(2).unsqueeze(3));
        var seen = cat([features / features.norm(1, keepdim: true).clamp_min(1e-12), context, cosines.amax([1], keepdim: true)], 1);
        return nn.functional.conv2d(nn.functional.conv2d(seen, learned[4]).relu(), learned[5], learned[6]).squeeze(1);
    }

    /// <summary>Kernels after all stages over training scenes instead of a batch.</summary>
    private static Tensor Refined(PrototypicalKernelOptions o, SceneNetwork network, Tensor[] learned, Scenes train, CancellationToken cancellation)
    {
        var kernels = learned[0];
        for (int t = 0; t < o.Stages; t++)
        {
            var (sums, weights) = (zeros_like(kernels), zeros(kernels.shape[0], 1));
            for (int first = 0; first < Math.Min(train.Count, Kept); first += Together)
            {
                cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                var features = network.Forward(train.Images.narrow(0, first, Math.Min(Together, Math.Min(train.Count, Kept) - first)));
                var (s, w) = PrototypicalKernel.Sums(PrototypicalKernel.Logits(kernels, features, o.Scale).softmax(1), features);
                sums.add_(s);
                weights.add_(w);
            }
            kernels = PrototypicalKernel.Updated(kernels, sums / weights.clamp_min(1e-12), learned[1], learned[2], learned[3], weights.squeeze(1) > 0);
        }
        return kernels;
    }

    /// <summary>Lets each base class play the new one, by a prototype of a few training scenes, and takes the bias, threshold and weakness whose harmonic mean of its IoU and the others' is best on validation scenes.</summary>
    private static PrototypicalKernelOptions Chosen(PrototypicalKernelOptions o, SceneNetwork network, Tensor[] learned, Tensor kernels, Scenes train, Scenes validation, CancellationToken cancellation)
    {
        int classes = (int)kernels.shape[0] - 1;
        var grid = (from b in o.Bias > 0 ? [o.Bias] : Biases from t in o.Threshold > 0 ? [o.Threshold] : Thresholds from w in o.Weak > 0 ? [o.Weak] : Weaknesses where b > 0 || (t == Thresholds[0] && w == Weaknesses[0]) select (Bias: b, Threshold: t, Weak: w)).ToArray();
        double[] sums = new double[grid.Length];
        var features = cat([.. Enumerable.Range(0, (validation.Count + Together - 1) / Together).Select(i => network.Forward(validation.Images.narrow(0, i * Together, Math.Min(Together, validation.Count - i * Together))))]);
        long[] truth = Scenes.Resized(validation.Labels, features.shape[2], features.shape[3]).flatten().data<long>().ToArray();
        for (int played = 1; played <= classes && classes > 1; played++)
        {
            using var scope = NewDisposeScope();
            var shown = (train.Labels == played).any(1).any(1).nonzero().flatten();
            if (!truth.Contains(played) || shown.shape[0] == 0)
                continue;
            shown = shown.narrow(0, 0, Math.Min(Support, shown.shape[0]));
            var prototype = PrototypicalKernel.Prototype(network.Forward(train.Images.index_select(0, shown)), train.Labels.index_select(0, shown) == played, $"{played}");
            long[] others = [.. Enumerable.Range(0, classes + 1).Where(k => k != played).Select(k => (long)k)];
            var kept = kernels.index_select(0, tensor(others));
            var logits = PrototypicalKernel.Logits(cat([kept, prototype.unsqueeze(0)]), features, o.Scale);
            var foreground = Foreground(learned, kept.narrow(0, 1, classes - 1), features, o.Scale).sigmoid();
            for (int i = 0; i < grid.Length; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                using var inner = NewDisposeScope();
                var (bias, threshold, weak) = grid[i];
                long[] said = PrototypicalKernel.Biased(logits, classes - 1, foreground, bias, threshold, weak).argmax(1).flatten().data<long>().ToArray();
                var table = new PixelTable(classes);
                for (int p = 0; p < truth.Length; p++)
                    table.Add(truth[p] == played ? classes : truth[p] > played && truth[p] != Scenes.Ignored ? truth[p] - 1 : truth[p], said[p]);
                double[] iou = table.Iou();
                sums[i] += PixelTable.Harmonic(PixelTable.Mean(iou[1..classes]), iou[classes]);
            }
        }
        var best = grid[Array.IndexOf(sums, sums.Max())];
        return o with { Bias = best.Bias, Threshold = best.Threshold, Weak = best.Weak };
    }

    public ISegmentation With(int label, string name, Scenes shown)
    {
        ArgumentNullException.ThrowIfNull(shown);
        if (label != Classes + 1)
            throw InputException.At($"class '{name}'", $"label {label}{(label >= 0 && label <= Classes ? ", which another class has" : "")}", $"{Classes + 1}, the next one", "Number new classes after those that are known.");
        Same(shown.Images);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var prototype = PrototypicalKernel.Prototype(_network.Forward(shown.Images), shown.Labels == label, name);
        return new KernelSegmentation(_network, _learned, cat([_kernels, prototype.unsqueeze(0)]), _options, _base, own: false);
    }

    public Tensor Scores(Tensor images)
    {
        ArgumentNullException.ThrowIfNull(images);
        Same(images);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var features = _network.Forward(images);
        var logits = PrototypicalKernel.Logits(_kernels, features, _options.Scale);
        if (_options.Foreground && _options.Bias > 0)
            logits = PrototypicalKernel.Biased(logits, _base, Foreground(_learned, _kernels.narrow(0, 1, _base), features, _options.Scale).sigmoid(), _options.Bias, _options.Threshold, _options.Weak);
        return nn.functional.interpolate(logits, [images.shape[2], images.shape[3]], mode: InterpolationMode.Bilinear, align_corners: false).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        _kernels.Dispose();
        if (!_own)
            return;
        _network.Dispose();
        foreach (var part in _learned)
            part.Dispose();
    }

    private void Same(Tensor images)
    {
        long channels = _network.Parameters[0].shape[1];
        if (images.dim() != 4 || images.dtype != ScalarType.Float32 || images.shape[1] != channels)
            throw InputException.At("scenes", $"{images.dtype} [{string.Join(", ", images.shape)}]", $"float32 [n, {channels}, height, width]", "Give images as those learned from.");
    }

    private static void Require(Scenes scenes, int classes, bool complete)
    {
        using var scope = NewDisposeScope();
        long[] counts = scenes.Labels.flatten().clamp(-1, Scenes.Ignored + 1).add(1).bincount(null, Scenes.Ignored + 3).data<long>().ToArray();
        int wrong = Array.FindIndex(counts, classes + 2, n => n > 0);
        if (counts[0] > 0 || (wrong >= 0 && wrong != Scenes.Ignored + 1) || counts[Scenes.Ignored + 2] > 0)
            throw InputException.At("masks", counts[0] > 0 ? "a label below 0" : "a label above the classes", $"0 for the background, 1 to {classes}, or {Scenes.Ignored} for pixels to ignore", "Number the classes from 1.");
        if (complete && Array.FindIndex(counts, 2, classes, n => n == 0) is var missing and >= 0)
            throw InputException.At("masks", $"no pixel of class {missing - 1}", "every base class in some scene", "Add scenes of it, or number the classes without it.");
    }
}
