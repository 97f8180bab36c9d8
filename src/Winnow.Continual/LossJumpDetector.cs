using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// Tells from the losses of one model, measured before it learns from each mini-batch, when the data have changed: a boundary is seen when
/// the smoothed loss exceeds <c>θ = mean(window) + k · max(std(window), 0.005)</c> of the last w losses it learned from.
/// <para>Paper: the switching rule of Zhu, Majzoubi, Jain and Choromanska, TAME: Task Agnostic Continual Learning using Multiple Experts, CVPR workshops 2024 (arXiv
/// 2210.03869). <see cref="Feed"/> is the whole rule for one model; <see cref="Watch"/>, <see cref="Candidate"/> and <see cref="Accept"/> are its parts, for several models
/// of which one is active.</para>
/// <para>A window that still holds the steep decline at the start has a large deviation, and rising losses raise it further, so a change that
/// comes too early, before about w steps, may go unseen; <c>minimumAge</c> only guards against false alarms. Cost: O(w) a step; memory w + 5 values.</para>
/// </summary>
public sealed class LossJumpDetector : IDisposable
{
    /// <summary>The deviation is taken to be at least this.</summary>
    public const double LeastDeviation = 0.005;
    private const int Ema = 0, ActiveEma = 1, Kept = 2, Frozen = 3, Age = 4, Start = 5;
    private readonly double _guess, _smoothing, _deviations;
    private readonly int _window, _minimumAge;
    private readonly Tensor _state; // smoothed loss, smoothed while active, losses kept, threshold, steps accepted, then the window
    private bool _disposed;

    /// <summary>A detector that has seen nothing: its window holds the loss of random guessing, ln C.</summary>
    /// <param name="classes">Number of classes C, at least 2.</param>
    /// <param name="window">Losses w that the threshold is computed from, at least 2.</param>
    /// <param name="smoothing">Weight α of the newest loss in the smoothed one, in (0, 1]; with 1 single losses raise the alarm.</param>
    /// <param name="deviations">k.</param>
    /// <param name="minimumAge">Losses to be accepted before a boundary can be seen; 0 as in the paper.</param>
    /// <exception cref="ArgumentException">A value outside its range.</exception>
    public LossJumpDetector(int classes, int window = 100, double smoothing = 0.2, double deviations = 3, int minimumAge = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(window, 2);
        if (!(smoothing is > 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(smoothing), smoothing, "The smoothing is a weight in (0, 1]; the paper's is 0.2.");
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(deviations);
        ArgumentOutOfRangeException.ThrowIfNegative(minimumAge);
        (_guess, _window, _smoothing, _deviations, _minimumAge) = (Math.Log(classes), window, smoothing, deviations, minimumAge);
        _state = zeros(Start + window, ScalarType.Float64).DetachFromDisposeScope();
        Restart();
    }

    /// <summary>The threshold θ as it was computed last.</summary>
    public double Threshold => Values[Frozen];

    /// <summary>The smoothed loss; NaN before the first.</summary>
    public double Smoothed => Values[Ema];

    /// <summary>Losses learned from since the start or the last restart.</summary>
    public long Accepted => (long)Values[Age];

    private Span<double> Values => _state.Values<double>();

    /// <summary>What is remembered, under a name.</summary>
    public StateEntry State(string name) => new(name, StateKind.Counter, _state);

    /// <summary>
    /// Takes the loss of the next mini-batch, measured before learning from it, and tells whether a boundary lies before that mini-batch. After
    /// a boundary the detector starts anew, with that loss as the first of the new regime.
    /// </summary>
    /// <exception cref="ArgumentException">The loss is not a finite number.</exception>
    public bool Feed(double loss)
    {
        bool boundary = Watch(loss);
        if (boundary)
        {
            Restart();
            Smooth(loss);
        }
        Accept(loss);
        return boundary;
    }

    /// <summary>For the active model: smooths the loss, computes the threshold from the losses accepted so far, and compares.</summary>
    public bool Watch(double loss)
    {
        Smooth(loss);
        Refresh();
        return Accepted >= _minimumAge && Smoothed > Threshold;
    }

    /// <summary>For any model at any step: E ← α · loss + (1 − α) · E.</summary>
    public void Smooth(double loss)
    {
        Require(loss);
        ref double ema = ref Values[Ema];
        ema = double.IsNaN(ema) ? loss : _smoothing * loss + (1 - _smoothing) * ema;
    }

    /// <summary>For a model that may become active: the loss smoothed with those of the time when it last was.</summary>
    public double Candidate(double loss)
    {
        Require(loss);
        double last = Values[ActiveEma];
        return double.IsNaN(last) ? loss : _smoothing * loss + (1 - _smoothing) * last;
    }

    /// <summary>For the active model: the loss, measured before learning from the mini-batch, enters the window.</summary>
    public void Accept(double loss)
    {
        double candidate = Candidate(loss);
        var values = Values;
        values[ActiveEma] = candidate;
        values[Start + (int)((long)values[Kept] % _window)] = loss;
        values[Kept]++;
        values[Age]++;
    }

    /// <summary>Forgets everything.</summary>
    public void Restart()
    {
        var values = Values;
        values.Clear();
        (values[Ema], values[ActiveEma], values[Start], values[Kept]) = (double.NaN, double.NaN, _guess, 1);
        Refresh();
    }

    private void Refresh()
    {
        var values = Values;
        var window = values.Slice(Start, (int)Math.Min(_window, values[Kept]));
        double mean = 0, square = 0;
        foreach (double loss in window)
            mean += loss / window.Length;
        foreach (double loss in window)
            square += (loss - mean) * (loss - mean) / window.Length;
        values[Frozen] = mean + _deviations * Math.Max(Math.Sqrt(square), LeastDeviation);
    }

    private static void Require(double loss)
    {
        if (!double.IsFinite(loss))
            throw new ArgumentException($"The loss is {loss}; expected a finite number: the training diverged, lower its step size.", nameof(loss));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _state.Dispose();
    }
}
