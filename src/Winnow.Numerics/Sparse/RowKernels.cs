using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Winnow.Numerics.Sparse;

/// <summary>A matrix in compressed rows, pinned for the length of a product.</summary>
internal readonly unsafe struct Csr<T>(int rows, int columns, long* starts, int* indices, T* values) where T : unmanaged
{
    public readonly int Rows = rows, Columns = columns;
    public readonly long* Starts = starts;
    public readonly int* Indices = indices;
    public readonly T* Values = values;
}

/// <summary>
/// The right operand once more, by blocks of 64 columns: each row is a list of (block, bits), so that the columns of a row of the product
/// are found by OR-ing words, without a chain through one word for columns that are neighbours. Rows with many entries are kept dense as well,
/// for vector instructions. Memory: 12 bytes a block, and 8 times that of the values of the dense rows at most.
/// </summary>
internal sealed unsafe class BlockedRows<T> : IDisposable where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>A row is kept dense where at least one of so many columns has an entry: measured, a vector of products costs as much as one scattered.</summary>
    public const int DenseShare = 5;

    /// <summary>Blocks are made where they save at least one look at a column in five: measured, below that they are not worth their memory.</summary>
    private const double EntriesPerBlock = 1.25;

    private readonly Scratch.Block<long> _starts, _dense;
    private readonly Scratch.Block<int> _words;
    private readonly Scratch.Block<ulong> _bits;
    private readonly Scratch.Block<T> _rows;

    public BlockedRows(Csr<T> a, Csr<T> b, long multiplications, bool vectors, Scratch scratch)
    {
        _starts = scratch.Take<long>(b.Rows + 1);
        _dense = scratch.Take<long>(b.Rows);
        long blocks = 0, dense = 0;
        for (int k = 0; k < b.Rows; k++)
        {
            int last = -1;
            for (long q = b.Starts[k]; q < b.Starts[k + 1]; q++)
            {
                int word = b.Indices[q] >> 6;
                blocks += word != last ? 1 : 0;
                last = word;
            }
            _starts.Data[k + 1] = blocks;
            bool many = vectors && (b.Starts[k + 1] - b.Starts[k]) * DenseShare >= b.Columns && b.Columns >= Vector256<T>.Count;
            _dense.Data[k] = many ? dense++ * b.Columns : -1;
        }
        long marks = 0;
        for (long p = 0; p < a.Starts[a.Rows]; p++)
            marks += _starts.Data[a.Indices[p] + 1] - _starts.Data[a.Indices[p]];
        Pay = marks * EntriesPerBlock <= multiplications;
        _words = scratch.Take<int>(Pay ? blocks : 0);
        _bits = scratch.Take<ulong>(Pay ? blocks : 0);
        _rows = scratch.Take<T>(dense * b.Columns);
        for (int k = 0; k < b.Rows; k++)
        {
            if (Pay)
                Fill(b, k);
            if (Dense(k) is var row && row != null)
            {
                for (long q = b.Starts[k]; q < b.Starts[k + 1]; q++)
                    row[b.Indices[q]] = b.Values[q];
            }
        }
    }

    private void Fill(Csr<T> b, int k)
    {
        long at = _starts.Data[k] - 1;
        int last = -1;
        for (long q = b.Starts[k]; q < b.Starts[k + 1]; q++)
        {
            int column = b.Indices[q];
            if (column >> 6 != last)
                _words.Data[++at] = last = column >> 6;
            _bits.Data[at] |= 1ul << (column & 63);
        }
    }

    /// <summary>Whether there are enough entries in a block for the blocks to be worth their memory; without, they are not made.</summary>
    public bool Pay { get; }

    public long* Starts => _starts.Data;

    public int* Words => _words.Data;

    public ulong* Bits => _bits.Data;

    /// <summary>The row with zeros where it has no entry, or null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T* Dense(int k) => _dense.Data[k] < 0 ? null : _rows.Data + _dense.Data[k];

    public void Dispose()
    {
        _starts.Dispose();
        _dense.Dispose();
        _words?.Dispose();
        _bits?.Dispose();
        _rows?.Dispose();
    }
}

