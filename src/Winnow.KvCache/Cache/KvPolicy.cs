using Winnow.Core;
using Winnow.Language;
using Winnow.Numerics;

namespace Winnow.KvCache;

/// <summary>
/// A cache policy: stages in the order select, merge, project, encode, each of which may be missing. Without any it is the full cache in half precision.
/// <code>
/// var policy = new KvPolicy(new WindowKv(new()), new Kivi(new() { Bits = 2 }));
/// var prompt = Prompt.Read(session, shape, tokens, rotary);
/// var cache = policy.Prefill(prompt);
/// var logits = session.Step(token, prompt.Count, cache);
/// </code>
/// </summary>
public sealed class KvPolicy
{
    private const int Turns = 12;
    private const double Smallest = 0.005;
    private readonly IReadOnlyList<IKvStage> _stages;
    private readonly ISelector? _selector;
    private readonly IMerger? _merger;
    private readonly IProjector? _projector;
    private readonly IEncoder _encoder;

    /// <summary>A policy.</summary>
    /// <param name="stages">At most one of each kind, in any order.</param>
    /// <exception cref="InputException">Two of a kind, or two that cannot stand together.</exception>
    public KvPolicy(params IReadOnlyList<IKvStage> stages)
    {
        ArgumentNullException.ThrowIfNull(stages);
        _stages = stages;
        _selector = Only<ISelector>("select tokens");
        _merger = Only<IMerger>("merge tokens");
        _projector = Only<IProjector>("project rows");
        _encoder = Only<IEncoder>("encode rows") ?? ExactEncoder.Instance;
        if (_merger is not null && _projector is not null)
            throw Refused(_merger, _projector, "a merged entry has no position of its own from which its projected key could be rotated");
        foreach (var a in stages)
            foreach (var b in stages)
                if (!ReferenceEquals(a, b) && a.Refuses(b) is { } reason)
                    throw Refused(a, b, reason);

        T? Only<T>(string what) where T : class, IKvStage
        {
            T[] found = [.. stages.OfType<T>()];
            return found.Length <= 1 ? found.FirstOrDefault() : throw Refused(found[0], found[1], $"both {what}");
        }

        static InputException Refused(IKvStage a, IKvStage b, string reason) =>
            new($"policy: found {a.GetType().Name} and {b.GetType().Name}; expected stages that can stand together ({reason}). Leave one of them out.");
    }

    /// <summary>The stages.</summary>
    public IReadOnlyList<IKvStage> Stages => _stages;

    /// <summary>The policy keeping about so much of the full cache's bytes: its first stage that has a knob is turned; null where none has.</summary>
    public KvPolicy? At(double share)
    {
        IScaled? knob = new IKvStage?[] { _selector, _merger, _projector, _stages.OfType<IEncoder>().FirstOrDefault() }.OfType<IScaled>().FirstOrDefault();
        return knob is null ? null : new([.. _stages.Select(s => ReferenceEquals(s, knob) ? knob.At(share) : s)]) { Budget = Budget };
    }

    /// <summary>Share of the full cache's bytes it may hold after a prompt; 0 for as its options say. Kept by <see cref="Fitted"/>.</summary>
    public double Budget { get; init; }

    /// <summary>The policy with its first knob turned until it holds no more of a prompt than its budget, and as much of it as it can. Cost: up to 12 times <see cref="Prefill"/>, and preparation.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="model">Its model.</param>
    /// <param name="texts">Texts that stages which learn learn from.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">It cannot hold so little.</exception>
    public KvPolicy Fitted(Prompt prompt, LlamaWeights model, IReadOnlyList<int[]> texts, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        if (Budget == 0)
            return this;
        double low = 0, high = 1, least = double.PositiveInfinity;
        KvPolicy? best = null;
        for (int turn = 0; turn < Turns; turn++)
        {
            cancellation.ThrowIfCancellationRequested();
            double at = turn == 0 ? Budget : turn == 1 && best is null ? Smallest : (low + high) / 2;
            var tried = At(at) ?? throw InputException.At("bytes", "a policy without a knob", "one that can be made smaller", "Leave the budget out, or choose another method.");
            tried.Prepare(model, texts, cancellation);
            var cache = tried.Prefill(prompt);
            double share = (double)cache.Bytes.Total / cache.FullBytes;
            least = Math.Min(least, share);
            if (share <= Budget)
                (low, best) = (at, tried);
            else
                high = at;
            if (turn == 1 && best is null)
                break;
        }
        return best ?? throw InputException.At("bytes", FormattableString.Invariant($"{least:P1} of the full cache's bytes at the least"), FormattableString.Invariant($"at most {Budget:P1}"), "Windows and scales weigh more in short prompts: take longer ones, smaller windows, or allow more.");
    }

