using Winnow.Core;

namespace Winnow.KernelMethods;

/// <summary>Records maps of classes for <see cref="FigureKind.Map"/>.</summary>
internal static class ClassMaps
{
    private const int MostSide = 256, MostDots = 300;

    /// <summary>Records how large a map is; of more than 256 cells on a side every so manieth is kept.</summary>
    /// <param name="context">The trial's.</param>
    /// <param name="series">The figure's.</param>
    /// <param name="width">Cells of a row.</param>
    /// <param name="height">Rows.</param>
    /// <returns>The cells that are kept, row by row.</returns>
    public static int[] Begin(TrialContext context, string series, int width, int height)
    {
        int every = (Math.Max(width, height) + MostSide - 1) / MostSide;
        int[] kept = [.. from y in Enumerable.Range(0, (height + every - 1) / every) from x in Enumerable.Range(0, (width + every - 1) / every) select y * every * width + x * every];
        context.Metric($"{series}-size/width", (width + every - 1) / every, 0);
        context.Metric($"{series}-size/height", (height + every - 1) / every, 0);
        return kept;
    }

    /// <summary>Records the classes of cells as runs of one class, after all names in their order.</summary>
    /// <param name="context">The trial's.</param>
    /// <param name="series">The figure's.</param>
    /// <param name="cells">The class of each cell, row by row; −1 for none.</param>
    /// <param name="names">Of the classes.</param>
    public static void Record(TrialContext context, string series, IReadOnlyList<int> cells, IReadOnlyList<string> names)
    {
        foreach (string name in names)
            context.Metric($"{series}/{name}", 0, 0);
        for (int i = 0, next; i < cells.Count; i = next)
        {
            for (next = i + 1; next < cells.Count && cells[next] == cells[i]; next++)
            {
            }
            if (cells[i] >= 0)
                context.Metric($"{series}/{names[cells[i]]}", next - i, i);
        }
    }

    /// <summary>Records rows that lie on a map, those of many that are evenly taken.</summary>
    /// <param name="context">The trial's.</param>
    /// <param name="series">The figure's.</param>
    /// <param name="places">Where each is, in shares of the width from the left and of the height from below; what lies outside is left out.</param>
    /// <param name="labels">The class of each.</param>
    /// <param name="names">Of the classes.</param>
    public static void Dots(TrialContext context, string series, IReadOnlyList<(double X, double Y)> places, IReadOnlyList<int> labels, IReadOnlyList<string> names)
    {
        int count = Math.Min(MostDots, places.Count);
        foreach (int i in Enumerable.Range(0, count).Select(i => (int)((long)i * places.Count / count)))
            if (places[i] is { X: >= 0 and <= 1, Y: >= 0 and <= 1 } at)
                context.Metric($"{series}-rows/{names[labels[i]]}", at.Y, (long)Math.Round(1000 * at.X));
    }
}
