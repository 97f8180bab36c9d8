using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics.Tensors;
using MathNet.Numerics.LinearAlgebra;
using Winnow.Core;
using Winnow.Language;
using Winnow.Numerics;

namespace Winnow.KvCache;

/// <summary>Where <see cref="Cskv"/> begins.</summary>
public enum CskvInit
{
    /// <summary>Singular vectors of the projection, each input weighed by its mean size.</summary>
    Asvd,

    /// <summary>Singular vectors of the projection.</summary>
    Svd,

    /// <summary>Random numbers.</summary>
    Random,
}

/// <summary>Options of <see cref="Cskv"/>.</summary>
public sealed record CskvOptions : BudgetOptions
{
    /// <summary>Width of narrow keys.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("width of a narrow key, as a share of a key")]
    public double KeyDensity { get; init; } = 0.25;

    /// <summary>Width of narrow values.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("width of a narrow value, as a share of a value")]
    public double ValueDensity { get; init; } = 0.25;

    /// <summary>Tokens of the window.</summary>
    [Range(0, 65536), Description("tokens after which exact keys and values are dropped; 0: at once")]
    public int Window { get; init; } = 32;

    /// <summary>Where training begins.</summary>
    [Description("where training begins")]
    public CskvInit Init { get; init; } = CskvInit.Asvd;

    /// <summary>α of the weighed decomposition.</summary>
    [Range(0.0, 2.0), Description("α: inputs are weighed by their mean size to this power")]
    public double Alpha { get; init; } = 0.5;

    /// <summary>Passes over the texts.</summary>
    [Range(0, 100_000), Description("passes over the texts; 0: no training")]
    public int Epochs { get; init; } = 20;

    /// <summary>Step size.</summary>
    [Range(0.0, 1.0), Description("step size of AdamW")]
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Bits trained for.</summary>
    [AllowedValues(0, 2, 4, 8), Description("bits that narrow rows are rounded to while training, for an encoder after it; 0: none")]
    public int TrainBits { get; init; }
}

/// <summary>
/// CSKV: keeps a narrow linear picture of each layer's input in place of keys and values, and short stretches of exact ones; the narrow projections are trained, layer by layer, to give keys and values back.
/// <para>Paper: Wang, Yang, Ning, Xu, Zhang, Liu and Wang, CSKV: training-efficient channel shrinking for KV cache in long-context scenarios, arXiv 2409.10593 (2024).
/// K ≈ B·(A·x) with A [heads·c, width], B [heads·head width, heads·c]; the rank is that of all heads together. Loss: mean square of K̂ - K and V̂ - V of each layer, before rotation,
/// which changes no lengths. Differs: the paper's step of 5e-5 is for a billion weights and one pass; rounding in training is the policy's own (least number and step, Kivi's), the released
/// one is <see cref="IntegerZero"/>.</para>
/// <para>Numbers kept a token: 2 · density · heads · head width, and exact ones of at most a window; A and B are counted as shared. Cost of a token: O(tokens · c·heads · heads · head width) a layer for keys.</para>
/// </summary>
public sealed class Cskv(KvSetup setup, CskvOptions options) : IProjector, IPrepared, IScaled
{
    private Projection[]? _keys, _values;

    /// <summary>The narrow projections of each layer, after <see cref="Prepare"/>.</summary>
    internal (IReadOnlyList<Projection> Keys, IReadOnlyList<Projection> Values) Projections => (Prepared(_keys), Prepared(_values));

    /// <inheritdoc/>
    public IKvStage At(double share) => new Cskv(setup, options with { KeyDensity = share, ValueDensity = share });

