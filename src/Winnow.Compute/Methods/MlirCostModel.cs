using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using TorchSharp;
using TorchSharp.Modules;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Compute;

/// <summary>Options of <see cref="MlirCostModel"/>.</summary>
public sealed record MlirCostModelOptions : TokenModelOptions
{
    /// <summary>Reads operands, too, unless told otherwise.</summary>
    public MlirCostModelOptions() => Tokens = TokenKind.Operands;

    /// <summary>Convolutions.</summary>
    [Range(1, 32), Description("convolutions along the tokens, one after the other")]
    public int Layers { get; init; } = 6;

    /// <summary>Tokens that a convolution sees.</summary>
    [Range(1, 64), Description("tokens that a convolution sees at once")]
    public int Kernel { get; init; } = 2;
}

/// <summary>
/// A compiler's intermediate representation read as text: the tokens of a function are embedded, L convolutions run along them, the largest value of each channel over
/// the function is kept, and two dense layers make it a cost.
/// <para>h₀ = E[tokens]; hₗ = relu(Wₗ * hₗ₋₁ + bₗ), l = 1..L; z = max over tokens of h_L; cost = scale⁻¹(w · relu(V z + c) + d).</para>
/// <para>Das and Mannarswamy, ML-driven Hardware Cost Model for MLIR, arXiv 2302.11405, 2023. Six layers of kernel 2 and width 64 are what secondary sources say; the
/// labels there come from a compiler that is not public.</para>
/// <para>Padding changes nothing: it is masked in every layer, and is minus infinity before the maximum. Cost of a prediction O(tokens · L · kernel · width²); memory O(tokens · width).</para>
/// </summary>
public sealed class MlirCostModel(MlirCostModelOptions options, SeededRandom random) : ICostModel
{
    /// <summary>What the paper claims, and what its tokenisation implies.</summary>
    /// <summary>Steps and baselines were tuned on seeds 11 and 12, which the ledger does not use.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "A root mean square error of 5 to 7 % of the range (here: register pressure of families not seen in training, at most 7 %).", Task = "cost-model", Metric = "relative_rmse", Baseline = "mean-cost", BaselineFactor = 0, Margin = -0.07, MethodOptions = Pressure() },
        new() { Text = "The same for run time (measured on this processor).", Task = "cost-model", Metric = "relative_rmse", Baseline = "mean-cost", BaselineFactor = 0, Margin = -0.07, MethodOptions = Measured(), TaskOptions = new() { ["target"] = "measured" } },
        new() { Text = "Register pressure better than a linear model of operation counts.", Task = "cost-model", Metric = "relative_rmse", Baseline = "linear-counts", Margin = 0, MethodOptions = Pressure(), BaselineOptions = new() { ["log"] = true, ["ridge"] = 1 } },
        new() { Text = "Run time better than a linear model of operation counts.", Task = "cost-model", Metric = "relative_rmse", Baseline = "linear-counts", Margin = 0, MethodOptions = Measured(), BaselineOptions = new() { ["ridge"] = 1 }, TaskOptions = new() { ["target"] = "measured" } },
        new() { Text = "Run times in the right order: Spearman's correlation of at least 0.9.", Task = "cost-model", Metric = "spearman", Baseline = "mean-cost", BaselineFactor = 0, Margin = 0.9, MethodOptions = Measured(), TaskOptions = new() { ["target"] = "measured" } },
        new() { Text = "Reading operands helps where wiring decides: register pressure better with them than without.", Task = "cost-model", Metric = "relative_rmse", Baseline = "mlir-cost-model", Margin = 0, MethodOptions = Pressure(), BaselineOptions = new() { ["tokens"] = "ops", ["learning-rate"] = 0.003 } },
        new() { Text = "Fusion: the cheaper of two candidates in at least 85 % of pairs (measured).", Task = "cost-model", Metric = "fusion_accuracy", Baseline = "mean-cost", BaselineFactor = 0, Margin = 0.85, MethodOptions = Measured(), TaskOptions = new() { ["target"] = "measured" } },
    ];

    private static JsonObject Pressure() => new() { ["learning-rate"] = 0.003 };

    private static JsonObject Measured() => new() { ["learning-rate"] = 0.0003 };

    /// <inheritdoc/>
    public ICostPredictor Train(IReadOnlyList<string> functions, IReadOnlyList<double> costs, ComputeContext context)
    {
        ArgumentNullException.ThrowIfNull(functions);
        ArgumentNullException.ThrowIfNull(costs);
        ArgumentNullException.ThrowIfNull(context);
        return SequenceRegression.Train(functions, costs, options, words => new Convolutions(words, options), random, context);
    }

    internal sealed class Convolutions : nn.Module<Tensor, Tensor, Tensor>
    {
        private readonly Embedding _embedding;
        private readonly (Parameter Weight, Parameter Bias)[] _layers;
        private readonly Linear _dense, _last;
        private readonly int _kernel;

        public Convolutions(int words, MlirCostModelOptions o, ScalarType type = ScalarType.Float32) : base(nameof(Convolutions))
        {
            _kernel = o.Kernel;
            register_module("embedding", _embedding = nn.Embedding(words, o.Width, dtype: type));
            _layers = [.. Enumerable.Range(0, o.Layers).Select(_ => (nn.Parameter(empty(o.Width, o.Width, o.Kernel, type).uniform_(-0.1, 0.1)), nn.Parameter(zeros(o.Width, type))))];
            for (int l = 0; l < _layers.Length; l++)
            {
                register_parameter($"conv{l}_weight", _layers[l].Weight);
                register_parameter($"conv{l}_bias", _layers[l].Bias);
            }
            register_module("dense", _dense = nn.Linear(o.Width, o.Width, dtype: type));
            register_module("last", _last = nn.Linear(o.Width, 1, dtype: type));
        }

        public override Tensor forward(Tensor ids, Tensor mask)
        {
            var here = mask.unsqueeze(1); // [B, 1, T]
            var h = _embedding.forward(ids).transpose(1, 2) * here;
            foreach (var (weight, bias) in _layers)
                h = nn.functional.conv1d(nn.functional.pad(h, [0, _kernel - 1]), weight, bias).relu() * here;
            // a scalar made in passing may be collected, and its number overwritten, while the library still reads it
            using Scalar none = 0, least = float.NegativeInfinity;
            var z = h.masked_fill(here.eq(none), least).amax([2]);
            return _last.forward(_dense.forward(z).relu()).squeeze(1);
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                foreach (var p in parameters())
                    p.Dispose();
            base.Dispose(disposing);
        }
    }
}
