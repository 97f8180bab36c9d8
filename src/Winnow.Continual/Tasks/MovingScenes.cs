using Winnow.Core;
using Winnow.Data;

namespace Winnow.Continual;

/// <summary>
/// Short videos made from single images: in each a few images of different classes travel along straight paths and turn, over a faint
/// ramp of its own. Sampling is bilinear; where images cover each other the brighter pixel is seen. The same seed gives the same bytes.
/// </summary>
internal static class MovingScenes
{
    /// <summary>A number that changes evenly.</summary>
    /// <param name="Start">In the first frame.</param>
    /// <param name="Rate">Change from the first frame to the last.</param>
    private readonly record struct Motion(double Start, double Rate)
    {
        public double At(double t) => Start + Rate * t;
    }

    private sealed record Sprite(float[] Pixels, double Scale, double Brightness, Motion X, Motion Y, Motion Angle);

    /// <summary>The scenes as images of bytes, each labelled with its scene. O(sessions · frames · sprites · size²).</summary>
    public static LabelledData Make(LabelledData images, VideoOptions options, SeededRandom random)
    {
        var (channels, size) = (images.Shape[0], options.Size);
        int frame = channels * size * size;
        var pixels = new byte[options.Sessions * options.Frames * frame];
        var names = new List<string>();
        for (int j = 0; j < options.Sessions; j++)
        {
            int[] rows = Rows(images, options.Sprites, random);
            names.Add($"{j + 1}: {string.Join(" and ", rows.Select(r => images.LabelNames[images.Labels[r]]))}");
            Sprite[] sprites = [.. rows.Select(r => Moving(images, r, size, random))];
            double[] ramp = [0.15 * random.NextDouble(), 0.15 * random.NextDouble(), 0.15 * random.NextDouble()];
            for (int i = 0; i < options.Frames; i++)
                Draw(sprites, images.Shape, ramp, (double)i / Math.Max(1, options.Frames - 1), size, pixels.AsSpan((j * options.Frames + i) * frame, frame));
        }
        int[] labels = [.. Enumerable.Range(0, options.Sessions * options.Frames).Select(i => i / options.Frames)];
        return LabelledData.FromImages($"scenes of moving {images.Name}", pixels, [channels, size, size], labels, names);
    }

    /// <summary>Rows of different classes, as far as there are enough.</summary>
    private static int[] Rows(LabelledData images, int count, SeededRandom random)
    {
        int[] classes = [.. Enumerable.Range(0, images.LabelNames.Count).Where(c => images.CountPerClass[c] > 0)];
        random.Shuffle(classes);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            int wanted = classes[i % classes.Length], skip = random.Next(images.CountPerClass[wanted]);
            return Enumerable.Range(0, images.Count).Where(r => images.Labels[r] == wanted).ElementAt(skip);
        })];
    }

    private static Sprite Moving(LabelledData images, int row, int size, SeededRandom random)
    {
        var values = new float[images.Width];
        images.CopyRows([row], values);
        double wide = size * (0.4 + 0.2 * random.NextDouble()), angle = Math.PI * (random.NextDouble() - 0.5);
        return new(values, wide / Math.Max(images.Shape[1], images.Shape[2]), 0.7 + 0.3 * random.NextDouble(), Path(), Path(), new(angle, Math.PI * (random.NextDouble() - 0.5)));

        Motion Path()
        {
            double from = size * (0.25 + 0.5 * random.NextDouble()), to = size * (0.25 + 0.5 * random.NextDouble());
            return new(from, to - from);
        }
    }

    private static void Draw(Sprite[] sprites, IReadOnlyList<int> shape, double[] ramp, double t, int size, Span<byte> frame)
    {
        for (int y = 0; y < size; y++)
            for (int x = 0; x < size; x++)
            {
                double ground = ramp[0] + ramp[1] * x / size + ramp[2] * y / size;
                for (int c = 0; c < shape[0]; c++)
                    frame[(c * size + y) * size + x] = (byte)Math.Round(255 * Math.Max(ground, sprites.Max(s => s.Brightness * At(s, x, y, c))));
            }

        double At(Sprite s, int x, int y, int c)
        {
            var (sin, cos) = Math.SinCos(s.Angle.At(t));
            double dx = (x + 0.5 - s.X.At(t)) / s.Scale, dy = (y + 0.5 - s.Y.At(t)) / s.Scale;
            return Bilinear(s.Pixels.AsSpan(c * shape[1] * shape[2]), shape[1], shape[2], cos * dy - sin * dx + shape[1] / 2.0 - 0.5, cos * dx + sin * dy + shape[2] / 2.0 - 0.5);
        }
    }

    /// <summary>The value between pixels; zero outside.</summary>
    private static double Bilinear(ReadOnlySpan<float> image, int height, int width, double y, double x)
    {
        var (top, left) = ((int)Math.Floor(y), (int)Math.Floor(x));
        double down = y - top, right = x - left, sum = 0;
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 2; j++)
                if ((uint)(top + i) < (uint)height && (uint)(left + j) < (uint)width)
                    sum += (i == 0 ? 1 - down : down) * (j == 0 ? 1 - right : right) * image[(top + i) * width + left + j];
        return sum;
    }
}
