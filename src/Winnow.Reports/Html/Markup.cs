using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Winnow.Reports.Html;

/// <summary>
/// A piece of HTML. It is made from interpolated strings whose holes are escaped unless they are markup themselves, so a text from
/// outside cannot become markup by oversight.
/// </summary>
internal readonly record struct Markup(string Text)
{
    public static readonly Markup Empty = new("");

    public static Markup Of(MarkupHandler html) => new(html.Text());

    public static Markup Join(IEnumerable<Markup> parts, string separator = "\n") => new(string.Join(separator, parts.Select(p => p.Text)));

    public override string ToString() => Text;

    /// <summary>The text with the replacement character for those that HTML and XML forbid: control characters and torn surrogate pairs.</summary>
    public static string Legal(string text)
    {
        var legal = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes()) // reads a torn pair as the replacement character
            legal.Append(Rune.IsControl(rune) && rune.Value is not ('\t' or '\n' or '\r') || rune.Value is 0xfffe or 0xffff ? "\ufffd" : rune.ToString());
        return legal.ToString();
    }

    /// <summary>Escapes for text and quoted attributes.</summary>
    public static string Escape(string? text)
    {
        var escaped = new StringBuilder(text?.Length ?? 0);
        foreach (char c in Legal(text ?? ""))
            _ = c switch
            {
                '&' => escaped.Append("&amp;"),
                '<' => escaped.Append("&lt;"),
                '>' => escaped.Append("&gt;"),
                '"' => escaped.Append("&quot;"),
                '\'' => escaped.Append("&#39;"),
                _ => escaped.Append(c),
            };
        return escaped.ToString();
    }
}

/// <summary>Escapes the holes of an interpolated string.</summary>
[InterpolatedStringHandler]
internal readonly ref struct MarkupHandler(int literalLength, int holes)
{
    private readonly StringBuilder _text = new(literalLength + holes * 16);

    public void AppendLiteral(string html) => _text.Append(html);

    public void AppendFormatted(Markup html) => _text.Append(html.Text);

    public void AppendFormatted(IEnumerable<Markup> parts) => _text.Append(Markup.Join(parts).Text);

    public void AppendFormatted(string? text) => _text.Append(Markup.Escape(text));

    public void AppendFormatted<T>(T value, string? format = null) where T : IFormattable =>
        _text.Append(Markup.Escape(value.ToString(format, CultureInfo.InvariantCulture)));

    public string Text() => _text.ToString();
}
