using System.Buffers.Binary;
using System.Text.Json.Nodes;
using MathNet.Numerics.LinearAlgebra;
using Winnow.KvCache;
using Winnow.Language;

namespace Winnow.Golden.Tests;

/// <summary>Probes of cache policies.</summary>
internal static class KvProbes
{
    public static Dictionary<string, GoldenArray> Kivi(GoldenFile file)
    {
        int bits = file.Param<int>("bits");
        var (k, v) = (file.Input("k"), file.Input("v"));
        int heads = k.Shape[0] * k.Shape[1], tokens = k.Shape[2], d = k.Shape[3], groupK = file.Param<int>("group_size_k"), groupV = file.Param<int>("group_size_v");
        var keys = Grouped(k.Doubles, bits, heads, tokens, d, groupK, alongTokens: true);
        var values = Grouped(v.Doubles, bits, heads, tokens, d, groupV, alongTokens: false);
        int[] front = [.. k.Shape.Take(2)];
        int perWord = 32 / bits;
        return new()
        {
            ["k_code"] = new("int32", [.. front, tokens / perWord, d], keys.Words),
            ["k_scale"] = GoldenArray.Float64([.. front, tokens / groupK, 1, d], keys.Scales),
            ["k_min"] = GoldenArray.Float64([.. front, tokens / groupK, 1, d], keys.Mins),
            ["k_dequant"] = GoldenArray.Float64(k.Shape, keys.Back),
            ["v_code"] = new("int32", [.. front, tokens, d / perWord], values.Words),
            ["v_scale"] = GoldenArray.Float64([.. front, tokens, d / groupV, 1], values.Scales),
            ["v_min"] = GoldenArray.Float64([.. front, tokens, d / groupV, 1], values.Mins),
            ["v_dequant"] = GoldenArray.Float64(v.Shape, values.Back),
        };
    }

    /// <summary>Every group by the product's quantiser, and words as its packing makes them.</summary>
    private static (long[] Words, double[] Scales, double[] Mins, double[] Back) Grouped(double[] x, int bits, int heads, int tokens, int d, int group, bool alongTokens)
    {
        int lines = alongTokens ? d : tokens, length = alongTokens ? tokens : d, groups = length / group, perWord = 32 / bits, words = length / perWord;
        var (code, scales, mins, back) = (new long[heads * lines * words], new double[heads * lines * groups], new double[heads * lines * groups], new double[x.Length]);
        for (int h = 0; h < heads; h++)
            for (int line = 0; line < lines; line++)
            {
                int At(int i) => (h * tokens + (alongTokens ? i : line)) * d + (alongTokens ? line : i);
                byte[] codes = new byte[length], packed = new byte[PackedCodes.Bytes(length, bits)];
                for (int g = 0; g < groups; g++)
                {
                    double[] own = [.. Enumerable.Range(g * group, group).Select(i => x[At(i)])];
                    int at = alongTokens ? (h * groups + g) * d + line : (h * tokens + line) * groups + g;
                    (scales[at], mins[at]) = KvCache.Kivi.Quantise<double>(own, bits, codes.AsSpan(g * group, group));
                    for (int i = g * group; i < (g + 1) * group; i++)
                        back[At(i)] = codes[i] * scales[at] + mins[at];
                }
                PackedCodes.Pack(codes, bits, packed);
                for (int w = 0; w < words; w++)
                    code[alongTokens ? (h * words + w) * d + line : (h * tokens + line) * words + w] = BinaryPrimitives.ReadInt32LittleEndian(packed.AsSpan(w * 4));
            }
        return (code, scales, mins, back);
    }

    public static Dictionary<string, GoldenArray> TokenMagnitude(GoldenFile file)
    {
        var x = file.Input("x");
        int d = x.Shape[^1];
        double[] pruned = [.. x.Doubles];
        for (int at = 0; at < pruned.Length; at += d)
            Mustafar.Prune(pruned.AsSpan(at, d), file.Param<double>("sparsity"));
        return new()
        {
            ["pruned"] = GoldenArray.Float64(x.Shape, pruned),
            ["zeros_per_token"] = GoldenArray.Int64([.. x.Shape.SkipLast(1)], [.. pruned.Chunk(d).Select(t => (long)t.Count(v => v == 0))]),
        };
    }

