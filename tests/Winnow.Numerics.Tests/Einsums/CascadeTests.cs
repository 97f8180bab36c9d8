using Winnow.Numerics.Einsums;

namespace Winnow.Numerics.Tests.Einsums;

public sealed class CascadeTests
{
    private const int P = 5, E = 4, F = 3;

    public static TheoryData<string, int> Cascades => new()
    {
        { AttentionCascades.ThreePass, 3 }, { AttentionCascades.TwoPass, 2 }, { AttentionCascades.OnePass, 1 },
        { AttentionCascades.Unstabilised, 2 }, { AttentionCascades.UnstabilisedDelayed, 1 },
    };

    [Theory, MemberData(nameof(Cascades))]
    public void The_passes_over_the_keys_are_those_of_the_paper(string text, int passes)
    {
        var analysis = new CascadePasses(Cascade.Parse(text), "m");
        Assert.Equal(passes, analysis.Count);
        Assert.Equal(Enumerable.Range(2, passes - 1), analysis.Reasons.Select(r => int.Parse(r.Split("in pass ")[1].Split(':')[0])).Distinct().Order());
    }

    [Fact]
    public void A_further_pass_is_explained_by_what_is_complete_too_late()
    {
        var analysis = new CascadePasses(Cascade.Parse(AttentionCascades.ThreePass), "m");
        Assert.Equal(["SN goes over m in pass 2: it needs GM[p], complete only when pass 1 ends", "A goes over m in pass 3: it needs SD[p], complete only when pass 2 ends"], analysis.Reasons);
        Assert.Equal(["QK", "SN"], analysis.Kept);
        Assert.Empty(new CascadePasses(Cascade.Parse(AttentionCascades.OnePass), "m").Kept);
    }

    [Fact]
    public void Delaying_the_division_saves_a_pass() =>
        Assert.Equal(2, new CascadePasses(Cascade.Parse(AttentionCascades.ThreePass.Replace("A[m, p] = SN[m, p] / SD[p]", "SNV[f, p] = sum(m) SN[m, p] * V[f, m]").Replace("AV[f, p] = sum(m) A[m, p] * V[f, m]", "AV[f, p] = SNV[f, p] / SD[p]")), "m").Count);

    [Fact]
    public void Another_rank_needs_passes_of_its_own()
    {
        var cascade = Cascade.Parse(AttentionCascades.ThreePass);
        Assert.Equal((1, 1), (new CascadePasses(cascade, "f").Count, new CascadePasses(cascade, "e").Count));
        Assert.Contains("'z'", Assert.Throws<ArgumentException>(() => new CascadePasses(cascade, "z")).Message);
    }

    [Theory]
    [InlineData(12, 1, 1)]
    [InlineData(15, 3, 1)]
    [InlineData(12, 12, 1)]
    [InlineData(12, 4, 1e4)]
    public void All_cascades_are_dense_attention_for_any_block(int keys, int block, double magnitude)
    {
        var (inputs, dense) = Attention(keys, magnitude);
        foreach (string text in new[] { AttentionCascades.ThreePass, AttentionCascades.TwoPass, AttentionCascades.OnePass })
            AssertClose(dense, Run(text, inputs, block).Outputs["AV"].Values);
    }

    [Fact]
    public void Masked_keys_count_for_nothing_even_a_whole_block_or_all()
    {
        var (inputs, _) = Attention(12, 1);
        // query 0 sees no key of the first block, query 1 none at all
        var mask = new double[12 * P];
        for (int m = 0; m < 12; m++)
            for (int p = 0; p < P; p++)
                mask[m * P + p] = (p == 0 && m < 4) || p == 1 ? double.NegativeInfinity : 0;
        inputs["MASK"] = new([12, P], mask);
        double[] dense = Dense(inputs, 12, mask);
        foreach (string text in new[] { AttentionCascades.ThreePass, AttentionCascades.TwoPass, AttentionCascades.OnePass })
        {
            string masked = text.Replace("QK[m, p] = sum(e) Q[e, p] * K[e, m]", "LG[m, p] = sum(e) Q[e, p] * K[e, m]\nQK[m, p] = LG[m, p] + MASK[m, p]")
                .Replace("QK[m1, m0, p] = sum(e) Q[e, p] * K[e, m1.m0]", "LG[m1, m0, p] = sum(e) Q[e, p] * K[e, m1.m0]\nQK[m1, m0, p] = LG[m1, m0, p] + MASK[m1.m0, p]");
            AssertClose(dense, Run(masked, inputs, 4).Outputs["AV"].Values);
        }
    }

