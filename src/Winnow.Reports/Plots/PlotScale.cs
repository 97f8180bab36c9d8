using System.Globalization;

namespace Winnow.Reports.Plots;

/// <summary>An axis: its range, its ticks at round numbers, linear or logarithmic.</summary>
/// <param name="Low">Coordinate of the low end.</param>
/// <param name="High">Coordinate of the high end.</param>
/// <param name="Logarithmic">Whether coordinates are decimal logarithms of values.</param>
/// <param name="Ticks">Coordinate and label of each tick.</param>
internal sealed record PlotScale(double Low, double High, bool Logarithmic, IReadOnlyList<(double At, string Label)> Ticks)
{
    /// <summary>The coordinate of a value.</summary>
    public double At(double value) => Logarithmic ? Math.Log10(value) : value;

    /// <summary>A linear axis around values, with some room, ticks at 1, 2 or 5 times a power of ten.</summary>
    /// <param name="values">What is shown; values that are not finite are left out.</param>
    /// <param name="unit">Unit of the tick labels.</param>
    /// <param name="room">Share of the range left free on both ends.</param>
    /// <param name="count">About how many ticks.</param>
    public static PlotScale Linear(IEnumerable<double> values, string unit, double room = 0.05, int count = 5)
    {
        var (low, high) = Range(values);
        double pad = room * (high - low), step = Step((high - low) / count);
        // an axis of shares or amounts does not run into impossible values only to leave room
        double from = low >= 0 ? Math.Max(0, low - pad) : low - pad, to = unit == "fraction" && high <= 1 ? Math.Min(1.02, high + pad) : high + pad;
        var ticks = Enumerable.Range(0, 100).Select(i => (Math.Ceiling(from / step - 1e-9) + i) * step).TakeWhile(t => t <= to + step * 1e-9);
        return new(from, to, false, [.. ticks.Select(t => (t, Label(t, step, unit)))]);
    }

    /// <summary>A logarithmic axis when the values span more than a factor, else a linear one.</summary>
    public static PlotScale Amounts(IEnumerable<double> values, string unit, int count, double span = 20)
    {
        double[] positive = [.. values.Where(v => double.IsFinite(v) && v > 0)];
        if (positive.Length == 0 || positive.Max() / positive.Min() <= span)
            return Linear(positive, unit, room: 0.08, count);
        double low = Math.Log10(positive.Min()), high = Math.Log10(positive.Max()), pad = 0.05 * (high - low);
        double[] mantissas = high - low > 2 ? [1] : [1, 2, 5];
        var ticks = Enumerable.Range((int)Math.Floor(low - pad), (int)(high - low) + 3).SelectMany(e => mantissas.Select(m => m * Math.Pow(10, e)))
            .Where(v => Math.Log10(v) >= low - pad && Math.Log10(v) <= high + pad);
        return new(low - pad, high + pad, true, [.. ticks.Select(v => (Math.Log10(v), Format.Of(v, unit)))]);
    }

    private static (double Low, double High) Range(IEnumerable<double> values)
    {
        double low = double.PositiveInfinity, high = double.NegativeInfinity;
        foreach (double v in values.Where(double.IsFinite))
            (low, high) = (Math.Min(low, v), Math.Max(high, v));
        return low > high ? (0, 1) : low == high ? (low - Math.Max(Math.Abs(low) * 0.1, 1e-3), high + Math.Max(Math.Abs(high) * 0.1, 1e-3)) : (low, high);
    }

    private static double Step(double rough)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        return power * (rough / power) switch { <= 1.000001 => 1, <= 2.000001 => 2, <= 5.000001 => 5, _ => 10 };
    }

    private static string Label(double tick, double step, string unit)
    {
        if (Math.Abs(tick) < step * 1e-6)
            tick = 0;
        if (unit is "bytes" or "seconds")
            return tick == 0 ? "0" : Format.Of(tick, unit).Replace(".0 ", " ", StringComparison.Ordinal);
        if (Math.Abs(tick) >= 10_000)
            return Format.Of(tick, unit);
        int digits = Math.Max(0, (int)Math.Ceiling(-Math.Log10(step) - 1e-9));
        return tick.ToString($"F{digits}", CultureInfo.InvariantCulture);
    }
}
