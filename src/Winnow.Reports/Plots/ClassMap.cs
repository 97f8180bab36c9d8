using System.Globalization;
using System.Text;
using Winnow.Core;

namespace Winnow.Reports.Plots;

/// <summary>Cells with a class each.</summary>
/// <param name="Width">Cells of a row.</param>
/// <param name="Cells">The class of each, row by row; −1 for none.</param>
/// <param name="Classes">Names.</param>
internal sealed record ClassMap(int Width, int[] Cells, IReadOnlyList<string> Classes)
{
    /// <summary>Cells on a side that are drawn; of larger maps every so manieth is.</summary>
    public const int MostSide = 256;

    private const long MostCells = 1 << 24;

    public int Height => Cells.Length / Width;

    /// <summary>The map that a row's first seed recorded; null where there is none or it is no map.</summary>
    public static ClassMap? Of(StudyRow row, string series, string size)
    {
        var runs = SeriesData.First(row, series);
        double Size(string member) => SeriesData.First(row, size).FirstOrDefault(p => p.Member == member).Value;
        double width = Size("width"), height = Size("height"), cells = width * height;
        if (!(width >= 1 && height >= 1 && cells <= MostCells && width == Math.Floor(width) && height == Math.Floor(height)) || runs.Count == 0 || runs.Any(r => r.Step < 0 || r.Value < 0 || r.Step + r.Value > cells))
            return null;
        string[] classes = [.. runs.Select(r => r.Member).Distinct()];
        var numbers = classes.Index().ToDictionary(c => c.Item, c => c.Index);
        int[] all = new int[(int)cells];
        Array.Fill(all, -1);
        foreach (var (member, step, value) in runs)
            all.AsSpan((int)step, (int)value).Fill(numbers[member]);
        return new ClassMap((int)width, all, classes).Thinned();
    }

    private ClassMap Thinned()
    {
        int every = (Math.Max(Width, Height) + MostSide - 1) / MostSide, width = (Width + every - 1) / every, height = (Height + every - 1) / every;
        return every == 1 ? this : this with { Width = width, Cells = [.. from y in Enumerable.Range(0, height) from x in Enumerable.Range(0, width) select Cells[y * every * Width + x * every]] };
    }

    /// <summary>How many cells each class has, in the order of the names.</summary>
    public IEnumerable<(string Class, double Weight)> Counts() => Classes.Index().Select(c => (c.Item, (double)Cells.Count(v => v == c.Index)));

    /// <summary>
    /// Path data of the rows of cells that are told, each a stroke as wide as a cell, in units of cells: what lies beside each other is one stroke, and moves are relative, so that a run takes about six bytes.
    /// </summary>
    public string Strokes(Func<int, bool> drawn)
    {
        var path = new StringBuilder();
        var (atX, atY) = (0, 0);
        for (int y = 0, i = 0; y < Height; y++)
            for (int x = 0; x < Width; x++, i++)
            {
                if (!drawn(i))
                    continue;
                int from = x;
                while (x + 1 < Width && drawn(i + 1))
                    (x, i) = (x + 1, i + 1);
                if (path.Length == 0)
                    path.Append(CultureInfo.InvariantCulture, $"M{from} {y}.5h{x + 1 - from}");
                else
                    path.Append(CultureInfo.InvariantCulture, $"m{from - atX} {y - atY}h{x + 1 - from}");
                (atX, atY) = (x + 1, y);
            }
        return path.ToString();
    }
}
