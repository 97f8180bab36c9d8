using System.Globalization;
using System.Text;
using CsvHelper;
using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>
/// CSV and TSV (RFC 4180 quoting; comma, semicolon, tab or |), with or without a header, and the form of the classic data sets
/// whose first line is <c>rows,columns,class names...</c> and whose labels are indices into those names.
/// </summary>
/// <param name="request">What to read.</param>
internal sealed class DelimitedReader(ReadRequest request)
{
    private const int LongestRow = 1 << 26;

    private static readonly CsvReaderOptions Options = new()
    {
        HasHeader = false,
        TrackLineNumbers = true,
        TrimWhitespace = true,
        PoolStrings = true,
        MaxRecordSize = LongestRow,
        MalformedData = CsvMalformedDataHandling.Throw,
    };

    /// <summary>Reads a whole table.</summary>
    /// <param name="utf8">The text; read once, front to back.</param>
    public Table Read(Stream utf8)
    {
        try
        {
            using var csv = CsvReader.Create(utf8, Options, leaveOpen: true);
            return Read(csv);
        }
        catch (CsvFormatException e)
        {
            throw new InputException($"{request.Where}, line {e.LineNumber}: found a row that is not CSV ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}); expected fields whose quotes are closed and doubled inside. Check the quotes on this line and before it.", e);
        }
    }

    private Table Read(CsvReader csv)
    {
        if (!csv.Read())
            throw InputException.At(request.Where, "blank lines only", "data", "Check that it was written or downloaded completely.");
        string[] first = csv.Current.ToArray();
        long firstLine = csv.LineNumber;
        bool more = csv.Read();

        var classic = request.Reading.Header is null && more ? ClassicHeader.Of(first, csv) : null;
        bool header = classic is null && (request.Reading.Header ?? !first.Any(IsNumber));
        int columns = classic?.Columns + 1 ?? first.Length;
        string[]? names = header ? first : null;
        var rows = new TableRows(request, names, columns, classic is null ? null : (classic.Rows, classic.Classes));

        if (classic is null && !header)
            rows.Add(first.Length, c => Encoding.UTF8.GetBytes(first[c]), firstLine);
        for (int n = 0; more; n++, more = csv.Read())
        {
            if (n % 1024 == 0)
                request.Cancellation.ThrowIfCancellationRequested();
            rows.Add(csv.FieldCount, c => csv.GetSpan(c), csv.LineNumber);
        }
        return rows.Finish();
    }

    private static bool IsNumber(string field) => float.TryParse(field, NumberStyles.Float, CultureInfo.InvariantCulture, out _);

    /// <summary>The first line <c>rows,columns,class names...</c>.</summary>
    private sealed record ClassicHeader(int Rows, int Columns, string[] Classes)
    {
        /// <summary>The header when the first line has that form and the second fits it; null otherwise.</summary>
        public static ClassicHeader? Of(string[] first, CsvReader second) =>
            first.Length >= 3
            && int.TryParse(first[0], NumberStyles.None, CultureInfo.InvariantCulture, out int rows)
            && int.TryParse(first[1], NumberStyles.None, CultureInfo.InvariantCulture, out int columns)
            && !first.Skip(2).Any(IsNumber) && second.FieldCount == columns + 1L && IsNumber(second.GetString(columns))
                ? new(rows, columns, first[2..]) : null;
    }
}
