using Winnow.Numerics;
using static TorchSharp.torch;

namespace Winnow.Learning.Tests;

public sealed class LinearCrossEntropyTests
{
    public LinearCrossEntropyTests() => NativeTorch.SetThreads(1);

    [Theory]
    [InlineData(nn.Reduction.Mean, true)]
    [InlineData(nn.Reduction.Mean, false)]
    [InlineData(nn.Reduction.Sum, true)]
    [InlineData(nn.Reduction.None, true)]
    public void Equals_linear_and_cross_entropy_with_their_gradients(nn.Reduction reduction, bool atOnce)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var (e, c, b, t) = (Random(generator, 40, 12), Random(generator, 90, 12), Random(generator, 90), randint(0, 90, [40], generator: generator));
        t[3] = -100;
        var w = reduction == nn.Reduction.None ? rand(40, generator: generator) : tensor(1.7f); // weights by row: what a gradient made in the forward pass gets wrong
        var actual = Gradients(() => (LinearCrossEntropy.Loss(e, c, t, b, new() { Reduction = reduction, GradientsWithLoss = atOnce }) * w).sum(), e, c, b);
        var expected = Gradients(() => (nn.functional.cross_entropy(nn.functional.linear(e, c, b), t, ignore_index: -100, reduction: reduction) * w).sum(), e, c, b);
        for (int i = 0; i < 4; i++)
            Assert.True(Relative(actual[i], expected[i]) < 2e-6, $"{i}: {Relative(actual[i], expected[i])}");
        Assert.Equal(0, actual[1][3].abs().sum().item<float>());
    }

    [Fact]
    public void Gradients_are_those_of_finite_differences_in_float64_with_soft_cap_bias_shift_and_z_loss()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(2);
        Tensor[] x = [.. new[] { Random(generator, 2, 5, 3), Random(generator, 7, 3), Random(generator, 7) }.Select(v => v.detach().to_type(ScalarType.Float64).requires_grad_())];
        var t = randint(0, 7, [2, 5], generator: generator);
        var settings = new LinearCrossEntropySettings { Shift = 2, Kernel = new() { Softcap = 1.5f } };
        var gradients = Gradients(Loss, x);
        const double h = 1e-5;
        using var off = no_grad();
        for (int k = 0; k < 3; k++)
        {
            var flat = x[k].view(-1);
            for (int i = 0; i < flat.shape[0]; i++)
            {
                double value = flat[i].item<double>();
                flat[i] = value + h;
                double above = Loss().item<double>();
                flat[i] = value - h;
                double below = Loss().item<double>();
                flat[i] = value;
                Assert.Equal((above - below) / (2 * h), gradients[k + 1].view(-1)[i].item<double>(), 1e-8); // h² and 1e-16/h
            }
        }

        Tensor Loss()
        {
            var (loss, lse) = LinearCrossEntropy.LossAndLogSumExp(x[0], x[1], t, x[2], settings);
            return loss + 0.3 * lse.square().mean();
        }
    }

    [Fact]
    public void The_log_sum_exps_gradient_is_that_of_dense_logits()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        var (e, c, t) = (Random(generator, 30, 8), Random(generator, 50, 8), randint(0, 50, [30], generator: generator));
        var actual = Gradients(() =>
        {
            var (loss, lse) = LinearCrossEntropy.LossAndLogSumExp(e, c, t);
            return loss + lse.square().mean();
        }, e, c);
        var expected = Gradients(() =>
        {
            var z = matmul(e, c.t());
            return nn.functional.cross_entropy(z, t) + logsumexp(z, 1).square().mean();
        }, e, c);
        for (int i = 0; i < 3; i++)
            Assert.True(Relative(actual[i], expected[i]) < 2e-6);
    }

    [Fact]
    public void Bfloat16_gradients_have_their_type_and_are_near_those_of_float32()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(4);
        var (e, c, t) = (Random(generator, 30, 8).detach().to_type(ScalarType.BFloat16).requires_grad_(), Random(generator, 50, 8).detach().to_type(ScalarType.BFloat16).requires_grad_(), randint(0, 50, [30], generator: generator));
        var (f, g) = (e.detach().to_type(ScalarType.Float32).requires_grad_(), c.detach().to_type(ScalarType.Float32).requires_grad_());
        var half = Gradients(() => LinearCrossEntropy.Loss(e, c, t), e, c);
        var full = Gradients(() => LinearCrossEntropy.Loss(f, g, t), f, g);
        Assert.Equal(ScalarType.BFloat16, half[1].dtype);
        for (int i = 0; i < 3; i++)
            Assert.True(Relative(half[i].to_type(ScalarType.Float32), full[i]) < 1.0 / 256); // one rounding to 8 bits
    }

    [Fact]
    public void The_module_trains_a_linear_layer_it_shares_and_sorting_changes_nothing_without_a_filter()
    {
        using var scope = NewDisposeScope();
        using var linear = nn.Linear(6, 40);
        using var head = new LinearCrossEntropy(linear);
        using var sorted = new LinearCrossEntropy(linear, new() { Kernel = new() { SortVocabulary = true, Threads = 2, VocabularyBlock = 8 } });
        Assert.Equal(2, head.parameters().Count());
        var (x, t) = (rand(20, 6), randint(0, 40, [20]));
        var one = Gradients(() => head.call(x, t), linear.weight!, linear.bias!);
        var two = Gradients(() => sorted.call(x, t), linear.weight!, linear.bias!);
        for (int i = 0; i < 3; i++)
            Assert.True(Relative(one[i], two[i]) < 2e-6);
        Assert.Equal([20L, 40L], head.Logits(x).shape);
    }

    [Fact]
    public void Training_takes_the_course_of_the_dense_loss()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(5);
        var (embedding, classifier, targets) = (Random(generator, 100, 16), Random(generator, 100, 16), randint(0, 100, [300], generator: generator));
        double[] ours = Course(e => LinearCrossEntropy.Loss(e.e, e.c, targets)), theirs = Course(e => nn.functional.cross_entropy(matmul(e.e, e.c.t()), targets));
        for (int i = 0; i < ours.Length; i++)
            Assert.Equal(theirs[i], ours[i], 1e-4 * theirs[i]);
        Assert.True(ours[^1] < ours[0] - 0.5);

        double[] Course(Func<(Tensor e, Tensor c), Tensor> loss)
        {
            var (e, c) = (embedding.detach().clone().requires_grad_(), classifier.detach().clone().requires_grad_());
            var inputs = arange(300) % 100;
            var (pe, pc) = (e, c);
            double[] course = new double[60];
            for (int step = 0; step < course.Length; step++)
            {
                using var inner = NewDisposeScope();
                var l = loss((pe.index_select(0, inputs), pc));
                (pe.grad, pc.grad) = (null!, null!);
                l.backward();
                course[step] = l.item<float>();
                using var off = no_grad();
                pe.sub_(pe.grad!);
                pc.sub_(pc.grad!);
            }
            return course;
        }
    }

    [Fact]
    public void No_valid_target_is_refused_or_zero_on_request()
    {
        using var scope = NewDisposeScope();
        var (e, c, t) = (rand(3, 2).requires_grad_(), rand(4, 2).requires_grad_(), full([3], -100, ScalarType.Int64));
        Assert.Throws<ArgumentException>(() => LinearCrossEntropy.Loss(e, c, t));
        var results = Gradients(() => LinearCrossEntropy.Loss(e, c, t, null, new() { ZeroWithoutTargets = true }), e, c);
        Assert.All(results, r => Assert.Equal(0, r.abs().sum().item<float>()));
    }

    [Fact]
    public void Bad_input_is_refused()
    {
        using var scope = NewDisposeScope();
        var (e, c, t) = (rand(3, 2), rand(4, 2), zeros([3], ScalarType.Int64));
        Assert.Throws<ArgumentException>(() => LinearCrossEntropy.Loss(e, rand(4, 3), t));
        Assert.Throws<ArgumentException>(() => LinearCrossEntropy.Loss(e, c, zeros([2], ScalarType.Int64)));
        Assert.Throws<ArgumentException>(() => LinearCrossEntropy.Loss(e, c, t.to_type(ScalarType.Int32)));
        Assert.Throws<ArgumentException>(() => LinearCrossEntropy.Loss(e, c, t, rand(3)));
        Assert.Throws<ArgumentException>(() => LinearCrossEntropy.Loss(e, c, t + 4));
        Assert.Throws<ArgumentException>(() => LinearCrossEntropy.Loss(e.to_type(ScalarType.Float64), c, t));
        Assert.Throws<ScratchLimitException>(() => LinearCrossEntropy.Loss(e, c, t, null, new() { Scratch = new Scratch(100) }));
    }

    [Fact]
    public void Contrastive_loss_and_gradients_are_those_of_dense_logits_and_of_a_gradient_cache()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(6);
        using var encoder = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 4));
        using (no_grad())
            foreach (var weights in encoder.parameters()) // the library draws them from a seed of the process
                weights.copy_(randn(weights.shape, generator: generator) / Math.Sqrt(weights.shape[^1]));
        using var loss = new ContrastiveLoss(0.2, new() { Threads = 2, KeyBlock = 8 });
        var (a, b) = (rand([30, 5], generator: generator), rand([30, 5], generator: generator));
        Tensor[] parameters = [.. encoder.parameters(), loss.logit_scale];
        var direct = Gradients(() => loss.call(Encode(a), Encode(b)), parameters);
        var dense = Gradients(() =>
        {
            var x = loss.logit_scale.exp() * matmul(Encode(a), Encode(b).t());
            return (nn.functional.cross_entropy(x, arange(30)) + nn.functional.cross_entropy(x.t(), arange(30))) / 2;
        }, parameters);
        var cached = Gradients(() => tensor(GradientCache.Backward([Encode, Encode], [a, b], f => loss.call(f[0], f[1]), chunk: 7, TestContext.Current.CancellationToken)), parameters);
        // the gradient of the log scale is a difference of sums of 30 terms of size at most 1/0.2, and may be near 0: its rounding is absolute
        const double Rounding = 30 * 5.0 / (1 << 24);
        foreach (var gradient in new[] { direct[^1], cached[^1] })
            Assert.Equal(dense[^1].item<float>(), gradient.item<float>(), Rounding);
        for (int i = 0; i < dense.Length - 1; i++)
        {
            Assert.True(Relative(direct[i], dense[i]) < 1e-5, $"{i}: {Relative(direct[i], dense[i])}");
            Assert.True(Relative(cached[i], dense[i]) < 1e-5, $"{i}: {Relative(cached[i], dense[i])}");
        }

        Tensor Encode(Tensor x) => nn.functional.normalize(encoder.call(x), dim: 1);
    }

    /// <summary>The value and the gradients; where the value has no graph, its gradients are there already.</summary>
    private static Tensor[] Gradients(Func<Tensor> loss, params Tensor[] parameters)
    {
        foreach (var p in parameters)
            p.grad = null!;
        var value = loss();
        if (value.requires_grad)
            value.backward();
        return [value.detach(), .. parameters.Select(p => p.grad!.clone())];
    }

    private static double Relative(Tensor actual, Tensor expected) => (actual - expected).norm().item<float>() / Math.Max(1e-12, expected.norm().item<float>());

    private static Tensor Random(Generator generator, params long[] shape) => randn(shape, generator: generator).requires_grad_();
}
