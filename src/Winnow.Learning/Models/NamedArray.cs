namespace Winnow.Learning;

/// <summary>A copy of one named tensor of a network's state.</summary>
/// <param name="Name">E.g. <c>linear1.weight</c> or <c>norm1.running_mean</c>.</param>
/// <param name="Shape">Shape, row-major.</param>
/// <param name="Values">The elements.</param>
public sealed record NamedArray(string Name, IReadOnlyList<long> Shape, float[] Values);
