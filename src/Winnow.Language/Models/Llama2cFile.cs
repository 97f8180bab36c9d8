using Winnow.Core;
using Winnow.Numerics;

namespace Winnow.Language;

/// <summary>
/// Model files of llama2.c, version 0: seven 32-bit sizes (width, hidden width, layers, heads, key-value heads, vocabulary, negative for a head of its own, context),
/// then float32 weights, matrix by matrix for all layers, and two tables of rotary angles that are not read. Mapped, not copied.
/// </summary>
public static unsafe class Llama2cFile
{
    private const int HeaderBytes = 28;

    /// <summary>Whether a file looks like one: sizes in range, and as long as they say.</summary>
    public static bool Is(string path)
    {
        try
        {
            using var file = new MappedFile(path);
            return file.Length >= HeaderBytes && Header(file, path) is var shape && file.Length == Length(shape);
        }
        catch (InputException)
        {
            return false;
        }
    }

    /// <summary>Maps the weights of a file.</summary>
    /// <exception cref="InputException">It is cut short, longer than its sizes say, or its sizes are none.</exception>
    public static LlamaWeights Load(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        var file = new MappedFile(path);
        try
        {
            var s = Header(file, path);
            if (file.Length != Length(s))
                throw InputException.At(path, $"{file.Length:N0} bytes", $"{Length(s):N0}, as its sizes say (width {s.Width}, hidden {s.Hidden}, {s.Layers} layers, {s.Heads} and {s.KeyValueHeads} heads, vocabulary {s.Vocabulary}, context {s.Context})", "The file is cut short or of another kind: get it again.");
            long at = HeaderBytes;
            int keys = s.KeyValueHeads * s.HeadWidth, n = s.Layers;
            var embedding = Matrices(1, s.Vocabulary, s.Width)[0];
            float[][] attentionNorms = Vectors(n, s.Width);
            WeightMatrix[] q = Matrices(n, s.Width, s.Width), k = Matrices(n, keys, s.Width), v = Matrices(n, keys, s.Width), o = Matrices(n, s.Width, s.Width);
            float[][] feedForwardNorms = Vectors(n, s.Width);
            WeightMatrix[] gate = Matrices(n, s.Hidden, s.Width), down = Matrices(n, s.Width, s.Hidden), up = Matrices(n, s.Hidden, s.Width);
            float[] final = Vectors(1, s.Width)[0];
            at += 2L * s.Context * s.HeadWidth / 2 * sizeof(float);
            var head = s.TiedHead ? embedding : Matrices(1, s.Vocabulary, s.Width)[0];
            return new(s, embedding, [.. Enumerable.Range(0, n).Select(l => new LlamaLayer(attentionNorms[l], q[l], k[l], v[l], o[l], feedForwardNorms[l], gate[l], up[l], down[l]))], final, head, file);

            WeightMatrix[] Matrices(int count, int rows, int columns)
            {
                var made = new WeightMatrix[count];
                for (int i = 0; i < count; i++, at += 4L * rows * columns)
                    made[i] = WeightMatrix.Over(WeightType.Float32, rows, columns, file.At(at, 4L * rows * columns));
                return made;
            }

            float[][] Vectors(int count, int length)
            {
                var made = new float[count][];
                for (int i = 0; i < count; i++, at += 4L * length)
                    made[i] = new ReadOnlySpan<float>(file.At(at, 4L * length), length).ToArray();
                return made;
            }
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static LlamaShape Header(MappedFile file, string path)
    {
        int* h = (int*)file.At(0, HeaderBytes);
        int width = h[0], heads = h[3];
        if (width < 1 || heads < 1 || width % heads != 0 || h[5] == int.MinValue)
            throw InputException.At(path, $"width {width} and {heads} heads", "a width that the heads divide", "This is no model of llama2.c.");
        return new LlamaShape { Width = width, Hidden = h[1], Layers = h[2], Heads = heads, KeyValueHeads = h[4], HeadWidth = width / heads, Vocabulary = Math.Abs(h[5]), Context = h[6], TiedHead = h[5] > 0, RopeInterleaved = true }.Checked(path);
    }

    private static long Length(LlamaShape s) => HeaderBytes + 4 * (s.Parameters + (long)s.Context * s.HeadWidth);
}
