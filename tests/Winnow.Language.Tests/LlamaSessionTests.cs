using Winnow.Core;
using Winnow.Numerics;

namespace Winnow.Language.Tests;

public sealed class LlamaSessionTests
{
    /// <summary>Shapes with 1, 2, 4 and 8 queries a key, odd sizes, biases, norms, another base, stretched positions.</summary>
    private static LlamaShape Shape(int variant) => (variant switch
    {
        0 => new LlamaShape { Width = 32, Hidden = 64, Layers = 2, Heads = 4, KeyValueHeads = 4, HeadWidth = 8, Vocabulary = 50, Context = 96 },
        1 => new LlamaShape { Width = 48, Hidden = 100, Layers = 3, Heads = 8, KeyValueHeads = 1, HeadWidth = 6, Vocabulary = 37, Context = 96, AttentionBias = true, RopeBase = 1e6 },
        2 => new LlamaShape { Width = 64, Hidden = 96, Layers = 2, Heads = 4, KeyValueHeads = 2, HeadWidth = 32, Vocabulary = 64, Context = 300, TiedHead = false, QueryKeyNorm = true, RopeScaling = new(RopeScalingKind.Llama3, 8) { OriginalContext = 32 } },
        _ => new LlamaShape { Width = 20, Hidden = 33, Layers = 1, Heads = 4, KeyValueHeads = 1, HeadWidth = 40, Vocabulary = 29, Context = 64, RopeInterleaved = true, RopeScaling = new(RopeScalingKind.Linear, 2) },
    }).Checked("shape");

    public static TheoryData<int> Variants => [0, 1, 2, 3];

    private static LlamaWeights Weights(int variant) => LlamaWeights.Random(Shape(variant), new SeededRandom(5, $"weights {variant}"));

