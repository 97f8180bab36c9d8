namespace Winnow.Numerics;

/// <summary>How the ranks of a ring hand blocks on. Every rank calls the same methods in the same order.</summary>
public interface IRing
{
    /// <summary>This rank's number.</summary>
    int Rank { get; }

    /// <summary>Number of ranks.</summary>
    int Size { get; }

    /// <summary>Sends a block to the next rank and receives one of the same length from the one before.</summary>
    void Shift(ReadOnlySpan<float> send, Span<float> receive);

    /// <summary>The sum over ranks of a number, known to all.</summary>
    double Sum(double value);
}

/// <summary>What a rank computed. Its loss is the mean over its own rows, and gradients are those of the sum of all ranks' losses: W times those of the global mean.</summary>
/// <param name="Loss">This rank's loss.</param>
/// <param name="DLogScale">The gradient by the logarithm of the scale, summed over ranks.</param>
public readonly record struct RingResult(double Loss, double DLogScale);

/// <summary>
/// The contrastive loss of features that are spread over ranks: keys travel around the ring and meet every rank's queries; in the backward pass
/// their gradient travels with them and comes home. See <see cref="ContrastiveKernel"/> for paper and shapes.
/// </summary>
public static class ContrastiveRing
{
    /// <summary>Computes a rank's loss and gradients; every rank calls this at once.</summary>
    /// <param name="ring">The transport.</param>
    /// <param name="q">This rank's queries.</param>
    /// <param name="k">This rank's keys: the key of a query's index is its positive.</param>
    /// <param name="scale">The scale of the logits.</param>
    /// <param name="dQ">Receives the gradient of this rank's queries.</param>
    /// <param name="dK">Receives the gradient of this rank's keys.</param>
    /// <param name="options">How to compute; threads are this rank's.</param>
    /// <param name="scratch">Where temporaries come from: two blocks of features and two of gradients, and tiles.</param>
    /// <param name="cancellation">Stops between chunks.</param>
    public static RingResult Compute(IRing ring, TileMatrix q, TileMatrix k, float scale, TileMatrix dQ, TileMatrix dK, ContrastiveOptions options, Scratch scratch, CancellationToken cancellation = default)
    {
        options.Check();
        ContrastiveKernel.CheckOperands(q, k, scale, options);
        if (q.Rows != k.Rows)
            throw new ArgumentException($"{q.Rows} queries and {k.Rows} keys on rank {ring.Rank}; expected the same number: positives live on their query's rank");
        if (options.ExcludeSelf)
            throw new ArgumentException("one tower over a ring is not defined: a query's own row meets it on its rank only");
        dQ.Clear();
        dK.Clear();
        float weight = options.Symmetric ? 0.5f : 1;
        double loss = weight * Direction(ring, q, k, scale, weight, dQ, dK, options, scratch, cancellation);
        if (options.Symmetric)
            loss += weight * Direction(ring, k, q, scale, weight, dK, dQ, options, scratch, cancellation);
        return new(loss, ring.Sum(ContrastiveKernel.Dot(q, dQ)));
    }

    /// <summary>Splits features over ranks that are threads of this process, and puts their gradients together.</summary>
    /// <param name="ranks">Number of ranks W, a divisor of n.</param>
    /// <param name="q">All queries.</param>
    /// <param name="k">All keys.</param>
    /// <param name="scale">The scale of the logits.</param>
    /// <param name="dQ">Receives the gradients of all ranks' queries.</param>
    /// <param name="dK">Receives the gradients of all ranks' keys.</param>
    /// <param name="options">How to compute; threads are each rank's.</param>
    /// <param name="scratch">Where temporaries of all ranks come from.</param>
    /// <param name="cancellation">Stops between chunks.</param>
    public static RingResult[] InProcess(int ranks, TileMatrix q, TileMatrix k, float scale, TileMatrix dQ, TileMatrix dK, ContrastiveOptions options, Scratch scratch, CancellationToken cancellation = default)
    {
        if (ranks < 1 || q.Rows % ranks != 0)
            throw new ArgumentException($"{q.Rows} rows over {ranks} ranks; expected a divisor", nameof(ranks));
        if (q.Rows != k.Rows)
            throw new ArgumentException($"{q.Rows} queries and {k.Rows} keys; expected the same number");
        var results = new RingResult[ranks];
        int n = q.Rows / ranks;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var rings = InProcessRing.Create(ranks, stop.Token);
        Exception? first = null;
        var threads = new Thread[ranks]; // ranks wait for each other: each needs a thread of its own
        for (int r = 0; r < ranks; r++)
        {
            int rank = r;
            threads[r] = new Thread(() =>
            {
                try
                {
                    results[rank] = Compute(rings[rank], q.Slice(rank * n, n), k.Slice(rank * n, n), scale, dQ.Slice(rank * n, n), dK.Slice(rank * n, n), options, scratch, stop.Token);
                }
                catch (Exception e)
                {
                    Interlocked.CompareExchange(ref first, e, null);
                    stop.Cancel();
                }
            });
            threads[r].Start();
        }
        foreach (var thread in threads)
            thread.Join();
        if (first is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first);
        return results;
    }

