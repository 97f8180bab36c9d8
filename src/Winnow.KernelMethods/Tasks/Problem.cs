using System.Globalization;
using System.Numerics;
using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>What is learned from, what is asked, and what the answers are.</summary>
/// <param name="Train">Rows learned from.</param>
/// <param name="X">Rows asked for, float64 [m, d].</param>
/// <param name="Labels">Their labels.</param>
/// <param name="Names">The classes' names.</param>
internal sealed record Problem(TrainingRows Train, Tensor X, int[] Labels, IReadOnlyList<string> Names)
{
    private const int MostDraws = 1000;

    /// <summary>What the features are called; null where they have no names.</summary>
    public Features? Features { get; init; }

    /// <summary>Rows of a user's data, scaled by the mean and deviation of those learned from.</summary>
    public static Problem Of(LabelledData data, ClassifyOptions o, Func<string, SeededRandom> random)
    {
        int[] order = Shuffled(data.Count, random("split"));
        int test = Math.Min(o.Test, data.Count / 2);
        int[] left = order[test..];
        int[] train = left.Length <= o.Rows ? left : Split.Among(data, left, (double)o.Rows / left.Length, random("rows")).Test;
        var scale = Standardiser.Fit(data, train);
        return new(new(Rows(data, train, scale), LabelsOf(data, train), data.LabelNames.Count), Rows(data, order[..test], scale), LabelsOf(data, order[..test]), data.LabelNames) { Features = Named(data.Rows, scale) };
    }

    /// <summary>Columns by their header, pixels by their place; others, and hashed words, by their number.</summary>
    private static Features Named(RowData data, Standardiser scale)
    {
        var layout = data.Layout;
        int run = data.Width / scale.Mean.Count;
        double[] Each(IReadOnlyList<float> of) => [.. Enumerable.Range(0, data.Width).Select(j => (double)of[j / run] * layout.Divisor)];
        return new([.. Enumerable.Range(0, data.Width).Select(Name)], Each(scale.Mean), Each(scale.Scale));

        string Name(int j)
        {
            if (layout.FeatureNames is { } names && names.Count == data.Width)
                return names[j];
            if (!layout.IsImage)
                return string.Create(CultureInfo.InvariantCulture, $"feature {j + 1}");
            int height = layout.Shape[1], width = layout.Shape[2];
            return string.Create(CultureInfo.InvariantCulture, $"pixel {j / width % height + 1}, {j % width + 1}{(layout.Shape[0] > 1 ? $" of channel {j / width / height + 1}" : "")}");
        }
    }

    /// <summary>A few rows of each class, rows to choose by, and names: noisy directions of the means of yet other rows.</summary>
    /// <exception cref="InputException">A class has too few rows.</exception>
    public static Problem Of(LabelledData data, FewShotOptions o, Func<string, SeededRandom> random)
    {
        int[] order = Shuffled(data.Count, random("split"));
        int test = Math.Min(o.Test, data.Count / 3), validation = Math.Min(o.Validation, data.Count / 6);
        int[] left = order[(test + validation)..];
        var byClass = left.ToLookup(i => data.Labels[i]);
        for (int c = 0; c < data.LabelNames.Count; c++)
            if (byClass[c].Count() <= o.Shots)
                throw InputException.At("data", $"{byClass[c].Count()} rows of class '{data.LabelNames[c]}' beside those for testing", $"more than {o.Shots}, the rows of a class learned from", "Take fewer shots (task.shots) or rows to test on (task.test).");
        int classes = data.LabelNames.Count;
        int[] train = [.. Enumerable.Range(0, classes).SelectMany(c => byClass[c].Take(o.Shots))];
        var scale = Standardiser.Fit(data, left);
        using var scope = NewDisposeScope();
        var noise = random("names");
        var names = stack([.. Enumerable.Range(0, classes).Select(c =>
        {
            var mean = Cosine.Unit(Rows(data, [.. byClass[c].Skip(o.Shots)], scale).mean([0], keepdim: true));
            var wrong = Aligned.Of([.. Enumerable.Range(0, (int)mean.shape[1]).Select(_ => noise.NextNormal())], 1, mean.shape[1]);
            return (mean + Cosine.Unit(wrong) * o.NameNoise).squeeze(0);
        })]).MoveToOuterDisposeScope();
        TrainingRows Made(int[] rows) => new(Rows(data, rows, scale).MoveToOuterDisposeScope(), LabelsOf(data, rows), classes);
        var own = Made(train);
        return new(new(own.X, own.Labels, classes) { Names = names, Validation = validation == 0 ? null : Made(order[test..(test + validation)]) }, Rows(data, order[..test], scale).MoveToOuterDisposeScope(), LabelsOf(data, order[..test]), data.LabelNames);
    }

