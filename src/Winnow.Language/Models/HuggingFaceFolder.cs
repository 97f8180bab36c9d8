using System.Runtime.InteropServices;
using System.Text.Json;
using Winnow.Core;
using Winnow.Data;
using Winnow.Numerics;

namespace Winnow.Language;

/// <summary>
/// Folders of the Hugging Face hub: <c>config.json</c>, and weights in <c>model.safetensors</c> or in the files that <c>model.safetensors.index.json</c> lists.
/// Llama, Mistral without a window, Qwen 2 and Qwen 3. Float32 and bfloat16 weights are mapped, half ones made float32. Strict: what is missing, too much or misshaped is listed.
/// </summary>
public static unsafe class HuggingFaceFolder
{
    private const string Config = "config.json", Single = "model.safetensors", Index = "model.safetensors.index.json";
    private static readonly string[] ScalingKeys = ["rope_type", "type"];
    private static readonly string[] Kinds = ["llama", "mistral", "qwen2", "qwen3"];

    /// <summary>Whether a folder looks like one.</summary>
    public static bool Is(string folder) => File.Exists(Path.Combine(folder, Config)) && (File.Exists(Path.Combine(folder, Single)) || File.Exists(Path.Combine(folder, Index)));

    /// <summary>Maps the weights of a folder.</summary>
    /// <exception cref="InputException">No such folder, a kind of model that is not read, or weights that are not those of its configuration.</exception>
    public static LlamaWeights Load(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        var shape = Shape(Path.Combine(folder, Config));
        using var files = new Files(folder);
        string[] wrong = [.. Wrong(files, shape)];
        if (wrong.Length > 0)
            throw InputException.At(folder, $"{wrong.Length} weights that are not as {Config} says: {string.Join("; ", wrong.Take(8))}{(wrong.Length > 8 ? "; ..." : "")}", "exactly those of the model", "Get the whole folder of one model.");
        var embedding = files.Matrix("model.embed_tokens.weight");
        var layers = Enumerable.Range(0, shape.Layers).Select(l =>
        {
            string at = $"model.layers.{l}.", attention = at + "self_attn.";
            return new LlamaLayer(files.Vector(at + "input_layernorm.weight"), files.Matrix(attention + "q_proj.weight"), files.Matrix(attention + "k_proj.weight"), files.Matrix(attention + "v_proj.weight"), files.Matrix(attention + "o_proj.weight"),
                files.Vector(at + "post_attention_layernorm.weight"), files.Matrix(at + "mlp.gate_proj.weight"), files.Matrix(at + "mlp.up_proj.weight"), files.Matrix(at + "mlp.down_proj.weight"))
            {
                Biases = shape.AttentionBias ? (files.Vector(attention + "q_proj.bias"), files.Vector(attention + "k_proj.bias"), files.Vector(attention + "v_proj.bias")) : ([], [], []),
                HeadNorms = shape.QueryKeyNorm ? (files.Vector(attention + "q_norm.weight"), files.Vector(attention + "k_norm.weight")) : ([], []),
            };
        }).ToArray();
        return new(shape, embedding, layers, files.Vector("model.norm.weight"), shape.TiedHead ? embedding : files.Matrix("lm_head.weight"), files.Keep());
    }