    [Fact]
    public void The_one_pass_cascade_lives_in_a_block_and_the_three_pass_cascade_in_all_keys()
    {
        long[] one = [.. new[] { 16, 32, 64 }.Select(m => Run(AttentionCascades.OnePass, Attention(m, 1).Inputs, 4).LiveBytes)];
        long[] three = [.. new[] { 16, 32, 64 }.Select(m => Run(AttentionCascades.ThreePass, Attention(m, 1).Inputs, 4).LiveBytes)];
        Assert.Equal([one[0], one[0], one[0]], one);
        Assert.Equal(three[1] - three[0], (three[2] - three[1]) / 2);
        // QK and SN [m, p] at once
        Assert.True(three[2] >= 2 * 64 * P * sizeof(double));
    }

    [Fact]
    public void Exponentials_and_divisions_are_counted()
    {
        const int Keys = 12, Blocks = 3;
        var (inputs, _) = Attention(Keys, 1);
        CascadeRun three = Run(AttentionCascades.ThreePass, inputs, 4), one = Run(AttentionCascades.OnePass, inputs, 4);
        Assert.Equal((Keys * P, Keys * P), (three.Exponentials, three.Divisions));
        Assert.Equal((Keys * P + Blocks * P, F * P), (one.Exponentials, one.Divisions));
        Assert.Equal(Keys * P * (E + F), three.Multiplications);
        Assert.Equal((3, 1), (three.Passes, one.Passes));
    }

    [Fact]
    public void The_running_maximum_never_falls_and_gives_the_sum_of_exponentials()
    {
        const int Keys = 20, Block = 4;
        // read at every step, the maximum is kept at every step
        var (inputs, _) = Attention(Keys, 3);
        var run = Run(AttentionCascades.OnePass + "\nSEEN[m1, p] = max(RM[m1, p], RM[m1+1, p])\nEND[p] = exp(RM[M1, p]) * RD[M1, p]", inputs, Block);
        double[] seen = run.Outputs["SEEN"].Values;
        for (int p = 0; p < P; p++)
        {
            double sum = 0;
            for (int m = 0; m < Keys; m++)
                sum += Math.Exp(Enumerable.Range(0, E).Sum(e => inputs["Q"].Values[e * P + p] * inputs["K"].Values[e * Keys + m]));
            Assert.Equal(1, run.Outputs["END"].Values[p] / sum, 1e-12);
            for (int b = 1; b < Keys / Block; b++)
                Assert.True(seen[b * P + p] >= seen[(b - 1) * P + p]);
        }
    }

    [Theory]
    [InlineData("A[p] = B[p]\nB[p] = A[p]", "line 1: the Einsums wait for each other: A ← B ← A")]
    [InlineData("A[p] = sum(m) B[m, p]\nA[p] = sum(m) C[m, p]", "line 2: 'A' is made a second time, first in line 1")]
    [InlineData("A[p] = B[m, p]", "line 1: rank 'm' is neither on the left nor reduced")]
    [InlineData("A[p, q] = sum(m) B[m, p]", "line 1: rank 'q' is on the left, or reduced, but nothing on the right has it")]
    [InlineData("A[p] = sum(p) B[p]", "line 1: rank 'p' is reduced and on the left")]
    [InlineData("A[p] = B[p", "the line ends; expected ']'")]
    [InlineData("A[p] = B[p] +", "expected a tensor, a number")]
    [InlineData("A[p] = B[p] $", "'$'; expected the end of the line")]
    [InlineData("R[m1+1, p] = max(R[m1, p], X[m1, p])", "nothing says what 'R' begins with")]
    [InlineData("R[0, p] = 0\nA[p] = sum(m) X[m, p]", "'R' begins a recurrence that no line goes on with")]
    [InlineData("# nothing", "the cascade is empty")]
    public void A_cascade_that_cannot_be_is_refused_with_its_line(string text, string expected) =>
        Assert.Contains(expected, Assert.Throws<FormatException>(() => Cascade.Parse(text)).Message);

