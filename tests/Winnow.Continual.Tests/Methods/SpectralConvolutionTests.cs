using System.Numerics;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class SpectralConvolutionTests
{
    [Theory, InlineData(SpectralPlacement.Released), InlineData(SpectralPlacement.Recentred)]
    public void Unit_weights_over_the_whole_half_spectrum_change_nothing(SpectralPlacement placement)
    {
        using var scope = NewDisposeScope();
        var x = Noise(2, 3, 6, 8);
        var unit = eye(3).reshape(3, 3, 1, 1).expand(3, 3, 3, 5);
        var y = SpectralConvolution.Forward(x, (unit, unit), (zeros(3, 3, 3, 5), zeros(3, 3, 3, 5)), 1, placement);
        ByHand.Close(x, y, 1e-5, 1e-6);
    }

    [Fact] // Parseval: the mean square of a map is the sum over all bins of |X|²
    public void Untouched_energy_is_that_of_the_kept_frequencies()
    {
        using var scope = NewDisposeScope();
        var x = Noise(1, 1, 8, 8);
        var one = ones(1, 1, 2, 3);
        var y = SpectralConvolution.Forward(x, (one, one), (zeros_like(one), zeros_like(one)), 1, SpectralPlacement.Recentred);
        double kept = 0;
        foreach (int u in (int[])[0, 1, 6, 7])
            foreach (int v in (int[])[0, 1, 2])
                kept += (v == 0 ? 1 : 2) * Complex.Abs(Dft(x, 0, u, v)) * Complex.Abs(Dft(x, 0, u, v)); // the mirror image counts too
        // In column 0 a row stands for its mirror as well; rows 0, 1, 6, 7 mirror to 0, 7, 2, 1, so row 6 is halved with its missing mirror 2.
        kept -= Math.Pow(Complex.Abs(Dft(x, 0, 6, 0)), 2) / 2;
        Assert.Equal(kept, y.square().mean().item<float>(), 4);
    }

    [Theory, InlineData(1, SpectralPlacement.Released), InlineData(2, SpectralPlacement.Released), InlineData(2, SpectralPlacement.Recentred), InlineData(3, SpectralPlacement.Recentred)]
    public void The_layer_is_the_sum_over_frequencies_written_out(int scale, SpectralPlacement placement)
    {
        const int N = 4, In = 2, Out = 3, M1 = 2, M2 = 2;
        using var scope = NewDisposeScope();
        var x = Noise(1, In, N, N);
        Tensor[] w = [.. Enumerable.Range(0, 4).Select(i => Noise(In, Out, M1, M2, (ulong)i + 2))];
        var y = SpectralConvolution.Forward(x, (w[0], w[1]), (w[2], w[3]), scale, placement);
        int size = N * scale;
        for (int o = 0; o < Out; o++)
            for (int p = 0; p < size; p++)
                for (int q = 0; q < size; q++)
                {
                    double sum = 0;
                    for (int block = 0; block < 2; block++)
                        for (int u = 0; u < M1; u++)
                            for (int v = 0; v < M2; v++)
                            {
                                int row = block == 0 ? u : N - M1 + u;
                                int target = block == 0 ? u : (placement == SpectralPlacement.Released ? N : size) - M1 + u;
                                Complex bin = 0;
                                for (int i = 0; i < In; i++)
                                    bin += Dft(x, i, row, v) * new Complex(w[block][i, o, u, v].item<float>(), w[2 + block][i, o, u, v].item<float>());
                                bin *= Complex.FromPolarCoordinates(1, 2 * Math.PI * ((double)target * p / size + (double)v * q / size));
                                sum += (v == 0 ? 1 : 2) * bin.Real;
                            }
                    Assert.Equal(sum, y[0, o, p, q].item<float>(), 4);
                }
    }

    [Fact]
    public void A_slow_wave_keeps_its_form_when_enlarged_only_where_negative_rows_are_recentred()
    {
        using var scope = NewDisposeScope();
        Tensor Wave(int n) => ((arange(n).unsqueeze(1) - arange(n).unsqueeze(0)) * (2 * Math.PI / n)).cos().reshape(1, 1, n, n).to_type(ScalarType.Float32);
        var one = ones(1, 1, 2, 2);
        Tensor Enlarged(SpectralPlacement placement) => SpectralConvolution.Forward(Wave(8), (one, one), (zeros_like(one), zeros_like(one)), 2, placement);
        ByHand.Close(Wave(16), Enlarged(SpectralPlacement.Recentred), 1e-4, 1e-5);
        Assert.True((Wave(16) - Enlarged(SpectralPlacement.Released)).abs().max().item<float>() > 0.5);
    }

    [Theory, InlineData(3, 2), InlineData(2, 4)]
    public void More_modes_than_frequencies_are_refused(int rows, int columns)
    {
        using var scope = NewDisposeScope();
        var w = zeros(1, 1, rows, columns);
        Assert.Contains("expected at most 4 rows and 3 columns", Assert.Throws<ArgumentException>(() => SpectralConvolution.Forward(zeros(1, 1, 4, 4), (w, w), (w, w), 1, SpectralPlacement.Released)).Message, StringComparison.Ordinal);
    }

    /// <summary>(1/HW) Σ x e^(−2πi(...)), in O(HW).</summary>
    private static Complex Dft(Tensor x, int channel, int u, int v)
    {
        long n = x.shape[2];
        Complex sum = 0;
        for (int a = 0; a < n; a++)
            for (int b = 0; b < n; b++)
                sum += x[0, channel, a, b].item<float>() * Complex.FromPolarCoordinates(1, -2 * Math.PI * (u * a + v * b) / n);
        return sum / (n * n);
    }

    private static Tensor Noise(int a, int b, int c, int d, ulong seed = 1)
    {
        var random = new Winnow.Core.SeededRandom(seed, "noise");
        return tensor([.. Enumerable.Range(0, a * b * c * d).Select(_ => (float)random.NextNormal())]).reshape(a, b, c, d);
    }
}
