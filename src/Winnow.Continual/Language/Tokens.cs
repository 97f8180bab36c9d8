using System.Globalization;
using System.Text.RegularExpressions;

namespace Winnow.Continual;

/// <summary>Words of a text: runs of letters, in lower case, and whole numbers as English words.</summary>
internal static partial class Tokens
{
    private static readonly string[] Units =
    [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen",
        "seventeen", "eighteen", "nineteen",
    ];

    private static readonly string[] Tens = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

    /// <summary>"Ankle boot" as ankle, boot; "c21" as c, twenty, one.</summary>
    public static IEnumerable<string> Of(string text) => Runs().Matches(text.ToLowerInvariant()).SelectMany(m => char.IsAsciiDigit(m.Value[0]) ? Number(m.Value) : [m.Value]);

    private static IEnumerable<string> Number(string digits)
    {
        if (digits.Length > 2) // digit by digit, as one reads a long number aloud
            return digits.Select(d => Units[d - '0']);
        int value = int.Parse(digits, CultureInfo.InvariantCulture);
        return value < 20 ? [Units[value]] : value % 10 == 0 ? [Tens[value / 10]] : [Tens[value / 10], Units[value % 10]];
    }

    [GeneratedRegex(@"\p{L}+|[0-9]+")]
    private static partial Regex Runs();
}
