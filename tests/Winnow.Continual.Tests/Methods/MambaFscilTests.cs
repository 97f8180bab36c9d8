using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class MambaFscilTests : IDisposable
{
    private static readonly MambaFscilOptions Small = new() { StateSize = 3, SessionSteps = 4, WarmUp = 2, SessionLearningRate = 0.01 };
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    /// <summary>Images of 8×8 in a cnn: maps of 32×2×2.</summary>
    private static SmallStream Stream() => new("few-shot", o => ((FewShotOptions)o) with { Model = ModelKind.Cnn, BaseEpochs = 1, Epochs = 1 }, Images());

    private static LabelledData Images()
    {
        var random = new SeededRandom(1, "images");
        int[] labels = [.. Enumerable.Range(0, 4 * 12).Select(i => i % 4)];
        byte[] pixels = [.. labels.SelectMany(y => Enumerable.Range(0, 64).Select(p => (byte)((p / 16 == y ? 150 : 20) + random.Next(60))).ToArray())];
        return LabelledData.FromImages("stripes", pixels, [1, 8, 8], labels, ["c0", "c1", "c2", "c3"]);
    }

    private static byte[] Bytes(IContinualLearner learner, Func<string, bool> names) => [.. learner.State.Where(s => names(s.Name)).SelectMany(s => s.Value.contiguous().bytes.ToArray())];

    private static bool IsFrozen(string name) => name is "mamba-fscil.frame" || name.StartsWith("mamba-fscil.base.", StringComparison.Ordinal) || !name.StartsWith("mamba-fscil.", StringComparison.Ordinal);

    [Fact]
    public void Before_the_first_step_of_a_session_the_silent_branch_changes_no_bit_of_a_prediction()
    {
        using var stream = Stream();
        using var dual = new MambaFscil(stream.Setup, Small);
        using var single = new MambaFscil(stream.Setup, Small with { Branch = SessionBranch.Single });
        using var loud = new MambaFscil(stream.Setup, Small with { ZeroInit = false });
        foreach (var learner in (MambaFscil[])[dual, single, loud])
            stream.Train(learner, 0, new SeededRandom(3, "order"));
        var x = stream.Tasks[0].Test().X;
        ByHand.Same(single.Predict(x), dual.Predict(x));
        Assert.False(single.Predict(x).allclose(loud.Predict(x)));
    }

    [Theory, InlineData(ProjectorKind.Scan), InlineData(ProjectorKind.Linear)]
    public void Sessions_leave_encoder_base_branch_and_frame_as_they_are_and_train_the_added_branch(ProjectorKind projector)
    {
        using var stream = Stream();
        using var learner = new MambaFscil(stream.Setup, Small with { Projector = projector });
        var order = new SeededRandom(3, "order");
        byte[] fresh = Bytes(learner, IsFrozen);
        stream.Train(learner, 0, order);
        byte[] afterBase = Bytes(learner, IsFrozen), added = Bytes(learner, n => n.Contains(".added.", StringComparison.Ordinal));
        Assert.NotEqual(fresh, afterBase);
        stream.Train(learner, 1, order);
        stream.Train(learner, 2, order);
        Assert.Equal(afterBase, Bytes(learner, IsFrozen));
        Assert.NotEqual(added, Bytes(learner, n => n.Contains(".added.", StringComparison.Ordinal)));
    }

    [Fact]
    public void The_base_session_tunes_the_encoder_only_where_it_may()
    {
        using var stream = Stream();
        using var frozen = new MambaFscil(stream.Setup, Small with { EncoderScale = 0 });
        using var tuned = new MambaFscil(stream.Setup, Small);
        byte[] before = Bytes(frozen, IsEncoder);
        stream.Train(frozen, 0, new SeededRandom(3, "order"));
        stream.Train(tuned, 0, new SeededRandom(3, "order"));
        Assert.Equal(before, Bytes(frozen, IsEncoder));
        Assert.NotEqual(before, Bytes(tuned, IsEncoder));

        static bool IsEncoder(string name) => !name.StartsWith("mamba-fscil.", StringComparison.Ordinal);
    }

    [Fact]
    public void A_mean_map_is_kept_of_a_base_class_and_the_shots_of_a_later_one()
    {
        using var stream = Stream();
        using var learner = new MambaFscil(stream.Setup, Small with { EncoderScale = 0 });
        stream.Train(learner);
        var (maps, counts) = (ByHand.StateOf(learner, "mamba-fscil.maps"), ByHand.StateOf(learner, "mamba-fscil.counts"));
        using var encoder = stream.Setup.Network();
        encoder.Training = false;
        using var none = no_grad();
        foreach (var task in stream.Tasks)
            foreach (int c in task.Info.Classes)
            {
                var rows = task.Train();
                var features = encoder.Features(rows.X.index_select(0, rows.Y.eq(c).nonzero().flatten()));
                Assert.Equal(task.Info.Id == 0 ? 1 : 5, counts[c].item<long>());
                ByHand.Close(task.Info.Id == 0 ? features.mean([0], keepdim: true) : features, maps[c].narrow(0, 0, counts[c].item<long>()));
            }
    }

    [Fact]
    public void Four_directions_read_a_turned_or_transposed_map_as_the_same_map_in_other_places()
    {
        using var branch = new ScanBranch((5, 3, 3), Small, new SeededRandom(2, "branch"), silent: false);
        using var none = no_grad();
        branch.Parameters["position"].detach().zero_(); // what would tell the places apart
        var maps = TestData.Rows(2, width: 45).X.reshape(2, 5, 3, 3);
        var plain = branch.Forward(maps);
        foreach (var move in (Func<Tensor, Tensor>[])[m => m.transpose(2, 3), m => m.flip(2, 3)])
        {
            var moved = branch.Forward(move(maps).contiguous());
            ByHand.Close(plain.Output, moved.Output, 1e-4, 1e-6);
            ByHand.Close(move(plain.Gate!.reshape(2, 5, 3, 3)).reshape(2, 5, 9), moved.Gate!, 1e-4, 1e-6);
        }
        Assert.False(plain.Output.allclose(branch.Forward(maps.flip(3)).Output, rtol: 1e-4)); // a mirrored map is another one
    }

    [Fact]
    public void Step_sizes_start_log_uniform_between_a_thousandth_and_a_tenth_and_decays_at_1_to_N()
    {
        using var branch = new ScanBranch((64, 2, 2), new() { StateSize = 4 }, new SeededRandom(2, "branch"), silent: true);
        using var none = no_grad();
        double[] steps = [.. nn.functional.softplus(branch.Parameters["step.bias"]).data<float>().ToArray().Select(v => (double)v)];
        Assert.All(steps, s => Assert.InRange(s, 0.000999, 0.1001));
        // the mean of 64 uniform logarithms lies within 4.5 of its deviations: false alarm below 1e-5
        Assert.InRange(steps.Average(s => Math.Log10(s)), -2 - 4.5 * 2 / Math.Sqrt(12 * 64), -2 + 4.5 * 2 / Math.Sqrt(12 * 64));
        ByHand.Close(tensor((float[])[1, 2, 3, 4]).repeat(64, 1), branch.Parameters["a.log"].exp());
    }

    [Fact]
    public void A_session_of_base_or_new_rows_alone_has_a_finite_loss()
    {
        using var stream = Stream();
        using var learner = new MambaFscil(stream.Setup, Small);
        stream.Train(learner, 0, new SeededRandom(3, "order"));
        int known = stream.Tasks[0].Info.Classes[0], added = stream.Tasks[1].Info.Classes[0];
        var x = TestData.Rows(3, width: 128).X.reshape(3, 32, 2, 2);
        foreach (long[] labels in (long[][])[[known, known, known], [added, added, added], [known, added, known]])
            Assert.True(learner.Loss(MixedRows.Plain(x, tensor(labels))).isfinite().item<bool>());
    }

    [Fact]
    public void Bad_input_is_refused_with_the_reason()
    {
        using var stream = Stream();
        using var learner = new MambaFscil(stream.Setup, Small);
        var first = stream.Tasks[0];
        Assert.Throws<InvalidOperationException>(() => learner.Observe(first.Train()));
        stream.Train(learner, 0, new SeededRandom(3, "order"));
        Assert.Contains("comes back", Assert.Throws<ArgumentException>(() => learner.BeginTask(first.Info, first.Train())).Message, StringComparison.Ordinal);
        using var branch = new ScanBranch((5, 3, 3), Small, new SeededRandom(2, "branch"), silent: false);
        Assert.Contains("expected [rows, 5, 3, 3]", Assert.Throws<ArgumentException>(() => branch.Forward(zeros(2, 5, 2, 2))).Message, StringComparison.Ordinal);
        using var narrow = new SmallStream("few-shot", o => o with { Hidden = 3 });
        Assert.Contains("4 classes and feature maps of 3 channels", Assert.Throws<ArgumentException>(() => new MambaFscil(narrow.Setup, Small)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Mixed_rows_lie_between_their_pair_and_boxes_exchange_the_share_that_their_weight_says()
    {
        var random = new SeededRandom(4, "mix");
        var x = TestData.Rows(6).X;
        var y = arange(6, ScalarType.Int64);
        var mixed = MixedRows.Average(x, y, 0.3, random);
        ByHand.Close(0.3 * x + 0.7 * x.index_select(0, mixed.Partner), mixed.X);
        for (int i = 0; i < 20; i++)
        {
            var boxes = MixedRows.Boxes(x, y, new(1, 4, 4, 6, false), random);
            var taken = boxes.X.eq(x).logical_not().any(0).sum().item<long>();
            Assert.True(boxes.Partner.equal(y).all().item<bool>() || Math.Abs(1 - taken / 16.0 - boxes.Lambda) < 1e-9);
        }
        // Beta(0.8, 0.8): mean ½, variance 1/(4·2.6); 2000 draws within 5 deviations, false alarm below 1e-6
        double[] draws = [.. Enumerable.Range(0, 2000).Select(_ => MixedRows.Beta(0.8, random))];
        Assert.InRange(draws.Average(), 0.5 - 5 * Math.Sqrt(1 / (4 * 2.6) / 2000), 0.5 + 5 * Math.Sqrt(1 / (4 * 2.6) / 2000));
        Assert.InRange(draws.Average(d => (d - 0.5) * (d - 0.5)), 0.085, 0.107);
    }
}
