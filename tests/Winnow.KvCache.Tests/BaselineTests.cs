using System.Numerics.Tensors;

namespace Winnow.KvCache.Tests;

public sealed class BaselineTests
{
    [Fact] // a softmax over all earlier keys, in double precision
    public void Column_attention_is_the_sum_of_the_last_queries_attention()
    {
        using var small = new Small();
        var s = small.Shape;
        var prompt = small.Read(small.Tokens(40));
        foreach (int last in (int[])[1, 7, 40, 99])
        {
            float[][] found = prompt.ColumnAttention(2, last);
            for (int h = 0; h < s.Heads; h++)
            {
                var expected = new double[40];
                for (int i = Math.Max(0, 40 - last); i < 40; i++)
                {
                    double[] logits = [.. Enumerable.Range(0, i + 1).Select(j => Enumerable.Range(0, s.HeadWidth).Sum(c => (double)prompt.Queries(2)[(i * s.Heads + h) * s.HeadWidth + c] * prompt.Keys(2, h / 2)[j * s.HeadWidth + c]) / Math.Sqrt(s.HeadWidth))];
                    double most = logits.Max(), sum = logits.Sum(l => Math.Exp(l - most));
                    for (int j = 0; j <= i; j++)
                        expected[j] += Math.Exp(logits[j] - most) / sum;
                }
                Assert.All(expected.Zip(found[h]), p => Assert.Equal(p.First, p.Second, 1e-4));
            }
        }
    }

    [Fact]
    public void The_full_cache_answers_as_the_session_does_to_half_precision()
    {
        using var small = new Small();
        int[] prompt = small.Tokens(80), next = small.Tokens(20, 2);
        Assert.InRange(Small.Distance(small.Follow(new KvPolicy().Prefill(small.Read(prompt)), next), small.Exactly(prompt, next)), 0, 5e-3);
    }

    [Fact] // turn after turn through one cache is the text in one go; requests from copies do not know of each other
    public void Turns_and_requests_of_the_full_cache_are_those_of_the_text()
    {
        using var small = new Small();
        int[] prompt = small.Tokens(50), a = small.Tokens(10, 2), b = small.Tokens(10, 3);
        var cache = new KvPolicy().Prefill(small.Read(prompt));
        float[][] whole = small.Follow(cache.Clone(), [.. a, .. b]);
        var turns = cache.Clone();
        Assert.Equal(whole, [.. small.Follow(turns, a), .. small.Follow(turns, b)]);
        float[][] first = small.Follow(cache.Clone(), a), second = small.Follow(cache.Clone(), b);
        Assert.Equal(second, small.Follow(cache.Clone(), b));
        Assert.Equal(first, small.Follow(cache.Clone(), a));
    }

    [Theory, InlineData("random-tokens"), InlineData("streaming-llm"), InlineData("knorm"), InlineData("h2o"), InlineData("snapkv"), InlineData("tova"), InlineData("pyramidkv"), InlineData("expected-attention"), InlineData("scbench")]
    public void Selectors_keep_as_many_tokens_as_asked_for_and_all_when_all_are(string id)
    {
        using var small = new Small();
        var prompt = small.Read(small.Tokens(160));
        foreach (double keep in (double[])[0.1, 0.25, 0.5, 1])
        {
            var kept = ((ISelector)new KvCacheArena().Policy(id, new() { ["keep"] = keep }).Stages[0]).Select(prompt).Kept;
            Assert.All(kept.SelectMany(l => l), h => Assert.Equal(h.Order(), h));
            double mean = kept.Average(l => l.Average(h => h.Length));
            Assert.InRange(mean, id == "pyramidkv" ? 1 : keep * 160 - 1, keep * 160 + 1); // early layers of a pyramid cannot have more than all
            if (keep == 1 && id != "pyramidkv")
                Assert.All(kept.SelectMany(l => l), h => Assert.Equal(160, h.Length));
        }
    }

    [Fact]
    public void Streaming_keeps_the_first_and_the_last()
    {
        using var small = new Small();
        var kept = new StreamingLlm(new() { Keep = 0.2, Sinks = 4 }).Select(small.Read(small.Tokens(50))).Kept;
        Assert.Equal([0, 1, 2, 3, 44, 45, 46, 47, 48, 49], kept[0][0]);
    }

    [Fact]
    public void Short_keys_stay()
    {
        using var small = new Small();
        var prompt = small.Read(small.Tokens(60));
        int[] kept = new KeyNorm(new() { Keep = 0.5 }).Select(prompt).Kept[1][1];
        float Norm(int t) => TensorPrimitives.Norm(prompt.Keys(1, 1).AsSpan(t * small.Shape.HeadWidth, small.Shape.HeadWidth));
        Assert.True(kept.Max(Norm) <= Enumerable.Range(0, 60).Except(kept).Min(Norm));
    }

    [Fact]
    public void Votes_are_averaged_over_neighbours() => Assert.Equal([3, 4.2f, 4.2f, 3.2f, 3.2f], SnapKv.Pooled([5, 0, 10, 6, 0], 5));

