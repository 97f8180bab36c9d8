using Winnow.Core;
using Winnow.Learning;
using Winnow.Numerics.Sparse;

namespace Winnow.Bench.Tests;

public class BenchTests
{
    private static readonly BenchCase Case = new("b", "c", "steps/s", Better.Higher, 2, _ => throw new InvalidOperationException());

    [Fact]
    public void A_missing_peer_is_said_and_not_guessed()
    {
        var measurement = TrainingStep.Run(new MlpArchitecture(4, [3], 2, true), 2, ["/no/such/python"], TestContext.Current.CancellationToken);
        Assert.True(measurement.Ours > 0);
        Assert.Contains("python3-torch", measurement.MissingPeer, StringComparison.Ordinal);
        var result = new BenchResult(Case, measurement);
        Assert.Null(result.Met);
        Assert.Null(result.Ratio);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_peer_trains_the_same_network(bool image)
    {
        Architecture architecture = image ? new CnnArchitecture(2, 7, 8, 3, true) : new MlpArchitecture(4, [3], 2, true);
        var measurement = TrainingStep.Run(architecture, 2, PythonPeer.Candidates, TestContext.Current.CancellationToken);
        Assert.SkipUnless(measurement.MissingPeer is null, $"there is no {measurement.MissingPeer}");
        Assert.True(measurement.AccuracyOk);
        Assert.True(measurement.Theirs > 0);
        Assert.StartsWith("PyTorch ", measurement.Peer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(20, 10, true, Better.Higher, true)]
    [InlineData(19, 10, true, Better.Higher, false)]
    [InlineData(20, 10, false, Better.Higher, false)]
    [InlineData(20, 10, true, Better.Lower, true)]
    [InlineData(21, 10, true, Better.Lower, false)]
    public void A_target_is_met_by_the_ratio_and_equal_results(double ours, double theirs, bool accurate, Better better, bool met) =>
        Assert.Equal(met, new BenchResult(Case with { Better = better }, new BenchMeasurement(ours, "p", theirs, accurate)).Met);

    [Fact]
    public void Without_a_target_a_ratio_is_told_and_nothing_is_met_or_missed()
    {
        var result = new BenchResult(Case with { Target = null }, new BenchMeasurement(3, "p", 2));
        Assert.Equal(1.5, result.Ratio);
        Assert.Null(result.Met);
    }

    [Fact]
    public void Online_replay_and_its_peer_take_the_same_course()
    {
        var measurement = OnlineReplay.Run(PythonPeer.Candidates, TestContext.Current.CancellationToken);
        Assert.SkipUnless(measurement.MissingPeer is null, $"there is no {measurement.MissingPeer}");
        Assert.True(measurement.AccuracyOk);
        Assert.True(measurement.Theirs > 0);
    }

    [Theory]
    [InlineData("scipy", "SciPy ")]
    [InlineData("graphblas", "SuiteSparse:GraphBLAS ")]
    public void Sparse_products_are_those_of_the_peer(string library, string name)
    {
        var graph = SparseMatrix.RMat<double>(6, 4, new SeededRandom(1, "graph"));
        var peer = new SparseProductsBench.Peer(library, name, 1, "it");
        var measurement = SparseProductsBench.Run(() => (graph, graph.Transpose()), peer, PythonPeer.Candidates, TestContext.Current.CancellationToken);
        Assert.SkipUnless(measurement.MissingPeer is null, $"there is no {name}");
        Assert.True(measurement.AccuracyOk);
        Assert.StartsWith(name, measurement.Peer, StringComparison.Ordinal);
        Assert.Equal("it", SparseProductsBench.Run(() => (graph, graph), peer, ["/no/such/python"], TestContext.Current.CancellationToken).MissingPeer);
    }

    [Fact]
    public void Estimators_answer_what_the_peer_answers()
    {
        var measurements = new[]
        {
            KernelEstimators.Ridge(60, 4, PythonPeer.Candidates, TestContext.Current.CancellationToken),
            KernelEstimators.Quantum(9, 3, PythonPeer.Candidates, TestContext.Current.CancellationToken),
            KernelEstimators.Gram(600, 20, TestContext.Current.CancellationToken),
        };
        Assert.SkipUnless(measurements.All(m => m.MissingPeer is null), $"there is no {measurements[0].MissingPeer}");
        Assert.All(measurements, m => Assert.True(m.AccuracyOk));
        // two take most of a minute on digits: the bench itself measures them
        foreach (var estimator in KernelAgreement.Estimators.Where(e => e.Case is not ("gp_classes" or "gaussians")))
        {
            var measurement = KernelAgreement.Run(null, estimator, PythonPeer.Candidates, TestContext.Current.CancellationToken);
            Assert.True(measurement.Ours <= estimator.Target * measurement.Theirs, estimator.Title);
        }
        Assert.Contains("python3-sklearn", KernelEstimators.Ridge(60, 4, ["/no/such/python"], TestContext.Current.CancellationToken).MissingPeer);
    }

    [Fact] // the least distance worked by hand for 90 rows in 4 dimensions, 3 groups
    public void Groups_are_recovered_far_beyond_the_threshold_and_not_far_below()
    {
        Assert.Equal(Math.Sqrt(4 * 4.499810 * (1 + Math.Sqrt(1 + 12 / (90 * 4.499810)))), KernelRecovery.Threshold(90, 4, 3), 1e-6);
        double far = 2 * KernelRecovery.Threshold(90, 4, 3);
        Assert.Equal(1, KernelRecovery.Share("sdp-k-means", "round", far, 2, TestContext.Current.CancellationToken));
        Assert.Equal(0, KernelRecovery.Share("sdp-k-means", "round", far / 8, 2, TestContext.Current.CancellationToken));
    }

    [Fact] // nothing is a multiple of nothing, and JSON has no number for it
    public void Beside_a_peer_with_nothing_there_is_no_ratio()
    {
        var result = new BenchResult(Case, new BenchMeasurement(0, "p", 0, true));
        Assert.Null(result.Ratio);
        Assert.Contains("\"ratio\":null", result.ToJson().ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_json_has_the_recorded_fields() =>
        Assert.Equal(
            """{"bench":"b","case":"c","ours":3,"peer":"p","theirs":2,"unit":"steps/s","ratio":1.5,"better":"higher","target":2,"accuracy_ok":true,"missing_peer":null}""",
            new BenchResult(Case, new BenchMeasurement(3, "p", 2, true)).ToJson().ToJsonString());
}
