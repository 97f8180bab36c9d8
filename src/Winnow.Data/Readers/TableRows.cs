using System.Globalization;
using System.Text;
using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>A field of a row, as UTF-8, unquoted.</summary>
internal delegate ReadOnlySpan<byte> TableField(int column);

/// <summary>
/// Collects the rows of one reading. The first hundred are kept back until it is known which columns are text: those in which more fields are
/// something else than numbers. When all features are text they are hashed; a mixture is read as numbers, and refused at its first word.
/// </summary>
/// <param name="request">What to read.</param>
/// <param name="names">Column names, or null without a header.</param>
/// <param name="columns">Number of columns.</param>
/// <param name="declared">Rows and classes that the first line declares.</param>
internal sealed class TableRows(ReadRequest request, string[]? names, int columns, (int Rows, string[] Classes)? declared)
{
    private const int Sample = 100;
    private readonly GrowingArray<float> _values = new(request.Where, request.Limits);
    private readonly LabelEncoder _encoder = new(request.Where, request.Limits);
    private readonly GrowingArray<int> _labels = new(request.Where, request.Limits);
    private readonly GrowingArray<double> _targets = new(request.Where, request.Limits);
    private readonly DomainEncoder _domains = new(request.Where, request.Limits);
    private readonly SparseTable _text = new(request.Where, request.Limits);
    private readonly HashedText _hashing = new(Table.TextDimensions);
    private readonly List<(byte[][] Fields, long Line)> _first = [];
    private readonly float _divisor = request.Layout?.Divisor ?? 1;
    private ColumnPlan? _plan = request.Layout is null && declared is null ? null : request.Columns(names, columns);
    private int _count;

    /// <summary>Adds a row.</summary>
    public void Add(int count, TableField field, long line)
    {
        if (_plan is null)
        {
            _first.Add(([.. Enumerable.Range(0, count).Select(c => field(c).ToArray())], line));
            if (_first.Count == Sample)
                Decide();
            return;
        }
        Take(_plan, count, field, line);
    }

    private ColumnPlan Decide()
    {
        var plan = _plan = request.Columns(names, columns, [.. Enumerable.Range(0, columns).Select(IsText)]);
        foreach (var (fields, line) in _first)
            Take(plan, fields.Length, c => fields[c], line);
        _first.Clear();
        return plan;
    }

    private bool IsText(int column)
    {
        int words = 0, numbers = 0;
        foreach (var (fields, _) in _first)
            if (column < fields.Length && fields[column].Length > 0)
                _ = float.TryParse(fields[column], NumberStyles.Float, CultureInfo.InvariantCulture, out _) ? numbers++ : words++;
        return words > numbers;
    }

    private void Take(ColumnPlan plan, int count, TableField field, long line)
    {
        if (count != columns)
            throw InputException.At($"{request.Where}, line {line}", $"{count} fields", $"{columns} as in the first row", "Every row needs the same number of fields; check this line for a missing or extra separator.");
        _count++;
        if (plan.Text)
        {
            var row = _hashing.Features([.. plan.Features.Select(c => Encoding.UTF8.GetString(field(c)))]);
            _text.Add(row.Columns.Length > 0 ? row : throw InputException.At($"{request.Where}, line {line}", "no word", "text", "Fill in the text or remove the row."));
        }
        else
            foreach (int c in plan.Features)
                _values.Add(Table.Number(field(c), () => $"{request.Where}, line {line}, {plan.Show(c)}") / _divisor);
        if (plan.Domain >= 0)
            _domains.Add(Encoding.UTF8.GetString(field(plan.Domain)), () => $"{request.Where}, line {line}, {plan.Show(plan.Domain)}");
        if (plan.Label < 0)
            return;
        if (request.Targets)
        {
            _targets.Add(Table.Target(field(plan.Label), () => $"{request.Where}, line {line}, {plan.Show(plan.Label)}"));
            return;
        }
        string label = Encoding.UTF8.GetString(field(plan.Label));
        if (label.Length == 0)
            throw InputException.At($"{request.Where}, line {line}, {plan.Show(plan.Label)}", "an empty label", "a class", "Fill in the label or remove the row.");
        if (declared is not { Classes: var classes })
            _encoder.Add(label);
        else
            _labels.Add(int.TryParse(label, NumberStyles.None, CultureInfo.InvariantCulture, out int k) && k < classes.Length ? k
                : throw InputException.At($"{request.Where}, line {line}", $"label {Excerpt.Of(label)}", $"0 to {classes.Length - 1}, the classes declared in line 1", "Correct the label or declare its class."));
    }

    /// <summary>What was read.</summary>
    public Table Finish()
    {
        var plan = _plan ?? Decide();
        if (declared is { } promised && promised.Rows != _count)
            throw InputException.At(request.Where, $"{Excerpt.Of(_count)} rows", $"{Excerpt.Of(promised.Rows)}, as line 1 says", "The file is cut short or its first line is wrong; get it again.");
        if (_count == 0)
            throw InputException.At(request.Where, "a header and no rows", "data", "Check that it was written completely; if line 1 is not a header, say so.");
        var (labels, classes) = plan.Label < 0 || request.Targets ? ([], []) : declared is null ? _encoder.Finish() : (_labels.ToArray(), declared.Value.Classes);
        return new(_values.ToArray(), plan.Features.Length, plan.FeatureNames, labels, classes, plan.Text ? _text.Finish() : null)
        {
            Domains = plan.Domain < 0 ? null : _domains.Finish(plan.Show(plan.Domain)),
            Targets = request.Targets ? (plan.Show(plan.Label), _targets.ToArray()) : null,
        };
    }
}
