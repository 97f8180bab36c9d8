using Winnow.Core;
using Winnow.Language;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Training.Tests;

public sealed class LlamaNetworkTests
{
    static LlamaNetworkTests() => NativeTorch.Require();

    private static LlamaShape Shape(int heads = 4, int keys = 2, bool tied = true, bool bias = false, bool norm = false) =>
        new() { Width = 32, Hidden = 48, Layers = 3, Heads = heads, KeyValueHeads = keys, HeadWidth = 8, Vocabulary = 61, Context = 40, TiedHead = tied, AttentionBias = bias, QueryKeyNorm = norm };

    public static TheoryData<int, int, bool, bool, bool> Shapes => new() { { 4, 4, true, false, false }, { 4, 2, false, false, false }, { 4, 1, true, true, false }, { 4, 2, true, false, true } };

    /// <summary>A network whose weights are large enough that every part matters.</summary>
    private static LlamaNetwork Made(LlamaShape shape)
    {
        var network = new LlamaNetwork(shape, new SeededRandom(2, "weights"));
        var random = new SeededRandom(3, "more");
        using var untracked = no_grad();
        foreach (var parameter in network.Parameters.Values)
        {
            using var noise = tensor([.. Enumerable.Range(0, (int)parameter.numel()).Select(_ => (float)(0.2 * random.NextNormal()))], parameter.shape);
            parameter.add_(noise);
        }
        return network;
    }

    [Theory, MemberData(nameof(Shapes))] // the two runtimes, one checkpoint
    public void Logits_equal_those_of_the_session(int heads, int keys, bool tied, bool bias, bool norm)
    {
        var shape = Shape(heads, keys, tied, bias, norm);
        using var network = Made(shape);
        using var weights = network.ToWeights();
        using var session = new LlamaSession(weights);
        int[] tokens = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 58, 60];
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        float[] all = network.Forward(tensor([.. tokens.Select(t => (long)t)], [1, tokens.Length])).data<float>().ToArray();
        double size = all.Max(Math.Abs);
        for (int t = 0; t < tokens.Length; t++)
        {
            float[] own = session.Read(tokens.AsSpan(t, 1), TestContext.Current.CancellationToken).ToArray();
            for (int v = 0; v < shape.Vocabulary; v++)
                Assert.Equal(own[v], all[t * shape.Vocabulary + v], 1e-4 * size);
        }
    }

    [Fact]
    public void Gradients_are_those_of_finite_differences()
    {
        using var network = Made(Shape(bias: true));
        using var scope = NewDisposeScope();
        var tokens = tensor(new long[] { 1, 2, 3, 4, 5, 6 }, [2, 3]);
        var direction = tensor([.. Enumerable.Range(0, 2 * 3 * 61).Select(i => (float)Math.Sin(i))], [2, 3, 61]);
        double Loss()
        {
            using var untracked = no_grad();
            using var inner = NewDisposeScope();
            return (network.Forward(tokens) * direction).to_type(ScalarType.Float64).sum().item<double>();
        }
        (network.Forward(tokens) * direction).sum().backward();
        foreach (var (name, parameter) in network.Parameters)
        {
            using var untracked = no_grad();
            var flat = parameter.view(-1);
            long at = Math.Min(3, flat.numel() - 1);
            const float H = 3e-3f;
            float value = flat[at].item<float>();
            flat[at] = value + H;
            double up = Loss();
            flat[at] = value - H;
            double down = Loss();
            flat[at] = value;
            double expected = (up - down) / (2 * H);
            Assert.True(Math.Abs(expected - parameter.grad!.view(-1)[at].item<float>()) < 0.02 * Math.Max(1, Math.Abs(expected)), name);
        }
    }

    [Fact]
    public void A_later_token_changes_no_earlier_logits()
    {
        using var network = Made(Shape());
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var a = network.Forward(tensor(new long[] { 1, 2, 3, 4 }, [1, 4]));
        var b = network.Forward(tensor(new long[] { 1, 2, 3, 9 }, [1, 4]));
        Assert.True(a.narrow(1, 0, 3).allclose(b.narrow(1, 0, 3), 1e-6, 1e-6));
        Assert.False(a.narrow(1, 3, 1).allclose(b.narrow(1, 3, 1), 1e-6, 1e-6));
    }

    [Fact]
    public void Interleaved_rotation_and_texts_beyond_the_context_are_refused()
    {
        Assert.Throws<InputException>(() => new LlamaNetwork(Shape() with { RopeInterleaved = true }, new SeededRandom(1, "w")));
        using var network = Made(Shape());
        using var scope = NewDisposeScope();
        Assert.Throws<InputException>(() => network.Forward(zeros(1, 41, ScalarType.Int64)));
    }
}
