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
    private const string Rectangular = "Every row needs the same number of fields; check this line for a missing or extra separator.";

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
        var rows = new Rows(request, request.Columns(names, columns), columns, classic);

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

    /// <summary>A field of a row, as UTF-8, unquoted.</summary>
    private delegate ReadOnlySpan<byte> Field(int column);

    /// <summary>Collects the rows of one reading.</summary>
    private sealed class Rows(ReadRequest request, ColumnPlan plan, int columns, ClassicHeader? classic)
    {
        private readonly GrowingArray<float> _values = new(request.Where, request.Limits);
        private readonly LabelEncoder _encoder = new(request.Where, request.Limits);
        private readonly GrowingArray<int> _declared = new(request.Where, request.Limits);
        private readonly float _divisor = request.Layout?.Divisor ?? 1;
        private int _count;

        public void Add(int count, Field field, long line)
        {
            if (count != columns)
                throw InputException.At($"{request.Where}, line {line}", $"{count} fields", $"{columns} as in the first row", Rectangular);
            _count++;
            foreach (int c in plan.Features)
                _values.Add(Table.Number(field(c), () => $"{request.Where}, line {line}, {plan.Show(c)}") / _divisor);
            if (plan.Label < 0)
                return;
            string label = Encoding.UTF8.GetString(field(plan.Label));
            if (label.Length == 0)
                throw InputException.At($"{request.Where}, line {line}, {plan.Show(plan.Label)}", "an empty label", "a class", "Fill in the label or remove the row.");
            if (classic is null)
                _encoder.Add(label);
            else
                _declared.Add(int.TryParse(label, NumberStyles.None, CultureInfo.InvariantCulture, out int k) && k < classic.Classes.Length ? k
                    : throw InputException.At($"{request.Where}, line {line}", $"label {Excerpt.Of(label)}", $"0 to {classic.Classes.Length - 1}, the classes declared in line 1", "Correct the label or declare its class."));
        }

        public Table Finish()
        {
            if (classic is not null && classic.Rows != _count)
                throw InputException.At(request.Where, $"{Excerpt.Of(_count)} rows", $"{Excerpt.Of(classic.Rows)}, as line 1 says", "The file is cut short or its first line is wrong; get it again.");
            if (_count == 0)
                throw InputException.At(request.Where, "a header and no rows", "data", "Check that it was written completely; if line 1 is not a header, say so.");
            var (labels, names) = plan.Label < 0 ? ([], []) : classic is null ? _encoder.Finish() : (_declared.ToArray(), classic.Classes);
            return new(_values.ToArray(), plan.Features.Length, plan.FeatureNames, labels, names);
        }
    }

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
