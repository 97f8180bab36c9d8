using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Options of <see cref="StreamingLda"/>.</summary>
public sealed record StreamingLdaOptions
{
    /// <summary>ε.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("shrinkage ε of the covariance: (1 − ε)Σ + εI is inverted")]
    public double Shrinkage { get; init; } = 1e-4;
}

/// <summary>
/// Linear discriminant analysis from running statistics: class means and one covariance for all classes. On the features of the pre-trained
/// encoder, which stays as it is, where the stream has one; otherwise on the standardised inputs. Learns each row once, without boundaries.
/// <para>Paper: Hayes and Kanan, Lifelong machine learning with deep streaming linear discriminant analysis, CVPR workshops 2020. As there:
/// w = Λμ and b = −μᵀΛμ/2 with Λ = ((1 − ε)Σ + εI)⁻¹, no class priors. Different: the paper weighs a row's deviation by t/(t + 1), t the rows
/// of all classes so far, which depends on their order; here by n/(n + 1), n the rows of its class, which makes Σ the covariance within classes
/// (divided by the number of rows) in any order.</para>
/// <para>Cost: O(d²) a row learned and O(d³) a prediction call, d the features; memory: d² + classes · d values of float64.</para>
/// </summary>
public sealed class StreamingLda : IContinualLearner
{
    private readonly double _shrinkage;
    private readonly FeatureSpace _space;
    private readonly ClassMeans _classes;
    private readonly Tensor _scatter;

    /// <summary>A learner that has seen nothing.</summary>
    public StreamingLda(LearnerSetup setup, StreamingLdaOptions options)
    {
        _shrinkage = options.Shrinkage;
        _space = new(setup);
        _classes = new(setup.Classes, _space.Width);
        _scatter = zeros(_space.Width, _space.Width, ScalarType.Float64).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => _space.State.Concat(_classes.State("slda")).Append(new("slda.scatter", StateKind.Statistics, _scatter));

    /// <summary>Class means [classes, d], float64; the caller's.</summary>
    public Tensor Means => _classes.Means.clone();

    /// <summary>Σ [d, d], float64: the covariance within classes, divided by the number of rows; the caller's.</summary>
    public Tensor Covariance
    {
        get
        {
            using var rows = _classes.Counts.sum();
            return _scatter / Math.Max(1, rows.item<long>());
        }
    }

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train) { }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        if (!batch.FirstPass)
            return StepReport.None;
        using var scope = NewDisposeScope();
        var deviations = _classes.Add(_space.Of(batch.X), batch.Y);
        _scatter.addmm_(deviations.t(), deviations);
        return StepReport.None with { Forward = _space.Forwards(batch.Count) };
    }

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train) => StepReport.None;

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null)
    {
        using var scope = NewDisposeScope();
        var shrunk = (1 - _shrinkage) * Covariance + _shrinkage * eye(_space.Width, dtype: ScalarType.Float64);
        var weights = linalg.solve(shrunk, _classes.Means.t()); // [d, classes]
        var bias = (_classes.Means * weights.t()).sum(1) / -2;
        return _classes.Logits(_space.Of(x).mm(weights) + bias).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _space.Dispose();
        _classes.Dispose();
        _scatter.Dispose();
    }
}
