using System.Text.Json.Nodes;
using TorchSharp;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Compute.Tests.CostModel;

/// <summary>The models that learn costs.</summary>
public sealed class CostModelTests
{
    private static readonly ComputeArena Arena = new();

    public static TheoryData<string> Methods => [.. Arena.DefaultMethods(Arena.Task("cost-model")).Select(m => m.Id)];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static ComputeContext Context => new(1, new Numerics.Scratch(), TestContext.Current.CancellationToken);

    private static string[] Functions(int count, ulong seed = 1)
    {
        var random = new SeededRandom(seed, "functions");
        return [.. Enumerable.Range(0, count).Select(i => FunctionFamilies.Sample(FunctionFamilies.Names[i % FunctionFamilies.Names.Count], random).ToString())];
    }

    private static double[] Pressure(string[] functions) => [.. functions.Select(f => (double)FunctionCosts.Pressure(TensorFunctionParser.Parse(f), arguments: false).Values)];

    private static double[] Roofline(string[] functions) => [.. functions.Select(f => FunctionCosts.Roofline(TensorFunctionParser.Parse(f), 1e11, 2e10))];

    private static ICostModel Make(string method, JsonObject? options = null) => (ICostModel)Arena.Create(method, options ?? [], seed: 3);

    private static JsonObject Quick(string method) => method is "mlir-cost-model" or "bag-of-tokens" or "lstm-cost" ? new() { ["epochs"] = 2, ["width"] = 8 } : [];

    [Theory, MemberData(nameof(Methods))]
    public void Predictions_have_the_unit_of_the_costs_and_are_the_same_twice(string method)
    {
        string[] functions = Functions(48);
        double[] costs = Roofline(functions);
        using var once = Make(method, Quick(method)).Train(functions, costs, Context);
        using var again = Make(method, Quick(method)).Train(functions, costs, Context);
        using var thousand = Make(method, Quick(method)).Train(functions, [.. costs.Select(c => 1000 * c)], Context);
        double[] predicted = once.Predict(functions, Cancellation);
        Assert.Equal(predicted, again.Predict(functions, Cancellation));
        Assert.All(predicted.Zip(thousand.Predict(functions, Cancellation)), p => Assert.Equal(1000 * p.First, p.Second, 2 * costs.Max())); // float32
        Assert.All(predicted, p => Assert.InRange(p, 0, costs.Max() * 100));
    }

    [Theory, MemberData(nameof(Methods))]
    public void Equal_costs_are_predicted_exactly(string method)
    {
        string[] functions = Functions(24);
        using var model = Make(method, Quick(method)).Train(functions, [.. functions.Select(_ => 3.0)], Context);
        Assert.All(model.Predict(Functions(12, seed: 2), Cancellation), p => Assert.Equal(3, p, 1e-9));
    }

    [Theory, MemberData(nameof(Methods))]
    public void Bad_functions_and_costs_are_refused_and_it_stops_when_told(string method)
    {
        string[] functions = Functions(12);
        var model = Make(method, Quick(method));
        Assert.Contains("0 functions", Assert.Throws<InputException>(() => model.Train([], [], Context)).Message);
        Assert.Contains("12 functions and 11 costs", Assert.Throws<InputException>(() => model.Train(functions, new double[11], Context)).Message);
        foreach (double bad in (double[])[-1, double.NaN, double.PositiveInfinity])
            Assert.Contains("cost 5", Assert.Throws<InputException>(() => model.Train(functions, [.. functions.Select((_, i) => i == 4 ? bad : 1)], Context)).Message);
        using var trained = model.Train(functions, Pressure(functions), Context);
        Assert.Contains("line 1", Assert.Throws<InputException>(() => trained.Predict(["no function"], Cancellation)).Message);
        Assert.ThrowsAny<OperationCanceledException>(() => trained.Predict(functions, new CancellationToken(true)));
        Assert.Empty(trained.Predict([], Cancellation));
    }