    /// <inheritdoc/>
    public void Prepare(LlamaWeights model, IReadOnlyList<int[]> texts, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(texts);
        var s = model.Shape;
        if (s.AttentionBias || s.QueryKeyNorm)
            throw InputException.At("cskv", s.AttentionBias ? "biases of keys" : "normed keys", "keys that are a matrix times the input", "Take another method for this model.");
        int longest = texts.Max(t => t.Length);
        var rotary = new RotaryTable(s, longest);
        using var session = new LlamaSession(model, longest);
        Prompt[] prompts = [.. texts.Select(text =>
        {
            session.Rewind(0);
            return Prompt.Read(session, s, text, rotary, cancellation);
        })];
        _keys = [.. Enumerable.Range(0, s.Layers).Select(l => Learn(l, model.Layers[l].Key, options.KeyDensity, "k"))];
        _values = [.. Enumerable.Range(0, s.Layers).Select(l => Learn(l, model.Layers[l].Value, options.ValueDensity, "v"))];

        Projection Learn(int layer, WeightMatrix weights, double density, string name)
        {
            int c = (int)(density * s.HeadWidth);
            if (c == 0)
                throw InputException.At("cskv.density", FormattableString.Invariant($"{density} of {s.HeadWidth} channels"), "at least one channel a head", FormattableString.Invariant($"Take at least {1.0 / s.HeadWidth:G3}."));
            var w = Matrix<float>.Build.Dense(weights.Rows, weights.Columns);
            float[] row = new float[weights.Columns];
            for (int r = 0; r < weights.Rows; r++)
            {
                Read(weights, r, row);
                w.SetRow(r, row);
            }
            Matrix<float>[] inputs = [.. prompts.Select(p => Matrix<float>.Build.Dense(p.Count, s.Width, (t, i) => p.Inputs(layer)[t * s.Width + i]))];
            double[] size = [.. Enumerable.Range(0, s.Width).Select(i => inputs.Sum(x => x.Column(i).Sum(Math.Abs) / (double)x.RowCount))];
            var narrow = Start(w, c * s.KeyValueHeads, options.Init, size, options.Alpha, setup.Random($"cskv/{name}/{layer}"));
            Train(narrow, w, inputs, options, isKey: name == "k", s.KeyValueHeads, cancellation);
            return Projection.Of(narrow, s.KeyValueHeads);
        }
    }

    private static unsafe void Read(WeightMatrix weights, int row, float[] to)
    {
        fixed (float* p = to)
            weights.Read(row, p);
    }

    private static Projection[] Prepared(Projection[]? made) => made ?? throw InputException.At("cskv", "projections that were not learned", "texts to learn them from", "Call Prepare first.");

    /// <summary>A narrow projection while it is trained: W ≈ B·A.</summary>
    internal sealed record Narrow(Matrix<float> A, Matrix<float> B);

    /// <summary>A narrow projection as caches use it, one for all of a layer.</summary>
    /// <param name="Rank">Numbers of a narrow row.</param>
    /// <param name="Shrink">A [rank, width].</param>
    /// <param name="Widen">B by head [heads, rank, head width].</param>
    internal sealed record Projection(int Rank, float[] Shrink, float[] Widen)
    {
        public long Bytes => sizeof(float) * (Shrink.LongLength + Widen.LongLength);

        public static Projection Of(Narrow narrow, int heads)
        {
            int rank = narrow.A.RowCount, d = narrow.B.RowCount / heads;
            var widen = new float[narrow.B.RowCount * rank];
            for (int h = 0; h < heads; h++)
                for (int k = 0; k < rank; k++)
                    for (int i = 0; i < d; i++)
                        widen[(h * rank + k) * d + i] = narrow.B[h * d + i, k];
            return new(rank, narrow.A.ToRowMajorArray(), widen);
        }

        /// <summary>A·x.</summary>
        public void Times(ReadOnlySpan<float> x, Span<float> narrow)
        {
            for (int k = 0; k < Rank; k++)
                narrow[k] = TensorPrimitives.Dot(Shrink.AsSpan(k * x.Length, x.Length), x);
        }
    }

    /// <summary>The first A and B: half of each singular value goes to either.</summary>
    internal static Narrow Start(Matrix<float> w, int rank, CskvInit init, IReadOnlyList<double> size, double alpha, SeededRandom? random)
    {
        if (init == CskvInit.Random)
            return new(Matrix<float>.Build.Dense(rank, w.ColumnCount, (_, _) => (float)(random!.NextNormal() / Math.Sqrt(w.ColumnCount))), Matrix<float>.Build.Dense(w.RowCount, rank, (_, _) => (float)(random!.NextNormal() / Math.Sqrt(rank))));
        double[] scale = [.. size.Select(x => init == CskvInit.Asvd ? Math.Pow(x + 1e-6, alpha) : 1)];
        // B·A·diag(scale) is the nearest to W·diag(scale)
        var svd = w.ToDouble().MapIndexed((_, j, v) => v * scale[j], Zeros.Include).Svd();
        return new(Matrix<float>.Build.Dense(rank, w.ColumnCount, (k, j) => (float)(Math.Sqrt(svd.S[k]) * svd.VT[k, j] / scale[j])),
            Matrix<float>.Build.Dense(w.RowCount, rank, (i, k) => (float)(svd.U[i, k] * Math.Sqrt(svd.S[k]))));
    }

