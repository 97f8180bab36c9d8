using Winnow.Core;

namespace Winnow.Data.Tests;

public class EmbeddedDigitsTests
{
    private static readonly LabelledData Digits = DataSources.Open(null, new DataReading(), CancellationToken.None);

    [Fact]
    public void Digits_are_1797_images_of_8x8_in_ten_classes()
    {
        Assert.Equal(1797, Digits.Count);
        Assert.Equal([1, 8, 8], Digits.Shape);
        Assert.Equal(64, Digits.Width);
        Assert.Equal(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], Digits.LabelNames);
        Assert.Equal([178, 182, 177, 183, 181, 182, 181, 179, 174, 180], Digits.CountPerClass);
        Assert.Equal("embedded CSV, gzip: 1,797 rows of 1x8x8, 10 classes (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), 174 to 183 rows a class", Digits.Describe());
        Assert.Contains("CC BY 4.0", Digits.Attribution, StringComparison.Ordinal);
    }

    [Fact]
    public void First_digit_is_the_zero_of_the_file_divided_by_16()
    {
        var row = new float[64];
        Digits.CopyRows([0], row);
        Assert.Equal(0, Digits.Labels[0]);
        Assert.Equal([0f, 0, 5 / 16f, 13 / 16f, 9 / 16f, 1 / 16f, 0, 0, 0, 0, 13 / 16f, 15 / 16f], row[..12]);
    }

    [Fact]
    public void Values_span_0_to_1()
    {
        var all = new float[Digits.Count * Digits.Width];
        Digits.CopyRows([.. Enumerable.Range(0, Digits.Count)], all);
        Assert.Equal(0f, all.Min());
        Assert.Equal(1f, all.Max());
    }

    [Fact]
    public void Hash_is_a_function_of_the_content()
    {
        Assert.Equal(64, Digits.Hash.Length);
        Assert.Equal(Digits.Hash, EmbeddedDigits.Open().Hash);
    }
}
