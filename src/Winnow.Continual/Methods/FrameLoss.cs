using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>
/// How far frames are from what they should be: <c>(1 − w) · mean |y − f| + w · (1 − SSIM(y, f))</c>. SSIM is that of Wang et al. 2004 for values in
/// [0, 1]: K₁ = 0.01, K₂ = 0.03, a Gaussian window of 11×11 pixels and deviation 1.5 (the largest odd window that fits smaller frames),
/// only where the window lies within the frame, averaged over positions, channels and frames.
/// </summary>
internal static class FrameLoss
{
    /// <summary>The loss of answers [B, C, H, W], a scalar on the tape.</summary>
    public static Tensor Of(Tensor answers, Tensor frames, double ssim)
    {
        var loss = (1 - ssim) * (answers - frames).abs().mean();
        return ssim == 0 ? loss : loss + ssim * (1 - Ssim(answers, frames));
    }

    /// <summary>Mean structural similarity of two stacks of frames [B, C, H, W], a scalar on the tape.</summary>
    public static Tensor Ssim(Tensor a, Tensor b)
    {
        const double C1 = 0.01 * 0.01, C2 = 0.03 * 0.03;
        long height = a.shape[2], width = a.shape[3], rows = a.shape[0] * a.shape[1];
        // The five moments pass the window as one batch.
        var moments = Window(Window(cat([a, b, a * a, b * b, a * b]).reshape(5 * rows, 1, height, width), vertical: true), vertical: false);
        Tensor Moment(int i) => moments.narrow(0, i * rows, rows);
        var (meanA, meanB) = (Moment(0), Moment(1));
        var (squareA, squareB, product) = (meanA * meanA, meanB * meanB, meanA * meanB);
        var structure = (2 * (Moment(4) - product) + C2) / (Moment(2) - squareA + (Moment(3) - squareB) + C2);
        return ((2 * product + C1) / (squareA + squareB + C1) * structure).mean();

        Tensor Window(Tensor x, bool vertical)
        {
            float[] gauss = Gauss((int)Math.Min(11, ((vertical ? height : width) - 1) / 2 * 2 + 1));
            return F.conv2d(x, vertical ? tensor(gauss).reshape(1, 1, -1, 1) : tensor(gauss).reshape(1, 1, 1, -1));
        }
    }

    private static float[] Gauss(int length)
    {
        double[] weights = [.. Enumerable.Range(0, length).Select(i => Math.Exp(-Math.Pow(i - length / 2, 2) / (2 * 1.5 * 1.5)))];
        return [.. weights.Select(w => (float)(w / weights.Sum()))];
    }
}
