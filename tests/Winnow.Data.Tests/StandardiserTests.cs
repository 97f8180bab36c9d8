using CsCheck;
using static Winnow.Data.Tests.Scratch;

namespace Winnow.Data.Tests;

public class StandardiserTests
{
    private static LabelledData Table(float[] values, int features) =>
        LabelledData.FromTable("t", values, features, new int[values.Length / features], ["a"]);

    [Fact]
    public void Training_rows_get_mean_0_and_deviation_1_per_feature() => Assert.All(Gen.Float[-1000, 1000].Array[3 * 8].Fixed(200), values =>
    {
        var data = Table(values, 3);
        int[] rows = [0, 2, 3, 5, 6, 7];
        var standardiser = Standardiser.Fit(data, rows);
        var x = new float[rows.Length * 3];
        data.CopyRows(rows, x);
        standardiser.Apply(x);
        for (int f = 0; f < 3; f++)
        {
            double[] column = [.. Enumerable.Range(0, rows.Length).Select(i => (double)x[3 * i + f])];
            Assert.Equal(0, column.Average(), 1e-4);
            Assert.Equal(1, column.Average(v => v * v), 1e-3);
        }
    });

    [Fact]
    public void Test_rows_have_no_influence()
    {
        var a = Standardiser.Fit(Table([1, 2, 3, 100], 1), [0, 1, 2]);
        var b = Standardiser.Fit(Table([1, 2, 3, -5e6f], 1), [0, 1, 2]);
        Assert.Equal(a.ToJson(), b.ToJson());
        Assert.Equal(2f, a.Mean[0]);
        Assert.Equal((float)Math.Sqrt(2.0 / 3), a.Scale[0]);
    }

    [Fact]
    public void Constant_feature_keeps_scale_1()
    {
        var standardiser = Standardiser.Fit(Table([0.1f, 1, 0.1f, 2, 0.1f, 3], 2), [0, 1, 2]);
        Assert.Equal(1, standardiser.Scale[0]);
        float[] x = [0.1f, 2, 5.1f, 2];
        standardiser.Apply(x);
        Assert.Equal([0, 0, 5, 0], x);
    }

    [Fact]
    public void Images_are_standardised_per_channel()
    {
        byte[] pixels = [0, 255, 255, 0, 51, 51, 51, 51];
        var data = LabelledData.FromImages("i", pixels, [2, 1, 2], [0, 1], ["a", "b"]);
        var standardiser = Standardiser.Fit(data, [0]);
        Assert.Equal([0.5f, 0.5f], standardiser.Mean);
        Assert.Equal([0.5f, 0.5f], standardiser.Scale);
        float[] x = [0, 1, 1, 0];
        standardiser.Apply(x);
        Assert.Equal([-1, 1, 1, -1], x);
    }

    [Fact]
    public void Json_round_trip_is_exact()
    {
        var data = EmbeddedDigits.Open();
        var fitted = Standardiser.Fit(data, [.. Enumerable.Range(0, 1000)]);
        var loaded = Standardiser.FromJson(fitted.ToJson(), "preprocessing.json");
        Assert.Equal(fitted.Mean, loaded.Mean);
        Assert.Equal(fitted.Scale, loaded.Scale);
        Assert.Equal(64, loaded.Width);
    }

    [Theory]
    [InlineData("{\"mean\": [1], \"scale\": [0], \"run\": 1}", "does not fit together")]
    [InlineData("{\"mean\": [1, 2], \"scale\": [1], \"run\": 1}", "does not fit together")]
    [InlineData("{\"mean\": [\"NaN\"], \"scale\": [1], \"run\": 1}", "does not fit together")]
    [InlineData("{\"mean\": [1], \"scale\": [1]}", "does not fit together")]
    [InlineData("null", "does not fit together")]
    [InlineData("{", "p.json, line 1: found text that is not the JSON of a standardiser")]
    public void Damaged_json_is_refused(string json, string part) => Refused(() => Standardiser.FromJson(json, "p.json"), "p.json", part);

    [Fact]
    public void Misuse_is_refused()
    {
        var data = Table([1, 2], 1);
        Assert.Throws<ArgumentException>(() => Standardiser.Fit(data, []));
        Assert.Throws<ArgumentException>(() => Standardiser.Fit(Table([1, 2, 3, 4], 2), [0]).Apply(new float[3]));
        Assert.Throws<ArgumentException>(() => data.CopyRows([2], new float[1]));
        Assert.Throws<ArgumentException>(() => data.CopyRows([0, 1], new float[1]));
        Assert.Throws<ArgumentException>(() => LabelledData.FromTable("t", [1, 2, 3], 2, [0], ["a"]));
        Assert.Throws<ArgumentException>(() => LabelledData.FromTable("t", [1, 2], 1, [0, 1], ["a"]));
        Assert.Throws<ArgumentException>(() => LabelledData.FromTable("t", [1, 2], 1, [0], ["a"]));
    }
}