    /// <summary>Rows whose class a circuit decides: the sign of <c>⟨ψ(x)| V† Z…Z V |ψ(x)⟩</c> for a random unitary V, kept where it is larger than a gap.</summary>
    public static Problem Of(AdHocOptions o, Func<string, SeededRandom> random)
    {
        using var scope = NewDisposeScope();
        var source = random("ad-hoc");
        int size = 1 << o.Qubits;
        var unitary = Unitary(size, source);
        var circuit = new QuantumKernel(new());
        int wanted = o.Rows + o.Test;
        var found = new List<double[]>[] { [], [] };
        for (int draw = 0; draw < MostDraws && found.Any(f => f.Count < wanted); draw++)
        {
            const int some = 256;
            double[] angles = [.. Enumerable.Range(0, some * o.Qubits).Select(_ => 2 * Math.PI * (1 - source.NextDouble()))];
            var (real, imaginary) = circuit.States(Aligned.Of(angles, some, o.Qubits));
            double[] re = real.data<double>().ToArray(), im = imaginary.data<double>().ToArray();
            for (int i = 0; i < some; i++)
            {
                double expectation = 0;
                for (int b = 0; b < size; b++)
                {
                    Complex amplitude = 0;
                    for (int a = 0; a < size; a++)
                        amplitude += unitary[b][a] * new Complex(re[i * size + a], im[i * size + a]);
                    expectation += (BitOperations.PopCount((uint)b) % 2 == 0 ? 1 : -1) * (amplitude.Real * amplitude.Real + amplitude.Imaginary * amplitude.Imaginary);
                }
                if (Math.Abs(expectation) >= o.Gap && found[expectation > 0 ? 1 : 0] is { } of && of.Count < wanted)
                    of.Add(angles[(i * o.Qubits)..((i + 1) * o.Qubits)]);
            }
        }
        if (found.Any(f => f.Count < wanted))
            throw InputException.At("task.gap", $"{found.Min(f => f.Count)} rows of a class beyond {o.Gap} among {MostDraws * 256:N0}", $"{wanted}", "Take a smaller gap, or fewer rows.");
        Tensor Made(int first, int count) => Aligned.Of([.. found.SelectMany(f => f.Skip(first).Take(count)).SelectMany(x => x)], 2 * count, o.Qubits).MoveToOuterDisposeScope();
        int[] Both(int count) => [.. Enumerable.Repeat(0, count), .. Enumerable.Repeat(1, count)];
        return new(new(Made(0, o.Rows), Both(o.Rows), 2), Made(o.Rows, o.Test), Both(o.Test), ["minus", "plus"]);
    }

    /// <summary>Rows of a random unitary matrix: normal numbers, made orthonormal.</summary>
    private static Complex[][] Unitary(int size, SeededRandom random)
    {
        Complex[][] rows = [.. Enumerable.Range(0, size).Select(_ => Enumerable.Range(0, size).Select(_ => new Complex(random.NextNormal(), random.NextNormal())).ToArray())];
        for (int i = 0; i < size; i++)
        {
            for (int j = 0; j < i; j++)
            {
                Complex along = 0;
                for (int k = 0; k < size; k++)
                    along += Complex.Conjugate(rows[j][k]) * rows[i][k];
                for (int k = 0; k < size; k++)
                    rows[i][k] -= along * rows[j][k];
            }
            double norm = Math.Sqrt(rows[i].Sum(v => v.Real * v.Real + v.Imaginary * v.Imaginary));
            for (int k = 0; k < size; k++)
                rows[i][k] /= norm;
        }
        return rows;
    }

    private static int[] Shuffled(int count, SeededRandom random)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        random.Shuffle(order);
        return order;
    }

    private static int[] LabelsOf(LabelledData data, int[] rows)
    {
        int[] labels = new int[rows.Length];
        for (int i = 0; i < rows.Length; i++)
            labels[i] = data.Labels[rows[i]];
        return labels;
    }

    private static Tensor Rows(LabelledData data, int[] rows, Standardiser scale)
    {
        float[] values = new float[(long)rows.Length * data.Width];
        data.CopyRows(rows, values);
        scale.Apply(values);
        return Aligned.Of(Array.ConvertAll(values, v => (double)v), rows.Length, data.Width);
    }
}
