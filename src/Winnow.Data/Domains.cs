using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data;

/// <summary>Where or when each row comes from, told apart from its features: named domains (a shop, a genre), or an order (a time). Immutable.</summary>
public sealed class Domains
{
    private readonly int[] _rows = [];
    private readonly double[] _order = [];

    private Domains(IReadOnlyList<string>? names, int[] rows, double[] order) => (Names, _rows, _order) = (names, rows, order);

    /// <summary>Named domains.</summary>
    /// <param name="names">Name per domain, in the order in which they are to come.</param>
    /// <param name="rows">Zero-based domain per row, not copied.</param>
    /// <exception cref="ArgumentException">There are no two domains, or a row's domain has no name.</exception>
    public static Domains Named(IReadOnlyList<string> names, int[] rows)
    {
        if (names.Count < 2)
            throw new ArgumentException($"{names.Count} domains; expected at least 2.", nameof(names));
        foreach (int domain in rows)
            if ((uint)domain >= (uint)names.Count)
                throw new ArgumentException($"Domain {domain} has no name; there are {names.Count} names.", nameof(rows));
        return new(names, rows, []);
    }

    /// <summary>An order, which <see cref="Cut"/> makes domains of.</summary>
    /// <param name="order">Number per row, e.g. its time, finite, not copied.</param>
    /// <exception cref="ArgumentException">A number is not finite.</exception>
    public static Domains Ordered(double[] order)
    {
        int bad = Array.FindIndex(order, x => !double.IsFinite(x));
        return bad < 0 ? new(null, [], order) : throw new ArgumentException($"Row {bad} has {order[bad]} for its order; expected a finite number.", nameof(order));
    }

    /// <summary>Names of the domains; null for an order.</summary>
    public IReadOnlyList<string>? Names { get; }

    /// <summary>Zero-based domain per row; empty for an order.</summary>
    public ReadOnlySpan<int> Rows => _rows;

    /// <summary>Number per row; empty for named domains.</summary>
    public ReadOnlySpan<double> Order => _order;

    /// <summary>Number of rows.</summary>
    public int Count => Names is null ? _order.Length : _rows.Length;

    /// <summary>
    /// Cuts an order into parts of equal size, as far as equal numbers allow: they stay together, in the part in which the middle of their rows
    /// falls. O(rows · log rows).
    /// </summary>
    /// <param name="parts">How many.</param>
    /// <returns>Zero-based part per row; a part may be empty where a number is that of many rows.</returns>
    /// <exception cref="InvalidOperationException">The domains are named.</exception>
    public int[] Cut(int parts)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(parts, 1);
        if (Names is not null)
            throw new InvalidOperationException("Named domains are not cut; each is a part of its own.");
        int[] sorted = [.. Enumerable.Range(0, _order.Length)];
        Array.Sort([.. _order], sorted);
        var part = new int[sorted.Length];
        for (int start = 0, end; start < sorted.Length; start = end)
        {
            for (end = start; end < sorted.Length && _order[sorted[end]] == _order[sorted[start]]; end++)
            {
            }
            int own = (int)((long)parts * (start + end) / (2L * sorted.Length));
            for (int i = start; i < end; i++)
                part[sorted[i]] = own;
        }
        return part;
    }

    /// <summary>For people, e.g. <c>5 domains (weblog, email, ...)</c>.</summary>
    public string Describe() => Names is null
        ? string.Create(CultureInfo.InvariantCulture, $"ordered by a number from {_order.DefaultIfEmpty().Min()} to {_order.DefaultIfEmpty().Max()}")
        : string.Create(CultureInfo.InvariantCulture, $"{Names.Count:N0} domains ({string.Join(", ", Names.Take(8))}{(Names.Count > 8 ? ", ..." : "")})");

    /// <summary>Adds the content to a hash.</summary>
    internal void AddTo(IncrementalHash hash)
    {
        hash.AppendData(Encoding.UTF8.GetBytes($"domains|{string.Join('\u001f', Names ?? [])}\n"));
        hash.AppendData(MemoryMarshal.AsBytes(_rows.AsSpan()));
        hash.AppendData(MemoryMarshal.AsBytes(_order.AsSpan()));
    }

    /// <summary>Refuses a domain column that the user named where the data have no columns or know their domains themselves.</summary>
    internal static void RefuseColumn(string where, DataReading reading, string found)
    {
        if (reading.Domain is { } column)
            throw InputException.At(where, found, $"a table with a domain column {Excerpt.Of(column)}", "Leave --domain away, or give a table.");
    }
}
