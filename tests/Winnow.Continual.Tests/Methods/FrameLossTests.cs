using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class FrameLossTests
{
    [Fact]
    public void A_frame_is_like_itself_at_any_size()
    {
        using var scope = NewDisposeScope();
        foreach (int size in (int[])[1, 4, 11, 17])
        {
            var x = rand(2, 3, size, size + 1, generator: new Generator(1));
            Assert.Equal(1, FrameLoss.Ssim(x, x).item<float>(), 5);
            Assert.Equal(0, FrameLoss.Of(x, x, 0.3).item<float>(), 5);
        }
    }

    // Without variance only the first factor is left: (2ab + C₁) / (a² + b² + C₁). A variance is a difference of floats near 0.36, wrong by
    // some 3e-8 for each of three terms, which C₂ = 9e-4 divides: 1e-4 at most.
    [Fact]
    public void Even_frames_differ_by_their_brightness_alone()
    {
        using var scope = NewDisposeScope();
        var (a, b) = (full([1, 1, 12, 12], 0.2f), full([1, 1, 12, 12], 0.6f));
        double ssim = (2 * 0.2 * 0.6 + 1e-4) / (0.2 * 0.2 + 0.6 * 0.6 + 1e-4);
        Assert.Equal(ssim, FrameLoss.Ssim(a, b).item<float>(), tolerance: 1e-4);
        Assert.Equal(0.7 * 0.4 + 0.3 * (1 - ssim), FrameLoss.Of(a, b, 0.3).item<float>(), tolerance: 1e-4);
    }

    [Fact] // one window position: the moments are weighted sums
    public void One_window_is_the_formula_written_out()
    {
        using var scope = NewDisposeScope();
        var (a, b) = (rand(1, 1, 11, 11, generator: new Generator(1)), rand(1, 1, 11, 11, generator: new Generator(2)));
        double[] g = [.. Enumerable.Range(-5, 11).Select(i => Math.Exp(-i * i / 4.5))];
        double total = g.Sum();
        double Mean(Func<int, int, double> f) => Enumerable.Range(0, 121).Sum(i => g[i / 11] * g[i % 11] * f(i / 11, i % 11)) / (total * total);
        double A(int i, int j) => a[0, 0, i, j].item<float>();
        double B(int i, int j) => b[0, 0, i, j].item<float>();
        double ma = Mean(A), mb = Mean(B), va = Mean((i, j) => A(i, j) * A(i, j)) - ma * ma, vb = Mean((i, j) => B(i, j) * B(i, j)) - mb * mb, c = Mean((i, j) => A(i, j) * B(i, j)) - ma * mb;
        Assert.Equal((2 * ma * mb + 1e-4) * (2 * c + 9e-4) / ((ma * ma + mb * mb + 1e-4) * (va + vb + 9e-4)), FrameLoss.Ssim(a, b).item<float>(), 4);
    }
}