    public static Dictionary<string, GoldenArray> KeyOutputAware(GoldenFile file)
    {
        var (k, q) = (file.Input("k"), file.Input("q"));
        int tokens = k.Shape[2], d = k.Shape[3], last = file.Param<int>("group_size"), group = q.Shape[1] / k.Shape[1];
        double[] pruned = [.. k.Doubles];
        for (int h = 0; h < k.Shape[0] * k.Shape[1]; h++)
        {
            double[] size = new double[d];
            for (int g = 0; g < group; g++)
                for (int t = tokens - last; t < tokens; t++)
                    for (int c = 0; c < d; c++)
                        size[c] += Math.Abs(q.Doubles[((h * group + g) * tokens + t) * d + c]) / last;
            for (int t = 0; t < tokens - last; t++)
                Mustafar.PruneByOutput<double>(pruned.AsSpan((h * tokens + t) * d, d), size, file.Param<double>("sparsity"));
        }
        return new() { ["pruned"] = GoldenArray.Float64(k.Shape, pruned) };
    }

    public static Dictionary<string, GoldenArray> CrossLayerSvd(GoldenFile file)
    {
        var x = file.Input("layers");
        int layers = x.Shape[0], batch = x.Shape[1], heads = x.Shape[2], tokens = x.Shape[3], d = x.Shape[4], width = layers * heads * d, rank = file.Param<int>("rank");
        double[] approximation = new double[x.Doubles.Length], errors = new double[batch];
        var singular = new List<double>();
        for (int b = 0; b < batch; b++)
        {
            int At(int t, int column) => (((column / (heads * d) * batch + b) * heads + column / d % heads) * tokens + t) * d + column % d;
            var matrix = new double[tokens, width];
            for (int t = 0; t < tokens; t++)
                for (int c = 0; c < width; c++)
                    matrix[t, c] = x.Doubles[At(t, c)];
            var (basis, mix, values) = Xkv.Truncated(matrix, rank);
            singular.AddRange(values);
            double error = 0, all = 0;
            for (int t = 0; t < tokens; t++)
                for (int c = 0; c < width; c++)
                {
                    double y = 0;
                    for (int r = 0; r < rank; r++)
                        y += basis[t * rank + r] * mix[r * width + c];
                    approximation[At(t, c)] = y;
                    (error, all) = (error + (matrix[t, c] - y) * (matrix[t, c] - y), all + matrix[t, c] * matrix[t, c]);
                }
            errors[b] = Math.Sqrt(error / all);
        }
        return new()
        {
            ["approx"] = GoldenArray.Float64(x.Shape, approximation),
            ["singular_values"] = GoldenArray.Float64([batch, singular.Count / batch], [.. singular]),
            ["rel_frobenius_error"] = GoldenArray.Float64([batch], errors),
        };
    }

    public static Dictionary<string, GoldenArray> MiniCache(GoldenFile file)
    {
        var (x, y) = (file.Input("x1"), file.Input("x2"));
        var (a, b) = KvCache.MiniCache.Merge(x.Doubles, y.Doubles, x.Shape[^1], file.Param<double>("t"), file.Param<double>("gamma"));
        return new() { ["y1"] = GoldenArray.Float64(x.Shape, a), ["y2"] = GoldenArray.Float64(y.Shape, b) };
    }

    public static Dictionary<string, GoldenArray> CskvInit(GoldenFile file)
    {
        var weight = file.Input("weight");
        var w = Matrix<float>.Build.Dense(weight.Shape[0], weight.Shape[1], (i, j) => weight.Singles[i * weight.Shape[1] + j]);
        int rank = file.Param<int>("heads") * file.Param<int>("compressed_dim_per_head");
        return new() { ["svd_product"] = Product(KvCache.CskvInit.Svd), ["asvd_product"] = Product(KvCache.CskvInit.Asvd) };

        GoldenArray Product(CskvInit init)
        {
            var narrow = Cskv.Start(w, rank, init, file.Input("abs_mean").Doubles, file.Param<double>("alpha"), null);
            return GoldenArray.Float32(weight.Shape, (narrow.B * narrow.A).ToRowMajorArray());
        }
    }

    public static Dictionary<string, GoldenArray> CskvQuant(GoldenFile file)
    {
        var (x, g) = (file.Input("x"), file.Input("grad_output"));
        int tokens = x.Shape[2], d = x.Shape[3], heads = x.Shape[0] * x.Shape[1], window = file.Param<int>("window"), bits = file.Param<int>("bits");
        var token = Groups(Enumerable.Range(0, heads * tokens).Select(t => Enumerable.Range(t * d, d).ToArray()));
        var channel = Groups(Enumerable.Range(0, heads * (tokens / window)).SelectMany(i => Enumerable.Range(0, d).Select(c => Enumerable.Range(i * window, window).Select(t => t * d + c).ToArray())));
        return new() { ["per_token"] = token.Y, ["per_token_grad"] = token.Gradient, ["per_channel"] = channel.Y, ["per_channel_grad"] = channel.Gradient };

        (GoldenArray Y, GoldenArray Gradient) Groups(IEnumerable<int[]> groups)
        {
            double[] y = new double[x.Doubles.Length], gradient = new double[y.Length];
            foreach (int[] at in groups)
            {
                double[] rounded = new double[at.Length];
                bool[] passes = new bool[at.Length];
                Cskv.IntegerZero([.. at.Select(i => x.Doubles[i])], bits, rounded, passes);
                for (int i = 0; i < at.Length; i++)
                    (y[at[i]], gradient[at[i]]) = (rounded[i], passes[i] ? g.Doubles[at[i]] : 0);
            }
            return (GoldenArray.Float64(x.Shape, y), GoldenArray.Float64(x.Shape, gradient));
        }
    }

