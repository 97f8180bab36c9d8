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
    private long _live, _peak;

    /// <summary>The most bytes that may be held at once.</summary>
    public long Limit { get; } = limit > 0 ? limit : throw new ArgumentOutOfRangeException(nameof(limit), limit, "the limit of the scratch memory must be positive");

    /// <summary>Bytes held now.</summary>
    public long LiveBytes => Interlocked.Read(ref _live);

    /// <summary>The most bytes that were held at once since the beginning.</summary>
    public long PeakBytes => Interlocked.Read(ref _peak);

    /// <summary>Takes zeroed memory that begins on a cache line. Whoever takes it disposes of it.</summary>
    /// <exception cref="ScratchLimitException">It would take more than the limit; nothing was taken.</exception>
    public unsafe Block<T> Take<T>(long length) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        long bytes = checked(Math.Max(1, length) * sizeof(T));
        Count(bytes);
        return new Block<T>(this, length, bytes);
    }

    /// <summary>Counts memory that another library holds for this computation, until it is disposed of.</summary>
    /// <exception cref="ScratchLimitException">It would be more than the limit.</exception>
    public IDisposable Hold(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Count(bytes);
        return new Held(this, bytes);
    }

    private void Count(long bytes)
    {
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

    private sealed class Held(Scratch owner, long bytes) : IDisposable
    {
        private long _bytes = bytes;

        public void Dispose() => Interlocked.Add(ref owner._live, -Interlocked.Exchange(ref _bytes, 0));
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
            Interlocked.Add(ref _owner._live, -_bytes);
        }
    }
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
