using System.Globalization;
using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>
/// Turns the fields of a domain column into domains: the first decides whether they are names, which become domains in order of first appearance,
/// or numbers, which become an order.
/// </summary>
internal sealed class DomainEncoder(string where, ReadLimits limits)
{
    private readonly Dictionary<string, int> _codes = new(StringComparer.Ordinal);
    private readonly GrowingArray<int> _rows = new(where, limits);
    private readonly GrowingArray<double> _order = new(where, limits);

    /// <summary>Adds the field of the next row, text or a number as text.</summary>
    /// <param name="field">The field.</param>
    /// <param name="at">File, line and column, asked for only when the field is bad.</param>
    public void Add(string field, Func<string> at)
    {
        if (string.IsNullOrWhiteSpace(field))
            throw Missing(at());
        bool number = double.TryParse(field, NumberStyles.Float, CultureInfo.InvariantCulture, out double value);
        if (number && _rows.Count == 0)
            AddNumber(value, at);
        else if (_order.Count > 0)
            throw InputException.At(at(), Excerpt.Of(field), "a number, as in the rows before", "Write all domains as numbers (an order, such as a time) or all as names.");
        else if (number && double.IsNaN(value))
            throw Missing(at());
        else
            AddName(field);
    }

    /// <summary>Adds the name of the next row's domain.</summary>
    public void AddName(string name)
    {
        if (!_codes.TryGetValue(name, out int code))
            _codes.Add(name, code = _codes.Count);
        _rows.Add(code);
    }

    /// <summary>Adds the place of the next row in the order.</summary>
    public void AddNumber(double value, Func<string> at) =>
        _order.Add(double.IsFinite(value) ? value : throw InputException.At(at(), Excerpt.Of(value.ToString(CultureInfo.InvariantCulture)), "a finite number", "Fill in the missing value or remove the row."));

    /// <summary>The domains.</summary>
    /// <param name="shown">The column, for errors.</param>
    /// <exception cref="InputException">All rows have the same.</exception>
    public Domains Finish(string shown)
    {
        const string Expected = "at least 2 domains, or an order", Remedy = "Name another column with --domain, or leave it away.";
        if (_order.Count > 0)
            return _order.Filled.ContainsAnyExcept(_order.Filled[0]) ? Domains.Ordered(_order.ToArray())
                : throw InputException.At($"{where}, {shown}", $"the number {_order.Filled[0].ToString(CultureInfo.InvariantCulture)} in all rows", Expected, Remedy);
        return _codes.Count > 1 ? Domains.Named([.. _codes.Keys], _rows.ToArray())
            : throw InputException.At($"{where}, {shown}", $"a single domain ({Excerpt.Of(_codes.Keys.First())})", Expected, Remedy);
    }

    public static InputException Missing(string at) => InputException.At(at, "no domain", "a name or a number", "Fill it in or remove the row.");
}