    public static Dictionary<string, GoldenArray> WindowKv(GoldenFile file)
    {
        var (q, k) = (file.Input("q"), file.Input("k"));
        int layers = q.Shape[0], heads = q.Shape[1], n = q.Shape[2], d = q.Shape[3], shared = file.Param<int>("shared_layers"), beta = file.Param<int>("beta"), capacity = file.Param<int>("max_capacity_prompt");
        var shape = new LlamaShape { Width = heads * d, Hidden = 1, Layers = layers, Heads = heads, KeyValueHeads = k.Shape[1], HeadWidth = d, Vocabulary = 2, Context = n };
        var selection = new KvCache.WindowKv(new()
        {
            Window = file.Param<int>("window"),
            SharedLayers = shared,
            Beta = beta,
            Capacity = capacity,
            Suffix = file.Param<int>("suffix"),
            Score = file.Param<string>("strategy") == "max" ? WindowScore.Max : WindowScore.Average,
        }).Select(Read(shape, q.Singles, k.Singles, n));
        return new()
        {
            ["layers_budget"] = GoldenArray.Int64([layers], [.. KvCache.WindowKv.Budgets(layers, shared, capacity, beta).Select(b => (long)b)]),
            ["kept_mask"] = new("bool", [layers, n], selection.Kept.SelectMany(l => Enumerable.Range(0, n).Select(t => l[0].Contains(t) ? 1L : 0)).ToArray()),
        };
    }

    /// <summary>A prompt with these rotated queries and keys [layers, heads, tokens, width].</summary>
    private static Prompt Read(LlamaShape s, float[] q, float[] k, int n)
    {
        var rotary = new RotaryTable(s, n);
        var prompt = new Prompt(s, n, rotary);
        for (int l = 0; l < s.Layers; l++)
        {
            float[] queries = Turned(q, s.Heads), keys = Turned(k, s.KeyValueHeads);
            for (int t = 0; t < n; t++)
                for (int h = 0; h < s.KeyValueHeads; h++)
                    rotary.TurnBack(keys.AsSpan((t * s.KeyValueHeads + h) * s.HeadWidth, s.HeadWidth), t);
            prompt.Observe(new(l, 0, n, new float[n * s.Width], queries, keys, new float[keys.Length]));

            float[] Turned(float[] x, int heads) => [.. from t in Enumerable.Range(0, n) from h in Enumerable.Range(0, heads) from c in Enumerable.Range(0, s.HeadWidth) select x[((l * heads + h) * n + t) * s.HeadWidth + c]];
        }
        return prompt.Checked();
    }

    public static Dictionary<string, GoldenArray> PrefixProfile(GoldenFile file)
    {
        var attention = file.Input("attention");
        int layers = attention.Shape[0], heads = attention.Shape[1], n = attention.Shape[2], start = file.Param<int>("start_size"), last = file.Param<int>("protect_last");
        float[] a = attention.Singles;
        float[][] importance = [.. Enumerable.Range(0, layers).Select(l => Enumerable.Range(0, n).Select(j => Enumerable.Range(0, n).Sum(i => Enumerable.Range(0, heads).Sum(h => a[((l * heads + h) * n + i) * n + j]) / heads)).ToArray())];
        var (raw, evictions, _) = PrefixKv.Profile(importance, file.Param<double>("evict_ratio"), start, last);
        return new()
        {
            ["score_sum"] = GoldenArray.Float32([layers, n], [.. importance.SelectMany(i => i)]),
            ["raw_evictions"] = GoldenArray.Int64([layers], [.. raw.Select(e => (long)e)]),
            ["evictions"] = GoldenArray.Int64([layers], [.. evictions.Select(e => (long)e)]),
            ["kept_mask"] = new("bool", [layers, n], Enumerable.Range(0, layers).SelectMany(l => PrefixKv.Kept(importance[l], evictions[l], start, last) is var kept ? Enumerable.Range(0, n).Select(t => kept.Contains(t) ? 1L : 0) : []).ToArray()),
        };
    }

