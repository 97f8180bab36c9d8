using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Compute.Tests.CostModel;

/// <summary>The intermediate representation, its costs, its tokens.</summary>
public sealed class FunctionTests
{
    private const string Small = """
        func @net(%x: tensor<4x8xf32>, %w: tensor<8x3xf32>, %b: tensor<3xf32>) {
          // a layer
          %y = matmul %x, %w : tensor<4x3xf32>
          %z = add %y, %b : tensor<4x3xf32>
          %r = relu %z : tensor<4x3xf32>
          %m = reduce %r {axis = 1, kind = max} : tensor<4x1xf32>
          return %m, %z
        }
        """;

    /// <summary>Functions of all families, mutated.</summary>
    public static TheoryData<string> Families => [.. FunctionFamilies.Names];

    private static IEnumerable<TensorFunction> Samples(string family, int count = 20)
    {
        var random = new SeededRandom(7, family);
        return [.. Enumerable.Range(0, count).Select(_ => FunctionFamilies.Sample(family, random))];
    }

    [Fact]
    public void A_function_is_read_and_written()
    {
        var f = TensorFunctionParser.Parse(Small);
        Assert.Equal("net", f.Name);
        Assert.Equal([TensorOp.Matmul, TensorOp.Add, TensorOp.Relu, TensorOp.Reduce], f.Operations.Select(o => o.Op));
        Assert.Equal([6, 4], f.Results);
        Assert.Equal("func @net(%arg0: tensor<4x8xf32>, %arg1: tensor<8x3xf32>, %arg2: tensor<3xf32>) {\n  %0 = matmul %arg0, %arg1 : tensor<4x3xf32>\n  %1 = add %0, %arg2 : tensor<4x3xf32>\n"
            + "  %2 = relu %1 : tensor<4x3xf32>\n  %3 = reduce %2 {axis = 1, kind = max} : tensor<4x1xf32>\n  return %3, %1\n}\n", f.ToString());
    }

    [Theory, MemberData(nameof(Families))]
    public void Every_text_reads_back_to_itself(string family) =>
        Assert.All(Samples(family), f => Assert.Equal(f.ToString(), TensorFunctionParser.Parse(f.ToString()).ToString()));

    [Theory, MemberData(nameof(Families))]
    public void Tokens_with_operands_and_exact_shapes_give_the_text_back(string family) => Assert.All(Samples(family), f =>
        Assert.Equal(f.ToString().Replace($"@{f.Name}(", "@f(", StringComparison.Ordinal), FunctionTokens.Text(FunctionTokens.Of(f, TokenKind.Operands, ShapeTokens.Exact))));

    [Fact]
    public void Renaming_values_changes_no_token()
    {
        string renamed = Small.Replace("%y", "%hidden", StringComparison.Ordinal).Replace("%x", "%input7", StringComparison.Ordinal);
        foreach (var kind in Enum.GetValues<TokenKind>())
            foreach (var shapes in Enum.GetValues<ShapeTokens>())
                Assert.Equal(FunctionTokens.Of(TensorFunctionParser.Parse(Small), kind, shapes), FunctionTokens.Of(TensorFunctionParser.Parse(renamed), kind, shapes));
    }

    [Fact]
    public void Tokens_not_seen_in_training_have_one_number()
    {
        var vocabulary = new TokenVocabulary([["relu", "t2:4:2"], ["relu", "exp"]]);
        Assert.Equal(5, vocabulary.Count);
        Assert.Equal([2, 3, 4, TokenVocabulary.Unknown, TokenVocabulary.Unknown], new[] { "relu", "t2:4:2", "exp", "conv2d", "matmul" }.Select(t => vocabulary[t]));
    }

