using System.Globalization;

namespace Winnow.Reports;

/// <summary>How numbers are written, the same in the table on the terminal and in the report.</summary>
public static class Format
{
    /// <summary>A mean with half its interval, e.g. <c>0.916 ± 0.012</c>; without an interval only the mean.</summary>
    public static string Of(Interval value, string unit)
    {
        // A half-width below the last digit shown of a large count says nothing: 13.4 k ± 0.6 is 13.4 k.
        bool counts = unit is not ("fraction" or "seconds");
        bool bare = double.IsNaN(value.HalfWidth) || unit == "bytes" || (counts && value.HalfWidth <= 0.005 * Math.Abs(value.Mean)) || (value.HalfWidth == 0 && unit != "fraction");
        return bare ? Of(value.Mean, unit) : $"{Of(value.Mean, unit)} ± {Of(value.HalfWidth, unit)}";
    }

    /// <summary>A number in its unit.</summary>
    public static string Of(double value, string unit) => double.IsNaN(value) ? "–" : unit switch
    {
        "fraction" => value.ToString("F3", CultureInfo.InvariantCulture).Replace("-0.000", "0.000", StringComparison.Ordinal),
        "bytes" => Bytes(value),
        "seconds" => Seconds(value),
        _ => Math.Abs(value) >= 1000 ? Count(value) : value.ToString("G4", CultureInfo.InvariantCulture),
    };

    /// <summary>E.g. <c>12.3 MB</c>.</summary>
    public static string Bytes(double value) => double.IsNaN(value) ? "–" : Scaled(value, 1000, ["B", "kB", "MB", "GB", "TB"]);

    /// <summary>E.g. <c>1.24 s</c>, <c>35 ms</c>, <c>2.5 min</c>.</summary>
    public static string Seconds(double value) => value switch
    {
        double.NaN => "–",
        0 => "0 s",
        < 0 => "-" + Seconds(-value),
        < 0.9995e-3 => string.Create(CultureInfo.InvariantCulture, $"{value * 1e6:F0} µs"),
        < 0.009995 => string.Create(CultureInfo.InvariantCulture, $"{value * 1e3:F2} ms"),
        < 0.9995 => string.Create(CultureInfo.InvariantCulture, $"{value * 1e3:F0} ms"),
        < 9.995 => string.Create(CultureInfo.InvariantCulture, $"{value:F2} s"),
        < 99.95 => string.Create(CultureInfo.InvariantCulture, $"{value:F1} s"),
        < 5997 => string.Create(CultureInfo.InvariantCulture, $"{value / 60:F1} min"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{value / 3600:F1} h"),
    };

    /// <summary>A p-value, e.g. <c>0.032</c>, <c>&lt; 0.001</c>.</summary>
    public static string P(double p) => double.IsNaN(p) ? "" : p < 0.001 ? "< 0.001" : p.ToString("F3", CultureInfo.InvariantCulture);

    /// <summary>A p-value in a sentence, e.g. <c>= 0.032</c>, <c>&lt; 0.001</c>.</summary>
    public static string Equation(double p) => P(p) is ['<', ..] small ? small : $"= {P(p)}";

    /// <summary>A difference with its sign, e.g. <c>+0.021</c>.</summary>
    public static string Signed(double value, string unit) => Of(value, unit) is var text && value > 0 ? $"+{text}" : text.Replace('-', '−');

    private static string Count(double value) => Scaled(value, 1000, ["", "k", "M", "G"]);

    private static string Scaled(double value, double step, string[] units)
    {
        int i = 0;
        // 999.6 kB would be written as 1000 kB: it is 1.0 MB
        for (; Math.Abs(value) >= step - 0.5 && i < units.Length - 1; i++)
            value /= step;
        string number = value.ToString(i == 0 || Math.Abs(value) >= 99.95 ? "F0" : "F1", CultureInfo.InvariantCulture);
        return units[i].Length == 0 ? number : $"{number} {units[i]}";
    }
}
