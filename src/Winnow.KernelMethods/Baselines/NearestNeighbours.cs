using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of <see cref="NearestNeighbours"/>.</summary>
public sealed record NearestNeighboursOptions
{
    /// <summary>Neighbours.</summary>
    [Range(1, 10_000), Description("nearest rows that vote; all where there are fewer")]
    public int Neighbours { get; init; } = 5;
}

/// <summary>The nearest rows vote (Cover and Hart 1967): scores are shares of votes, and ties go to the nearest of them; of numbers <see cref="NeighboursMean"/>. Cost O(n d) a row; memory all rows.</summary>
/// <param name="kernel">Rows are as far apart as in the space of this kernel, <c>k(x, x) + k(y, y) − 2 k(x, y)</c>; of numbers always as they are.</param>
/// <param name="options">How many.</param>
public sealed class NearestNeighbours(IKernel kernel, NearestNeighboursOptions options) : IClassifier, IRegressor
{
    /// <summary>By the distances of the rows themselves.</summary>
    public NearestNeighbours(NearestNeighboursOptions options) : this(new Linear(), options)
    {
    }

    /// <inheritdoc/>
    public IFittedRegressor Fit(RegressionRows rows, CancellationToken cancellation = default) => new NeighboursMean(options).Fit(rows, cancellation);

    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        cancellation.ThrowIfCancellationRequested();
        return new Fitted(kernel, rows.X.clone().DetachFromDisposeScope(), rows.OneHot().DetachFromDisposeScope(), Math.Min(options.Neighbours, (int)rows.X.shape[0]));
    }

    private sealed class Fitted(IKernel kernel, Tensor x, Tensor y, int neighbours) : IFitted
    {
        private const double Tie = 1e-6;

        public IReadOnlyDictionary<string, double> Report { get; } = new Dictionary<string, double>();

        public Tensor Scores(Tensor rows)
        {
            using var scope = NewDisposeScope();
            Finite.Rows(rows, x.shape[1]);
            var apart = kernel is Linear ? Products.SquaredDistances(rows, x) : kernel.Diagonal(x) - kernel.Gram(rows, x) * 2 + kernel.Diagonal(rows).unsqueeze(1);
            var (_, nearest) = apart.topk(neighbours, largest: false);
            // of as many votes the class of the nearest: a vote weighs a little less the further away it is
            var weights = 1 - arange(0, neighbours, dtype: ScalarType.Float64) * Tie;
            return (y.index_select(0, nearest.flatten()).reshape(rows.shape[0], neighbours, y.shape[1]) * weights.reshape(1, neighbours, 1)).sum(1).div_(neighbours).MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
            x.Dispose();
            y.Dispose();
        }
    }
}
