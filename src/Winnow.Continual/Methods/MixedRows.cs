using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Rows mixed in pairs: a row's target is its own label with weight λ and its partner's with 1 − λ.</summary>
/// <param name="X">Rows.</param>
/// <param name="Y">Own labels [B].</param>
/// <param name="Partner">Partners' labels [B].</param>
/// <param name="Lambda">λ.</param>
internal sealed record MixedRows(Tensor X, Tensor Y, Tensor Partner, double Lambda)
{
    /// <summary>λ·loss(own) + (1 − λ)·loss(partner).</summary>
    public Tensor Loss(Func<Tensor, Tensor> loss) => Lambda == 1 ? loss(Y) : Lambda * loss(Y) + (1 - Lambda) * loss(Partner);

    /// <summary>The rows as they are.</summary>
    public static MixedRows Plain(Tensor x, Tensor y) => new(x, y, y, 1);

    /// <summary>x' = λx + (1 − λ)x_partner, for rows of any shape.</summary>
    public static MixedRows Average(Tensor x, Tensor y, double lambda, SeededRandom random)
    {
        var partner = Permutation(x.shape[0], random);
        return new(lambda * x + (1 - lambda) * x.index_select(0, partner), y, y.index_select(0, partner), lambda);
    }

    /// <summary>A box of the partner's image in each image, of a share of the area that is uniform in [0, 1] before it is cut at the edges; λ is the share that stays.</summary>
    public static MixedRows Boxes(Tensor x, Tensor y, CnnArchitecture image, SeededRandom random)
    {
        double side = Math.Sqrt(1 - random.NextDouble());
        var (top, bottom) = Range(image.Height);
        var (left, right) = Range(image.Width);
        var partner = Permutation(x.shape[0], random);
        var images = x.reshape(-1, image.Channels, image.Height, image.Width).clone();
        images.narrow(2, top, bottom - top).narrow(3, left, right - left).copy_(images.index_select(0, partner).narrow(2, top, bottom - top).narrow(3, left, right - left));
        double lambda = 1 - (double)(bottom - top) * (right - left) / (image.Height * image.Width);
        return new(images.reshape(x.shape), y, y.index_select(0, partner), lambda);

        (int From, int To) Range(int size)
        {
            int centre = random.Next(size), extent = (int)(side * size);
            return (Math.Max(0, centre - extent / 2), Math.Min(size, centre - extent / 2 + extent));
        }
    }

    /// <summary>A number from Beta(α, α), α ≤ 1, by Jöhnk's method.</summary>
    public static double Beta(double alpha, SeededRandom random)
    {
        while (true)
        {
            double a = Math.Pow(random.NextDouble(), 1 / alpha), b = Math.Pow(random.NextDouble(), 1 / alpha);
            if (a + b is > 0 and <= 1)
                return a / (a + b);
        }
    }

    private static Tensor Permutation(long rows, SeededRandom random)
    {
        long[] order = [.. Enumerable.Range(0, (int)rows).Select(i => (long)i)];
        random.Shuffle(order);
        return tensor(order);
    }
}
