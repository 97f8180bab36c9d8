using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class PfnrTests
{
    private static readonly PfnrOptions Small = new() { Channels = 8, LowerChannels = 4, Hidden = 8, Levels = 6, Kept = 0.3 };

    [Theory, InlineData(false), InlineData(true)]
    public void Earlier_videos_decode_to_the_same_bytes_and_their_weights_do_not_move(bool fresh)
    {
        using var stream = new SmallStream("video");
        using var learner = new Pfnr(stream.Setup, Small with { FreshScores = fresh });
        using var scope = NewDisposeScope();
        var order = new SeededRandom(1, "order");
        stream.Train(learner, 0, order);
        var x = stream.Tasks[0].Test().X;
        var (before, weights) = (learner.Predict(x), ByHand.StateOf(learner, "weights").clone());
        var used = Bits(learner, 0, weights.numel());
        stream.Train(learner, 1, order);
        ByHand.Same(before, learner.Predict(x));
        ByHand.Same(weights[used], ByHand.StateOf(learner, "weights")[used]);
        Assert.False(weights.eq(ByHand.StateOf(learner, "weights")).all().item<bool>()); // the second video wrote something
    }

    [Fact]
    public void Backward_transfer_is_exactly_zero_and_capacity_grows_up_to_all()
    {
        using var stream = new SmallStream("video");
        using var learner = new Pfnr(stream.Setup, Small);
        Assert.Equal(0, stream.Run(learner)["psnr_backward_transfer"]);
        double[] capacity = [.. learner.Series.Where(s => s.Name == "capacity").Select(s => s.Value)];
        Assert.Equal(2, capacity.Length);
        Assert.True(0.25 < capacity[0] && capacity[0] <= capacity[1] && capacity[1] <= 1);
        Assert.All(learner.Series.Where(s => s.Name == $"overlap/{s.Step}"), s => Assert.Equal(1, s.Value)); // with itself
    }

    [Fact] // c = 1: the first video trains the dense decoder, the second finds everything frozen and only reuses
    public void Keeping_all_weights_is_the_dense_decoder_and_leaves_nothing_free()
    {
        using var stream = new SmallStream("video");
        using var whole = new Pfnr(stream.Setup, AsWsn(Small) with { Kept = 1 });
        using var dense = new Pfnr(stream.Setup, AsNerv(Small));
        using var scope = NewDisposeScope();
        var (order, same) = (new SeededRandom(1, "order"), new SeededRandom(1, "order"));
        stream.Train(whole, 0, order);
        stream.Train(dense, 0, same);
        var weights = ByHand.StateOf(whole, "weights").clone();
        ByHand.Same(ByHand.StateOf(dense, "weights"), weights);
        stream.Train(whole, 1, order);
        ByHand.Same(weights, ByHand.StateOf(whole, "weights"));
    }

    [Fact]
    public void One_frame_is_learned_ever_better()
    {
        using var stream = new SmallStream("video");
        using var learner = new Pfnr(stream.Setup with { Training = stream.Setup.Training with { Epochs = 60 } }, Small);
        using var scope = NewDisposeScope();
        var train = stream.Tasks[0].Train();
        learner.BeginTask(stream.Tasks[0].Info, train);
        double first = learner.Observe(train).Loss, last = 0;
        for (int i = 0; i < 100; i++)
            last = learner.Observe(train).Loss;
        Assert.True(last < 0.5 * first, $"{first} to {last}");
    }

    [Fact] // central differences of the loss by single weights; absolute error of order h² and of float rounding over h
    public void The_decoders_gradient_is_that_of_finite_differences()
    {
        var decoder = new FrameDecoder([1, 8, 8], Small);
        using var scope = NewDisposeScope();
        var (weights, head) = (zeros(decoder.Length), zeros(decoder.HeadLength));
        Subnetwork.Draw(decoder.Tensors, weights, new SeededRandom(1, "weights"));
        Subnetwork.Draw(decoder.Head, head, new SeededRandom(1, "head"));
        var x = tensor(new[] { 0.5f, 0.3f }).reshape(1, 2);
        var frame = rand(1, 1, 8, 8, generator: new Generator(1));
        var leaf = weights.clone().requires_grad_();
        FrameLoss.Of(decoder.Forward(x, leaf, head), frame, 1).backward();
        foreach (var t in decoder.Tensors)
        {
            using var inner = NewDisposeScope();
            double Loss(float by)
            {
                var moved = weights.clone();
                moved[t.Offset] += by;
                return FrameLoss.Of(decoder.Forward(x, moved, head), frame, 1).item<float>();
            }
            Assert.Equal((Loss(0.05f) - Loss(-0.05f)) / 0.1, leaf.grad![t.Offset].item<float>(), 3);
        }
    }

    [Theory, InlineData(0, 0.1), InlineData(0.1, 0.55), InlineData(0.2, 1), InlineData(0.6, 0.5), InlineData(1, 0), InlineData(1.5, 0)]
    public void Step_size_rises_in_the_warm_up_and_falls_by_a_cosine(double progress, double factor) => Assert.Equal(factor, Pfnr.Schedule(progress, 0.2), 9);

    [Fact]
    public void A_stored_decoder_is_accounted_for_smaller_than_its_floats_and_decodes_nearly_the_same()
    {
        using var stream = new SmallStream("video");
        using var learner = new Pfnr(stream.Setup, Small);
        Assert.Empty(learner.Account);
        stream.Train(learner);
        var account = learner.Account.ToDictionary(a => a.Kind, a => a.Amount);
        long floats = learner.State.Where(s => s.Kind == StateKind.Model).Sum(s => s.Value.numel() * 4);
        Assert.InRange(account["coded_bytes"], 1, floats);
        Assert.InRange(account["coded_fidelity_db"], 30, 100);
    }

    [Fact]
    public void Frames_and_blocks_that_do_not_fit_are_refused()
    {
        Assert.Contains("divisible by 8", Assert.Throws<ArgumentException>(() => new FrameDecoder([1, 12, 12], Small with { Blocks = 3 })).Message, StringComparison.Ordinal);
        Assert.Contains("expected one from 1 to 1", Assert.Throws<ArgumentException>(() => new FrameDecoder([1, 8, 8], Small with { Blocks = 1 })).Message, StringComparison.Ordinal);
        Assert.Contains("expected from 2 to 2", Assert.Throws<ArgumentException>(() => new FrameDecoder([1, 8, 8], Small with { Modes = 4 })).Message, StringComparison.Ordinal);
        using var classes = new SmallStream();
        Assert.Contains("expected frames", Assert.Throws<ArgumentException>(() => new Pfnr(classes.Setup, Small)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Rows_of_no_video_of_several_or_of_one_that_has_not_begun_are_refused()
    {
        using var stream = new SmallStream("video");
        using var learner = new Pfnr(stream.Setup, Small);
        using var scope = NewDisposeScope();
        var (one, two) = (stream.Tasks[0].Train(), stream.Tasks[1].Train());
        Assert.Throws<InvalidOperationException>(() => learner.Observe(one));
        learner.BeginTask(stream.Tasks[0].Info, one);
        Assert.Throws<InvalidOperationException>(() => learner.Observe(two));
        Assert.Contains("of several videos", Assert.Throws<ArgumentException>(() => learner.Observe(new(cat([one.X, two.X]), cat([one.Y, two.Y])))).Message, StringComparison.Ordinal);
        Assert.Contains("session coordinate", Assert.Throws<ArgumentException>(() => learner.Predict(one.X + 0.1f)).Message, StringComparison.Ordinal);
    }

    private static NervOptions AsNerv(PfnrOptions o) => new() { Channels = o.Channels, LowerChannels = o.LowerChannels, Hidden = o.Hidden, Levels = o.Levels };

    private static WsnOptions AsWsn(PfnrOptions o) => new() { Channels = o.Channels, LowerChannels = o.LowerChannels, Hidden = o.Hidden, Levels = o.Levels, Kept = o.Kept };

    /// <summary>The stored mask of a session.</summary>
    private static Tensor Bits(Pfnr learner, int session, long length)
    {
        byte[] bits = ByHand.StateOf(learner, "masks")[session].data<byte>().ToArray();
        return tensor(Enumerable.Range(0, (int)length).Select(i => (bits[i >> 3] >> (i & 7) & 1) != 0).ToArray());
    }
}