    [Fact] // E[exp(q·k/√d)] of normal queries, against a mean over many drawn ones
    public void Expected_attention_ranks_tokens_as_drawn_queries_do()
    {
        using var small = new Small(heads: 1, keyHeads: 1, layers: 1);
        var prompt = small.Read(small.Tokens(100));
        int[] kept = new ExpectedAttention(new() { Keep = 0.3, Sinks = 0, Ahead = 1 }).Select(prompt).Kept[0][0];
        // the prompt's own queries, unrotated and rotated to the position after it
        int d = small.Shape.HeadWidth, n = 100;
        var scores = new float[n];
        for (int i = 0; i < n; i++)
        {
            float[] q = [.. prompt.Queries(0).Slice(i * d, d)];
            small.Rotary.TurnBack(q, i);
            small.Rotary.Turn(q, n);
            for (int t = 0; t < n; t++)
                scores[t] += MathF.Exp(TensorPrimitives.Dot<float>(q, prompt.Keys(0, 0).AsSpan(t * d, d)) / MathF.Sqrt(d));
        }
        for (int t = 0; t < n; t++)
            scores[t] *= TensorPrimitives.Norm(prompt.Values(0, 0).AsSpan(t * d, d));
        Assert.True(kept.Intersect(Ranking.Top(scores, 30)).Count() >= 22);
    }

    // a step is about 3 deviations over the largest code, its error that over the root of 12
    [Theory, InlineData("rtn", 8, 0.0075), InlineData("rtn", 4, 0.13), InlineData("q8_0", 0, 0.006), InlineData("q4_0", 0, 0.09), InlineData("fp8", 0, 0.04)]
    public void Codes_of_a_row_come_as_near_as_their_bits_allow(string id, int bits, double most)
    {
        var encoder = (IEncoder)new KvCacheArena().Policy(id, bits > 0 ? new() { ["bits"] = bits } : null).Stages[0];
        float[] numbers = Small.Rows(50, 64, outliers: false), row = new float[64];
        var rows = encoder.Keys(64);
        rows.Fill(numbers);
        double error = 0;
        for (int t = 0; t < 50; t++)
        {
            rows.Read(t, row);
            error += row.Zip(numbers.Skip(t * 64)).Sum(p => Math.Pow(p.First - p.Second, 2));
        }
        Assert.InRange(Math.Sqrt(error / TensorPrimitives.SumOfSquares<float>(numbers)), 1e-6, most);
        Methods.KiviTests.AssertProducts(rows, 64);
    }

    [Theory, InlineData("q8_0", 8.5), InlineData("q4_0", 4.5), InlineData("fp8", 8)]
    public void Blocks_have_the_bits_they_are_known_for(string id, double bits)
    {
        var rows = ((IEncoder)new KvCacheArena().Policy(id).Stages[0]).Values(64);
        rows.Fill(Small.Rows(100, 64));
        Assert.Equal(bits, 8.0 * (rows.Bytes.Payload + rows.Bytes.Scales) / 6400, 12);
    }

    [Fact] // all 256 codes, and every number between two neighbours
    public void Eight_bit_floats_are_the_nearest_ones()
    {
        float[] numbers = [.. Enumerable.Range(0, 127).Select(c => Float8.Number((byte)c))];
        Assert.Equal(numbers.Order(), numbers);
        Assert.Equal(448, numbers[^1]);
        Assert.Equal(MathF.ScaleB(1, -9), numbers[1]);
        for (int c = 0; c < 126; c++)
        {
            Assert.Equal(c, Float8.Code(numbers[c]));
            float quarter = numbers[c] + (numbers[c + 1] - numbers[c]) / 4, rest = numbers[c + 1] - (numbers[c + 1] - numbers[c]) / 4;
            Assert.Equal((c, c + 1), (Float8.Code(quarter), Float8.Code(rest)));
            Assert.Equal(c + 0x80, Float8.Code(-numbers[c]) | 0x80);
        }
        Assert.Equal(126, Float8.Code(1e9f));
    }

    [Fact]
    public void All_channels_kept_is_the_full_cache()
    {
        using var small = new Small();
        int[] prompt = small.Tokens(80), next = small.Tokens(10, 2);
        float[][] full = small.Follow(new KvPolicy().Prefill(small.Read(prompt)), next);
        Assert.InRange(Small.Distance(small.Follow(new KvPolicy(new ThinK(new() { Keep = 1 })).Prefill(small.Read(prompt)), next), full), 0, 1e-5);
    }

    [Fact]
    public void Half_precision_rows_are_taken_out_one_by_one()
    {
        var rows = new ExactRows(3);
        rows.Fill([1, 2, 3, 4, 5, 6, 7, 8, 9]);
        rows.Remove(1);
        float[] row = new float[3];
        rows.Read(1, row);
        Assert.Equal([7, 8, 9], row);
        Assert.Equal(2, rows.Count);
    }
}
