using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// Finds plateaus of a loss after peaks: the sign that something new has come and has been learned, where nobody announces tasks.
/// <para>Over the last W losses with mean μ and population variance σ²: a peak is flagged when μ exceeds μ_p + σ_p, those of the last plateau; a plateau is
/// found when a peak is flagged, μ is below one threshold and σ² below another. It stores μ_p and σ_p and clears the flag. The flag starts
/// set, so the first plateau needs no peak. The peak is looked for first, so both may fall together.</para>
/// <para>From Aljundi, Kelchtermans and Tuytelaars, Task-free continual learning, CVPR 2019 (arXiv 1812.03596), as the authors' code has it.</para>
/// </summary>
public sealed class PlateauDetector : IDisposable
{
    private readonly double _meanThreshold, _varianceThreshold;
    private readonly string _name;
    private readonly Tensor _losses, _plateau; // the last losses, oldest first; then μ_p and σ_p
    private readonly Counter _count, _peak;

    /// <summary>A detector that has seen nothing.</summary>
    /// <param name="name">Prefix of the names of its state.</param>
    /// <param name="window">W, losses looked at.</param>
    /// <param name="meanThreshold">Largest mean of a plateau, in the loss's unit.</param>
    /// <param name="varianceThreshold">Largest variance of a plateau, in the loss's unit squared.</param>
    public PlateauDetector(string name, int window, double meanThreshold, double varianceThreshold)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(window, 1);
        (_name, _meanThreshold, _varianceThreshold) = (name, meanThreshold, varianceThreshold);
        _losses = zeros(window, ScalarType.Float64).DetachFromDisposeScope();
        _plateau = zeros(2, ScalarType.Float64).DetachFromDisposeScope();
        (_count, _peak) = (new($"{name}.count"), new($"{name}.peak") { Value = 1 });
    }

    /// <summary>μ of the losses in the window; NaN before the first.</summary>
    public double Mean => Window.Length == 0 ? double.NaN : System.Numerics.Tensors.TensorPrimitives.Sum<double>(Window) / Window.Length;

    /// <summary>σ² of the losses in the window, divided by their number.</summary>
    public double Variance
    {
        get
        {
            double mean = Mean, sum = 0;
            foreach (double loss in Window)
                sum += (loss - mean) * (loss - mean);
            return sum / Window.Length;
        }
    }

    /// <summary>What is remembered.</summary>
    public IEnumerable<StateEntry> State =>
        [new($"{_name}.losses", StateKind.Statistics, _losses), new($"{_name}.plateau", StateKind.Statistics, _plateau), _count.State, _peak.State];

    private ReadOnlySpan<double> Window => _losses.Values<double>()[..(int)Math.Min(_count.Value, _losses.shape[0])];

    /// <summary>Adds a loss; true when this is a plateau.</summary>
    /// <exception cref="ArgumentException">The loss is not a finite number.</exception>
    public bool Observe(double loss)
    {
        if (!double.IsFinite(loss))
            throw new ArgumentException(FormattableString.Invariant($"The loss is {loss}; expected a finite number: training diverged, lower the step size or the strength of the anchor."), nameof(loss));
        var losses = _losses.Values<double>();
        if (_count.Value >= losses.Length)
            losses[1..].CopyTo(losses);
        losses[(int)Math.Min(_count.Value++, losses.Length - 1)] = loss;

        var plateau = _plateau.Values<double>();
        if (Mean > plateau[0] + plateau[1])
            _peak.Value = 1;
        if (_peak.Value == 0 || Mean >= _meanThreshold || Variance >= _varianceThreshold)
            return false;
        (plateau[0], plateau[1], _peak.Value) = (Mean, Math.Sqrt(Variance), 0);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in (IDisposable[])[_losses, _plateau, _count, _peak])
            owned.Dispose();
    }
}