    [Theory]
    [InlineData("", "an empty text")]
    [InlineData("hello\n", "line 1: found hello")]
    [InlineData("func @f(%a: tensor<2xf32>) {\n  %b = relu %c : tensor<2xf32>\n  return %b\n}", "line 2", "'%c'", "a line above or an argument defines")]
    [InlineData("func @f(%a: tensor<2xf32>) {\n  %b = relu %b : tensor<2xf32>\n  return %b\n}", "line 2", "'%b'")]
    [InlineData("func @f(%a: tensor<?x2xf32>) {\n  %b = relu %a : tensor<?x2xf32>\n  return %b\n}", "line 1", "no '?'")]
    [InlineData("func @f(%a: tensor<2xf32>) {\n  return %a\n}", "no operation")]
    [InlineData("func @f(%a: tensor<2xf32>) {\n  %b = relu %a : tensor<3xf32>\n  return %b\n}", "line 2", "[3]", "[2], which its operands give")]
    [InlineData("func @f(%a: tensor<2xf32>) {\n  %b = sqrt %a : tensor<2xf32>\n  return %b\n}", "line 2", "the operation 'sqrt'", "matmul")]
    [InlineData("func @f(%a: tensor<2xf64>) {\n  %b = relu %a : tensor<2xf64>\n  return %b\n}", "line 1", "float32")]
    [InlineData("func @f(%a: tensor<0xf32>) {\n  %b = relu %a : tensor<0xf32>\n  return %b\n}", "line 1", "the size 0")]
    [InlineData("func @f(%a: tensor<99999999999xf32>) {\n  %b = relu %a : tensor<1xf32>\n  return %b\n}", "line 1", "the size 99999999999")]
    [InlineData("func @f(%a: tensor<2xf32>) {\n  %b = relu %a : tensor<2xf32>\n", "'return' and '}'")]
    [InlineData("func @f(%a: tensor<2xf32>) {\n  %b = relu %a : tensor<2xf32>\n  return %b\n}\nmore", "line 4")]
    [InlineData("func @f(%a: tensor<2xf32>) {\n  %a = relu %a : tensor<2xf32>\n  return %a\n}", "line 2", "not defined yet")]
    [InlineData("func @f(%a: tensor<2xf32>) {\n  %b = add %a : tensor<2xf32>\n  return %b\n}", "1 operands")]
    [InlineData("func @f(%a: tensor<2x3xf32>) {\n  %b = matmul %a, %a : tensor<2x3xf32>\n  return %b\n}", "[2, 3] times [2, 3]")]
    [InlineData("func @f(%a: tensor<2x3xf32>) {\n  %b = reduce %a {axis = 2, kind = sum} : tensor<2x3xf32>\n  return %b\n}", "axis 2 of [2, 3]")]
    [InlineData("func @f(%a: tensor<2x3xf32>) {\n  %b = reduce %a {axis = x, kind = sum} : tensor<2x3xf32>\n  return %b\n}", "line 2", "'x'")]
    [InlineData("func @f(%a: tensor<2x3xf32>) {\n  %b = fused %a {steps = [relu, matmul]} : tensor<2x3xf32>\n  return %b\n}", "the step matmul")]
    public void What_is_wrong_is_said(string text, params string[] parts)
    {
        var error = Assert.Throws<InputException>(() => TensorFunctionParser.Parse(text));
        Assert.All(parts, p => Assert.Contains(p, error.Message));
    }

