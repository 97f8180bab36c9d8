using System.Globalization;
using System.Xml.Linq;
using ScottPlot;

namespace Winnow.Reports.Plots;

/// <summary>Space around the data area, in pixels.</summary>
internal readonly record struct Margins(int Left, int Right, int Top, int Bottom);

/// <summary>
/// A ScottPlot figure as inline SVG. ScottPlot draws the marks; all text is laid over them here as SVG text in the page's own font,
/// because ScottPlot places glyphs by the fonts of the machine it runs on and drops them where there are none. Marks are drawn in
/// stand-in colours that become style-sheet variables, so that they follow light and dark mode, and marks of one method carry its number.
/// </summary>
internal sealed class SvgPlot : IDisposable
{
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";
    private static readonly string[] Shared = ["ink", "grid", "front", "accent", "missing"];
    private readonly List<string> _inks = [.. Shared];
    private readonly List<int?> _methods = [.. Shared.Select(_ => (int?)null)];
    private readonly List<XElement> _texts = [];
    private readonly int _width, _height;
    private readonly Margins _margins;

    public SvgPlot(int width, int height, Margins margins, PlotScale x, PlotScale y, bool grid = true)
    {
        (_width, _height, _margins, X, Y) = (width, height, margins, x, y);
        Plot.Layout.Fixed(new PixelPadding(margins.Left, margins.Right, margins.Bottom, margins.Top));
        Plot.FigureBackground.Color = Plot.DataBackground.Color = ScottPlot.Colors.Transparent;
        Plot.Axes.Frameless();
        Plot.Grid.IsVisible = false;
        Plot.Axes.SetLimits(x.Low, x.High, y.Low, y.High);
        if (grid)
            foreach (var (at, _) in y.Ticks)
                Line([(x.Low, at), (x.High, at)], Ink("grid"), 1);
    }

    /// <summary>The figure to draw marks on, in coordinates of the scales.</summary>
    public Plot Plot { get; } = new();

    public PlotScale X { get; }

    public PlotScale Y { get; }

    /// <summary>A colour of the style sheet.</summary>
    public static Color Ink(string name) => Sentinel(Array.IndexOf(Shared, name));

    /// <summary>The colour of a method; its marks carry its number.</summary>
    public Color Ink(MethodStyle style)
    {
        int i = _methods.IndexOf(style.Index);
        if (i < 0)
        {
            i = _methods.Count;
            _methods.Add(style.Index);
            _inks.Add(style.Ink);
        }
        return Sentinel(i);
    }

    /// <summary>Draws a line through points.</summary>
    public void Line(IReadOnlyList<(double X, double Y)> points, Color ink, float width, LinePattern? pattern = null)
    {
        var line = Plot.Add.ScatterLine(points.Select(p => p.X).ToArray(), points.Select(p => p.Y).ToArray(), ink);
        line.LineWidth = width;
        line.LinePattern = pattern ?? LinePattern.Solid;
        line.MarkerSize = 0;
    }

    /// <summary>Fills a rectangle.</summary>
    public void Box(double left, double right, double bottom, double top, Color ink)
    {
        var box = Plot.Add.Rectangle(left, right, bottom, top);
        box.FillColor = ink;
        box.LineWidth = 0;
    }

    /// <summary>Where a point lies, in pixels of the figure.</summary>
    public (double X, double Y) Pixel(double x, double y) =>
        (_margins.Left + (x - X.Low) / (X.High - X.Low) * (_width - _margins.Left - _margins.Right),
         _margins.Top + (Y.High - y) / (Y.High - Y.Low) * (_height - _margins.Top - _margins.Bottom));

    /// <summary>Lays text over the figure.</summary>
    /// <param name="x">Pixels from the left to the anchor.</param>
    /// <param name="y">Pixels from the top to the middle of the letters.</param>
    /// <param name="text">The text.</param>
    /// <param name="anchor">start, middle or end.</param>
    /// <param name="kind">Class in the style sheet.</param>
    /// <param name="style">The method it belongs to.</param>
    /// <param name="turned">Whether it reads upwards.</param>
    public void Text(double x, double y, string text, string anchor, string kind, MethodStyle? style = null, bool turned = false)
    {
        var element = new XElement(Svg + "text", new XAttribute("x", Px(x)), new XAttribute("y", Px(y)), new XAttribute("dy", ".35em"),
            new XAttribute("text-anchor", anchor), new XAttribute("class", kind), Html.Markup.Legal(text));
        if (style is { } s)
        {
            element.Add(new XAttribute("data-m", s.Index));
            if (s.Highlighted)
                element.Add(new XAttribute("style", $"fill:var(--{s.Ink})"));
        }
        if (turned)
            element.Add(new XAttribute("transform", $"rotate(-90 {Px(x)} {Px(y)})"));
        _texts.Add(element);
    }

    /// <summary>A thin line from a mark to its label, in pixels.</summary>
    public void Leader(double x1, double y1, double x2, double y2, MethodStyle style) =>
        _texts.Add(new(Svg + "path", new XAttribute("d", $"M{Px(x1)} {Px(y1)}L{Px(x2)} {Px(y2)}"), new XAttribute("class", "leader"), new XAttribute("data-m", style.Index)));

