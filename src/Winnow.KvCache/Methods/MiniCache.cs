using System.Numerics.Tensors;

namespace Winnow.KvCache;

/// <summary>
/// MiniCache's merge of two layers, as the released code of xKV has it for comparison: tokens whose directions in the two layers lie far apart get one direction between
/// them, each with its own length; the others stay. (The usual description keeps those that differ: that is released = false.)
/// <para>Liu, Liu, Pan, He, Haffari and Zhuang, MiniCache: KV cache compression in depth dimension for large language models, NeurIPS 2024 (arXiv 2405.14366).</para>
/// </summary>
public static class MiniCache
{
    /// <summary>Merges.</summary>
    /// <param name="a">Rows of one layer [n, width].</param>
    /// <param name="b">Rows of the next layer.</param>
    /// <param name="width">Numbers in a row.</param>
    /// <param name="t">Where between them, in [0, 1].</param>
    /// <param name="gamma">From which angle on, as a share of the way from the least to the greatest.</param>
    /// <param name="released">Which of the two sides is merged.</param>
    public static (double[] A, double[] B) Merge(ReadOnlySpan<double> a, ReadOnlySpan<double> b, int width, double t, double gamma, bool released = true)
    {
        int n = a.Length / width;
        ArgumentOutOfRangeException.ThrowIfNotEqual(b.Length, a.Length);
        var angles = new double[n];
        for (int i = 0; i < n; i++)
            angles[i] = Math.Acos(Math.Clamp(TensorPrimitives.CosineSimilarity(a.Slice(i * width, width), b.Slice(i * width, width)), -1, 1));
        double limit = n == 0 ? 0 : angles.Min() + (angles.Max() - angles.Min()) * gamma;
        double[] x = a.ToArray(), y = b.ToArray();
        for (int i = 0; i < n; i++)
        {
            if (angles[i] > limit != released || Math.Sin(angles[i]) is var sine && sine == 0)
                continue;
            ReadOnlySpan<double> p = a.Slice(i * width, width), q = b.Slice(i * width, width);
            double lengthP = TensorPrimitives.Norm(p), lengthQ = TensorPrimitives.Norm(q);
            for (int c = 0; c < width; c++)
            {
                double direction = Math.Sin((1 - t) * angles[i]) / sine * p[c] / lengthP + Math.Sin(t * angles[i]) / sine * q[c] / lengthQ;
                (x[i * width + c], y[i * width + c]) = (lengthP * direction, lengthQ * direction);
            }
        }
        return (x, y);
    }
}
