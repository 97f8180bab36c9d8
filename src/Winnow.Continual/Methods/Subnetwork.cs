using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>A tensor of a flat vector of weights.</summary>
/// <param name="Name">Name.</param>
/// <param name="Offset">First element.</param>
/// <param name="Shape">Sizes.</param>
/// <param name="FanIn">Inputs of a unit, for the initial values: uniform within ±1/√FanIn.</param>
/// <param name="SignedScores">Whether its scores are ranked as they are, not by their absolute value.</param>
public sealed record WeightTensor(string Name, int Offset, IReadOnlyList<long> Shape, int FanIn, bool SignedScores = false)
{
    /// <summary>Number of elements.</summary>
    public int Length => (int)Shape.Aggregate(1L, (a, b) => a * b);
}

/// <summary>
/// Winning subnetworks of one flat vector of weights W [n]: each session uses the weights whose learned scores S [n] are the largest of
/// their tensor, may use those of earlier sessions and changes only the others.
/// <para>With c the kept fraction of a tensor of n scores, <c>k = 1 + round((1 − c)(n − 1))</c> and the mask is m = 1 where |S| is at least the
/// k-th smallest |S|; where the scores are signed, S takes the place of |S|. Weights in use are m∘W. Straight through the threshold,
/// <c>∂L/∂S = (∂L/∂(m∘W)) ∘ W ∘ sign S</c> (without the sign where signed); <c>∂L/∂W = (∂L/∂(m∘W)) ∘ m ∘ (1 − union)</c>.</para>
/// <para>Cost: one selection, O(n), for every mask; one bit a weight and session for what is stored.</para>
/// </summary>
public sealed class Subnetwork : IDisposable
{
    private readonly IReadOnlyList<WeightTensor> _tensors;
    private readonly double _kept;
    private readonly Tensor _signed;

    /// <summary>Scores for the tensors of a vector, drawn as the weights are.</summary>
    /// <param name="tensors">They cover the vector from its start, without gaps.</param>
    /// <param name="sessions">Masks that can be stored.</param>
    /// <param name="kept">Kept fraction c, in (0, 1].</param>
    /// <param name="random">Initial scores.</param>
    public Subnetwork(IReadOnlyList<WeightTensor> tensors, int sessions, double kept, SeededRandom random)
    {
        if (!(kept > 0 && kept <= 1))
            throw new ArgumentOutOfRangeException(nameof(kept), kept, "A subnetwork keeps a fraction above 0 and at most 1 of the weights.");
        _tensors = tensors;
        _kept = kept;
        int length = tensors.Sum(t => t.Length);
        Scores = zeros(length).DetachFromDisposeScope();
        StoredBits = zeros([sessions, (length + 7) / 8], ScalarType.Byte).DetachFromDisposeScope();
        _signed = zeros(length, ScalarType.Bool).DetachFromDisposeScope();
        foreach (var t in tensors.Where(t => t.SignedScores))
            _signed.Values<bool>().Slice(t.Offset, t.Length).Fill(true);
        Draw(tensors, Scores, random);
    }

    /// <summary>Scores S [n], live.</summary>
    public Tensor Scores { get; }

    /// <summary>Masks of the sessions, one bit a weight: bytes [sessions, ⌈n/8⌉], live.</summary>
    public Tensor StoredBits { get; }

    /// <summary>Fills a vector with the initial values of its tensors.</summary>
    public static void Draw(IReadOnlyList<WeightTensor> tensors, Tensor vector, SeededRandom random)
    {
        foreach (var t in tensors)
            foreach (ref float value in vector.Values<float>().Slice(t.Offset, t.Length))
                value = (float)((2 * random.NextDouble() - 1) / Math.Sqrt(t.FanIn));
    }

    /// <summary>The mask of one tensor's scores, in the scores' shape.</summary>
    public static Tensor Mask(Tensor scores, double kept, bool signed)
    {
        using var scope = NewDisposeScope();
        var ranked = (signed ? scores : scores.abs()).contiguous();
        float threshold = Smallest(ranked.Values<float>().ToArray(), Rank(kept, ranked.numel()));
        return ranked.ge(threshold).MoveToOuterDisposeScope();
    }

    /// <summary>The mask [n] of the scores as they are now.</summary>
    public Tensor Mask()
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        return cat([.. _tensors.Select(t => Mask(Scores.narrow(0, t.Offset, t.Length), _kept, t.SignedScores))]).MoveToOuterDisposeScope();
    }

    /// <summary>m∘W: the weights in use, zero elsewhere.</summary>
    public static Tensor InUse(Tensor weights, Tensor mask) => where(mask, weights, zeros_like(weights));

    /// <summary>Gradients by the weights and by the scores from that by the weights in use.</summary>
    /// <param name="byInUse">∂L/∂(m∘W) [n].</param>
    /// <param name="weights">W [n].</param>
    /// <param name="mask">m [n].</param>
    /// <param name="frozen">The union of earlier masks [n].</param>
    public (Tensor Weights, Tensor Scores) Gradients(Tensor byInUse, Tensor weights, Tensor mask, Tensor frozen)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var sign = where(_signed, ones_like(Scores), Scores.sign());
        var free = where(mask.logical_and(frozen.logical_not()), byInUse, zeros_like(byInUse));
        return (free.MoveToOuterDisposeScope(), (byInUse * weights * sign).MoveToOuterDisposeScope());
    }

    /// <summary>Keeps the mask of a session.</summary>
    public void Store(int session, Tensor mask)
    {
        var bits = StoredBits.Values<byte>().Slice((int)(session * StoredBits.shape[1]), (int)StoredBits.shape[1]);
        var values = mask.Values<bool>();
        bits.Clear();
        for (int i = 0; i < values.Length; i++)
            if (values[i])
                bits[i >> 3] |= (byte)(1 << (i & 7));
    }

    /// <summary>The stored mask [n] of a session.</summary>
    public Tensor Stored(int session)
    {
        var bits = StoredBits.Values<byte>().Slice((int)(session * StoredBits.shape[1]), (int)StoredBits.shape[1]);
        var values = new bool[Scores.numel()];
        for (int i = 0; i < values.Length; i++)
            values[i] = (bits[i >> 3] >> (i & 7) & 1) != 0;
        return tensor(values);
    }

    /// <summary>The weights [n] that any of some sessions uses; none for none.</summary>
    public Tensor Union(IEnumerable<int> sessions)
    {
        using var scope = NewDisposeScope();
        return sessions.Aggregate(zeros(Scores.numel(), ScalarType.Bool), (union, j) => union.logical_or(Stored(j))).MoveToOuterDisposeScope();
    }

    /// <summary>k = 1 + round((1 − c)(n − 1)), halves to even.</summary>
    internal static int Rank(double kept, long count) => 1 + (int)Math.Round((1 - kept) * (count - 1));

    /// <summary>The k-th smallest value, k from 1; reorders them. O(n) on average (Hoare's selection).</summary>
    internal static float Smallest(Span<float> values, int k)
    {
        int low = 0, high = values.Length - 1, wanted = k - 1;
        while (low < high)
        {
            float pivot = values[low + (high - low) / 2];
            int i = low, j = high;
            while (i <= j)
            {
                while (values[i] < pivot)
                    i++;
                while (values[j] > pivot)
                    j--;
                if (i <= j)
                    (values[i], values[j]) = (values[j--], values[i++]);
            }
            if (wanted <= j)
                high = j;
            else if (wanted >= i)
                low = i;
            else
                break;
        }
        return values[wanted];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Scores.Dispose();
        StoredBits.Dispose();
        _signed.Dispose();
    }
}