    /// <summary>One direction: the mean loss of own rows over all ranks' travelling rows, and its gradients.</summary>
    private static double Direction(IRing ring, TileMatrix own, TileMatrix travelling, float scale, float weight, TileMatrix dOwn, TileMatrix dTravelling, ContrastiveOptions options, Scratch scratch, CancellationToken cancellation)
    {
        int n = own.Rows, d = own.Columns;
        using var part = scratch.Part();
        using var block = new Traveller(ring, travelling, part.Scratch);
        using var pairs = part.Scratch.Take<RunningLogSumExp>(n);
        pairs.Span.Fill(RunningLogSumExp.Empty);
        using var tiles = new ContrastiveTiles(n, d, gradients: true, options, part.Scratch);
        for (int step = 0; step < ring.Size; step++, block.Shift())
            tiles.Accumulate(own, block.Rows, scale, pairs.Span, default, cancellation);
        float[] logSumExp = ContrastiveKernel.Values(pairs.Span);
        double loss = 0;
        for (int i = 0; i < n; i++)
            loss += logSumExp[i] - ContrastiveKernel.Logit(own, i, travelling, i, scale);

        using var gradient = new Traveller(ring, null, n, d, part.Scratch);
        int[] positives = [.. Enumerable.Range(0, n)];
        for (int step = 0; step < ring.Size; step++, block.Shift(), gradient.Shift())
            tiles.AddGradients(own, block.Rows, scale, logSumExp, default, weight / n, 0, step == 0 ? positives : default, dOwn, gradient.Rows, cancellation);
        gradient.AddTo(dTravelling);
        return loss / n;
    }

    /// <summary>A block of rows that goes around the ring.</summary>
    private sealed unsafe class Traveller : IDisposable
    {
        private readonly IRing _ring;
        private Scratch.Block<float> _here, _arriving;
        private readonly int _rows, _columns;

        public Traveller(IRing ring, TileMatrix? start, int rows, int columns, Scratch scratch)
        {
            (_ring, _rows, _columns) = (ring, rows, columns);
            _here = scratch.Take<float>((long)rows * columns);
            _arriving = scratch.Take<float>((long)rows * columns);
            for (int i = 0; start is { } matrix && i < rows; i++)
                matrix.CopyRow(i, 0, new Span<float>(_here.Data + (nint)i * columns, columns));
        }

        public Traveller(IRing ring, TileMatrix start, Scratch scratch) : this(ring, start, start.Rows, start.Columns, scratch)
        {
        }

        public TileMatrix Rows => new(_here.Data, _rows, _columns);

        public void Shift()
        {
            _ring.Shift(_here.Span, _arriving.Span);
            (_here, _arriving) = (_arriving, _here);
        }

        public void AddTo(TileMatrix target)
        {
            for (int i = 0; i < _rows; i++)
                target.AddToRow(i, 0, new ReadOnlySpan<float>(_here.Data + (nint)i * _columns, _columns));
        }

        public void Dispose()
        {
            _here.Dispose();
            _arriving.Dispose();
        }
    }
}

/// <summary>A ring of ranks that are threads of one process.</summary>
public sealed class InProcessRing : IRing
{
    private readonly InProcessRing[] _all;
    private readonly System.Collections.Concurrent.BlockingCollection<float[]> _inbox = [];
    private readonly System.Collections.Concurrent.BlockingCollection<double> _numbers = [];
    private readonly CancellationToken _stop;

    private InProcessRing(int rank, InProcessRing[] all, CancellationToken stop) => (Rank, _all, _stop) = (rank, all, stop);

    /// <inheritdoc/>
    public int Rank { get; }

    /// <inheritdoc/>
    public int Size => _all.Length;

    /// <summary>Makes the ends of a ring, one per rank; the token ends every wait.</summary>
    public static IReadOnlyList<InProcessRing> Create(int ranks, CancellationToken stop)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(ranks, 1);
        var all = new InProcessRing[ranks];
        for (int r = 0; r < ranks; r++)
            all[r] = new InProcessRing(r, all, stop);
        return all;
    }

    /// <inheritdoc/>
    public void Shift(ReadOnlySpan<float> send, Span<float> receive)
    {
        _all[(Rank + 1) % Size]._inbox.Add(send.ToArray(), _stop);
        float[] arrived = _inbox.Take(_stop);
        if (arrived.Length != receive.Length)
            throw new InvalidOperationException($"rank {Rank} received {arrived.Length} numbers; expected {receive.Length}: ranks must hold equal numbers of rows");
        arrived.CopyTo(receive);
    }

    /// <inheritdoc/>
    public double Sum(double value)
    {
        double[] all = new double[Size];
        for (int step = 0, from = Rank; step < Size; step++, from = (from + Size - 1) % Size)
        {
            all[from] = value;
            _all[(Rank + 1) % Size]._numbers.Add(value, _stop);
            value = _numbers.Take(_stop);
        }
        return all.Sum(); // in the order of ranks: the same bits everywhere
    }
}