    public static Dictionary<string, GoldenArray> Merge(GoldenFile file)
    {
        var (sets, merged, d, cosine) = Merged(file, new() { Mass = MergedMass.None });
        return new()
        {
            ["adjacent_cosine"] = GoldenArray.Float64([cosine.Length], cosine),
            ["set_id"] = GoldenArray.Int64([sets.Length], [.. sets.Select(s => (long)s)]),
            ["pivot"] = GoldenArray.Int64([merged.Pivots.Length], [.. merged.Pivots.Select(p => (long)p)]),
            ["sigma"] = GoldenArray.Float64([merged.Pivots.Length], merged.Sigmas),
            ["merged_k"] = GoldenArray.Float64([merged.Pivots.Length, d], merged.Keys),
            ["merged_v"] = GoldenArray.Float64([merged.Pivots.Length, d], merged.Values),
        };
    }

    public static Dictionary<string, GoldenArray> MergeScaled(GoldenFile file)
    {
        bool isFixed = file.Param<string>("sigma_rule") == "fixed";
        var (sets, merged, d, _) = Merged(file, new()
        {
            Mass = file.Param<string>("value_scale") == "set-size" ? MergedMass.SetSize : MergedMass.None,
            Width = isFixed ? MergeWidth.Fixed : MergeWidth.MeanDistance,
            Sigma = isFixed ? file.Param<double>("sigma") : 1,
        });
        return new()
        {
            ["set_id"] = GoldenArray.Int64([sets.Length], [.. sets.Select(s => (long)s)]),
            ["pivot"] = GoldenArray.Int64([merged.Pivots.Length], [.. merged.Pivots.Select(p => (long)p)]),
            ["sigma"] = GoldenArray.Float64([merged.Pivots.Length], merged.Sigmas),
            ["merged_k"] = GoldenArray.Float64([merged.Pivots.Length, d], merged.Keys),
            ["merged_v"] = GoldenArray.Float64([merged.Pivots.Length, d], merged.Values),
            ["log_mass"] = GoldenArray.Float64([merged.Pivots.Length], [.. merged.Sizes.Select(s => Math.Log(s))]),
        };
    }

    private static (int[] Sets, (double[] Keys, double[] Values, int[] Pivots, int[] Sizes, double[] Sigmas) Merged, int Width, double[] Cosine) Merged(GoldenFile file, KvMergerOptions options)
    {
        var (k, v, a) = (file.Input("k"), file.Input("v"), file.Input("attention").Doubles);
        int d = k.Shape[1];
        double[] cosine = KvMerger.AdjacentCosine(k.Doubles, d);
        int[] sets = KvMerger.Sets(cosine, file.Param<double>("threshold"), KvMerger.Protected(a, file.Param<int>("recent"), file.Param<int>("heavy_hitters")));
        return (sets, KvMerger.Merge(k.Doubles, v.Doubles, d, a, sets, options), d, cosine);
    }

    public static Dictionary<string, GoldenArray> Scores(GoldenFile file)
    {
        double[] scores = [.. file.Param<JsonNode[]>("items").Select(item =>
        {
            string prediction = (string)item["prediction"]!;
            var label = item["label"]!;
            string[] labels = label is JsonArray many ? [.. many.Select(l => l!.GetValueKind() == System.Text.Json.JsonValueKind.String ? (string)l! : l!.ToJsonString())] : [label.ToString()];
            var number = label is JsonArray { Count: > 0 } list ? list[0]! : label;
            return (string)item["scorer"]! switch
            {
                "get_score_one_kv_retrieval" => ScBench.Retrieval(prediction, labels[0]),
                "string_match_all" => ScBench.AllOf(prediction, labels),
                "get_score_one_passkey" or "get_score_one_number_string" => ScBench.PassKey(prediction, labels[0]),
                "get_score_one_math_find" => ScBench.Number(prediction, (double)number, whole: !number.ToJsonString().Contains('.', StringComparison.Ordinal)),
                "get_score_one_longbook_choice_eng" => ScBench.Choice(prediction, labels),
                "qa_f1_score" or "get_score_one_longbook_qa_eng" => ScBench.TokenF1(prediction, labels),
                "get_score_one_longdialogue_qa_eng" => ScBench.AnyOf(prediction, labels),
                var other => throw new InvalidDataException($"'{other}' is no scorer here."),
            };
        })];
        return new() { ["scores"] = GoldenArray.Float64([scores.Length], scores) };
    }
}
