using System.ComponentModel.DataAnnotations;
using System.Numerics;

namespace Winnow.Numerics.Sparse;

/// <summary>The thesis's versions of the kernel.</summary>
public enum SmashVersion
{
    /// <summary>V1: hashing by the low bits of the key, rows given to the threads once and for all.</summary>
    StaticRows = 1,

    /// <summary>V2: hashing by the high bits, which keeps the table nearly in order; threads take tokens of work as they get free.</summary>
    WorkTokens = 2,

    /// <summary>V3: as V2, with tags and values in dense arrays of their own, so that writing back passes over no empty slot.</summary>
    FragmentedMemory = 3,
}

/// <summary>Who uses a table.</summary>
public enum SmashMode
{
    /// <summary>Every thread has a table, and works on windows of its own.</summary>
    Private,

    /// <summary>All threads work on one window in one table: slots are claimed by compare-and-swap, values added by compare-and-swap loops. The thesis's way.</summary>
    Atomic,
}

/// <summary>Which slot a key is looked for in first.</summary>
public enum SmashHash
{
    /// <summary>As the version of the thesis says: low bits for V1, high bits for V2 and V3.</summary>
    Thesis,

    /// <summary>The low bits of the key: columns that are equal modulo the table collide.</summary>
    LowBits,

    /// <summary>The high bits: the table is nearly in order, and neighbouring columns collide.</summary>
    HighBits,

    /// <summary>The high bits of the key times an odd constant (Knuth): neither collides.</summary>
    Multiplicative,
}

/// <summary>How <see cref="Smash"/> multiplies.</summary>
public sealed record SmashOptions
{
    /// <summary>The version of the kernel.</summary>
    public SmashVersion Version { get; init; } = SmashVersion.FragmentedMemory;

    /// <summary>Who uses a table.</summary>
    public SmashMode Mode { get; init; } = SmashMode.Private;

    /// <summary>The hash function. On matrices whose entries crowd in few columns those of the thesis probe far more often.</summary>
    public SmashHash Hash { get; init; } = SmashHash.Thesis;

    /// <summary>Number of threads.</summary>
    [Range(1, 1024)]
    public int Threads { get; init; } = 1;

    /// <summary>Bytes of a table: the scratchpad, here a core's first or second cache.</summary>
    [Range(256, 1 << 28)]
    public int WindowBytes { get; init; } = 128 << 10;

    /// <summary>Whether a pass over the tags alone sizes the product exactly; otherwise room is made for the upper bound, and what is left over is cut off.</summary>
    public bool SymbolicPass { get; init; } = true;
}

/// <summary>A product with what hashing cost.</summary>
public sealed record SmashProduct<T>(SparseMatrix<T> Matrix, SmashStatistics Statistics) where T : unmanaged, IFloatingPointIeee754<T>;

/// <summary>What hashing cost. The symbolic pass is not in it, but for <see cref="SymbolicProbes"/>.</summary>
/// <param name="Multiplications">Scalar multiplications.</param>
/// <param name="Probes">Slots looked at.</param>
/// <param name="Collisions">Slots that another key held.</param>
/// <param name="SymbolicProbes">Slots looked at by the symbolic pass.</param>
/// <param name="Windows">Windows.</param>
/// <param name="Strips">Windows that are a strip of columns of one row too large for the table.</param>
/// <param name="Slots">Slots of a table.</param>
/// <param name="BytesRead">Bytes of operands read, every use of a row of B counted.</param>
/// <param name="BytesWritten">Bytes of the product written, an upper bound's copy counted.</param>
/// <param name="IntermediateBytes">Bytes of partial results outside the tables: none with a symbolic pass.</param>
/// <param name="ThreadLoad">Multiplications by thread.</param>
/// <param name="WindowLoad">Multiplications by window.</param>
public sealed record SmashStatistics(long Multiplications, long Probes, long Collisions, long SymbolicProbes, int Windows, int Strips, int Slots, long BytesRead,
    long BytesWritten, long IntermediateBytes, IReadOnlyList<long> ThreadLoad, IReadOnlyList<long> WindowLoad);

