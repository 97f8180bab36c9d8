using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>Says of which class rows should be labelled next.</summary>
public interface IClassPicker : IKernelMethod
{
    /// <summary>The next class.</summary>
    /// <param name="metric">How far classes are from each other.</param>
    /// <param name="observed">Classes that have rows, at least one.</param>
    /// <param name="random">The draw.</param>
    /// <returns>A class that is not observed; null where none would add to the locus.</returns>
    int? Next(LabelMetric metric, IReadOnlyCollection<int> observed, SeededRandom random);
}
