namespace Winnow.Core;

/// <summary>All that a trial may touch; nothing is global.</summary>
public sealed class TrialContext
{
    private readonly ulong _seed;
    private readonly Action<TrialEvent> _emit;
    private readonly string _artefacts;
    private double _lastProgress = double.NegativeInfinity;

    /// <summary>The context of a trial.</summary>
    /// <param name="seed">Seed of every random stream.</param>
    /// <param name="artefacts">Folder for artefacts; made when the first is written.</param>
    /// <param name="emit">Receives the events.</param>
    /// <param name="cancellation">Stops the trial.</param>
    public TrialContext(ulong seed, string artefacts, Action<TrialEvent> emit, CancellationToken cancellation)
    {
        _seed = seed;
        _artefacts = artefacts;
        _emit = emit;
        Cancellation = cancellation;
    }

    /// <summary>Stops the trial.</summary>
    public CancellationToken Cancellation { get; }

    /// <summary>What the trial cost, by kind.</summary>
    public Account Account { get; } = new();

    /// <summary>A random stream for one purpose, derived from the seed.</summary>
    public SeededRandom Random(string purpose) => new(_seed, purpose);

    /// <summary>Reports how far the trial is, in [0, 1]; reports that are less than one percent apart are dropped.</summary>
    public void Progress(double fraction, string what)
    {
        if (fraction < 1 && fraction - _lastProgress < 0.01)
            return;
        _lastProgress = fraction;
        _emit(new ProgressEvent(fraction, what));
    }

    /// <summary>Records a point of a series; names with a slash make a family, e.g. <c>R/0</c>, <c>R/1</c>.</summary>
    public void Metric(string name, double value, long step) => _emit(new MetricEvent(name, value, step));

    /// <summary>Records a line for people.</summary>
    public void Log(string text) => _emit(new LogEvent(text));

    /// <summary>Opens a new artefact of the trial for writing. The caller disposes the stream.</summary>
    /// <param name="name">A plain file name.</param>
    /// <exception cref="ArgumentException">The name is not a plain file name.</exception>
    public Stream Artefact(string name)
    {
        if (name.Length == 0 || name != Path.GetFileName(name) || name is "." or "..")
            throw new ArgumentException($"'{name}' is not a plain file name.", nameof(name));
        Directory.CreateDirectory(_artefacts);
        _emit(new ArtefactEvent(name));
        return new FileStream(Path.Combine(_artefacts, name), FileMode.Create, FileAccess.Write);
    }
}
