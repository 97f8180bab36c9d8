using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>The mean of the nearest rows (Fix and Hodges 1951); every observation has the variance by which rows left out were missed. Cost O(n² d) to learn it and O(n d) a row; memory all rows, 8 n² bytes for a moment.</summary>
public sealed class NeighboursMean(NearestNeighboursOptions options) : IRegressor
{
    private const int MostTried = 1000;

    /// <inheritdoc/>
    public IFittedRegressor Fit(RegressionRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        var (x, y) = (Evenly.Taken(rows.X, MostTried), Evenly.Taken(rows.Y, MostTried));
        var apart = Products.SquaredDistances(x, x);
        apart.diagonal().fill_(double.PositiveInfinity);
        double leftOut = (Mean(apart, y, Math.Min(options.Neighbours, (int)x.shape[0] - 1)) - y).square().mean().item<double>();
        return new Fitted(rows.X.clone().DetachFromDisposeScope(), rows.Y.clone().DetachFromDisposeScope(), Math.Min(options.Neighbours, (int)rows.X.shape[0]), leftOut);
    }

    private static Tensor Mean(Tensor apart, Tensor y, int neighbours)
    {
        using var scope = NewDisposeScope();
        var (_, nearest) = apart.topk(neighbours, largest: false);
        return y.index_select(0, nearest.flatten()).reshape(apart.shape[0], neighbours).mean([1]).MoveToOuterDisposeScope();
    }

    private sealed class Fitted(Tensor x, Tensor y, int neighbours, double leftOut) : IFittedRegressor
    {
        public IReadOnlyDictionary<string, double> Report { get; } = new Dictionary<string, double>();

        public Prediction Predict(Tensor rows)
        {
            using var scope = NewDisposeScope();
            Finite.Rows(rows, x.shape[1]);
            var mean = Mean(Products.SquaredDistances(rows, x), y, neighbours);
            return new Prediction(mean, full_like(mean, Math.Max(leftOut, double.Epsilon))).ToOuterScope();
        }

        public void Dispose()
        {
            x.Dispose();
            y.Dispose();
        }
    }
}
