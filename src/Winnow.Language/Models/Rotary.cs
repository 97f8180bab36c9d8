namespace Winnow.Language;

/// <summary>Positions as rotations (Su et al., RoFormer, 2021): pair i of a head at position p turns by p · θ^(-2i/d).</summary>
internal static unsafe class Rotary
{
    /// <summary>Cosines and sines [positions, d/2].</summary>
    public static void Tables(LlamaShape s, int positions, float* cosines, float* sines)
    {
        int half = s.HeadWidth / 2;
        for (int i = 0; i < half; i++)
        {
            double frequency = Math.Pow(s.RopeBase, -2.0 * i / s.HeadWidth);
            frequency = s.RopeScaling?.Of(frequency) ?? frequency;
            for (int p = 0; p < positions; p++)
                (sines[(long)p * half + i], cosines[(long)p * half + i]) = ((float)Math.Sin(p * frequency), (float)Math.Cos(p * frequency));
        }
    }

    /// <summary>Turns a head in place.</summary>
    public static void Turn(float* x, int d, float* cos, float* sin, bool interleaved)
    {
        for (int i = 0; i < d / 2; i++)
        {
            int a = interleaved ? 2 * i : i, b = interleaved ? 2 * i + 1 : i + d / 2;
            (x[a], x[b]) = (x[a] * cos[i] - x[b] * sin[i], x[a] * sin[i] + x[b] * cos[i]);
        }
    }
}

/// <summary>The rotations of a model's heads, for keys that are kept unrotated.</summary>
public sealed unsafe class RotaryTable
{
    private readonly float[] _cosines, _sines, _backward;
    private readonly int _width, _positions;
    private readonly bool _interleaved;

    /// <summary>The rotations of positions 0 to positions - 1. Memory: positions · head width · 1.5 numbers.</summary>
    public RotaryTable(LlamaShape shape, int positions)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentOutOfRangeException.ThrowIfLessThan(positions, 1);
        (_width, _positions, _interleaved) = (shape.HeadWidth, positions, shape.RopeInterleaved);
        (_cosines, _sines) = (new float[(long)positions * _width / 2], new float[(long)positions * _width / 2]);
        fixed (float* c = _cosines, s = _sines)
            Rotary.Tables(shape, positions, c, s);
        _backward = [.. _sines.Select(s => -s)];
    }

    /// <summary>Positions it has rotations of.</summary>
    public int Positions => _positions;

    /// <summary>Rotates a head in place to a position.</summary>
    public void Turn(Span<float> head, int position) => Turn(head, position, _sines);

    /// <summary>Takes a rotation back.</summary>
    public void TurnBack(Span<float> head, int position) => Turn(head, position, _backward);

    private void Turn(Span<float> head, int position, float[] sines)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(head.Length, _width);
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(position, _positions);
        long at = (long)position * _width / 2;
        fixed (float* x = head, c = _cosines, s = sines)
            Rotary.Turn(x, _width, c + at, s + at, _interleaved);
    }
}