    /// <summary>Lets stages learn that do.</summary>
    public void Prepare(LlamaWeights model, IReadOnlyList<int[]> texts, CancellationToken cancellation = default)
    {
        foreach (var stage in _stages.OfType<IPrepared>())
            stage.Prepare(model, texts, cancellation);
    }

    /// <summary>What is kept of a prompt. The prompt itself was read with exact keys and values.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="crew">Threads of the decoding; null for the calling one.</param>
    public KvCacheStore Prefill(Prompt prompt, Crew? crew = null)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        var shape = prompt.Shape;
        var selection = Valid(_selector?.Select(prompt) ?? Selection.All(prompt), prompt);
        if (selection.Evict is not null && !(_encoder.Removes && _projector is null))
            throw new InputException($"policy: found {_selector!.GetType().Name}, which takes entries out while text is generated, before a stage whose entries stay; expected entries that can be taken out. Set its while-decoding to false.");
        if (_projector is not null)
        {
            int[][] positions = [.. selection.Kept.Select(heads => heads.All(h => h.AsSpan().SequenceEqual(heads[0])) ? heads[0]
                : throw new InputException($"policy: found {_selector!.GetType().Name}, which keeps other tokens in each head, before {_projector.GetType().Name}; expected one choice a layer. Choose a selector whose heads agree, such as windowkv or prefixkv."))];
            return new(prompt, [.. _projector.Project(prompt, positions, _encoder)], selection, crew);
        }
        var layers = new LayerCache[shape.Layers];
        for (int l = 0; l < shape.Layers; l++)
        {
            var cache = HeadCache.Of(prompt, l, _encoder);
            for (int h = 0; h < shape.KeyValueHeads; h++)
            {
                var entries = Entries(prompt, l, h, selection.Kept[l][h]);
                cache.Fill(h, _merger?.Merge(prompt, l, h, entries) ?? entries);
            }
            layers[l] = cache;
        }
        return new(prompt, layers, selection, crew);
    }

    private static HeadEntries Entries(Prompt prompt, int layer, int head, int[] kept)
    {
        int d = prompt.Shape.HeadWidth;
        return new(Rows(prompt.Keys(layer, head)), Rows(prompt.Values(layer, head)), kept);

        float[] Rows(float[] all)
        {
            if (Selection.IsAll(kept, prompt.Count))
                return all;
            var rows = new float[kept.Length * d];
            for (int i = 0; i < kept.Length; i++)
                all.AsSpan(kept[i] * d, d).CopyTo(rows.AsSpan(i * d));
            return rows;
        }
    }

    private Selection Valid(Selection selection, Prompt prompt)
    {
        var seen = new bool[prompt.Count];
        foreach (int[] head in selection.Kept.SelectMany(l => l).Distinct(ReferenceEqualityComparer.Instance).Cast<int[]>())
        {
            Array.Clear(seen);
            foreach (int token in head)
                if ((uint)token >= (uint)prompt.Count || seen[token])
                    throw new InvalidOperationException($"{_selector!.GetType().Name} kept token {token} of {prompt.Count}{((uint)token < (uint)prompt.Count ? " twice" : "")}.");
                else
                    seen[token] = true;
            if (head.Length == 0)
                throw new InvalidOperationException($"{_selector!.GetType().Name} kept no token.");
        }
        return selection;
    }
}