    /// <summary>Writes a model, float32 or bfloat16 matrices as they are and others as float32. Neighbours that are rotated together are moved half a head apart, as this format has them.</summary>
    /// <param name="weights">The model.</param>
    /// <param name="folder">The folder; made if need be.</param>
    public static void Save(LlamaWeights weights, string folder)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(folder);
        Directory.CreateDirectory(folder);
        var s = weights.Shape;
        var tensors = new List<SafetensorsTensor> { Tensor("model.embed_tokens.weight", weights.Embedding, 0), Values("model.norm.weight", weights.FinalNorm, 0) };
        if (!s.TiedHead)
            tensors.Add(Tensor("lm_head.weight", weights.Head, 0));
        foreach (var (layer, l) in weights.Layers.Select((w, i) => (w, i)))
        {
            string at = $"model.layers.{l}.", attention = at + "self_attn.";
            tensors.AddRange([Values(at + "input_layernorm.weight", layer.AttentionNorm, 0), Values(at + "post_attention_layernorm.weight", layer.FeedForwardNorm, 0),
                Tensor(attention + "q_proj.weight", layer.Query, s.HeadWidth), Tensor(attention + "k_proj.weight", layer.Key, s.HeadWidth), Tensor(attention + "v_proj.weight", layer.Value, 0), Tensor(attention + "o_proj.weight", layer.Output, 0),
                Tensor(at + "mlp.gate_proj.weight", layer.Gate, 0), Tensor(at + "mlp.up_proj.weight", layer.Up, 0), Tensor(at + "mlp.down_proj.weight", layer.Down, 0)]);
            if (s.AttentionBias)
                tensors.AddRange([Values(attention + "q_proj.bias", layer.Biases.Query, s.HeadWidth), Values(attention + "k_proj.bias", layer.Biases.Key, s.HeadWidth), Values(attention + "v_proj.bias", layer.Biases.Value, 0)]);
            if (s.QueryKeyNorm)
                tensors.AddRange([Values(attention + "q_norm.weight", layer.HeadNorms.Query, s.HeadWidth), Values(attention + "k_norm.weight", layer.HeadNorms.Key, s.HeadWidth)]);
        }
        WholeFile.Write(Path.Combine(folder, Single), stream => SafetensorsWriter.Write(stream, tensors, new Dictionary<string, string> { ["format"] = "pt" }));
        WholeFile.Write(Path.Combine(folder, Config), Text(s));

        SafetensorsTensor Tensor(string name, WeightMatrix m, int head)
        {
            bool halves = m.Type == WeightType.BFloat16;
            return new(name, halves ? TensorType.BF16 : TensorType.F32, [m.Rows, m.Columns], stream =>
            {
                float[] row = new float[m.Columns];
                ushort[] bits = new ushort[m.Columns];
                for (int i = 0; i < m.Rows; i++)
                {
                    fixed (float* p = row)
                        m.Read(From(i, head), p);
                    if (halves)
                        for (int j = 0; j < row.Length; j++)
                            bits[j] = (ushort)(BitConverter.SingleToUInt32Bits(row[j]) >> 16);
                    stream.Write(halves ? MemoryMarshal.AsBytes(bits.AsSpan()) : MemoryMarshal.AsBytes(row.AsSpan()));
                }
            });
        }

        SafetensorsTensor Values(string name, float[] values, int head) => SafetensorsTensor.F32(name, [values.Length], values.Select((_, i) => values[From(i, head)]).ToArray());

