using System.Globalization;

namespace Winnow.Data.Readers;

/// <summary>User text inside a one-line message: short, quoted, without control characters.</summary>
internal static class Excerpt
{
    public static string Of(string text)
    {
        string cut = text.Length > 40 ? text[..40] + "..." : text;
        return "'" + string.Concat(cut.Select(c => char.IsControl(c) ? $"\\u{(int)c:x4}" : c.ToString())) + "'";
    }

    /// <summary>A count with thousands separators.</summary>
    public static string Of(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>Bytes in hex.</summary>
    public static string Of(ReadOnlySpan<byte> bytes) => bytes.IsEmpty ? "nothing" : string.Join(' ', Convert.ToHexStringLower(bytes).Chunk(2).Select(pair => new string(pair)));
}
