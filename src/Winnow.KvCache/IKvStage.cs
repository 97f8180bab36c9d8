using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Language;

namespace Winnow.KvCache;

/// <summary>
/// The interface of the arena: one stage of a cache policy. A stage is an <see cref="ISelector"/>, an <see cref="IMerger"/>, an <see cref="IProjector"/> or an
/// <see cref="IEncoder"/>; a <see cref="KvPolicy"/> puts at most one of each in a row, so that <c>windowkv+kivi</c> first drops tokens and then stores the others in two bits.
/// A stage keeps nothing of one prompt for the next.
/// </summary>
public interface IKvStage
{
    /// <summary>Why it cannot stand in one policy with another stage; null where it can.</summary>
    string? Refuses(IKvStage other) => null;
}

/// <summary>A stage that learns from the model, or from texts, before it meets a prompt.</summary>
public interface IPrepared : IKvStage
{
    /// <summary>Learns. Called once.</summary>
    /// <param name="model">The model whose cache it will be.</param>
    /// <param name="texts">Texts like those to come, as tokens.</param>
    /// <param name="cancellation">Stops.</param>
    void Prepare(LlamaWeights model, IReadOnlyList<int[]> texts, CancellationToken cancellation);
}

/// <summary>Options of a method with a knob for how much it keeps.</summary>
public record BudgetOptions
{
    /// <summary>Bytes allowed.</summary>
    [Range(0.0, 1.0), Description("share of the full cache's bytes (half precision) that the policy may hold after a prompt: its first knob is turned until it fits; 0: as its other options say")]
    public double Bytes { get; init; }
}

/// <summary>A stage with a knob for how much it keeps, so that policies can be compared at equal bytes.</summary>
public interface IScaled : IKvStage
{
    /// <summary>The same stage keeping about so much of the full cache's bytes; fewer for a smaller share.</summary>
    /// <param name="share">In (0, 1].</param>
    IKvStage At(double share);
}

/// <summary>Chooses which tokens stay.</summary>
public interface ISelector : IKvStage
{
    /// <summary>The tokens kept of a prompt.</summary>
    Selection Select(Prompt prompt);
}

/// <summary>What a selector keeps.</summary>
/// <param name="Kept">Token indices by layer and key-value head, in the order they are stored; at least one each.</param>
public sealed record Selection(int[][][] Kept)
{
    /// <summary>Which entry of a layer goes after a token was generated: from the layer, its entries and the tokens seen so far, to an index, or -1; null where none ever does.</summary>
    public Func<int, int, int, int>? Evict { get; init; }

    /// <summary>Whether these are all of so many tokens, in their order.</summary>
    internal static bool IsAll(int[] tokens, int count)
    {
        if (tokens.Length != count)
            return false;
        for (int i = 0; i < count; i++)
            if (tokens[i] != i)
                return false;
        return true;
    }

    /// <summary>All tokens of a prompt.</summary>
    public static Selection All(Prompt prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return Shared(prompt, _ => [.. Enumerable.Range(0, prompt.Count)]);
    }

    /// <summary>One choice for all heads of a layer.</summary>
    public static Selection Shared(Prompt prompt, Func<int, int[]> ofLayer)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return new([.. Enumerable.Range(0, prompt.Shape.Layers).Select(l => Enumerable.Repeat(ofLayer(l), prompt.Shape.KeyValueHeads).ToArray())]);
    }

    /// <summary>A choice for every head of every layer.</summary>
    public static Selection Each(Prompt prompt, Func<int, int, int[]> ofHead)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return new([.. Enumerable.Range(0, prompt.Shape.Layers).Select(l => Enumerable.Range(0, prompt.Shape.KeyValueHeads).Select(h => ofHead(l, h)).ToArray())]);
    }
}

/// <summary>Puts entries together.</summary>
public interface IMerger : IKvStage
{
    /// <summary>The entries of one head, fewer than before or the same.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="layer">Which layer.</param>
    /// <param name="head">Which key-value head.</param>
    /// <param name="entries">Its entries.</param>
    HeadEntries Merge(Prompt prompt, int layer, int head, HeadEntries entries);
}

/// <summary>Keeps a narrower picture of keys and values.</summary>
public interface IProjector : IKvStage
{
    /// <summary>What each layer keeps of a prompt, and of the tokens after it.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="positions">The tokens kept, by layer; the same for all heads.</param>
    /// <param name="encoder">How the narrow rows are stored.</param>
    IReadOnlyList<LayerCache> Project(Prompt prompt, IReadOnlyList<int[]> positions, IEncoder encoder);
}

/// <summary>Decides how rows of numbers are stored.</summary>
public interface IEncoder : IKvStage
{
    /// <summary>An empty store for the keys of one head, or for what stands for them.</summary>
    /// <param name="width">Numbers in a row.</param>
    IRows Keys(int width);

    /// <summary>An empty store for values.</summary>
    /// <param name="width">Numbers in a row.</param>
    IRows Values(int width);

    /// <summary>Whether a row once stored can be taken out again.</summary>
    bool Removes => false;
}

/// <summary>An encoder that looks at the prompt's last queries.</summary>
public interface IQueryAware : IEncoder
{
    /// <summary>An empty store for the keys of one head.</summary>
    /// <param name="width">Numbers in a row.</param>
    /// <param name="queryMagnitude">Mean size of each number of the last queries, summed over the query heads of the group [width].</param>
    IRows Keys(int width, float[] queryMagnitude);
}

/// <summary>Entries of one head before they are stored.</summary>
/// <param name="Keys">Rotated [count, width].</param>
/// <param name="Values">[count, width].</param>
/// <param name="Positions">Where each comes from [count].</param>
/// <param name="LogMass">What is added to each one's logit [count]; null for nothing.</param>
public sealed record HeadEntries(float[] Keys, float[] Values, int[] Positions, float[]? LogMass = null)
{
    /// <summary>Entries.</summary>
    public int Count => Positions.Length;
}

/// <summary>What the arena gives to every method when it is built.</summary>
/// <param name="Random">A random stream for one purpose.</param>
public sealed record KvSetup(Func<string, Winnow.Core.SeededRandom> Random);
