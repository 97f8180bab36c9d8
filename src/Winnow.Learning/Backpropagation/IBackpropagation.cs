namespace Winnow.Learning;

/// <summary>
/// The forward and backward pass of one architecture, written out: the same numbers as the graph gives, to rounding, without
/// building one. Works on the network's flat vectors and on memory of its own that is reused from step to step.
/// </summary>
internal interface IBackpropagation
{
    /// <summary>Computes the logits of a batch of rows and keeps what <see cref="Backward"/> needs.</summary>
    Rows Forward(ReadOnlySpan<float> x, int batch);

    /// <summary>Where the caller puts the loss's derivatives by the logits before <see cref="Backward"/>; its padding stays zero.</summary>
    Rows LogitGradient { get; }

    /// <summary>Adds the gradient of the last forward pass to the network's gradient.</summary>
    void Backward();
}

/// <summary>A matrix whose rows are padded.</summary>
internal readonly unsafe struct Rows(float* data, int count, int length, int stride)
{
    public int Count => count;

    public int Length => length;

    public Span<float> this[int row] => new(data + (nint)row * stride, length);
}