    private static int[] Tokens(LlamaShape shape, int count)
    {
        var random = new SeededRandom(8, "tokens");
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(shape.Vocabulary))];
    }

    private static float[] Read(LlamaWeights weights, int[] tokens, int[] parts, int threads = 1)
    {
        using var session = new LlamaSession(weights, threads: threads);
        float[] logits = [];
        int at = 0;
        foreach (int part in parts)
        {
            logits = session.Read(tokens.AsSpan(at, part), TestContext.Current.CancellationToken).ToArray();
            at += part;
        }
        Assert.Equal(tokens.Length, session.Position);
        return logits;
    }

    private static void Close(float[] expected, float[] actual, double relative = 1e-4)
    {
        double size = expected.Max(Math.Abs);
        Assert.All(expected.Zip(actual), p => Assert.Equal(p.First, p.Second, relative * size));
    }

    // The definition in double precision, one token and one number at a time, without a cache.
    private static double[] Definition(LlamaWeights w, int[] tokens)
    {
        var s = w.Shape;
        int d = s.HeadWidth;
        double[][] x = [.. tokens.Select(t => Row(w.Embedding, t))];
        foreach (var layer in w.Layers)
        {
            double[][] normed = [.. x.Select(r => Norm(r, layer.AttentionNorm))];
            double[][] q = [.. normed.Select((r, p) => Turn(Times(layer.Query, r, layer.Biases.Query), layer.HeadNorms.Query, p))];
            double[][] k = [.. normed.Select((r, p) => Turn(Times(layer.Key, r, layer.Biases.Key), layer.HeadNorms.Key, p))];
            double[][] v = [.. normed.Select(r => Times(layer.Value, r, layer.Biases.Value))];
            for (int p = 0; p < x.Length; p++)
            {
                double[] heads = new double[s.Heads * d];
                for (int h = 0; h < s.Heads; h++)
                {
                    int g = h / (s.Heads / s.KeyValueHeads);
                    double[] e = [.. Enumerable.Range(0, p + 1).Select(j => Math.Exp(Enumerable.Range(0, d).Sum(i => q[p][h * d + i] * k[j][g * d + i]) / Math.Sqrt(d)))];
                    for (int i = 0; i < d; i++)
                        heads[h * d + i] = Enumerable.Range(0, p + 1).Sum(j => e[j] * v[j][g * d + i]) / e.Sum();
                }
                x[p] = [.. x[p].Zip(Times(layer.Output, heads, []), (a, b) => a + b)];
            }
            x = [.. x.Select(r =>
            {
                double[] n = Norm(r, layer.FeedForwardNorm);
                double[] inner = [.. Times(layer.Gate, n, []).Zip(Times(layer.Up, n, []), (g, u) => g / (1 + Math.Exp(-g)) * u)];
                return r.Zip(Times(layer.Down, inner, []), (a, b) => a + b).ToArray();
            })];
        }
        return Times(w.Head, Norm(x[^1], w.FinalNorm), []);

        double[] Norm(double[] r, float[] scale) => [.. r.Select((a, i) => a / Math.Sqrt(r.Sum(b => b * b) / r.Length + s.NormEpsilon) * scale[i])];

        double[] Turn(double[] heads, float[] norm, int position)
        {
            for (int h = 0; h < heads.Length / d; h++)
            {
                double[] head = heads[(h * d)..((h + 1) * d)];
                if (norm.Length > 0)
                    head = Norm(head, norm);
                for (int i = 0; i < d / 2; i++)
                {
                    double frequency = Math.Pow(s.RopeBase, -2.0 * i / d);
                    var turned = new System.Numerics.Complex(head[s.RopeInterleaved ? 2 * i : i], head[s.RopeInterleaved ? 2 * i + 1 : i + d / 2]) * System.Numerics.Complex.FromPolarCoordinates(1, position * (s.RopeScaling?.Of(frequency) ?? frequency));
                    (heads[h * d + (s.RopeInterleaved ? 2 * i : i)], heads[h * d + (s.RopeInterleaved ? 2 * i + 1 : i + d / 2)]) = (turned.Real, turned.Imaginary);
                }
            }
            return heads;
        }

        static double[] Times(WeightMatrix m, double[] r, float[] bias) => [.. Enumerable.Range(0, m.Rows).Select(i => Row(m, i).Zip(r, (a, b) => a * b).Sum() + (bias.Length > 0 ? bias[i] : 0))];

        static unsafe double[] Row(WeightMatrix m, int i)
        {
            float[] row = new float[m.Columns];
            fixed (float* p = row)
                m.Read(i, p);
            return [.. row.Select(a => (double)a)];
        }
    }

    [Theory, MemberData(nameof(Variants))]
    public void Logits_are_those_of_the_definition(int variant)
    {
        using var weights = Weights(variant);
        int[] tokens = Tokens(weights.Shape, 23);
        Close([.. Definition(weights, tokens).Select(v => (float)v)], Read(weights, tokens, [23]));
        Close([.. Definition(weights, tokens[..1]).Select(v => (float)v)], Read(weights, tokens[..1], [1]));
    }

    [Theory, MemberData(nameof(Variants))]
    public void Any_split_of_a_text_gives_the_same_logits_on_any_number_of_threads(int variant)
    {
        using var weights = Weights(variant);
        int[] tokens = Tokens(weights.Shape, 60);
        float[] whole = Read(weights, tokens, [60]);
        foreach (int[] parts in (int[][])[[.. Enumerable.Repeat(1, 60)], [30, 30], [1, 59], [59, 1], [7, 24, 25, 4]])
            foreach (int threads in (int[])[1, 2, 3])
                Close(whole, Read(weights, tokens, parts, threads));
    }

    [Fact]
    public void A_text_longer_than_a_batch_is_read_in_parts()
    {
        using var weights = Weights(2);
        int[] tokens = Tokens(weights.Shape, 290);
        Close(Read(weights, tokens, [.. Enumerable.Repeat(1, 290)]), Read(weights, tokens, [290], threads: 2));
    }

    [Theory]
    [InlineData(WeightType.BFloat16, 0.02)]
    [InlineData(WeightType.Int8, 0.02)]
    [InlineData(WeightType.Int4, 0.3)]
    public void Other_types_of_weights_are_those_of_their_rounded_values(WeightType type, double near)
    {
        using var weights = Weights(0);
        using var other = weights.As(type, TestContext.Current.CancellationToken);
        int[] tokens = Tokens(weights.Shape, 20);
        float[] exact = Read(weights, tokens, [20]), rounded = Read(other, tokens, [20]);
        Close([.. Definition(other, tokens).Select(v => (float)v)], rounded);
        Close(rounded, Read(other, tokens, [.. Enumerable.Repeat(1, 20)]));
        Close(exact, rounded, near);
        Assert.NotEqual(exact, rounded);
        Assert.True(other.Bytes < weights.Bytes / 1.9);
    }

    [Fact]
    public void Two_texts_side_by_side_are_each_alone()
    {
        using var weights = Weights(0);
        using var crew = new Crew(2);
        using LlamaSession first = new(weights, null, crew), second = new(weights, 40, crew);
        int[] one = Tokens(weights.Shape, 20), two = [.. one.Reverse()];
        float[] a = [], b = [];
        for (int i = 0; i < 20; i++)
        {
            a = first.Read([one[i]], TestContext.Current.CancellationToken).ToArray();
            b = second.Read([two[i]], TestContext.Current.CancellationToken).ToArray();
        }
        Close(Read(weights, one, [20]), a);
        Close(Read(weights, two, [20]), b);
    }

    [Fact]
    public void After_going_back_it_is_as_if_the_rest_had_not_been()
    {
        using var weights = Weights(1);
        int[] tokens = Tokens(weights.Shape, 30);
        using var session = new LlamaSession(weights);
        session.Read(tokens, TestContext.Current.CancellationToken);
        Assert.Equal(30L * 2 * 3 * 6 * 4, session.CacheBytes);
        session.Rewind(12);
        Assert.Equal(12, session.Position);
        int[] other = [.. tokens[..12], .. tokens[..9]];
        Close(Read(weights, other, [21]), session.Read(other.AsSpan(12), TestContext.Current.CancellationToken).ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => session.Rewind(22));
    }

    // A rotation keeps lengths, and products of turned heads depend on the distance alone.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public unsafe void Rotary_positions_keep_lengths_and_see_distances(bool interleaved)
    {
        var shape = Shape(0) with { RopeInterleaved = interleaved, HeadWidth = 16 };
        float[] cos = new float[50 * 8], sin = new float[50 * 8], q = [.. Tokens(shape, 16).Select(t => t / 25f - 1)], k = [.. Tokens(shape, 32)[16..].Select(t => t / 25f - 1)];
        fixed (float* c = cos, s = sin)
        {
            Rotary.Tables(shape, 50, c, s);
            double here = Product(3, 1, c, s);
            Assert.Equal(here, Product(40, 38, c, s), 1e-4);
            Assert.Equal(q.Zip(k, (a, b) => a * b).Sum(), Product(7, 7, c, s), 1e-4);
            Assert.NotEqual(here, Product(3, 2, c, s), 1e-2);
            Assert.Equal(q.Sum(v => v * v), Turned(q, 33, c, s).Sum(v => v * v), 1e-4);
            Assert.Equal(q, Turned(q, 0, c, s));
        }

        double Product(int i, int j, float* c, float* s) => Turned(q, i, c, s).Zip(Turned(k, j, c, s), (a, b) => a * b).Sum();

        float[] Turned(float[] x, int p, float* c, float* s)
        {
            float[] copy = [.. x];
            fixed (float* t = copy)
                Rotary.Turn(t, 16, c + p * 8, s + p * 8, interleaved);
            return copy;
        }
    }

    [Fact]
    public void Stretched_frequencies_are_the_formulas()
    {
        var llama = new RopeScaling(RopeScalingKind.Llama3, 8) { OriginalContext = 8192 };
        Assert.Equal(1.0, llama.Of(1.0)); // a wavelength of 6
        Assert.Equal(1e-4 / 8, llama.Of(1e-4)); // of 63,000
        double frequency = 2 * Math.PI / 4096; // in the middle: 8192/4096 = 2, a third of the way from 1 to 4
        Assert.Equal(frequency * (2.0 / 3 / 8 + 1.0 / 3), llama.Of(frequency), 1e-12);
        Assert.Equal(0.25, new RopeScaling(RopeScalingKind.Linear, 2).Of(0.5));
    }

    /// <summary>So large that threads share its products and its attention, of a token alone as well.</summary>
    private static LlamaWeights Shared() => LlamaWeights.Random(new() { Width = 256, Hidden = 512, Layers = 1, Heads = 16, KeyValueHeads = 4, HeadWidth = 16, Vocabulary = 500, Context = 200 }, new SeededRandom(3, "shared"));

    [Fact]
    public void Threads_that_share_a_token_change_no_bit()
    {
        using var weights = Shared();
        int[] tokens = Tokens(weights.Shape, 160), alone = [.. Enumerable.Repeat(1, 160)];
        float[] one = Read(weights, tokens, alone);
        Assert.Equal(one, Read(weights, tokens, alone, threads: 2));
        Assert.Equal(one, Read(weights, tokens, alone, threads: 3));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_token_allocates_nothing(int threads)
    {
        using var weights = Shared();
        using var session = new LlamaSession(weights, threads: threads);
        int[] tokens = Tokens(weights.Shape, 60);
        for (int i = 0; i < 30; i++)
            session.Read(tokens.AsSpan(i, 1), TestContext.Current.CancellationToken);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 30; i < 60; i++)
            session.Read(tokens.AsSpan(i, 1), TestContext.Current.CancellationToken);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void Tokens_that_are_none_too_many_and_stopped_reading_are_refused()
    {
        using var weights = Weights(0);
        using var session = new LlamaSession(weights, capacity: 10);
        var stop = TestContext.Current.CancellationToken;
        Assert.Contains("at least one", Assert.Throws<InputException>(() => session.Read([], stop)).Message);
        Assert.Contains("0 to 49", Assert.Throws<InputException>(() => session.Read([3, 50], stop)).Message);
        Assert.Contains("at most 10", Assert.Throws<InputException>(() => session.Read(new int[11], stop)).Message);
        Assert.Throws<OperationCanceledException>(() => session.Read([1], new CancellationToken(true)));
        Assert.Equal(0, session.Position);
        session.Dispose();
        Assert.Throws<ObjectDisposedException>(() => session.Read([1], stop));
    }

    [Theory]
    [InlineData("heads", 3, 2)]
    [InlineData("width", 0, 1)]
    [InlineData("even", 4, 4)]
    public void Sizes_that_no_model_has_are_refused(string what, int heads, int keyHeads)
    {
        var shape = Shape(0) with { Heads = heads, KeyValueHeads = keyHeads };
        if (what == "width")
            shape = Shape(0) with { Width = 0 };
        if (what == "even")
            shape = shape with { HeadWidth = 7 };
        Assert.Contains(what, Assert.Throws<InputException>(() => shape.Checked("model")).Message);
    }

    [Fact] // attention kept by someone else, in double precision and plain loops
    public void A_step_with_keys_kept_elsewhere_answers_as_the_sessions_own()
    {
        var shape = new LlamaShape { Width = 32, Hidden = 48, Layers = 2, Heads = 4, KeyValueHeads = 2, HeadWidth = 8, Vocabulary = 50, Context = 32, QueryKeyNorm = true };
        using var weights = LlamaWeights.Random(shape, new SeededRandom(3, "model"));
        using var session = new LlamaSession(weights);
        using var other = new LlamaSession(weights);
        var kept = new Naive(shape);
        int[] tokens = [3, 1, 4, 1, 5, 9, 2, 6];
        other.Read(tokens.AsSpan(0, 4), kept, TestContext.Current.CancellationToken);
        session.Read(tokens.AsSpan(0, 4), TestContext.Current.CancellationToken);
        for (int i = 4; i < tokens.Length; i++)
        {
            float[] own = session.Read(tokens.AsSpan(i, 1), TestContext.Current.CancellationToken).ToArray(), elsewhere = other.Step(tokens[i], i, kept).ToArray();
            Assert.All(own.Zip(elsewhere), p => Assert.Equal(p.First, p.Second, 1e-4));
        }
        Assert.Equal(4, other.Position);
        Assert.Throws<InputException>(() => other.Step(3, 32, kept));
        Assert.Throws<InputException>(() => other.Step(50, 5, kept));
    }

    private sealed class Naive(LlamaShape s) : IAttentionObserver, IAttentionCache
    {
        private readonly List<(float[] Key, float[] Value)>[] _kept = [.. Enumerable.Range(0, s.Layers * s.KeyValueHeads).Select(_ => new List<(float[], float[])>())];
        private readonly RotaryTable _rotary = new(s, s.Context);

        public void Observe(AttentionStep step)
        {
            int d = s.HeadWidth;
            for (int t = 0; t < step.Count; t++)
                for (int h = 0; h < s.KeyValueHeads; h++)
                {
                    float[] key = [.. step.Keys.Slice((t * s.KeyValueHeads + h) * d, d)];
                    _rotary.Turn(key, step.Position + t);
                    _rotary.TurnBack(key, step.Position + t);
                    _rotary.Turn(key, step.Position + t);
                    _kept[step.Layer * s.KeyValueHeads + h].Add((key, [.. step.Values.Slice((t * s.KeyValueHeads + h) * d, d)]));
                }
        }

        public void Attend(AttentionStep step, Span<float> output)
        {
            Observe(step);
            int d = s.HeadWidth;
            for (int h = 0; h < s.Heads; h++)
            {
                var kept = _kept[step.Layer * s.KeyValueHeads + h / s.GroupSize];
                float[] q = [.. step.Queries.Slice(h * d, d)];
                double[] e = [.. kept.Select(k => Math.Exp(q.Zip(k.Key).Sum(p => (double)p.First * p.Second) / Math.Sqrt(d)))];
                for (int c = 0; c < d; c++)
                    output[h * d + c] = (float)(kept.Zip(e).Sum(p => p.First.Value[c] * p.Second) / e.Sum());
            }
        }
    }
}
