using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Data;
using Winnow.Numerics;

namespace Winnow.Language.Tests;

public sealed class HuggingFaceFolderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-hf").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string At(string name) => Path.Combine(_folder, name);

    private static LlamaWeights Weights(bool interleaved = false, bool tied = true, bool bias = false, bool norms = false, RopeScaling? scaling = null) => LlamaWeights.Random(new()
    {
        Width = 32,
        Hidden = 48,
        Layers = 2,
        Heads = 4,
        KeyValueHeads = 2,
        HeadWidth = 8,
        Vocabulary = 40,
        Context = 64,
        RopeInterleaved = interleaved,
        TiedHead = tied,
        AttentionBias = bias,
        QueryKeyNorm = norms,
        RopeScaling = scaling,
        RopeBase = 5e5,
        NormEpsilon = 1e-6,
    }, new SeededRandom(6, "weights"));

    private static float[] Logits(LlamaWeights weights)
    {
        using var session = new LlamaSession(weights);
        return session.Read([3, 1, 4, 1, 5, 9, 26, 5], TestContext.Current.CancellationToken).ToArray();
    }

    [Theory]
    [InlineData(false, true, false, false)]
    [InlineData(false, false, true, false)]
    [InlineData(false, true, false, true)]
    [InlineData(true, true, true, true)]
    [InlineData(true, false, false, false)]
    public void What_is_saved_is_loaded_and_says_the_same(bool interleaved, bool tied, bool bias, bool norms)
    {
        using var weights = Weights(interleaved, tied, bias, norms, bias ? new(RopeScalingKind.Llama3, 4) { OriginalContext = 16 } : null);
        HuggingFaceFolder.Save(weights, _folder);
        Assert.True(HuggingFaceFolder.Is(_folder));
        using var loaded = HuggingFaceFolder.Load(_folder);
        Assert.Equal(weights.Shape with { RopeInterleaved = false }, loaded.Shape);
        float[] expected = Logits(weights), logits = Logits(loaded);
        if (interleaved)
            Assert.All(expected.Zip(logits), p => Assert.Equal(p.First, p.Second, 1e-4 * expected.Max(Math.Abs)));
        else
            Assert.Equal(expected, logits);
        byte[] first = File.ReadAllBytes(At("model.safetensors"));
        if (!interleaved)
        {
            HuggingFaceFolder.Save(loaded, At("again"));
            Assert.Equal(first, File.ReadAllBytes(At("again/model.safetensors")));
        }
    }

    [Fact]
    public void Bfloat16_is_mapped_and_kept_and_halves_become_floats()
    {
        using var weights = Weights();
        using var rounded = weights.As(WeightType.BFloat16, TestContext.Current.CancellationToken);
        HuggingFaceFolder.Save(rounded, _folder);
        using (var loaded = HuggingFaceFolder.Load(_folder))
        {
            Assert.Equal(WeightType.BFloat16, loaded.Layers[0].Gate.Type);
            Assert.Equal(Logits(rounded), Logits(loaded));
        }
        Rewrite(t => t.Shape.Count < 2 ? t : new(t.Name, TensorType.F16, t.Shape, stream =>
        {
            using var bytes = new MemoryStream();
            t.WriteTo(bytes);
            foreach (ushort bits in System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ushort>(bytes.ToArray()))
                stream.Write(BitConverter.GetBytes((Half)BitConverter.UInt32BitsToSingle((uint)bits << 16)));
        }));
        using var half = HuggingFaceFolder.Load(_folder);
        Assert.Equal(WeightType.Float32, half.Layers[0].Gate.Type);
        Assert.All(Logits(rounded).Zip(Logits(half)), p => Assert.Equal(p.First, p.Second, 1e-3));
    }

    [Fact]
    public void Weights_may_lie_in_several_files()
    {
        using var weights = Weights(tied: false);
        HuggingFaceFolder.Save(weights, _folder);
        var all = Read();
        Split(all, (name, i) => $"part-{i % 3}.safetensors");
        File.Delete(At("model.safetensors"));
        using (var loaded = HuggingFaceFolder.Load(_folder))
            Assert.Equal(Logits(weights), Logits(loaded));
        Split(all, (name, i) => i % 2 == 0 ? "a.safetensors" : "b.safetensors");
        File.Copy(At("a.safetensors"), At("b.safetensors"), overwrite: true);
        Refused("which another file has too");
        File.WriteAllText(At("model.safetensors.index.json"), """{"weight_map":{"x":"../../etc/passwd.safetensors"}}""");
        Refused("'../../etc/passwd.safetensors'", "same folder");
        File.WriteAllText(At("model.safetensors.index.json"), """{"weights":1}""");
        Refused("no weight_map");
    }

    [Fact]
    public void What_is_missing_too_much_or_misshaped_is_listed()
    {
        using var weights = Weights();
        HuggingFaceFolder.Save(weights, _folder);
        Rewrite(t => t.Name.Contains("k_proj", StringComparison.Ordinal) ? t with { Name = t.Name.Replace("k_proj", "kk_proj", StringComparison.Ordinal) }
            : t.Name == "model.norm.weight" ? t with { Shape = [4, 8] } : t);
        Refused("5 weights that are not as config.json says", "no model.layers.0.self_attn.k_proj.weight", "model.layers.1.self_attn.kk_proj.weight, which the model does not have", "model.norm.weight of [4, 8], not [32]");
    }

    [Theory]
    [InlineData("model_type", "\"gpt2\"", "model_type 'gpt2'", "llama, mistral, qwen2, qwen3")]
    [InlineData("hidden_size", "null", "no hidden_size")]
    [InlineData("hidden_size", "\"32\"", "hidden_size = \"32\"")]
    [InlineData("hidden_size", "99999999999", "hidden_size = 99999999999")]
    [InlineData("num_hidden_layers", "0", "layers 0")]
    [InlineData("num_key_value_heads", "3", "4 heads of queries and 3 of keys")]
    [InlineData("hidden_act", "\"gelu\"", "hidden_act 'gelu'")]
    [InlineData("rope_scaling", "{\"type\":\"yarn\"}", "type 'yarn'")]
    [InlineData("rope_scaling", "{\"type\":\"linear\",\"factor\":0}", "rotary scaling by 0")]
    [InlineData("rope_parameters", "{\"rope_type\":\"yarn\"}", "type 'yarn'")]
    [InlineData("partial_rotary_factor", "0.5", "partial_rotary_factor 0.5")]
    [InlineData("rope_theta", "-1", "rotary base of -1")]
    [InlineData("tie_word_embeddings", "1", "tie_word_embeddings = 1")]
    [InlineData("num_hidden_layers", "3", "no model.layers.2.input_layernorm.weight")]
    public void A_configuration_that_cannot_be_is_refused(string key, string value, params string[] parts)
    {
        using var weights = Weights();
        HuggingFaceFolder.Save(weights, _folder);
        var config = JsonNode.Parse(File.ReadAllText(At("config.json")))!.AsObject();
        config[key] = JsonNode.Parse(value);
        File.WriteAllText(At("config.json"), config.ToJsonString());
        Refused(parts);
    }

    [Fact]
    public void Base_and_scaling_of_newer_configurations_are_read()
    {
        using var weights = Weights(scaling: new(RopeScalingKind.Llama3, 4) { OriginalContext = 16 });
        HuggingFaceFolder.Save(weights, _folder);
        var config = JsonNode.Parse(File.ReadAllText(At("config.json")))!.AsObject();
        var rotary = config["rope_scaling"]!.DeepClone();
        rotary["rope_theta"] = config["rope_theta"]!.DeepClone();
        config.Remove("rope_theta");
        config.Remove("rope_scaling");
        config["rope_parameters"] = rotary;
        File.WriteAllText(At("config.json"), config.ToJsonString());
        using var loaded = HuggingFaceFolder.Load(_folder);
        Assert.Equal(weights.Shape, loaded.Shape);
    }

    [Fact]
    public void Folders_and_files_that_are_none_are_refused()
    {
        Refused("config.json", "cannot be read");
        Assert.False(HuggingFaceFolder.Is(_folder));
        using var weights = Weights();
        HuggingFaceFolder.Save(weights, _folder);
        byte[] whole = File.ReadAllBytes(At("model.safetensors"));
        File.WriteAllBytes(At("model.safetensors"), whole[..(whole.Length / 2)]);
        Refused("model.safetensors");
        File.WriteAllText(At("config.json"), "{");
        Refused("config.json");
        File.WriteAllText(At("config.json"), "[]");
        Refused("model_type 'none'");
    }

    private void Refused(params string[] parts)
    {
        var error = Assert.Throws<InputException>(() => HuggingFaceFolder.Load(_folder));
        Assert.All(parts, p => Assert.Contains(p, error.Message));
    }

    private List<SafetensorsTensor> Read()
    {
        using var file = SafetensorsFile.Open(At("model.safetensors"));
        return [.. file.Tensors.Select(t =>
        {
            byte[] bytes = new byte[t.ByteCount];
            file.Read(t, bytes);
            return new SafetensorsTensor(t.Name, t.Type, t.Shape, stream => stream.Write(bytes));
        })];
    }

    private void Rewrite(Func<SafetensorsTensor, SafetensorsTensor> change)
    {
        SafetensorsTensor[] tensors = [.. Read().Select(change)];
        using var stream = File.Create(At("model.safetensors"));
        SafetensorsWriter.Write(stream, tensors, new Dictionary<string, string>());
    }

    private void Split(List<SafetensorsTensor> tensors, Func<string, int, string> where)
    {
        var map = new JsonObject();
        foreach (var group in tensors.Select((t, i) => (Tensor: t, File: where(t.Name, i))).GroupBy(t => t.File))
        {
            using var stream = File.Create(At(group.Key));
            SafetensorsWriter.Write(stream, [.. group.Select(t => t.Tensor)], new Dictionary<string, string>());
            foreach (var (tensor, file) in group)
                map[tensor.Name] = file;
        }
        File.WriteAllText(At("model.safetensors.index.json"), new JsonObject { ["weight_map"] = map }.ToJsonString());
    }
}
