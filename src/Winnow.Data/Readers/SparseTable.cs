namespace Winnow.Data.Readers;

/// <summary>Rows of which most values are zero, collected one by one.</summary>
internal sealed class SparseTable(string where, ReadLimits limits)
{
    private readonly GrowingArray<int> _starts = new(where, limits), _columns = new(where, limits);
    private readonly GrowingArray<float> _values = new(where, limits);

    public void Add(SparseRow row)
    {
        _starts.Add(_columns.Count);
        foreach (int column in row.Columns)
            _columns.Add(column);
        foreach (float value in row.Values)
            _values.Add(value);
    }

    public SparseRows Finish()
    {
        _starts.Add(_columns.Count);
        return new(_starts.ToArray(), _columns.ToArray(), _values.ToArray());
    }
}

/// <summary>Compressed rows: the values of row r are those from <c>Starts[r]</c> to <c>Starts[r + 1]</c>.</summary>
internal sealed record SparseRows(int[] Starts, int[] Columns, float[] Values);