    // Oracle: live sets by enumeration. A value is alive at a step if it is defined by then and used then or later.
    [Theory, MemberData(nameof(Families))]
    public void Pressure_is_the_largest_live_set(string family) => Assert.All(Samples(family), f =>
    {
        foreach (bool arguments in (bool[])[true, false])
        {
            int most = 0;
            long mostBytes = 0;
            for (int step = 0; step < f.Operations.Count; step++)
            {
                int[] alive = [.. Enumerable.Range(0, f.Values).Where(v => (arguments || v >= f.Arguments.Count) && v <= f.ResultOf(step)
                    && (v == f.ResultOf(step) || f.Results.Contains(v) || f.Operations.Skip(step).Any(o => o.Operands.Contains(v))))];
                (most, mostBytes) = (Math.Max(most, alive.Length), Math.Max(mostBytes, alive.Sum(v => 4 * f.Elements(v))));
            }
            Assert.Equal((most, mostBytes), FunctionCosts.Pressure(f, arguments: arguments));
        }
    });

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public void A_chain_needs_two_buffers_and_in_place_one(int lines)
    {
        string text = "func @chain(%a: tensor<4xf32>) {\n  %0 = relu %a : tensor<4xf32>\n" + string.Concat(Enumerable.Range(1, lines).Select(i => $"  %{i} = exp %{i - 1} : tensor<4xf32>\n")) + $"  return %{lines}\n}}";
        var f = TensorFunctionParser.Parse(text);
        Assert.Equal((2, 32L), FunctionCosts.Pressure(f));
        Assert.Equal((2, 32L), FunctionCosts.Pressure(f, arguments: false));
        Assert.Equal((1, 16L), FunctionCosts.Pressure(f, inPlace: true));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void A_tree_summed_level_by_level_needs_its_leaves_and_in_place_no_more(int depth)
    {
        int leaves = 1 << depth;
        var lines = new List<TensorOperation>();
        int[] level = [.. Enumerable.Range(0, leaves)];
        while (level.Length > 1)
            level = [.. level.Chunk(2).Select(p =>
            {
                lines.Add(new(TensorOp.Add, p));
                return leaves + lines.Count - 1;
            })];
        var f = new TensorFunction("tree", [.. Enumerable.Range(0, leaves).Select(_ => new[] { 4 })], lines, level);
        Assert.Equal(leaves + 1, FunctionCosts.Pressure(f).Values);
        Assert.Equal(leaves, FunctionCosts.Pressure(f, inPlace: true).Values);
    }

    [Fact]
    public void Operations_and_bytes_of_a_small_function_by_hand()
    {
        var f = TensorFunctionParser.Parse(Small);
        Assert.Equal([2.0 * 4 * 3 * 8, 12, 12, 12], Enumerable.Range(0, 4).Select(i => FunctionCosts.Flops(f, i)));
        Assert.Equal([4.0 * (32 + 24 + 12), 4 * (12 + 3 + 12), 4 * 24, 4 * 16], Enumerable.Range(0, 4).Select(i => FunctionCosts.Bytes(f, i)));
        Assert.Equal((192 + 36) / 1e3, FunctionCosts.Roofline(f, 1e3, 1e12), 1e-9); // bound by operations
        Assert.Equal((272 + 108 + 96 + 64) / 1e3, FunctionCosts.Roofline(f, 1e12, 1e3), 1e-9); // bound by bytes
    }

    [Theory, MemberData(nameof(Families))]
    public void A_machine_twice_as_good_takes_half_the_time(string family) =>
        Assert.All(Samples(family), f => Assert.Equal(FunctionCosts.Roofline(f, 1e11, 2e10) / 2, FunctionCosts.Roofline(f, 2e11, 4e10), 1e-18));

    // The interpreter against the labels' shapes, and reordering and fusing against the function they were made of.
    [Theory, MemberData(nameof(Families))]
    public void What_runs_has_the_inferred_shapes_and_another_order_the_same_results(string family)
    {
        var random = new SeededRandom(3, family);
        foreach (var f in Samples(family, 4))
        {
            using var scope = NewDisposeScope();
            Tensor[] arguments = [.. f.Arguments.Select(a => rand([.. a.Select(d => (long)d)]) * 0.1 + 0.1)];
            var results = FunctionInterpreter.Run(f, arguments);
            Assert.All(results.Zip(f.Results), p => Assert.Equal(f.Shape(p.Second).Select(d => (long)d), p.First.shape));
            var other = FunctionInterpreter.Run(FunctionMutations.Reordered(f, random), arguments);
            Assert.All(results.Zip(other), p => Assert.True(allclose(p.First, p.Second, rtol: 1e-5, atol: 0, equal_nan: true)));
        }
    }

    [Theory, MemberData(nameof(Families))]
    public void A_fused_function_computes_the_same(string family)
    {
        var random = new SeededRandom(5, family);
        int changed = 0;
        foreach (var f in Samples(family, 16))
        {
            var fused = FunctionMutations.Fused(f, random);
            changed += fused.Operations.Count(o => o.Op == TensorOp.Fused) > f.Operations.Count(o => o.Op == TensorOp.Fused) ? 1 : 0;
            if (fused.Arguments.Count != f.Arguments.Count)
                continue;
            using var scope = NewDisposeScope();
            Tensor[] arguments = [.. f.Arguments.Select(a => rand([.. a.Select(d => (long)d)]) * 0.1 + 0.1)];
            Assert.All(FunctionInterpreter.Run(f, arguments).Zip(FunctionInterpreter.Run(fused, arguments)), p => Assert.True(allclose(p.First, p.Second, rtol: 1e-5, atol: 0, equal_nan: true)));
        }
        Assert.InRange(changed, 1, 16);
    }

    [Theory, MemberData(nameof(Families))]
    public void Both_candidates_compute_the_same(string family)
    {
        var random = new SeededRandom(4, family);
        int made = 0;
        foreach (var f in Samples(family, 12))
        {
            if (FunctionMutations.Candidates(f, random) is not var (kept, fused))
                continue;
            made++;
            using var scope = NewDisposeScope();
            Assert.Equal(kept.Arguments.Select(a => string.Join(",", a)), fused.Arguments.Select(a => string.Join(",", a)));
            Tensor[] arguments = [.. kept.Arguments.Select(a => rand([.. a.Select(d => (long)d)]) * 0.1 + 0.1)];
            Assert.All(FunctionInterpreter.Run(kept, arguments).Zip(FunctionInterpreter.Run(fused, arguments)), p => Assert.True(allclose(p.First, p.Second, rtol: 1e-5, atol: 0, equal_nan: true)));
            Assert.All(fused.Operations, o => Assert.Equal(TensorOp.Fused, o.Op));
        }
        Assert.InRange(made, 1, 12);
    }

    [Fact]
    public void Running_leaves_no_tensor_behind()
    {
        var f = FunctionFamilies.Sample("encoder", new SeededRandom(1, "leak"));
        long before = TorchSharp.DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        FunctionInterpreter.Measure(f, new SeededRandom(1, "numbers"), TimeProvider.System);
        Assert.Equal(before, TorchSharp.DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.Contains("tensors of shapes", Assert.Throws<InputException>(() => FunctionInterpreter.Run(f, [])).Message);
    }

    // The workbench's own network against its export.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_exported_network_computes_its_logits(bool image)
    {
        Learning.Architecture architecture = image ? new Learning.CnnArchitecture(2, 12, 10, 5, BatchNorm: false) : new Learning.MlpArchitecture(7, [6, 5], 4, BatchNorm: false);
        using var network = Learning.Network.Create(architecture, new SeededRandom(2, "weights"));
        var f = FunctionFamilies.OfNetwork(architecture, 3);
        using var none = no_grad();
        using var scope = NewDisposeScope();
        var x = rand(3, architecture.Inputs);
        var state = network.LiveState.ToDictionary();
        List<Tensor> arguments = [x.reshape([.. f.Arguments[0].Select(d => (long)d)])];
        foreach (var range in network.Modules.SelectMany(m => m.Parameters))
        {
            var parameter = state[range.Name];
            var shape = f.Arguments[arguments.Count];
            arguments.Add((image || parameter.shape.Length < 2 ? parameter : parameter.t()).reshape([.. shape.Select(d => (long)d)]));
        }
        var logits = FunctionInterpreter.Run(f, arguments)[0].reshape(3, -1);
        Assert.True(allclose(network.Forward(x), logits, rtol: 1e-5, atol: 1e-6));
    }
}
