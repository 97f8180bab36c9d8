namespace Winnow.Numerics;

/// <summary>Work that the members of a <see cref="Crew"/> share.</summary>
/// <param name="job">What to do.</param>
/// <param name="worker">Which member does it: 0 to workers - 1.</param>
/// <param name="workers">How many do it.</param>
public delegate void CrewWork<TJob>(in TJob job, int worker, int workers);

/// <summary>
/// Threads that wait for work and share it, for loops of a few microseconds: whoever waits spins for a while before it sleeps. Runs allocate nothing. One run at
/// a time, from one thread.
/// </summary>
public sealed class Crew : IDisposable
{
    /// <summary>Turns of waiting before a member sleeps, and those in which it keeps its core: some 70 microseconds, where there is a core for each member.</summary>
    private const int Patience = 1000, Alone = 400;

    private readonly Thread[] _threads;
    private readonly SemaphoreSlim _wake = new(0);
    private readonly Dictionary<Type, Shared> _kinds = [];
    private volatile Shared? _run;
    private volatile int _round;
    private int _sleeping, _left;
    private volatile bool _ending;
    private Exception? _failure;

    /// <summary>A crew.</summary>
    /// <param name="size">Members, the calling thread among them.</param>
    public Crew(int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        Size = size;
        _threads = [.. Enumerable.Range(1, size - 1).Select(i => new Thread(() => Member(i)) { IsBackground = true, Name = $"crew {i}" })];
        foreach (var thread in _threads)
            thread.Start();
    }

    /// <summary>Members, the calling thread among them.</summary>
    public int Size { get; }

    /// <summary>Runs work on all members and waits for them.</summary>
    public void Run<TJob>(in TJob job, CrewWork<TJob> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        ObjectDisposedException.ThrowIf(_ending, this);
        if (Size == 1)
        {
            work(in job, 0, 1);
            return;
        }
        if (!_kinds.TryGetValue(typeof(TJob), out var kind))
            _kinds.Add(typeof(TJob), kind = new Shared<TJob>());
        var run = (Shared<TJob>)kind;
        (run.Job, run.Work) = (job, work);
        _failure = null;
        Volatile.Write(ref _left, Size - 1);
        _run = run;
        Interlocked.Increment(ref _round);
        int asleep = Volatile.Read(ref _sleeping);
        if (asleep > 0)
            _wake.Release(asleep);
        try
        {
            work(in job, 0, Size);
        }
        finally
        {
            for (int turn = 0; Volatile.Read(ref _left) > 0; turn++)
                Pause(turn);
        }
        if (_failure is { } failure)
            throw new InvalidOperationException($"a member of the crew failed: {failure.Message}", failure);
    }

    private void Pause(int turn)
    {
        if (turn < Alone && Size <= Environment.ProcessorCount)
            Thread.SpinWait(4);
        else
            Thread.Yield();
    }

    private void Member(int worker)
    {
        int seen = 0;
        while (true)
        {
            for (int turn = 0; _round == seen && turn < Patience; turn++)
                Pause(turn);
            while (_round == seen)
            {
                Interlocked.Increment(ref _sleeping);
                if (_round == seen)
                    _wake.Wait(50);
                Interlocked.Decrement(ref _sleeping);
                if (_ending)
                    return;
            }
            if (_ending)
                return;
            seen = _round;
            try
            {
                _run!.Do(worker, Size);
            }
            catch (Exception e)
            {
                _failure = e;
            }
            Interlocked.Decrement(ref _left);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_ending)
            return;
        _ending = true;
        Interlocked.Increment(ref _round);
        _wake.Release(Size);
        foreach (var thread in _threads)
            thread.Join();
        _wake.Dispose();
    }

    private abstract class Shared
    {
        public abstract void Do(int worker, int workers);
    }

    /// <summary>Work on one kind of job, made once and used again.</summary>
    private sealed class Shared<TJob> : Shared
    {
        public TJob Job = default!;
        public CrewWork<TJob> Work = null!;

        public override void Do(int worker, int workers) => Work(in Job, worker, workers);
    }
}