/// <summary>
/// Row-wise products of sparse matrices whose partial products are added, as they come, in a hash table the size of a scratchpad.
/// <para>K. Shivdikar, SMASH: Sparse Matrix Atomic Scratchpad Hashing, master's thesis, Northeastern University, 2021. Implemented: the three
/// phases (window distribution, hashing, write-back), the three versions of the kernel, atomic merging, and tables of each thread's own beside
/// it. Left out: the PIUMA machine; a core's cache stands for the scratchpad.</para>
/// <para>A is m × k, B k × n, C m × n. Cost: O(flops) expected, flops = Σ over entries a_ik of the entries of row k of B; memory: C and the tables.</para>
/// </summary>
public static unsafe class Smash
{
    /// <summary>At most this share of a table is taken: linear probing then looks at 1.5 slots for a key that is there, on average.</summary>
    private const int SlotsPerKey = 2;

    /// <summary>Entries of A in a token of work inside a window.</summary>
    private const int Token = 16;

    /// <summary><c>C = A·B</c>.</summary>
    /// <returns>The product, columns ascending, zeros that came out kept.</returns>
    /// <exception cref="ArgumentException">The inner sizes differ, or an option is out of range.</exception>
    /// <exception cref="ScratchLimitException">The tables need more than the scratch may hold.</exception>
    public static SmashProduct<T> Multiply<T>(SparseMatrix<T> a, SparseMatrix<T> b, SmashOptions? options = null, Scratch? scratch = null, CancellationToken cancellation = default)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        SparseMatrix.RequireConformable(a, b);
        options ??= new();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Threads, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.WindowBytes, 256);
        using var part = (scratch ??= new()).Part();
        int slots = 1 << BitOperations.Log2((uint)(options.WindowBytes / SmashTable<T>.SlotBytes(options.Version)));

        // Phase 1: window distribution.
        var windows = Distribute(a, b, slots / SlotsPerKey);
        var count = new int[windows.Length];
        using var team = new SmashTeam<T>(a, b, options, windows, slots, part.Scratch, cancellation);
        long symbolicProbes = 0;
        if (options.SymbolicPass)
        {
            team.Run(values: false, (w, table) => count[w] = table.Clear());
            symbolicProbes = team.Probes;
            long offset = 0;
            for (int w = 0; w < windows.Length; w++)
            {
                windows[w] = windows[w] with { Offset = offset };
                offset += count[w];
            }
        }
        long room = windows.Length == 0 ? 0 : windows[^1].Offset + (options.SymbolicPass ? count[^1] : windows[^1].Bound);
        if (room > Array.MaxLength)
            throw new ArgumentException($"the product may have {room:N0} entries; one matrix holds at most {Array.MaxLength:N0}: multiply blocks of the rows of A, or use the symbolic pass", nameof(a));
        var columns = new int[room];
        var results = new T[room];
        var starts = new long[a.Rows + 1];

        // Phases 2 and 3: hashing and write-back.
        team.Run(values: true, (w, table) =>
        {
            var window = windows[w];
            table.Take(out var keys, out var values);
            count[w] = keys.Length;
            int row = window.FirstRow, rowFirst = 0;
            for (int e = 0; e < keys.Length; e++)
            {
                for (; keys[e] >= (row + 1 - window.FirstRow) * window.Width; rowFirst = e)
                    Interlocked.Add(ref starts[++row], e - rowFirst);
                columns[window.Offset + e] = (int)(keys[e] - (row - window.FirstRow) * window.Width) + window.FirstColumn;
                results[window.Offset + e] = values[e];
            }
            Interlocked.Add(ref starts[row + 1], keys.Length - rowFirst);
        });
        for (int i = 0; i < a.Rows; i++)
            starts[i + 1] += starts[i];
        long entries = starts[a.Rows], entryBytes = sizeof(int) + sizeof(T), intermediate = entries == room ? 0 : room * entryBytes;
        if (entries != room)
            Compact(windows, count, entries, ref columns, ref results);
        var statistics = new SmashStatistics(team.Multiplications, team.Probes, team.Collisions, symbolicProbes, windows.Length, windows.Count(w => w.IsStrip), slots,
            team.EntriesOfA * entryBytes + team.Multiplications * entryBytes, entries * entryBytes * (intermediate > 0 ? 2 : 1), intermediate, team.Load, [.. windows.Select(w => w.Multiplications)]);
        return new(SparseMatrix<T>.Trusted(a.Rows, b.Columns, starts, columns, results), statistics);
    }

    /// <summary>
    /// Consecutive rows share a window while the sum of their bounds min(f_i, n) fits; a row that fits in no window is cut into strips of as many
    /// columns as a table may hold keys. So a table is never full, and a probe always ends.
    /// </summary>
    internal static SmashWindow[] Distribute<T>(SparseMatrix<T> a, SparseMatrix<T> b, int capacity) where T : unmanaged, IFloatingPointIeee754<T>
    {
        var windows = new List<SmashWindow>();
        long offset = 0, bound = 0, work = 0;
        int first = 0;
        for (int i = 0; i < a.Rows; i++)
        {
            long f = 0;
            for (long p = a.Starts[i]; p < a.Starts[i + 1]; p++)
                f += b.Starts[a.Indices[p] + 1] - b.Starts[a.Indices[p]];
            long most = Math.Min(f, b.Columns);
            if (bound + most > capacity)
                Close(i);
            if (most <= capacity)
            {
                bound += most;
                work += f;
                continue;
            }
            for (int column = 0; column < b.Columns; column += capacity)
            {
                int end = (int)Math.Min(b.Columns, (long)column + capacity);
                long inside = 0;
                for (long p = a.Starts[i]; p < a.Starts[i + 1]; p++)
                {
                    var (from, to) = SmashTeam<T>.Range(b, a.Indices[p], column, end);
                    inside += to - from;
                }
                long inStrip = Math.Min(inside, end - column);
                if (inside > 0)
                    windows.Add(new(i, i + 1, column, end, offset, inStrip, inside, IsStrip: true));
                offset += inStrip;
                if (end == b.Columns)
                    break;
            }
            first = i + 1;
        }
        Close(a.Rows);
        return [.. windows];

        void Close(int end)
        {
            if (end > first && bound > 0)
                windows.Add(new(first, end, 0, b.Columns, offset, bound, work, IsStrip: false));
            offset += bound;
            (first, bound, work) = (end, 0, 0);
        }
    }

    /// <summary>Cuts off what the upper bound had too much.</summary>
    private static void Compact<T>(SmashWindow[] windows, int[] count, long entries, ref int[] columns, ref T[] values)
    {
        var (exactColumns, exactValues) = (new int[entries], new T[entries]);
        long at = 0;
        for (int w = 0; w < windows.Length; at += count[w++])
        {
            Array.Copy(columns, windows[w].Offset, exactColumns, at, count[w]);
            Array.Copy(values, windows[w].Offset, exactValues, at, count[w]);
        }
        (columns, values) = (exactColumns, exactValues);
    }

    /// <summary>Rows, or a strip of the columns of a row, whose entries fit in one table.</summary>
    internal readonly record struct SmashWindow(int FirstRow, int EndRow, int FirstColumn, int EndColumn, long Offset, long Bound, long Multiplications, bool IsStrip)
    {
        public long Width => EndColumn - FirstColumn;
    }

    /// <summary>The threads with their tables: windows (private mode) or pieces of a window (atomic mode) are given to them statically (V1) or as tokens.</summary>
    internal sealed class SmashTeam<T>(SparseMatrix<T> a, SparseMatrix<T> b, SmashOptions options, SmashWindow[] windows, int slots, Scratch scratch, CancellationToken cancellation) : IDisposable
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        private readonly bool _static = options.Version == SmashVersion.StaticRows, _shared = options.Mode == SmashMode.Atomic;
        private readonly SmashTable<T>[] _tables = [.. Enumerable.Range(0, options.Mode == SmashMode.Atomic ? 1 : options.Threads).Select(_ => new SmashTable<T>(options, slots, slots / SlotsPerKey, scratch))];
        private SmashLane[] _lanes = [];

        public long Multiplications => _lanes.Sum(l => l.Multiplications);

        public long Probes => _lanes.Sum(l => l.Probes);

        public long Collisions => _lanes.Sum(l => l.Collisions);

        public long EntriesOfA => _lanes.Sum(l => l.EntriesOfA);

        public long[] Load => [.. _lanes.Select(l => l.Multiplications)];

        /// <summary>Hashes all windows; <paramref name="writeBack"/> gets each with its table.</summary>
        public void Run(bool values, Action<int, SmashTable<T>> writeBack)
        {
            _lanes = [.. Enumerable.Range(0, options.Threads).Select(_ => new SmashLane())];
            int next = -1;
            using var barrier = new Barrier(options.Threads);
            if (options.Threads == 1)
                Work(0);
            else
                Join([.. Enumerable.Range(0, options.Threads).Select(t => Task.Factory.StartNew(() => Work(t), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))]);

            void Work(int thread)
            {
                if (_shared)
                    Together(thread);
                else if (_static)
                {
                    for (int w = Share(windows.Length, thread), end = Share(windows.Length, thread + 1); w < end; w++)
                        Alone(w, thread);
                }
                else
                {
                    for (int w = Interlocked.Increment(ref next); w < windows.Length; w = Interlocked.Increment(ref next))
                        Alone(w, thread);
                }
            }

            void Alone(int w, int thread)
            {
                cancellation.ThrowIfCancellationRequested();
                _tables[thread].Open(windows[w]);
                Hash(windows[w], a.Starts[windows[w].FirstRow], a.Starts[windows[w].EndRow], _tables[thread], _lanes[thread], values);
                writeBack(w, _tables[thread]);
            }

            void Together(int thread)
            {
                var (table, lane) = (_tables[0], _lanes[thread]);
                for (int w = 0; w < windows.Length; w++)
                {
                    var window = windows[w];
                    long first = a.Starts[window.FirstRow], end = a.Starts[window.EndRow];
                    if (thread == 0)
                    {
                        table.Open(window);
                        next = -1;
                    }
                    barrier.SignalAndWait(cancellation);
                    if (_static)
                    {
                        int rows = window.EndRow - window.FirstRow;
                        Hash(window, a.Starts[window.FirstRow + Share(rows, thread)], a.Starts[window.FirstRow + Share(rows, thread + 1)], table, lane, values);
                    }
                    else
                    {
                        for (long from = first + (long)Token * Interlocked.Increment(ref next); from < end; from = first + (long)Token * Interlocked.Increment(ref next))
                            Hash(window, from, Math.Min(end, from + Token), table, lane, values);
                    }
                    table.Return(lane);
                    barrier.SignalAndWait(cancellation);
                    if (thread == 0)
                        writeBack(w, table);
                }
            }
        }

        private int Share(int count, int thread) => (int)((long)count * thread / options.Threads);

        private static void Join(Task[] tasks)
        {
            try
            {
                Task.WaitAll(tasks);
            }
            catch (AggregateException e)
            {
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
            }
        }

        /// <summary>For each a_ik and each b_kj: the value of key (i, j) grows by a_ik·b_kj.</summary>
        private void Hash(SmashWindow window, long first, long end, SmashTable<T> table, SmashLane lane, bool values)
        {
            if (first == end)
                return;
            int row = Array.BinarySearch(a.Starts, window.FirstRow, window.EndRow - window.FirstRow + 1, first);
            row = row >= 0 ? row : ~row - 1;
            for (long p = first; p < end; p++)
            {
                while (p >= a.Starts[row + 1])
                    row++;
                long rowKey = (row - window.FirstRow) * window.Width - window.FirstColumn;
                T factor = a.Values[p];
                var (q, last) = window.IsStrip ? Range(b, a.Indices[p], window.FirstColumn, window.EndColumn) : (b.Starts[a.Indices[p]], b.Starts[a.Indices[p] + 1]);
                lane.EntriesOfA++;
                lane.Multiplications += last - q;
                for (; q < last; q++)
                    table.Add(rowKey + b.Indices[q], values ? factor * b.Values[q] : T.Zero, lane);
            }
        }

        /// <summary>The entries of a row of B between two columns.</summary>
        public static (long From, long To) Range(SparseMatrix<T> b, int k, int first, int end)
        {
            int start = (int)b.Starts[k], length = (int)(b.Starts[k + 1] - start);
            return (At(first), At(end));

            long At(int column) => Array.BinarySearch(b.Indices, start, length, column) is var at && at >= 0 ? at : ~at;
        }

        public void Dispose()
        {
            foreach (var table in _tables)
                table.Dispose();
        }
    }

    /// <summary>What one thread counts, and the dense place it took but did not need.</summary>
    internal sealed class SmashLane
    {
        public long Multiplications, Probes, Collisions, EntriesOfA;
        public int Spare;
    }
}
