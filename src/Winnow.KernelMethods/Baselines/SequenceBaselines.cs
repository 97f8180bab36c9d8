using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>Options of a support vector machine on the share of sites that differ.</summary>
public sealed record SiteShareOptions
{
    /// <summary>Gaps.</summary>
    [AllowedValues("delete", "symbol"), Description("delete: a pair's sites with gaps are left out; symbol: a gap is a residue like others")]
    public string Gaps { get; init; } = "delete";
}

/// <summary>Options of a support vector machine on words.</summary>
public sealed record SpectrumOptions
{
    /// <summary>Residues of a word.</summary>
    [Range(1, 12), Description("residues of a word")]
    public int K { get; init; } = 3;

    /// <summary>Mismatches.</summary>
    [Range(0, 11), Description("places at which words that count as the same may differ; less than k")]
    public int Mismatches { get; init; }
}

/// <summary>What a practitioner tries first on aligned sequences.</summary>
internal static class SequenceBaselines
{
    private static readonly double[] Bounds = [1, 10, 100];

    /// <summary>The exponential of the share of sites that differ, which is the rbf kernel of residues as ones and zeros; width and bound by three folds.</summary>
    public static IClassifier SiteShare(KernelSetup setup, SiteShareOptions o) => new SupportVectorMachine(x =>
    {
        double median = SubstitutionKernel.Median(x, poisson: false, gapsAreSymbols: o.Gaps == "symbol");
        return [.. ((double[])[0.25, 0.5, 1, 2]).Select(w => new SubstitutionKernel("exponential", w * median, poisson: false, gapsAreSymbols: o.Gaps == "symbol"))];
    }, Bounds, setup.Random("svm-folds"));

    /// <summary>Words of residues; the bound by three folds.</summary>
    public static IClassifier Spectrum(KernelSetup setup, SpectrumOptions o) => new SupportVectorMachine(_ => [new SpectrumKernel(o.K, Math.Min(o.Mismatches, o.K - 1))], Bounds, setup.Random("svm-folds"));

    /// <summary>Principal components of residues as ones and zeros, by their Gram matrix, which has the same.</summary>
    public static IClassifier OneHotPca(KernelSetup setup, OnFeaturesOptions o) => new OnFeatures((rows, _, cancellation) => o.Fit(new SharedSites(), rows.X, cancellation), o.Build(setup));
}

/// <summary>The sequences that are nearest by residues as ones and zeros vote; of as many votes the nearest of them wins. Cost O(n · sites) a sequence.</summary>
public sealed class NearestSequences(NearestNeighboursOptions options) : IClassifier
{
    /// <summary>One neighbour.</summary>
    public NearestSequences() : this(new() { Neighbours = 1 })
    {
    }

    /// <inheritdoc/>
    public IFitted Fit(TrainingRows rows, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        cancellation.ThrowIfCancellationRequested();
        return new Fitted(rows.X.clone().DetachFromDisposeScope(), [.. rows.Labels], rows.Classes, Math.Min(options.Neighbours, rows.Labels.Count));
    }

    private sealed class Fitted(Tensor x, int[] labels, int classes, int neighbours) : IFitted
    {
        private const double Tie = 1e-6;

        public IReadOnlyDictionary<string, double> Report { get; } = new Dictionary<string, double>();

        public Tensor Scores(Tensor rows)
        {
            using var scope = NewDisposeScope();
            Finite.Require(rows, nameof(rows));
            var kernel = new SharedSites();
            // ‖a − b‖² up to what is the same for all neighbours of a row
            double[] distance = (kernel.Diagonal(x) - kernel.Gram(rows, x) * 2).data<double>().ToArray();
            int n = labels.Length, m = (int)rows.shape[0];
            double[] scores = new double[m * classes];
            for (int i = 0; i < m; i++)
            {
                int[] nearest = [.. Enumerable.Range(0, n).OrderBy(j => distance[i * n + j]).Take(neighbours)];
                for (int rank = 0; rank < neighbours; rank++)
                    scores[i * classes + labels[nearest[rank]]] += (1 - rank * Tie) / neighbours;
            }
            return Aligned.Of(scores, m, classes).MoveToOuterDisposeScope();
        }

        public void Dispose() => x.Dispose();
    }
}
