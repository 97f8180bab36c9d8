namespace Winnow.Numerics;

/// <summary>
/// Which rows of embeddings are scored against which targets: row t of a sequence is paired with target t + shift, and pairs whose target is to
/// be ignored are left out.
/// </summary>
public sealed class TargetRows
{
    private TargetRows(int[] embeddings, int[] targets, int[] outputs, int outputCount, int vocabularyStart) =>
        (Embeddings, Targets, Outputs, OutputCount, VocabularyStart) = (embeddings, targets, outputs, outputCount, vocabularyStart);

    /// <summary>Row of the embeddings, by valid pair.</summary>
    public int[] Embeddings { get; }

    /// <summary>Class, by valid pair, counted from <see cref="VocabularyStart"/>; negative or beyond the slice where another rank owns it.</summary>
    public int[] Targets { get; }

    /// <summary>Place in an output of batch × (length − shift), by valid pair.</summary>
    public int[] Outputs { get; }

    /// <summary>Length of such an output.</summary>
    public int OutputCount { get; }

    /// <summary>The class of the first row of the classifier, where it is a slice of the vocabulary.</summary>
    public int VocabularyStart { get; }

    /// <summary>Number of valid pairs.</summary>
    public int Count => Targets.Length;

    /// <summary>Pairs rows with targets.</summary>
    /// <param name="targets">Targets of every sequence, one behind the other.</param>
    /// <param name="length">Length of a sequence.</param>
    /// <param name="vocabulary">Number of classes.</param>
    /// <param name="shift">How many places later the target of a row stands.</param>
    /// <param name="ignoreIndex">Targets of this value are left out.</param>
    /// <param name="vocabularyStart">The first class of the classifier's slice of the vocabulary.</param>
    /// <exception cref="ArgumentException">A target that is no class, a shift of a sequence's length or more, or no row at all.</exception>
    public static TargetRows Select(ReadOnlySpan<long> targets, int length, int vocabulary, int shift = 0, long ignoreIndex = -100, int vocabularyStart = 0)
    {
        if (length <= 0 || targets.Length == 0 || targets.Length % length != 0)
            throw new ArgumentException($"{targets.Length} targets in sequences of {length}; expected at least one whole sequence", nameof(targets));
        if (shift < 0 || shift >= length)
            throw new ArgumentOutOfRangeException(nameof(shift), shift, $"the shift must be 0 to {length - 1}, less than the length of a sequence");
        int kept = length - shift, batch = targets.Length / length;
        List<int> embeddings = [], classes = [], outputs = [];
        for (int b = 0; b < batch; b++)
        {
            for (int t = 0; t < kept; t++)
            {
                long target = targets[b * length + t + shift];
                if (target == ignoreIndex)
                    continue;
                if (target < 0 || target >= vocabulary)
                    throw new ArgumentException($"target {target} at {b * length + t + shift}; expected 0 to {vocabulary - 1}, or {ignoreIndex} to ignore it", nameof(targets));
                embeddings.Add(b * length + t);
                classes.Add((int)target - vocabularyStart);
                outputs.Add(b * kept + t);
            }
        }
        return new([.. embeddings], [.. classes], [.. outputs], batch * kept, vocabularyStart);
    }
}
