namespace Winnow.KernelMethods;

/// <summary>How often each class was said where each was there, over the pixels of all images together.</summary>
/// <param name="classes">Classes beside the background.</param>
internal sealed class PixelTable(int classes)
{
    private readonly long[,] _counts = new long[classes + 1, classes + 1];

    /// <summary>Counts a pixel, unless its label is to be ignored.</summary>
    public void Add(long truth, long said)
    {
        if (truth != Scenes.Ignored)
            _counts[truth, said]++;
    }

    /// <summary>Pixels of a class where another, or it, was said.</summary>
    public long this[int truth, int said] => _counts[truth, said];

    /// <summary>Intersection over union of each class, the background first; not a number of a class that is neither there nor said.</summary>
    public double[] Iou()
    {
        double[] iou = new double[classes + 1];
        for (int c = 0; c <= classes; c++)
        {
            long there = 0, said = 0;
            for (int k = 0; k <= classes; k++)
                (there, said) = (there + _counts[c, k], said + _counts[k, c]);
            iou[c] = there + said == 0 ? double.NaN : (double)_counts[c, c] / (there + said - _counts[c, c]);
        }
        return iou;
    }

    /// <summary>The mean of those that are numbers; 0 of none.</summary>
    public static double Mean(IEnumerable<double> iou) => iou.Where(v => !double.IsNaN(v)).DefaultIfEmpty(0).Average();

    /// <summary>2ab / (a + b).</summary>
    public static double Harmonic(double a, double b) => a + b > 0 ? 2 * a * b / (a + b) : 0;
}
