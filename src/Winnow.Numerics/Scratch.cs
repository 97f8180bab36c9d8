using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Winnow.Numerics;

/// <summary>
/// Temporary memory that is counted: a kernel takes all its temporaries from here, so that what it claims to need can be asserted to the
/// byte, and a limit is met with an error before the memory is taken. Safe to use from several threads.
/// </summary>
/// <param name="limit">The most bytes that may be held at once.</param>
public sealed class Scratch(long limit = long.MaxValue)
{
    private const int LineBytes = 64;
    private readonly Scratch? _whole;
    private readonly ConcurrentBag<IDisposable>? _taken;
    private long _live, _peak;

    private Scratch(Scratch whole) : this(whole.Limit) => (_whole, _taken) = (whole, []);

    /// <summary>The most bytes that may be held at once.</summary>
    public long Limit { get; } = limit > 0 ? limit : throw new ArgumentOutOfRangeException(nameof(limit), limit, "the limit of the scratch memory must be positive");

    /// <summary>Bytes held now.</summary>
    public long LiveBytes => _whole?.LiveBytes ?? Interlocked.Read(ref _live);

    /// <summary>The most bytes that were held at once since the beginning.</summary>
    public long PeakBytes => _whole?.PeakBytes ?? Interlocked.Read(ref _peak);

    /// <summary>
    /// Begins a part: what is taken through its scratch is given back with it at the latest, so that a kernel that meets the limit halfway, or
    /// is stopped, leaves nothing behind.
    /// </summary>
    internal ScratchPart Part() => new(new Scratch(this));

    internal void GiveBack()
    {
        while (_taken!.TryTake(out var block))
            block.Dispose();
    }

    /// <summary>Takes zeroed memory that begins on a cache line. Whoever takes it disposes of it.</summary>
    /// <exception cref="ScratchLimitException">It would take more than the limit; nothing was taken.</exception>
    public unsafe Block<T> Take<T>(long length) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        long bytes = checked(Math.Max(1, length) * sizeof(T));
        Count(bytes);
        var block = new Block<T>(this, length, bytes);
        _taken?.Add(block);
        return block;
    }

    /// <summary>Counts memory that another library holds for this computation, until it is disposed of.</summary>
    /// <exception cref="ScratchLimitException">It would be more than the limit.</exception>
    public IDisposable Hold(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Count(bytes);
        var held = new Held(this, bytes);
        _taken?.Add(held);
        return held;
    }

    private void Count(long bytes)
    {
        if (_whole is not null)
        {
            _whole.Count(bytes);
            return;
        }
        long live = Interlocked.Add(ref _live, bytes);
        if (live > Limit)
        {
            Interlocked.Add(ref _live, -bytes);
            throw new ScratchLimitException(bytes, live - bytes, Limit);
        }
        for (long peak = PeakBytes; live > peak; peak = PeakBytes)
        {
            if (Interlocked.CompareExchange(ref _peak, live, peak) == peak)
                break;
        }
    }

    private void Uncount(long bytes)
    {
        if (_whole is not null)
            _whole.Uncount(bytes);
        else
            Interlocked.Add(ref _live, -bytes);
    }

    private sealed class Held(Scratch owner, long bytes) : IDisposable
    {
        private long _bytes = bytes;

        public void Dispose() => owner.Uncount(Interlocked.Exchange(ref _bytes, 0));
    }

    /// <summary>Memory taken from a <see cref="Scratch"/>.</summary>
    public sealed unsafe class Block<T> : IDisposable where T : unmanaged
    {
        private readonly Scratch _owner;
        private readonly long _bytes;

        internal Block(Scratch owner, long length, long bytes)
        {
            (_owner, Length, _bytes) = (owner, length, bytes);
            Data = (T*)NativeMemory.AlignedAlloc((nuint)bytes, LineBytes);
            NativeMemory.Clear(Data, (nuint)bytes);
        }

        /// <summary>Gives forgotten memory back.</summary>
        ~Block() => Free();

        /// <summary>The first element; null after disposal.</summary>
        public T* Data { get; private set; }

        /// <summary>Number of elements.</summary>
        public long Length { get; }

        /// <summary>The elements, at most 2³¹ of them.</summary>
        public Span<T> Span => new(Data, checked((int)Length));

        /// <summary>Gives the memory back.</summary>
        public void Dispose()
        {
            Free();
            GC.SuppressFinalize(this);
        }

        private void Free()
        {
            if (Data == null)
                return;
            NativeMemory.AlignedFree(Data);
            Data = null;
            _owner.Uncount(_bytes);
        }
    }
}

/// <summary>A part of a <see cref="Scratch"/>.</summary>
/// <param name="Scratch">What to take from.</param>
internal readonly record struct ScratchPart(Scratch Scratch) : IDisposable
{
    /// <summary>Gives back what was taken and not yet given back.</summary>
    public void Dispose() => Scratch.GiveBack();
}

/// <summary>A kernel asked for more temporary memory than it may have.</summary>
/// <param name="wanted">Bytes asked for.</param>
/// <param name="held">Bytes held when it asked.</param>
/// <param name="limit">Bytes that may be held.</param>
public sealed class ScratchLimitException(long wanted, long held, long limit)
    : InvalidOperationException($"{wanted:N0} bytes of scratch memory wanted beside {held:N0} in use; the limit is {limit:N0}: raise it, or choose smaller tiles")
{
    /// <summary>Bytes asked for.</summary>
    public long Wanted { get; } = wanted;

    /// <summary>Bytes that may be held.</summary>
    public long Limit { get; } = limit;
}
