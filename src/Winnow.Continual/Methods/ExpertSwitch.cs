namespace Winnow.Continual;

/// <summary>
/// Which of several experts is to learn from the next mini-batch, from the losses that they show on it: the active one, as long as its
/// smoothed loss stays below its threshold; otherwise the first that the mini-batch fits; otherwise a new one.
/// <para>Cost: the losses asked for, and O(window).</para>
/// </summary>
public sealed class ExpertSwitch : IDisposable
{
    private readonly LossJumpDetector[] _detectors;
    private readonly Counter _count = new("tame.experts"), _active = new("tame.active");
    private readonly bool _watchAll;

    /// <summary>A switch with one expert.</summary>
    /// <param name="most">Experts at most; when they are used up and none fits, the one whose loss exceeds its threshold least goes on.</param>
    /// <param name="detector">Makes the detector of an expert.</param>
    /// <param name="watchAll">Whether the losses of all experts are asked for at every step, as in the paper, or only when the active one's is too large. The choice is the same.</param>
    public ExpertSwitch(int most, Func<LossJumpDetector> detector, bool watchAll = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        _detectors = [.. Enumerable.Range(0, most).Select(_ => detector())];
        _watchAll = watchAll;
        _count.Value = 1;
    }

    /// <summary>Experts so far.</summary>
    public int Count => (int)_count.Value;

    /// <summary>The active expert.</summary>
    public int Active => (int)_active.Value;

    /// <summary>The threshold of the expert that was active at the start of the last step, as it was then.</summary>
    public double LastThreshold { get; private set; } = double.NaN;

    /// <summary>What is remembered.</summary>
    public IEnumerable<StateEntry> State => [.. _detectors.Select((d, e) => d.State($"tame.losses{e}")), _count.State, _active.State];

    /// <summary>Chooses the expert for a mini-batch and takes note of its loss.</summary>
    /// <param name="lossOf">The loss that an expert shows on the mini-batch before learning from it; asked at most once for each, and for a new one.</param>
    /// <returns>The expert that is to learn from the mini-batch.</returns>
    /// <exception cref="ArgumentException">A loss is not a finite number.</exception>
    public int Choose(Func<int, double> lossOf)
    {
        double?[] known = new double?[_detectors.Length];
        double Loss(int e) => known[e] ??= lossOf(e);
        int active = Active;
        if (_watchAll)
            for (int e = 0; e < Count; e++)
                if (e != active)
                    _detectors[e].Smooth(Loss(e));
        bool leave = _detectors[active].Watch(Loss(active));
        LastThreshold = _detectors[active].Threshold;
        if (leave)
            active = Fitting(Loss);
        _detectors[active].Accept(Loss(active));
        _active.Value = active;
        return active;
    }

    private int Fitting(Func<int, double> loss)
    {
        double[] excess = [.. Enumerable.Range(0, Count).Select(e => _detectors[e].Candidate(loss(e)) - _detectors[e].Threshold)];
        int fitting = Array.FindIndex(excess, x => x < 0);
        if (fitting < 0)
            fitting = Count < _detectors.Length ? (int)_count.Value++ : Array.IndexOf(excess, excess.Min());
        if (double.IsNaN(_detectors[fitting].Smoothed))
            _detectors[fitting].Smooth(loss(fitting)); // a new expert's smoothed loss starts here
        return fitting;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var detector in _detectors)
            detector.Dispose();
        _count.Dispose();
        _active.Dispose();
    }
}