/// <summary>
/// What one thread needs to make rows of a product: an accumulator over all columns with a bit for each, a hash table, and room to sort. Every
/// kernel adds the products of an entry in the order of the columns of A, beginning at zero, a multiplication and an addition rounded each:
/// all give the same bits.
/// </summary>
/// <param name="a">The left operand.</param>
/// <param name="b">The right operand.</param>
/// <param name="blocks">The right operand by blocks; null where no row uses the dense accumulator.</param>
/// <param name="hashed">The most multiplications of a row that is hashed.</param>
/// <param name="sorted">The most multiplications of a row that is sorted.</param>
/// <param name="scratch">Where the memory comes from.</param>
internal sealed unsafe class RowKernels<T>(Csr<T> a, Csr<T> b, BlockedRows<T>? blocks, long hashed, long sorted, Scratch scratch) : IDisposable
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private const int Free = -1;
    private const int WordsPerLine = 8;

    /// <summary>How many rows of B ahead memory is asked for.</summary>
    private const int Ahead = 2;

    /// <summary>Keys from which sorting by digits is faster than by comparison.</summary>
    private const int ByDigitsFrom = 48;

    private readonly long _entries = a.Starts[a.Rows];

    private readonly Scratch.Block<T> _sums = scratch.Take<T>(blocks is null ? 0 : b.Columns);
    private readonly Scratch.Block<ulong> _bits = scratch.Take<ulong>(blocks is null ? 0 : (b.Columns + 511L) / 512 * WordsPerLine);
    private readonly Scratch.Block<ulong> _lines = scratch.Take<ulong>(blocks is null ? 0 : (b.Columns + 4095L) / 4096);
    private readonly Scratch.Block<int> _list = scratch.Take<int>(blocks is null ? 0 : b.Columns + 4L);
    private readonly Scratch.Block<int> _columns = Table<int>(hashed, b.Columns, scratch, fill: true);
    private readonly Scratch.Block<T> _values = Table<T>(hashed, b.Columns, scratch, fill: false);
    private readonly Scratch.Block<ulong> _keys = scratch.Take<ulong>(2 * Math.Max(Math.Min(hashed, b.Columns), sorted));
    private readonly Scratch.Block<T> _products = scratch.Take<T>(sorted);

    /// <summary>Slots for a row: a power of two, at most half of them taken.</summary>
    public static int Slots(long multiplications, int columns) =>
        (int)BitOperations.RoundUpToPowerOf2((ulong)Math.Max(8, 2 * Math.Min(multiplications, columns)));

    private static Scratch.Block<TItem> Table<TItem>(long hashed, int columns, Scratch scratch, bool fill) where TItem : unmanaged
    {
        var block = scratch.Take<TItem>(hashed == 0 ? 0 : Slots(hashed, columns));
        if (fill)
            new Span<byte>(block.Data, checked((int)(block.Length * sizeof(TItem)))).Fill(0xff);
        return block;
    }

    /// <summary>The number of entries of a row of the product.</summary>
    public int Count(int i, ProductKernel kernel, long multiplications) => kernel switch
    {
        ProductKernel.Scale => (int)multiplications,
        ProductKernel.Dense => CountBits(i),
        ProductKernel.Hash => Hash(i, multiplications, null, null),
        _ => Sort(i, null, null),
    };

    /// <summary>Writes a row of the product, columns ascending.</summary>
    public void Write(int i, ProductKernel kernel, long multiplications, int* columns, T* values)
    {
        switch (kernel)
        {
            case ProductKernel.Scale: Scale(i, columns, values); break;
            case ProductKernel.Dense: Dense(i, columns, values); break;
            case ProductKernel.Hash: Hash(i, multiplications, columns, values); break;
            default: Sort(i, columns, values); break;
        }
    }

    /// <summary>One entry in the row of A: the row of B, scaled, is the row of the product.</summary>
    private void Scale(int i, int* columns, T* values)
    {
        long p = a.Starts[i];
        if (p == a.Starts[i + 1])
            return;
        T factor = a.Values[p];
        long first = b.Starts[a.Indices[p]];
        int count = (int)(b.Starts[a.Indices[p] + 1] - first);
        Buffer.MemoryCopy(b.Indices + first, columns, (long)count * sizeof(int), (long)count * sizeof(int));
        T* row = b.Values + first;
        for (int j = 0; j < count; j++)
            values[j] = T.Zero + factor * row[j];
    }

    /// <summary>Sets the bits of the columns of a row of the product.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MarkBits(int i)
    {
        ulong* bits = _bits.Data;
        byte* lines = (byte*)_lines.Data;
        if (!blocks!.Pay)
        {
            for (long p = a.Starts[i], end = a.Starts[i + 1]; p < end; p++)
            {
                Prefetch(p + Ahead, values: false);
                int k = a.Indices[p];
                for (long q = b.Starts[k], last = b.Starts[k + 1]; q < last; q++)
                {
                    int column = b.Indices[q];
                    bits[column >> 6] |= 1ul << column;
                    lines[column >> 9] = 1;
                }
            }
            return;
        }
        long* starts = blocks!.Starts;
        int* words = blocks.Words;
        ulong* masks = blocks.Bits;
        for (long p = a.Starts[i], end = a.Starts[i + 1]; p < end; p++)
        {
            if (p + Ahead < _entries)
            {
                Prefetch(words + starts[a.Indices[p + Ahead]]);
                Prefetch(masks + starts[a.Indices[p + Ahead]]);
            }
            int k = a.Indices[p];
            for (long q = starts[k], last = starts[k + 1]; q < last; q++)
            {
                int word = words[q];
                bits[word] |= masks[q];
                lines[word >> 3] = 1;
            }
        }
    }

    /// <summary>Asks for the beginning of the row of B that belongs to an entry of A still to come: rows are too short for the hardware to foresee the next.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Prefetch(long p, bool values)
    {
        if (p >= _entries)
            return;
        long q = b.Starts[a.Indices[p]];
        Prefetch(b.Indices + q);
        if (values)
            Prefetch(b.Values + q);
    }

    /// <summary>Two lines: by then the hardware has seen where it goes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(void* at)
    {
        if (!Sse.IsSupported)
            return;
        Sse.Prefetch0(at);
        Sse.Prefetch0((byte*)at + 64);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int CountBits(int i)
    {
        MarkBits(i);
        int count = 0;
        ulong* bits = _bits.Data;
        for (int g = 0; g < (int)_lines.Length; g++)
        {
            for (ulong lines = _lines.Data[g]; lines != 0; lines &= lines - 1)
            {
                ulong* line = bits + ((nint)g * 8 + (BitOperations.TrailingZeroCount(lines) >> 3)) * WordsPerLine;
                for (int w = 0; w < WordsPerLine; w++)
                    count += BitOperations.PopCount(line[w]);
                Vector512.Store(Vector512<ulong>.Zero, line);
            }
            _lines.Data[g] = 0;
        }
        return count;
    }

    /// <summary>Gustavson's accumulator over all columns; the bits give the columns in order, and only what was touched is cleared.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Dense(int i, int* columns, T* values)
    {
        T* sums = _sums.Data;
        if (blocks!.Pay)
            MarkBits(i);
        for (long p = a.Starts[i], end = a.Starts[i + 1]; p < end; p++)
        {
            Prefetch(p + Ahead, values: true);
            int k = a.Indices[p];
            T factor = a.Values[p];
            long first = b.Starts[k];
            if (!blocks.Pay)
                AddAndMark(factor, b.Indices + first, b.Values + first, (nint)(b.Starts[k + 1] - first), sums);
            // a zero of a dense row adds nothing, unless it is multiplied by something infinite
            else if (blocks.Dense(k) is var dense && dense != null && T.IsFinite(factor))
                AddDense(factor, dense, sums, b.Columns);
            else
                Add(factor, b.Indices + first, b.Values + first, (nint)(b.Starts[k + 1] - first), sums);
        }
        int count = ListColumns();
        int* list = _list.Data;
        for (int j = 0; j < count; j++)
        {
            int column = list[j];
            columns[j] = column;
            values[j] = sums[column];
            sums[column] = T.Zero;
        }
    }

    /// <summary>
    /// Turns the bits into a list and clears them. Four columns of a word are written whether or not there are as many: which words have how
    /// many bits cannot be predicted, and a mispredicted branch costs more than four stores.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int ListColumns()
    {
        int* list = _list.Data;
        ulong* groups = _lines.Data;
        for (int g = 0, count = (int)_lines.Length; g < count; g++)
        {
            for (ulong lines = groups[g]; lines != 0; lines &= lines - 1)
            {
                int word = (g * 8 + (BitOperations.TrailingZeroCount(lines) >> 3)) * WordsPerLine;
                ulong* bits = _bits.Data + word;
                for (int w = 0; w < WordsPerLine; w++)
                {
                    ulong left = bits[w];
                    int first = word + w << 6;
                    int* next = list + BitOperations.PopCount(left);
                    while (true)
                    {
                        list[0] = first + BitOperations.TrailingZeroCount(left);
                        left &= left - 1;
                        list[1] = first + BitOperations.TrailingZeroCount(left);
                        left &= left - 1;
                        list[2] = first + BitOperations.TrailingZeroCount(left);
                        left &= left - 1;
                        list[3] = first + BitOperations.TrailingZeroCount(left);
                        left &= left - 1;
                        if (left == 0)
                            break;
                        list += 4;
                    }
                    list = next;
                }
                Vector512.Store(Vector512<ulong>.Zero, bits);
            }
            groups[g] = 0;
        }
        return (int)(list - _list.Data);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AddAndMark(T factor, int* columns, T* row, nint count, T* sums)
    {
        ulong* bits = _bits.Data;
        byte* lines = (byte*)_lines.Data;
        for (nint j = 0; j < count; j++)
        {
            int column = columns[j];
            sums[column] += factor * row[j];
            bits[column >> 6] |= 1ul << column;
            lines[column >> 9] = 1;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(T factor, int* columns, T* row, nint count, T* sums)
    {
        nint j = 0;
        for (; j + 4 <= count; j += 4)
        {
            (int c0, int c1, int c2, int c3) = (columns[j], columns[j + 1], columns[j + 2], columns[j + 3]);
            sums[c0] += factor * row[j];
            sums[c1] += factor * row[j + 1];
            sums[c2] += factor * row[j + 2];
            sums[c3] += factor * row[j + 3];
        }
        for (; j < count; j++)
            sums[columns[j]] += factor * row[j];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddDense(T factor, T* row, T* sums, int count)
    {
        int lanes = Vector256<T>.Count, j = 0;
        var factors = Vector256.Create(factor);
        for (; j + 2 * lanes <= count; j += 2 * lanes)
        {
            Vector256.Store(Vector256.Load(sums + j) + factors * Vector256.Load(row + j), sums + j);
            Vector256.Store(Vector256.Load(sums + j + lanes) + factors * Vector256.Load(row + j + lanes), sums + j + lanes);
        }
        for (; j < count; j++)
            sums[j] += factor * row[j];
    }

    /// <summary>Open addressing with linear probing in a table for this row; without a place to write to, the entries are only counted.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int Hash(int i, long multiplications, int* columns, T* values)
    {
        int slots = Slots(multiplications, b.Columns), shift = 32 - BitOperations.Log2((uint)slots), count = 0;
        int* tags = _columns.Data;
        T* sums = _values.Data;
        ulong* keys = _keys.Data;
        for (long p = a.Starts[i], end = a.Starts[i + 1]; p < end; p++)
        {
            int k = a.Indices[p];
            T factor = a.Values[p];
            for (long q = b.Starts[k], last = b.Starts[k + 1]; q < last; q++)
            {
                int column = b.Indices[q];
                uint slot = (uint)column * 0x9E3779B1u >> shift;
                while (tags[slot] != column)
                {
                    if (tags[slot] == Free)
                    {
                        tags[slot] = column;
                        keys[count++] = (ulong)(uint)column << 32 | slot;
                        break;
                    }
                    slot = slot + 1 & (uint)(slots - 1);
                }
                sums[slot] += factor * b.Values[q];
            }
        }
        if (columns != null)
            SortKeys(count);
        for (int j = 0; j < count; j++)
        {
            uint slot = (uint)keys[j];
            if (columns != null)
                (columns[j], values[j]) = ((int)(keys[j] >> 32), sums[slot]);
            tags[slot] = Free;
            sums[slot] = T.Zero;
        }
        return count;
    }

    /// <summary>All products of a row in a list, sorted by column, neighbours of one column added up.</summary>
    private int Sort(int i, int* columns, T* values)
    {
        int length = 0, count = 0;
        ulong* keys = _keys.Data;
        T* products = _products.Data;
        for (long p = a.Starts[i], end = a.Starts[i + 1]; p < end; p++)
        {
            int k = a.Indices[p];
            for (long q = b.Starts[k], last = b.Starts[k + 1]; q < last; q++)
            {
                keys[length] = (ulong)(uint)b.Indices[q] << 32 | (uint)length;
                products[length++] = a.Values[p] * b.Values[q];
            }
        }
        SortKeys(length);
        for (int j = 0; j < length; count++)
        {
            ulong column = keys[j] >> 32;
            T sum = T.Zero;
            for (; j < length && keys[j] >> 32 == column; j++)
                sum += products[(uint)keys[j]];
            if (columns != null)
                (columns[count], values[count]) = ((int)column, sum);
        }
        return count;
    }

    /// <summary>Sorts the keys by their upper halves, stably: few by comparison, many digit by digit.</summary>
    private void SortKeys(int count)
    {
        ulong* from = _keys.Data, to = from + count;
        if (count < ByDigitsFrom)
        {
            new Span<ulong>(from, count).Sort();
            return;
        }
        Span<int> at = stackalloc int[256];
        int bits = 32 - BitOperations.LeadingZeroCount((uint)(b.Columns - 1));
        for (int shift = 32; shift < 32 + bits; shift += 8)
        {
            at.Clear();
            for (int j = 0; j < count; j++)
                at[(byte)(from[j] >> shift)]++;
            for (int d = 0, sum = 0; d < 256; d++)
                (at[d], sum) = (sum, sum + at[d]);
            for (int j = 0; j < count; j++)
                to[at[(byte)(from[j] >> shift)]++] = from[j];
            ulong* sorted = to;
            to = from;
            from = sorted;
        }
        if (from != _keys.Data)
            new Span<ulong>(from, count).CopyTo(new Span<ulong>(_keys.Data, count));
    }

    public void Dispose()
    {
        _sums.Dispose();
        _bits.Dispose();
        _lines.Dispose();
        _list.Dispose();
        _columns.Dispose();
        _values.Dispose();
        _keys.Dispose();
        _products.Dispose();
    }
}
