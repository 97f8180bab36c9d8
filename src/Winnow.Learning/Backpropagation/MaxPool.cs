using System.Numerics;

namespace Winnow.Learning;

/// <summary>
/// ReLU and 2x2 max pooling of <c>y = scale·z + shift</c>, which is recomputed rather than kept. Of equal maxima the first, in reading
/// order, gets the derivative. A last odd row or column is dropped.
/// </summary>
internal static unsafe class MaxPool
{
    public static void Forward(ChannelNorm norm, Pixels z, Pixels pooled)
    {
        int lanes = Vector<float>.Count, next = z.Channels;
        for (int image = 0; image < pooled.Images; image++)
        {
            for (int row = 0; row < pooled.Rows; row++)
            {
                for (int c = 0; c < z.Channels; c += lanes)
                {
                    Vector<float> scale = Vector.Load(norm.Scale + c), shift = Vector.Load(norm.Shift + c);
                    float* upper = z.Row(image, 2 * row) + c, lower = z.Row(image, 2 * row + 1) + c, target = pooled.Row(image, row) + c;
                    for (int p = 0; p < pooled.Count; p++, upper += 2 * next, lower += 2 * next, target += next)
                    {
                        var y0 = Vector.FusedMultiplyAdd(Vector.Load(upper), scale, shift);
                        var y1 = Vector.FusedMultiplyAdd(Vector.Load(upper + next), scale, shift);
                        var y2 = Vector.FusedMultiplyAdd(Vector.Load(lower), scale, shift);
                        var y3 = Vector.FusedMultiplyAdd(Vector.Load(lower + next), scale, shift);
                        Vector.Store(Vector.Max(Vector.Max(Vector.Max(y0, y1), Vector.Max(y2, y3)), Vector<float>.Zero), target);
                    }
                }
            }
        }
    }

    /// <summary>Writes dy at every pooled pixel and its sums into the normalisation.</summary>
    public static void Backward(ChannelNorm norm, Pixels z, Pixels pooledDerivatives, Pixels dy)
    {
        norm.ClearSums();
        int lanes = Vector<float>.Count, next = z.Channels;
        var zero = Vector<float>.Zero;
        for (int image = 0; image < pooledDerivatives.Images; image++)
        {
            for (int row = 0; row < pooledDerivatives.Rows; row++)
            {
                for (int c = 0; c < z.Channels; c += lanes)
                {
                    Vector<float> scale = Vector.Load(norm.Scale + c), shift = Vector.Load(norm.Shift + c), mean = Vector.Load(norm.Mean + c);
                    Vector<float> sum = zero, product = zero;
                    float* upper = z.Row(image, 2 * row) + c, lower = z.Row(image, 2 * row + 1) + c;
                    float* upperTarget = dy.Row(image, 2 * row) + c, lowerTarget = dy.Row(image, 2 * row + 1) + c;
                    float* source = pooledDerivatives.Row(image, row) + c;
                    for (int p = 0; p < pooledDerivatives.Count; p++)
                    {
                        Vector<float> z0 = Vector.Load(upper), z1 = Vector.Load(upper + next), z2 = Vector.Load(lower), z3 = Vector.Load(lower + next);
                        var y0 = Vector.FusedMultiplyAdd(z0, scale, shift);
                        var y1 = Vector.FusedMultiplyAdd(z1, scale, shift);
                        var y2 = Vector.FusedMultiplyAdd(z2, scale, shift);
                        var y3 = Vector.FusedMultiplyAdd(z3, scale, shift);
                        var max = Vector.Max(Vector.Max(y0, y1), Vector.Max(y2, y3));
                        var d = Vector.ConditionalSelect(Vector.GreaterThan(max, zero), Vector.Load(source), zero);
                        Vector<int> is0 = Vector.Equals(y0, max), is1 = Vector.Equals(y1, max), is2 = Vector.Equals(y2, max);
                        Vector.Store(Vector.ConditionalSelect(is0, d, zero), upperTarget);
                        Vector.Store(Vector.ConditionalSelect(Vector.AndNot(is1, is0), d, zero), upperTarget + next);
                        Vector.Store(Vector.ConditionalSelect(Vector.AndNot(is2, is0 | is1), d, zero), lowerTarget);
                        Vector.Store(Vector.ConditionalSelect(is0 | is1 | is2, zero, d), lowerTarget + next);
                        var chosen = Vector.ConditionalSelect(is0, z0, Vector.ConditionalSelect(is1, z1, Vector.ConditionalSelect(is2, z2, z3)));
                        sum += d;
                        product = Vector.FusedMultiplyAdd(d, chosen - mean, product);
                        upper += 2 * next;
                        lower += 2 * next;
                        upperTarget += 2 * next;
                        lowerTarget += 2 * next;
                        source += next;
                    }
                    Vector.Store(Vector.Load(norm.Sum + c) + sum, norm.Sum + c);
                    Vector.Store(Vector.Load(norm.Product + c) + product, norm.Product + c);
                }
            }
        }
    }
}