    /// <summary>Draws a path in pixels over what is there.</summary>
    /// <param name="d">Path data.</param>
    /// <param name="kind">Class in the style sheet.</param>
    /// <param name="colour">Colour of the style sheet that it is filled or drawn with, as the class says; null for the class's own.</param>
    /// <param name="transform">What its coordinates go through.</param>
    public void Path(string d, string kind, string? colour = null, string? transform = null)
    {
        if (d.Length > 0)
            _texts.Add(new(Svg + "path", new XAttribute("d", d), new XAttribute("class", kind), colour is null ? null : new XAttribute("style", $"--own:var(--{colour})"), transform is null ? null : new XAttribute("transform", transform)));
    }

    /// <summary>Writes a name whose left middle is at a place, and ties it to its mark when it had to move away from it.</summary>
    public void Tie((double X, double Y) mark, (double X, double Y) at, string label, MethodStyle style)
    {
        (double X, double Y) edge = (Math.Clamp(mark.X, at.X, at.X + TextFit.Width(label)), at.Y + 6 * Math.Sign(mark.Y - at.Y));
        if (Math.Max(Math.Abs(edge.X - mark.X), Math.Abs(edge.Y - mark.Y)) > 14)
            Leader(mark.X, mark.Y, edge.X, edge.Y, style);
        Text(at.X, at.Y, label, "start", style.Highlighted ? "name" : "name rest", style);
    }

    /// <summary>Labels the ticks of both axes.</summary>
    public void Axes(string xTitle, string yTitle)
    {
        foreach (var (at, label) in Y.Ticks)
            Text(_margins.Left - 7, Pixel(X.Low, at).Y, label, "end", "tick");
        foreach (var (at, label) in X.Ticks)
            Text(Pixel(at, Y.Low).X, _height - _margins.Bottom + 13, label, "middle", "tick");
        if (xTitle.Length > 0)
            Text(_margins.Left + (_width - _margins.Left - _margins.Right) / 2.0, _height - 9, xTitle, "middle", "axis");
        if (yTitle.Length > 0)
            Text(10, _margins.Top + (_height - _margins.Top - _margins.Bottom) / 2.0, yTitle, "middle", "axis", turned: true);
    }

    /// <summary>The SVG element.</summary>
    /// <param name="title">What the figure shows, for those who cannot see it.</param>
    /// <param name="kind">Class in the style sheet.</param>
    public Html.Markup ToMarkup(string title, string kind)
    {
        title = Html.Markup.Legal(title);
        var drawn = XElement.Parse(Plot.GetSvgXml(_width, _height));
        var marks = drawn.Descendants().Where(e => e.Name.LocalName is not ("g" or "clipPath" or "text" or "defs") && e.Parent?.Name.LocalName != "clipPath").Select(Mark).OfType<XElement>();
        var svg = new XElement(Svg + "svg", new XAttribute("viewBox", $"0 0 {_width} {_height}"), new XAttribute("class", kind), new XAttribute("role", "img"),
            new XAttribute("aria-label", title), new XElement(Svg + "title", title), marks, _texts);
        // inside an HTML document the elements need no namespace
        string text = svg.ToString(SaveOptions.DisableFormatting).Replace(" xmlns=\"http://www.w3.org/2000/svg\"", "", StringComparison.Ordinal);
        return new(text);
    }

    public void Dispose() => Plot.Dispose();

    /// <summary>A drawn mark with its stand-in colour replaced; what ScottPlot drew in another colour is its own background.</summary>
    private XElement? Mark(XElement drawn)
    {
        foreach (string paint in (string[])["fill", "stroke"])
        {
            if (InkOf(drawn.Attribute(paint)?.Value) is not { } ink)
                continue;
            var mark = new XElement(drawn);
            mark.SetAttributeValue(paint, null);
            mark.SetAttributeValue("stroke-miterlimit", null);
            mark.SetAttributeValue("style", $"{paint}:var(--{_inks[ink]})");
            mark.SetAttributeValue("data-m", _methods[ink]);
            foreach (var attribute in mark.Attributes().Where(a => a.Name.LocalName is "d" or "x" or "y" or "width" or "height" or "cx" or "cy" or "r" or "rx" or "ry"))
                attribute.Value = Rounded(attribute.Value);
            return mark;
        }
        return null;
    }

    /// <summary>Numbers of path data and coordinates with at most two decimals: finer than any screen, a third of the size.</summary>
    private static string Rounded(string numbers) =>
        System.Text.RegularExpressions.Regex.Replace(numbers, @"-?\d+\.\d{3,}(e-?\d+)?", m => Px(double.Parse(m.Value, CultureInfo.InvariantCulture)));

    /// <summary>Colours that nothing else uses: #01 and the number of the ink from 0x0200 on.</summary>
    private static Color Sentinel(int ink) => new(1, (byte)(2 + ink / 256), (byte)(ink % 256));

    private int? InkOf(string? colour) =>
        colour is { Length: 7 } && colour.StartsWith("#01", StringComparison.Ordinal) && int.Parse(colour.AsSpan(3), NumberStyles.HexNumber, CultureInfo.InvariantCulture) - 0x200 is >= 0 and var ink && ink < _inks.Count ? ink : null;

    /// <summary>A number of pixels with at most two decimals.</summary>
    public static string Px(double value) => Math.Round(value, 2).ToString(CultureInfo.InvariantCulture);
}