        // row i of this format: the first half of a head holds the even ones of its neighbours
        int From(int i, int head) => head == 0 || !s.RopeInterleaved ? i : i / head * head + (i % head < head / 2 ? 2 * (i % head) : 2 * (i % head - head / 2) + 1);
    }

    private static string Text(LlamaShape s)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new() { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("model_type", s.QueryKeyNorm ? "qwen3" : s.AttentionBias ? "qwen2" : "llama");
            foreach (var (name, value) in new[] { ("hidden_size", s.Width), ("intermediate_size", s.Hidden), ("num_hidden_layers", s.Layers), ("num_attention_heads", s.Heads), ("num_key_value_heads", s.KeyValueHeads), ("head_dim", s.HeadWidth), ("vocab_size", s.Vocabulary), ("max_position_embeddings", s.Context) })
                json.WriteNumber(name, value);
            json.WriteNumber("rms_norm_eps", s.NormEpsilon);
            json.WriteNumber("rope_theta", s.RopeBase);
            json.WriteBoolean("tie_word_embeddings", s.TiedHead);
            json.WriteBoolean("attention_bias", s.AttentionBias);
            json.WriteString("hidden_act", "silu");
            if (s.RopeScaling is { } r)
            {
                json.WriteStartObject("rope_scaling");
                json.WriteString("rope_type", r.Kind == RopeScalingKind.Linear ? "linear" : "llama3");
                json.WriteNumber("factor", r.Factor);
                json.WriteNumber("low_freq_factor", r.LowFrequency);
                json.WriteNumber("high_freq_factor", r.HighFrequency);
                json.WriteNumber("original_max_position_embeddings", r.OriginalContext);
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        return System.Text.Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }

    private static LlamaShape Shape(string path)
    {
        using var json = ModelJson.Read(path);
        var root = json.RootElement;
        string kind = ModelJson.Has(root, "model_type", JsonValueKind.String, out var k) ? k.GetString()! : "none";
        if (!Kinds.Contains(kind))
            throw InputException.At(path, $"model_type '{kind}'", $"one of {string.Join(", ", Kinds)}", "Other kinds of models are not read.");
        if (Text("hidden_act", "silu") is var act && act is not ("silu" or "swish"))
            throw InputException.At(path, $"hidden_act '{act}'", "silu", "Models with another activation are not read.");
        if (ModelJson.Has(root, "sliding_window", JsonValueKind.Number, out var window) && Flag("use_sliding_window", kind == "mistral"))
            throw InputException.At(path, $"attention in a window of {window}", "attention to all positions", "Models with a window are not read.");
        if (Number(root, "partial_rotary_factor", 1) is var share && share != 1)
            throw InputException.At(path, FormattableString.Invariant($"partial_rotary_factor {share}"), "1", "Models that rotate a part of each head are not read.");
        int width = Size("hidden_size"), heads = Size("num_attention_heads");
        return new LlamaShape
        {
            Width = width,
            Hidden = Size("intermediate_size"),
            Layers = Size("num_hidden_layers"),
            Heads = heads,
            KeyValueHeads = Size("num_key_value_heads", heads),
            HeadWidth = Size("head_dim", heads > 0 ? width / heads : 0),
            Vocabulary = Size("vocab_size"),
            Context = Size("max_position_embeddings", 2048),
            NormEpsilon = Number(root, "rms_norm_eps", 1e-6),
            RopeBase = Number(root, "rope_theta", ModelJson.Has(root, "rope_parameters", JsonValueKind.Object, out var rotary) ? Number(rotary, "rope_theta", 10_000) : 10_000),
            TiedHead = Flag("tie_word_embeddings", false),
            AttentionBias = Flag("attention_bias", kind == "qwen2"),
            QueryKeyNorm = kind == "qwen3",
            RopeScaling = Scaling(),
        }.Checked(path);

        int Size(string name, int? otherwise = null) => root.TryGetProperty(name, out var v) && v.ValueKind != JsonValueKind.Null ? v.ValueKind == JsonValueKind.Number && v.TryGetInt32(out int n) ? n : throw Wrong(name, v, "a whole number")
            : otherwise ?? throw InputException.At(path, $"no {name}", "a whole number", "The configuration is not complete.");

        double Number(JsonElement from, string name, double otherwise) => from.TryGetProperty(name, out var v) && v.ValueKind != JsonValueKind.Null ? v.ValueKind == JsonValueKind.Number && v.TryGetDouble(out double n) ? n : throw Wrong(name, v, "a number") : otherwise;

        bool Flag(string name, bool otherwise) => root.TryGetProperty(name, out var v) && v.ValueKind != JsonValueKind.Null ? v.ValueKind is JsonValueKind.True or JsonValueKind.False ? v.GetBoolean() : throw Wrong(name, v, "true or false") : otherwise;

        string Text(string name, string otherwise) => ModelJson.Has(root, name, JsonValueKind.String, out var v) ? v.GetString()! : otherwise;

        RopeScaling? Scaling()
        {
            // newer files hold base and scaling together
            if (!ModelJson.Has(root, "rope_parameters", JsonValueKind.Object, out var r))
            {
                if (!root.TryGetProperty("rope_scaling", out r) || r.ValueKind == JsonValueKind.Null)
                    return null;
                if (r.ValueKind != JsonValueKind.Object)
                    throw Wrong("rope_scaling", r, "an object");
            }
            string type = ScalingKeys.Select(n => r.TryGetProperty(n, out var t) && t.ValueKind == JsonValueKind.String ? t.GetString() : null).FirstOrDefault(t => t is not null) ?? "none";
            return type switch
            {
                "default" => null,
                "linear" => new(RopeScalingKind.Linear, Number(r, "factor", 1)),
                "llama3" => new(RopeScalingKind.Llama3, Number(r, "factor", 8)) { LowFrequency = Number(r, "low_freq_factor", 1), HighFrequency = Number(r, "high_freq_factor", 4), OriginalContext = (int)Math.Clamp(Number(r, "original_max_position_embeddings", 8192), 0, int.MaxValue) },
                _ => throw InputException.At(path, $"rope_scaling of type '{type}'", "linear, llama3 or none", "Models with other scalings are not read."),
            };
        }

        InputException Wrong(string name, JsonElement found, string expected) => InputException.At(path, $"{name} = {(found.GetRawText() is { Length: > 60 } text ? text[..60] + "…" : found.GetRawText())}", expected, "The configuration is damaged.");
    }

    /// <summary>What a model of this shape has: names and shapes.</summary>
    private static IEnumerable<(string Name, long[] Shape)> Expected(LlamaShape s)
    {
        long queries = (long)s.Heads * s.HeadWidth, keys = (long)s.KeyValueHeads * s.HeadWidth;
        yield return ("model.embed_tokens.weight", [s.Vocabulary, s.Width]);
        yield return ("model.norm.weight", [s.Width]);
        if (!s.TiedHead)
            yield return ("lm_head.weight", [s.Vocabulary, s.Width]);
        for (int l = 0; l < s.Layers; l++)
        {
            string at = $"model.layers.{l}.", attention = at + "self_attn.";
            yield return (at + "input_layernorm.weight", [s.Width]);
            yield return (at + "post_attention_layernorm.weight", [s.Width]);
            yield return (attention + "q_proj.weight", [queries, s.Width]);
            yield return (attention + "k_proj.weight", [keys, s.Width]);
            yield return (attention + "v_proj.weight", [keys, s.Width]);
            yield return (attention + "o_proj.weight", [s.Width, queries]);
            yield return (at + "mlp.gate_proj.weight", [s.Hidden, s.Width]);
            yield return (at + "mlp.up_proj.weight", [s.Hidden, s.Width]);
            yield return (at + "mlp.down_proj.weight", [s.Width, s.Hidden]);
            if (s.AttentionBias)
            {
                yield return (attention + "q_proj.bias", [queries]);
                yield return (attention + "k_proj.bias", [keys]);
                yield return (attention + "v_proj.bias", [keys]);
            }
            if (s.QueryKeyNorm)
            {
                yield return (attention + "q_norm.weight", [s.HeadWidth]);
                yield return (attention + "k_norm.weight", [s.HeadWidth]);
            }
        }
    }

    private static IEnumerable<string> Wrong(Files files, LlamaShape shape)
    {
        var expected = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, size) in Expected(shape))
        {
            expected.Add(name);
            if (files.Entry(name) is not { } entry)
                yield return $"no {name}";
            else if (!entry.Shape.SequenceEqual(size))
                yield return $"{name} of [{string.Join(", ", entry.Shape)}], not [{string.Join(", ", size)}]";
            else if (entry.Type is not (TensorType.F32 or TensorType.BF16 or TensorType.F16))
                yield return $"{name} of type {entry.Type}, not F32, BF16 or F16";
        }
        // a head that is tied may be written twice; older files have the frequencies, which follow from the base
        foreach (string name in files.Names)
            if (!expected.Contains(name) && !(shape.TiedHead && name == "lm_head.weight") && !name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal))
                yield return $"{name}, which the model does not have";
    }

    /// <summary>The files of weights, mapped, and where each tensor is.</summary>
    private sealed class Files : IDisposable
    {
        private readonly List<MappedFile> _mapped = [];
        private readonly Dictionary<string, (MappedFile File, long Start, SafetensorsEntry Entry)> _tensors = new(StringComparer.Ordinal);
        private bool _kept;

        public Files(string folder)
        {
            try
            {
                foreach (string name in Names(folder))
                    Add(Path.Combine(folder, name));
            }
            catch
            {
                Dispose();
                throw;
            }

            static IEnumerable<string> Names(string folder)
            {
                string index = Path.Combine(folder, Index);
                if (!File.Exists(index))
                    return [Single];
                using var json = ModelJson.Read(index);
                if (!ModelJson.Has(json.RootElement, "weight_map", JsonValueKind.Object, out var map))
                    throw InputException.At(index, "no weight_map", "an object that says in which file each weight is", "Get the whole folder of one model.");
                string[] names = [.. map.EnumerateObject().Select(p => p.Value.ValueKind == JsonValueKind.String ? p.Value.GetString()! : "").Distinct().Order(StringComparer.Ordinal)];
                return names.FirstOrDefault(n => n.Length == 0 || Path.GetFileName(n) != n || !n.EndsWith(".safetensors", StringComparison.Ordinal)) is { } bad
                    ? throw InputException.At(index, $"the file '{bad}'", "names of safetensors files in the same folder", "Get the whole folder of one model.") : names;
            }
        }

        public IEnumerable<string> Names => _tensors.Keys;

        public SafetensorsEntry? Entry(string name) => _tensors.TryGetValue(name, out var t) ? t.Entry : null;

        public WeightMatrix Matrix(string name)
        {
            var (file, start, entry) = _tensors[name];
            byte* data = file.At(start + entry.Offset, entry.ByteCount);
            int rows = (int)entry.Shape[0], columns = (int)entry.Shape[1];
            return entry.Type switch
            {
                TensorType.F32 => WeightMatrix.Over(WeightType.Float32, rows, columns, data),
                TensorType.BF16 => WeightMatrix.Over(WeightType.BFloat16, rows, columns, data),
                _ => WeightMatrix.Of(WeightType.Float32, rows, columns, (row, to) => Halves((Half*)data + (long)row * columns, to)),
            };
        }

        public float[] Vector(string name)
        {
            var (file, start, entry) = _tensors[name];
            byte* data = file.At(start + entry.Offset, entry.ByteCount);
            float[] values = new float[entry.Count];
            for (int i = 0; i < values.Length; i++)
                values[i] = entry.Type switch { TensorType.F32 => ((float*)data)[i], TensorType.BF16 => BitConverter.UInt32BitsToSingle((uint)((ushort*)data)[i] << 16), _ => (float)((Half*)data)[i] };
            return values;
        }

        /// <summary>The mapped files, which from now on belong to the caller.</summary>
        public IDisposable Keep()
        {
            _kept = true;
            return new All(_mapped);
        }

        public void Dispose()
        {
            if (!_kept)
                new All(_mapped).Dispose();
        }

        private void Add(string path)
        {
            using var header = SafetensorsFile.Open(path);
            var mapped = new MappedFile(path);
            _mapped.Add(mapped);
            foreach (var entry in header.Tensors)
                if (!_tensors.TryAdd(entry.Name, (mapped, header.DataStart, entry)))
                    throw InputException.At(path, $"{entry.Name}, which another file has too", "each weight once", "Get the whole folder of one model.");
        }

        private static void Halves(Half* from, Span<float> to)
        {
            for (int j = 0; j < to.Length; j++)
                to[j] = (float)from[j];
        }

        private sealed class All(List<MappedFile> files) : IDisposable
        {
            public void Dispose() => files.ForEach(f => f.Dispose());
        }
    }
}