    /// <summary>AdamW on the mean square of B·q(A·x) - W·x, text by text; rounding q lets gradients through.</summary>
    internal static void Train(Narrow narrow, Matrix<float> w, IReadOnlyList<Matrix<float>> texts, CskvOptions o, bool isKey, int heads, CancellationToken cancellation)
    {
        var (a, b) = (new Adam(narrow.A, o.LearningRate), new Adam(narrow.B, o.LearningRate));
        for (int epoch = 0; epoch < o.Epochs; epoch++)
            foreach (var x in texts)
            {
                cancellation.ThrowIfCancellationRequested();
                var (_, dA, dB) = Gradient(narrow, w, x, o, isKey, heads);
                a.Step(dA);
                b.Step(dB);
            }
    }

    /// <summary>Loss of a text, and its gradients.</summary>
    internal static (double Loss, Matrix<float> A, Matrix<float> B) Gradient(Narrow narrow, Matrix<float> w, Matrix<float> x, CskvOptions o, bool isKey, int heads)
    {
        var z = x.TransposeAndMultiply(narrow.A);
        var rounded = o.TrainBits == 0 ? z : Rounded(z, o, isKey, heads);
        var error = rounded.TransposeAndMultiply(narrow.B) - x.TransposeAndMultiply(w);
        float scale = 2f / (error.RowCount * error.ColumnCount);
        return (error.Enumerate().Sum(e => (double)e * e) / (error.RowCount * error.ColumnCount), scale * (error * narrow.B).TransposeThisAndMultiply(x), scale * error.TransposeThisAndMultiply(rounded));
    }

    /// <summary>Keys along the tokens of a window in each channel, values along the channels of a head in each token.</summary>
    private static Matrix<float> Rounded(Matrix<float> z, CskvOptions o, bool isKey, int heads)
    {
        var y = z.Clone();
        int window = Math.Max(1, o.Window), c = z.ColumnCount / heads;
        if (isKey)
        {
            for (int j = 0; j < z.ColumnCount; j++)
                for (int t = 0; t + window <= z.RowCount; t += window)
                    y.SetSubMatrix(t, j, Vector<float>.Build.Dense(Round(z.Column(j, t, window).ToArray())).ToColumnMatrix());
            return y;
        }
        for (int t = 0; t < z.RowCount; t++)
            for (int h = 0; h < heads; h++)
                y.SetSubMatrix(t, h * c, Vector<float>.Build.Dense(Round(z.Row(t, h * c, c).ToArray())).ToRowMatrix());
        return y;

        float[] Round(float[] group)
        {
            byte[] codes = new byte[group.Length];
            var (step, min) = Kivi.Quantise<float>(group, o.TrainBits, codes);
            return [.. codes.Select(k => k * step + min)];
        }
    }

