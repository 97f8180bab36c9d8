namespace Winnow.Reports.Plots;

/// <summary>Estimates of text width, for a sans-serif font of 12 pixels on a machine whose fonts are not known.</summary>
internal static class TextFit
{
    /// <summary>Pixels a character takes on average.</summary>
    public const double Character = 6.8;

    public static double Width(string text) => text.Length * Character;

    /// <summary>The text, cut with an ellipsis when it is wider than that many pixels.</summary>
    public static string Shorten(string text, double pixels)
    {
        int fits = Math.Max(3, (int)(pixels / Character));
        return text.Length <= fits ? text : text[..(char.IsHighSurrogate(text[fits - 2]) ? fits - 2 : fits - 1)] + "…";
    }
}