    [Fact]
    public void Inputs_that_do_not_fit_are_refused_by_name()
    {
        var (inputs, _) = Attention(12, 1);
        Assert.Contains("m0 = 5", Assert.Throws<ArgumentException>(() => Run(AttentionCascades.OnePass, inputs, 5)).Message);
        Assert.Contains("'K'", Assert.Throws<ArgumentException>(() => Run(AttentionCascades.OnePass, inputs.Where(i => i.Key != "K").ToDictionary(), 4)).Message);
        inputs["V"] = new([F, 11], new double[F * 11]);
        Assert.Contains("rank 'm' has 12 places elsewhere and 11 in 'V'", Assert.Throws<ArgumentException>(() => Run(AttentionCascades.ThreePass, inputs, 4)).Message);
    }

    [Fact]
    public void It_can_be_stopped_and_limited()
    {
        var (inputs, _) = Attention(12, 1);
        var interpreter = new CascadeInterpreter(Cascade.Parse(AttentionCascades.ThreePass), "m");
        Assert.Throws<OperationCanceledException>(() => interpreter.Run(inputs, null, new Scratch(), new CancellationToken(true)));
        var small = new Scratch(500);
        Assert.Throws<ScratchLimitException>(() => interpreter.Run(inputs, null, small, TestContext.Current.CancellationToken));
        Assert.Equal(0, small.LiveBytes);
    }

    private static CascadeRun Run(string text, IReadOnlyDictionary<string, CascadeTensor> inputs, int block) =>
        new CascadeInterpreter(Cascade.Parse(text), "m").Run(inputs, new Dictionary<string, int> { ["m0"] = block }, new Scratch(), TestContext.Current.CancellationToken);

    private static (Dictionary<string, CascadeTensor> Inputs, double[] Dense) Attention(int keys, double magnitude)
    {
        var random = new Random(7);
        double[] Draw(int count, double scale) => [.. Enumerable.Range(0, count).Select(_ => scale * (2 * random.NextDouble() - 1))];
        var inputs = new Dictionary<string, CascadeTensor> { ["Q"] = new([E, P], Draw(E * P, magnitude)), ["K"] = new([E, keys], Draw(E * keys, 1)), ["V"] = new([F, keys], Draw(F * keys, 1)) };
        return (inputs, Dense(inputs, keys, new double[keys * P]));
    }

    /// <summary>The definition; a query that sees nothing gets 0.</summary>
    private static double[] Dense(Dictionary<string, CascadeTensor> inputs, int keys, double[] mask)
    {
        var output = new double[F * P];
        for (int p = 0; p < P; p++)
        {
            double[] logits = [.. Enumerable.Range(0, keys).Select(m => mask[m * P + p] + Enumerable.Range(0, E).Sum(e => inputs["Q"].Values[e * P + p] * inputs["K"].Values[e * keys + m]))];
            if (double.IsNegativeInfinity(logits.Max()))
                continue;
            double[] weights = [.. logits.Select(l => Math.Exp(l - logits.Max()))];
            for (int f = 0; f < F; f++)
                output[f * P + p] = Enumerable.Range(0, keys).Sum(m => weights[m] * inputs["V"].Values[f * keys + m]) / weights.Sum();
        }
        return output;
    }

    private static void AssertClose(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        // sums of at most 20 terms of size 1: rounding is far below
        Assert.All(expected.Zip(actual), x => Assert.Equal(x.First, x.Second, 1e-12));
    }
}