    [Theory]
    [InlineData("mlir-cost-model")]
    [InlineData("bag-of-tokens")]
    [InlineData("lstm-cost")]
    public void Training_and_predicting_leave_no_tensor_behind(string method)
    {
        string[] functions = Functions(12);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using (var model = Make(method, Quick(method)).Train(functions, Pressure(functions), Context))
            model.Predict(functions, Cancellation);
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void It_learns_32_functions_by_heart()
    {
        string[] functions = Functions(32);
        double[] costs = Roofline(functions);
        using var model = Make("mlir-cost-model", new() { ["epochs"] = 300, ["width"] = 32, ["tokens"] = "operands" }).Train(functions, costs, Context);
        Assert.InRange(CostMetrics.Of(model.Predict(functions, Cancellation), costs)["relative_rmse"], 0, 0.01);
    }

    [Fact]
    public void Padding_changes_nothing()
    {
        using var scope = NewDisposeScope();
        random.manual_seed(1);
        foreach (var options in (MlirCostModelOptions[])[new() { Width = 6, Layers = 3 }, new() { Width = 6, Layers = 2, Kernel = 5 }])
        {
            using var model = new MlirCostModel.Convolutions(9, options);
            var ids = tensor(new long[] { 2, 3, 4, 5, 6, 7, 8 }, [1, 7]);
            var plain = model.forward(ids, ones(1, 7));
            foreach (int more in (int[])[1, 5, 40])
                Assert.Equal(plain.item<float>(), model.forward(cat([ids, zeros([1, more], ScalarType.Int64)], 1), cat([ones(1, 7), zeros(1, more)], 1)).item<float>(), 1e-6f);
            Assert.NotEqual(plain.item<float>(), model.forward(ids.flip(1), ones(1, 7)).item<float>());
        }
    }

    // Central differences of the network's output by every weight of its first convolution, in double precision.
    [Fact]
    public void The_gradient_of_a_convolution_is_that_of_the_definition()
    {
        using var scope = NewDisposeScope();
        random.manual_seed(2);
        using var model = new MlirCostModel.Convolutions(9, new() { Width = 3, Layers = 2 }, ScalarType.Float64);
        var (ids, mask) = (tensor(new long[] { 2, 5, 7, 3, 2, 4, 0, 0 }, [2, 4]), tensor(new double[] { 1, 1, 1, 1, 1, 1, 0, 0 }, [2, 4]));
        model.forward(ids, mask).sum().backward();
        var weight = model.named_parameters().Single(p => p.name == "conv0_weight").parameter;
        using var none = no_grad();
        const double h = 1e-6;
        for (long i = 0; i < weight.numel(); i++)
        {
            var flat = weight.view(-1);
            double at = flat[i].item<double>();
            flat[i] = tensor(at + h, ScalarType.Float64);
            double above = model.forward(ids, mask).sum().item<double>();
            flat[i] = tensor(at - h, ScalarType.Float64);
            double below = model.forward(ids, mask).sum().item<double>();
            flat[i] = tensor(at, ScalarType.Float64);
            Assert.Equal((above - below) / (2 * h), weight.grad!.view(-1)[i].item<double>(), 1e-6);
        }
    }

    // Two functions with the same operations and shapes, wired differently: without operands one sequence, with them two.
    [Fact]
    public void Without_operands_wiring_is_not_seen_and_with_them_it_is()
    {
        static string Wired(string last) => $"func @f(%a: tensor<4x4xf32>) {{\n  %0 = relu %a : tensor<4x4xf32>\n  %1 = exp %0 : tensor<4x4xf32>\n  %2 = relu %1 : tensor<4x4xf32>\n  %3 = add %2, {last} : tensor<4x4xf32>\n  return %3\n}}";
        string[] both = [Wired("%2"), Wired("%0")];
        Assert.NotEqual(Pressure(both)[0], Pressure(both)[1]);
        string[] functions = [.. Functions(24), .. both];
        foreach (string tokens in (string[])["ops", "operands"])
        {
            using var model = Make("mlir-cost-model", new() { ["epochs"] = 60, ["width"] = 16, ["tokens"] = tokens }).Train(functions, Pressure(functions), Context);
            double[] predicted = model.Predict(both, Cancellation);
            if (tokens == "ops")
                Assert.Equal(predicted[0], predicted[1]);
            else
                Assert.NotEqual(predicted[0], predicted[1]);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Scaling_costs_and_back_is_the_identity(bool log)
    {
        double[] costs = [0, 3e-6, 2e-4, 0.5, 12];
        var scale = CostScale.Of(costs, log);
        Assert.All(costs, c => Assert.Equal(c, scale.Out(scale.In(c)), 1e-12 * 12));
        Assert.Equal(0, costs.Average(scale.In), 1e-12);
        Assert.Equal(1, costs.Average(c => scale.In(c) * scale.In(c)), 1e-12);
        Assert.Equal(7, CostScale.Of([7, 7], log) is var s ? s.Out(0) : 0, 1e-12);
    }

    [Fact]
    public void A_longer_function_is_refused_or_cut_and_counted()
    {
        string[] functions = Functions(12);
        Assert.Contains("truncate=true", Assert.Throws<InputException>(() => Make("mlir-cost-model", new() { ["length"] = 16, ["epochs"] = 1 }).Train(functions, Pressure(functions), Context)).Message);
        var context = Context;
        using var model = Make("mlir-cost-model", new() { ["length"] = 16, ["truncate"] = true, ["epochs"] = 1 }).Train(functions, Pressure(functions), context);
        model.Predict(functions, Cancellation);
        Assert.True(context.Work.Counters["truncated"] > 0);
        Assert.InRange(context.Work.Counters["unknown_tokens"], 0, 0);
    }

    [Fact]
    public void Boosted_trees_find_a_step_and_ridge_a_line()
    {
        string[] functions = Functions(60);
        double[] lines = [.. functions.Select(f => (double)TensorFunctionParser.Parse(f).Operations.Count)];
        using var trees = Make("boosted-trees", new() { ["log"] = false, ["leaf"] = 1 }).Train(functions, [.. lines.Select(l => l > 12 ? 5.0 : 1)], Context);
        Assert.All(trees.Predict(functions, Cancellation).Zip(lines), p => Assert.Equal(p.Second > 12 ? 5.0 : 1, p.First, 1e-6));
        using var line = Make("linear-features", new() { ["ridge"] = 1e-9 }).Train(functions, [.. lines.Select(l => 2 * l + 3)], Context);
        Assert.All(line.Predict(functions, Cancellation).Zip(lines), p => Assert.Equal(2 * p.Second + 3, p.First, 1e-4));
    }

    [Fact]
    public void Ranks_share_ties_and_a_constant_has_no_correlation()
    {
        Assert.Equal(1, CostMetrics.Spearman([1, 2, 3, 10], [2, 3, 5, 7]), 1e-12);
        Assert.Equal(-1, CostMetrics.Spearman([4, 3, 2, 1], [2, 3, 5, 7]), 1e-12);
        Assert.Equal(0, CostMetrics.Spearman([4, 4, 4], [1, 2, 3]));
        Assert.Equal(Math.Sqrt(3) / 2, CostMetrics.Spearman([1, 1, 2], [1, 2, 3]), 1e-12); // ranks 1.5, 1.5, 3
    }

    [Fact]
    public void No_family_is_learned_from_and_predicted_and_a_random_split_says_so()
    {
        var (events, metrics) = Run(new() { ["train"] = 30, ["test"] = 12, ["pairs"] = 10 });
        Assert.Contains(events.OfType<LogEvent>(), e => e.Text.StartsWith("families to predict: ", StringComparison.Ordinal));
        Assert.InRange(metrics["fusion_majority"], 0.5, 1);
        Assert.InRange(metrics["relative_rmse"], 0, 1);
        (events, _) = Run(new() { ["train"] = 30, ["test"] = 12, ["pairs"] = 0, ["split"] = "random" });
        Assert.Contains(events.OfType<LogEvent>(), e => e.Text.StartsWith("warning: ", StringComparison.Ordinal));
        (_, metrics) = Run(new() { ["train"] = 12, ["test"] = 12, ["pairs"] = 4, ["target"] = "measured" });
        Assert.InRange(metrics["label_spread"], 0, 10);
    }

    private static (List<TrialEvent> Events, Dictionary<string, double> Metrics) Run(JsonObject options)
    {
        var card = Arena.Task("cost-model");
        var bound = card.Options.Bind(options, "task");
        var data = Arena.Inspect(null, card, bound, new(), Cancellation);
        var events = new List<TrialEvent>();
        var trial = new Trial(Arena.Id, "cost-model", card.Options.Canonical(bound), "linear-features", Arena.Method("linear-features").Options.Canonical(Arena.Method("linear-features").Options.Bind([], "linear-features")), 1, data.Reference, "code", 1);
        return (events, new(Arena.Run(trial, new(1, Path.GetTempPath(), events.Add, Cancellation)).Metrics));
    }
}
