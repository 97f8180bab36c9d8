using System.Text.Json;
using Winnow.Core;

namespace Winnow.Data;

/// <summary>
/// Shifts and scales examples to mean 0 and standard deviation 1, per feature of a table and per channel of an image, with
/// numbers taken from training rows only. A feature that is constant there keeps scale 1.
/// <para>Hashed text is not shifted, so that its zeros stay zeros, and all its features have one scale, their root mean square: a scale of its
/// own would make a rare word as loud as all others together.</para>
/// </summary>
public sealed class Standardiser
{
    private const int Block = 1024;
    private readonly float[] _mean;
    private readonly float[] _scale;
    private readonly int _run;

    private Standardiser(float[] mean, float[] scale, int run) => (_mean, _scale, _run) = (mean, scale, run);

    /// <summary>Mean per feature or channel.</summary>
    public IReadOnlyList<float> Mean => _mean;

    /// <summary>Standard deviation (divided by n) per feature or channel; 1 where it would be 0.</summary>
    public IReadOnlyList<float> Scale => _scale;

    /// <summary>Numbers per example.</summary>
    public int Width => _mean.Length * _run;

    /// <summary>Leaves examples as they are.</summary>
    /// <param name="features">Numbers per example.</param>
    public static Standardiser Identity(int features)
    {
        var scale = new float[features];
        Array.Fill(scale, 1);
        return new(new float[features], scale, 1);
    }

    /// <summary>Takes mean and deviation from training rows, in double precision and two passes. O(rows · width) time, a block of rows of memory.</summary>
    /// <param name="data">The data.</param>
    /// <param name="trainingRows">At least one row.</param>
    /// <exception cref="ArgumentException">No rows.</exception>
    public static Standardiser Fit(LabelledData data, ReadOnlySpan<int> trainingRows)
    {
        ArgumentNullException.ThrowIfNull(data);
        return Fit(data.Rows, trainingRows);
    }

    /// <inheritdoc cref="Fit(LabelledData, ReadOnlySpan{int})"/>
    public static Standardiser Fit(RowData data, ReadOnlySpan<int> trainingRows)
    {
        ArgumentNullException.ThrowIfNull(data);
        if (trainingRows.IsEmpty)
            throw new ArgumentException("No training rows to take mean and deviation from.", nameof(trainingRows));
        if (data.Layout.TextColumns is not null)
            return new([0], [(float)(1 / Math.Sqrt(data.Width))], data.Width); // rows have length 1
        int groups = data.Layout.Shape[0], run = data.Width / groups;
        var sum = new double[groups];
        var squares = new double[groups];
        var least = new float[groups];
        var greatest = new float[groups];
        Array.Fill(least, float.PositiveInfinity);
        Array.Fill(greatest, float.NegativeInfinity);
        double n = (double)trainingRows.Length * run;

        ForEach(data, trainingRows, groups, run, (g, values) =>
        {
            foreach (float x in values)
            {
                sum[g] += x;
                least[g] = Math.Min(least[g], x);
                greatest[g] = Math.Max(greatest[g], x);
            }
        });
        var mean = Array.ConvertAll(sum, s => s / n);
        ForEach(data, trainingRows, groups, run, (g, values) =>
        {
            foreach (float x in values)
                squares[g] += (x - mean[g]) * (x - mean[g]);
        });

        var scale = new float[groups];
        for (int g = 0; g < groups; g++)
        {
            float deviation = (float)Math.Sqrt(squares[g] / n);
            scale[g] = least[g] < greatest[g] && deviation > 0 ? deviation : 1;
        }
        return new(Array.ConvertAll(mean, m => (float)m), scale, run);
    }

    /// <summary>Standardises examples in place.</summary>
    /// <param name="rows">Row-major [n, Width].</param>
    /// <exception cref="ArgumentException">The length is not a whole number of examples.</exception>
    public void Apply(Span<float> rows)
    {
        if (rows.Length % Width != 0)
            throw new ArgumentException($"{rows.Length} numbers are not a whole number of examples of {Width}.", nameof(rows));
        for (int start = 0, g = 0; start < rows.Length; start += _run, g = g + 1 == _mean.Length ? 0 : g + 1)
        {
            float mean = _mean[g], scale = _scale[g];
            foreach (ref float x in rows.Slice(start, _run))
                x = (x - mean) / scale;
        }
    }

    /// <summary>The numbers as JSON: <c>{"mean": [...], "scale": [...], "run": n}</c>.</summary>
    public string ToJson() => JsonSerializer.Serialize(new Saved(_mean, _scale, _run), WinnowJson.Options);

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <param name="json">The text.</param>
    /// <param name="where">File it comes from, for the error.</param>
    /// <exception cref="InputException">It is not the preprocessing of a kept model.</exception>
    public static Standardiser FromJson(string json, string where)
    {
        const string expected = "{\"mean\": [...], \"scale\": [...], \"run\": n} with as many finite means as positive scales";
        const string remedy = "Keep the model again.";
        try
        {
            var saved = JsonSerializer.Deserialize<Saved>(json, WinnowJson.Options);
            bool whole = saved is { Mean: { Length: > 0 } mean, Scale: { } scale, Run: > 0 } && mean.Length == scale.Length
                && mean.All(float.IsFinite) && scale.All(s => float.IsFinite(s) && s > 0) && (long)mean.Length * saved.Run <= int.MaxValue;
            return whole ? new(saved!.Mean, saved.Scale, saved.Run) : throw InputException.At(where, "preprocessing that does not fit together", expected, remedy);
        }
        catch (JsonException e)
        {
            throw InputException.At($"{where}, line {(e.LineNumber ?? 0) + 1}", "text that is not the JSON of a standardiser", expected, remedy);
        }
    }

    private static void ForEach(RowData data, ReadOnlySpan<int> rows, int groups, int run, Action<int, ReadOnlySpan<float>> visit)
    {
        int block = Math.Clamp((1 << 20) / data.Width, 1, Block);
        var buffer = new float[Math.Min(block, rows.Length) * data.Width];
        for (int start = 0; start < rows.Length; start += block)
        {
            var part = rows.Slice(start, Math.Min(block, rows.Length - start));
            data.CopyRows(part, buffer);
            for (int i = 0, at = 0; i < part.Length; i++)
                for (int g = 0; g < groups; g++, at += run)
                    visit(g, buffer.AsSpan(at, run));
        }
    }

    private sealed record Saved(float[] Mean, float[] Scale, int Run);
}
