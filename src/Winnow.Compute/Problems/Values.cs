using System.Numerics;
using Winnow.Core;

namespace Winnow.Compute;

/// <summary>Random values of problems, and the distance of answers.</summary>
internal static class Values
{
    /// <summary>Independent normal values of mean 0.</summary>
    public static float[] Normal(SeededRandom random, long count, double deviation)
    {
        var values = new float[count];
        for (long i = 0; i < count; i++)
            values[i] = (float)(deviation * random.NextNormal());
        return values;
    }

    /// <summary>‖x − y‖₂ / ‖y‖₂; infinity for other lengths, NaN where x has one.</summary>
    public static double RelativeDistance<T>(T[] x, T[] y) where T : INumber<T>
    {
        if (x.Length != y.Length)
            return double.PositiveInfinity;
        double distance = 0, norm = 0;
        for (int i = 0; i < x.Length; i++)
        {
            double theirs = double.CreateChecked(y[i]), d = double.CreateChecked(x[i]) - theirs;
            distance += d * d;
            norm += theirs * theirs;
        }
        return distance == 0 ? 0 : Math.Sqrt(distance / norm);
    }
}
