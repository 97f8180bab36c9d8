using CsCheck;

namespace Winnow.Core.Tests;

public sealed class NearestTests
{
    private static readonly string[] Methods = ["naive", "er", "der-pp", "agem", "ewc", "fpf", "slca"];

    [Theory]
    [InlineData("derpp", "der-pp")]
    [InlineData("DER-PP", "der-pp")]
    [InlineData("slac", "slca")]
    [InlineData("nave", "naive")]
    [InlineData("transformer", null)]
    public void A_slip_finds_the_name_that_was_meant(string given, string? meant) => Assert.Equal(meant, Nearest.To(given, Methods));

    [Theory]
    [InlineData("kitten", "sitting", 3)]
    [InlineData("ca", "ac", 1)]
    [InlineData("", "abc", 3)]
    [InlineData("abc", "abc", 0)]
    public void Distance_counts_insertions_deletions_replacements_and_swaps(string a, string b, int expected) => Assert.Equal(expected, Nearest.Distance(a, b));

    [Fact]
    public void Distance_is_symmetric_zero_only_for_equals_and_at_most_the_longer_length() =>
        Gen.Select(Gen.String[0, 12], Gen.String[0, 12]).Sample((a, b) =>
        {
            int d = Nearest.Distance(a, b);
            Assert.Equal(d, Nearest.Distance(b, a));
            Assert.InRange(d, a == b ? 0 : 1, Math.Max(a.Length, b.Length));
        }, seed: "0000KOIPe036", iter: 2000);

    [Fact]
    public void A_hostile_name_is_answered_quickly() => Assert.Null(Nearest.To(new string('x', 1_000_000), Methods));
}
