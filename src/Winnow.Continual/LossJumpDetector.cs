namespace Winnow.Continual;

/// <summary>Tells when a loss jumps: its moving average exceeds the window's mean by three standard deviations.</summary>
public sealed class LossJumpDetector
{
    private readonly Queue<double> _window = new();
    /// <summary>The loss, smoothed.</summary>
    public double Smoothed { get; private set; } = double.NaN;

    /// <summary>The smoothed loss above which a jump is called.</summary>
    public double Threshold { get; private set; } = double.PositiveInfinity;

    /// <summary>What is remembered: read to save, set to restore.</summary>
    public IReadOnlyList<double> State
    {
        get => [Smoothed, .. _window];
        set
        {
            Smoothed = value[0];
            foreach (double v in value.Skip(1))
                _window.Enqueue(v);
        }
    }

    /// <summary>Takes the next loss; true when it jumped.</summary>
    public bool Observe(double loss)
    {
        Smoothed = double.IsNaN(Smoothed) ? loss : 0.2 * loss + 0.8 * Smoothed;
        double mean = _window.Count == 0 ? loss : _window.Average();
        double std = _window.Count == 0 ? 0 : Math.Sqrt(_window.Average(v => (v - mean) * (v - mean)));
        Threshold = mean + 3 * Math.Max(std, 0.005);
        bool jump = _window.Count >= 20 && Smoothed > Threshold;
        if (jump)
            _window.Clear();
        _window.Enqueue(loss);
        if (_window.Count > 100)
            _window.Dequeue();
        return jump;
    }
}