    /// <summary>
    /// The released rounding, with a whole number for zero: <c>s = max(max - min, 1e-5) / (2^b - 1)</c>, <c>z = clamp(-round(min/s), 0, 2^b - 1)</c>, <c>y = (clamp(round(x/s) + z, 0, 2^b - 1) - z)·s</c>.
    /// A group that does not hold 0 is cut off. Gradients pass where the number is strictly within what codes reach.
    /// </summary>
    /// <param name="group">x.</param>
    /// <param name="bits">b.</param>
    /// <param name="rounded">y.</param>
    /// <param name="passes">Where gradients pass.</param>
    public static void IntegerZero(ReadOnlySpan<double> group, int bits, Span<double> rounded, Span<bool> passes)
    {
        double most = (1 << bits) - 1, min = TensorPrimitives.Min(group);
        double step = Math.Max(TensorPrimitives.Max(group) - min, 1e-5) / most, zero = Math.Clamp(-Math.Round(min / step), 0, most);
        for (int i = 0; i < group.Length; i++)
        {
            rounded[i] = (Math.Clamp(Math.Round(group[i] / step) + zero, 0, most) - zero) * step;
            passes[i] = !(group[i] >= step * (most - zero) || group[i] <= -step * zero);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<LayerCache> Project(Prompt prompt, IReadOnlyList<int[]> positions, IEncoder encoder)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(positions);
        ArgumentNullException.ThrowIfNull(encoder);
        var (keys, values) = (Prepared(_keys), Prepared(_values));
        return [.. positions.Select((tokens, l) => NarrowCache.Of(prompt, l, tokens, keys[l], values[l], encoder, options.Window))];
    }

    private sealed class NarrowCache : LayerCache
    {
        private readonly LlamaShape _s;
        private readonly RotaryTable _rotary;
        private readonly Projection _keys, _values;
        private readonly int[]? _tokens; // null where none was left out
        private readonly int _window, _seen, _kept;
        private readonly IRows _narrowKeys, _narrowValues;
        private readonly ExactRows _exactKeys, _exactValues; // rotated, of all heads

        private NarrowCache(LlamaShape s, RotaryTable rotary, Projection keys, Projection values, int[]? tokens, int kept, int seen, int window, IRows narrowKeys, IRows narrowValues, ExactRows exactKeys, ExactRows exactValues)
        {
            (_s, _rotary, _keys, _values, _tokens, _kept, _seen, _window) = (s, rotary, keys, values, tokens, kept, seen, window);
            (_narrowKeys, _narrowValues, _exactKeys, _exactValues) = (narrowKeys, narrowValues, exactKeys, exactValues);
        }

        public static NarrowCache Of(Prompt prompt, int layer, int[] tokens, Projection keys, Projection values, IEncoder encoder, int window)
        {
            var s = prompt.Shape;
            int row = s.KeyValueHeads * s.HeadWidth, exact = window == 0 ? 0 : tokens.Length % window;
            var (narrowKeys, narrowValues) = (encoder.Keys(keys.Rank), encoder.Values(values.Rank));
            narrowKeys.Fill(Picture(keys));
            narrowValues.Fill(Picture(values));
            var (exactKeys, exactValues) = (new ExactRows(row), new ExactRows(row));
            foreach (int t in tokens[(tokens.Length - exact)..])
            {
                float[] k = [.. prompt.KeysBefore(layer).Slice(t * row, row)];
                for (int h = 0; h < s.KeyValueHeads; h++)
                    prompt.Rotary.Turn(k.AsSpan(h * s.HeadWidth, s.HeadWidth), t);
                exactKeys.Append(k);
                exactValues.Append(prompt.Values(layer).Slice(t * row, row));
            }
            return new(s, prompt.Rotary, keys, values, Selection.IsAll(tokens, prompt.Count) ? null : [.. tokens], tokens.Length, prompt.Count, window, narrowKeys, narrowValues, exactKeys, exactValues);

            float[] Picture(Projection projection)
            {
                var rows = new float[tokens.Length * projection.Rank];
                for (int i = 0; i < tokens.Length; i++)
                    projection.Times(prompt.Inputs(layer).Slice(tokens[i] * s.Width, s.Width), rows.AsSpan(i * projection.Rank, projection.Rank));
                return rows;
            }
        }

        private int Narrowed => _narrowKeys.Count - _exactKeys.Count;

        public override int Count(int head) => _narrowKeys.Count;

        private int Position(int index) => index < _kept ? _tokens?[index] ?? index : _seen + index - _kept;

        public override void Append(AttentionStep step, ReadOnlySpan<float> rotated)
        {
            Span<float> k = stackalloc float[_keys.Rank], v = stackalloc float[_values.Rank];
            _keys.Times(step.Inputs, k);
            _values.Times(step.Inputs, v);
            _narrowKeys.Append(k);
            _narrowValues.Append(v);
            _exactKeys.Append(rotated);
            _exactValues.Append(step.Values);
        }

        public override void Settle()
        {
            _narrowKeys.Settle();
            _narrowValues.Settle();
            if (_window > 0 && _narrowKeys.Count % _window != 0)
                return;
            _exactKeys.RemoveFirst(_exactKeys.Count);
            _exactValues.RemoveFirst(_exactValues.Count);
        }

        public override void Scores(int head, ReadOnlySpan<float> queries, int groups, Span<float> scores, int stride)
        {
            int d = _s.HeadWidth, rank = _keys.Rank, narrowed = Narrowed;
            Span<float> z = new float[rank], key = new float[d], all = new float[_s.KeyValueHeads * d];
            for (int t = 0; t < _narrowKeys.Count; t++)
            {
                if (t < narrowed)
                {
                    _narrowKeys.Read(t, z);
                    key.Clear();
                    for (int k = 0; k < rank; k++)
                        Scaled.Add(z[k], _keys.Widen.AsSpan((head * rank + k) * d, d), key);
                    _rotary.Turn(key, Position(t));
                }
                else
                {
                    _exactKeys.Read(t - narrowed, all);
                    all.Slice(head * d, d).CopyTo(key);
                }
                for (int g = 0; g < groups; g++)
                    scores[g * stride + t] = TensorPrimitives.Dot(queries.Slice(g * d, d), key);
            }
        }

        public override void AddWeighted(int head, ReadOnlySpan<float> weights, int groups, int stride, Span<float> outputs)
        {
            int d = _s.HeadWidth, rank = _values.Rank, narrowed = Narrowed;
            Span<float> z = new float[rank], sum = new float[groups * rank], all = new float[_s.KeyValueHeads * d];
            for (int t = 0; t < _narrowKeys.Count; t++)
            {
                if (t < narrowed)
                    _narrowValues.Read(t, z);
                else
                    _exactValues.Read(t - narrowed, all);
                for (int g = 0; g < groups; g++)
                    if (t < narrowed)
                        Scaled.Add(weights[g * stride + t], z, sum.Slice(g * rank, rank));
                    else
                        Scaled.Add(weights[g * stride + t], all.Slice(head * d, d), outputs.Slice(g * d, d));
            }
            for (int g = 0; g < groups; g++)
                for (int k = 0; k < rank; k++)
                    Scaled.Add(sum[g * rank + k], _values.Widen.AsSpan((head * rank + k) * d, d), outputs.Slice(g * d, d));
        }

        public override KvBytes Bytes => _narrowKeys.Bytes + _narrowValues.Bytes + _exactKeys.AsWindow + _exactValues.AsWindow
            + new KvBytes(0, Indices: sizeof(int) * (_tokens?.LongLength ?? 0), Shared: _keys.Bytes + _values.Bytes);

        public override LayerCache Clone() => new NarrowCache(_s, _rotary, _keys, _values, _tokens, _kept, _seen, _window, _narrowKeys.Clone(), _narrowValues.Clone(), (ExactRows)_exactKeys.Clone(), (ExactRows)_exactValues.Clone());
    }

    /// <summary>AdamW (Loshchilov and Hutter, 2019) without weight decay.</summary>
    private sealed class Adam(Matrix<float> weights, double rate)
    {
        private const double Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8;
        private readonly Matrix<float> _m = Matrix<float>.Build.Dense(weights.RowCount, weights.ColumnCount), _v = Matrix<float>.Build.Dense(weights.RowCount, weights.ColumnCount);
        private int _steps;

        public void Step(Matrix<float> gradient)
        {
            _steps++;
            double correct1 = 1 - Math.Pow(Beta1, _steps), correct2 = 1 - Math.Pow(Beta2, _steps);
            float[] w = weights.AsColumnMajorArray(), m = _m.AsColumnMajorArray(), v = _v.AsColumnMajorArray(), g = gradient.ToColumnMajorArray();
            for (int i = 0; i < w.Length; i++)
            {
                m[i] = (float)(Beta1 * m[i] + (1 - Beta1) * g[i]);
                v[i] = (float)(Beta2 * v[i] + (1 - Beta2) * g[i] * g[i]);
                w[i] -= (float)(rate * (m[i] / correct1) / (Math.Sqrt(v[i] / correct2) + Epsilon));
            }
        }
    }
}
