using TorchSharp.Modules;
using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Compute;

/// <summary>An LSTM over the tokens; its state after the last one goes through a dense layer. Cost of a prediction O(tokens · width²), one token after the other.</summary>
public sealed class LstmCost(TokenModelOptions options, SeededRandom random) : ICostModel
{
    /// <inheritdoc/>
    public ICostPredictor Train(IReadOnlyList<string> functions, IReadOnlyList<double> costs, ComputeContext context) =>
        SequenceRegression.Train(functions, costs, options, words => new Recurrent(words, options.Width), random, context);

    private sealed class Recurrent : nn.Module<Tensor, Tensor, Tensor>
    {
        private readonly Embedding _embedding;
        private readonly LSTM _lstm;
        private readonly Linear _last;

        public Recurrent(int words, int width) : base(nameof(Recurrent))
        {
            register_module("embedding", _embedding = nn.Embedding(words, width));
            register_module("lstm", _lstm = nn.LSTM(width, width, batchFirst: true));
            register_module("last", _last = nn.Linear(width, 1));
        }

        public override Tensor forward(Tensor ids, Tensor mask)
        {
            var (states, _, _) = _lstm.forward(_embedding.forward(ids));
            var end = (mask.sum(1) - 1).to(ScalarType.Int64).view(-1, 1, 1).expand(-1, 1, states.shape[2]);
            return _last.forward(states.gather(1, end).squeeze(1)).squeeze(1);
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

/// <summary>The mean of the tokens' embeddings through two dense layers: no order. Cost of a prediction O(tokens · width + width²).</summary>
public sealed class BagOfTokensCost(TokenModelOptions options, SeededRandom random) : ICostModel
{
    /// <inheritdoc/>
    public ICostPredictor Train(IReadOnlyList<string> functions, IReadOnlyList<double> costs, ComputeContext context) =>
        SequenceRegression.Train(functions, costs, options, words => new Bag(words, options.Width), random, context);

    private sealed class Bag : nn.Module<Tensor, Tensor, Tensor>
    {
        private readonly Embedding _embedding;
        private readonly Linear _dense, _last;

        public Bag(int words, int width) : base(nameof(Bag))
        {
            register_module("embedding", _embedding = nn.Embedding(words, width));
            register_module("dense", _dense = nn.Linear(width + 1, width));
            register_module("last", _last = nn.Linear(width, 1));
        }

        public override Tensor forward(Tensor ids, Tensor mask)
        {
            var count = mask.sum(1, keepdim: true);
            var mean = (_embedding.forward(ids) * mask.unsqueeze(2)).sum(1) / count;
            return _last.forward(_dense.forward(cat([mean, count.log()], 1)).relu()).squeeze(1);
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
