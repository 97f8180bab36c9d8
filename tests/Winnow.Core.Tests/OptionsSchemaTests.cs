using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;

namespace Winnow.Core.Tests;

public sealed class OptionsSchemaTests
{
    public enum Mode
    {
        Paper,
        AsReleased,
    }

    public sealed record Options
    {
        [Range(1, 8), Description("bits per value")]
        public int Bits { get; init; } = 2;

        [Range(0.0, 1.0, MaximumIsExclusive = true)]
        public double Momentum { get; init; } = 0.9;

        public bool BatchNorm { get; init; } = true;

        public Mode Mode { get; init; }

        public int? Steps { get; init; }

        [AllowedValues("cosine", "step")]
        public string Schedule { get; init; } = "cosine";

        public long KVSize { get; init; } = 5;
    }

    private static readonly OptionsSchema Schema = OptionsSchema.Of<Options>();

    private static Options Bind(string name, JsonNode? value) => (Options)Schema.Bind(new JsonObject { [name] = value }, "kivi");

    [Fact]
    public void Nothing_given_binds_the_defaults() => Assert.Equal(new Options(), Schema.Bind([], "kivi"));

    [Theory, InlineData("bits"), InlineData("Bits"), InlineData("BITS")]
    public void Names_are_found_whatever_their_case(string name) => Assert.Equal(4, Bind(name, 4).Bits);

    [Fact]
    public void Names_are_kebab_case_and_capitals_in_a_row_are_one_word() =>
        Assert.Equal(["bits", "momentum", "batch-norm", "mode", "steps", "schedule", "kv-size"], Schema.Options.Select(o => o.Name));

    [Fact]
    public void Every_type_binds_from_text_and_from_json()
    {
        Assert.Equal(0.5, Bind("momentum", "0.5").Momentum);
        Assert.False(Bind("batch-norm", "false").BatchNorm);
        Assert.False(Bind("batch_norm", false).BatchNorm);
        Assert.Equal(Mode.AsReleased, Bind("mode", "as-released").Mode);
        Assert.Equal(7, Bind("steps", "7").Steps);
        Assert.Null(Bind("steps", "null").Steps);
        Assert.Equal("step", Bind("schedule", "step").Schedule);
    }

    [Theory]
    [InlineData("bits", "9", "kivi.bits: found 9; expected a value in [1, 8]. It means: bits per value.")]
    [InlineData("bits", "two", "kivi.bits: found 'two'; expected a whole number. Allowed: [1, 8].")]
    [InlineData("bits", "1.5", "kivi.bits: found '1.5'")]
    [InlineData("momentum", "1", "expected a value in [0, 1)")]
    [InlineData("momentum", "NaN", "found 'NaN'; expected a finite number")]
    [InlineData("momentum", "0,5", "found '0,5'")]
    [InlineData("mode", "papr", "expected one of paper | as-released")]
    [InlineData("schedule", "linear", "expected one of cosine | step")]
    [InlineData("bit", "3", "unknown option of kivi 'bit'; did you mean 'bits'?")]
    [InlineData("temperature", "3", "known: bits, momentum")]
    [InlineData("bits", "99999999999999", "found '99999999999999'")]
    [InlineData("bits", "", "found nothing; expected a whole number")]
    public void A_wrong_value_is_refused_with_what_was_found_and_what_is_allowed(string name, string value, string expected) =>
        Assert.Contains(expected, Assert.Throws<InputException>(() => Bind(name, value)).Message);

    [Fact]
    public void An_option_given_twice_under_two_spellings_is_refused() =>
        Assert.Contains("given twice", Assert.Throws<InputException>(() => Schema.Bind(new JsonObject { ["batch-norm"] = true, ["BatchNorm"] = false }, "kivi")).Message);

    [Fact]
    public void Canonical_options_bind_back_to_the_same_options()
    {
        var options = new Options { Bits = 3, Mode = Mode.AsReleased, Steps = 9 };
        Assert.Equal(options, Schema.Bind(Schema.Canonical(options), "kivi"));
        Assert.Equal(["bits", "mode", "steps"], Schema.Changed(Schema.Canonical(options)).Select(o => o.Key));
    }

    [Fact]
    public void The_list_shows_default_range_and_description()
    {
        Assert.Equal(("bits", "integer", "2", "[1, 8]", "bits per value"), Show("bits"));
        Assert.Equal(("momentum", "number", "0.9", "[0, 1)", ""), Show("momentum"));
        Assert.Equal(("mode", "choice", "paper", "paper | as-released", ""), Show("mode"));

        static (string, string, string?, string?, string) Show(string name)
        {
            var o = Schema.Options.Single(o => o.Name == name);
            return (o.Name, o.Type, o.Default?.ToString(), o.Range, o.Description);
        }
    }

    public sealed record Unsupported
    {
        public DateTime When { get; init; }
    }

    [Fact]
    public void A_property_of_an_unsupported_type_is_a_programming_error() => Assert.Throws<NotSupportedException>(OptionsSchema.Of<Unsupported>);

    [Fact]
    public void Schemas_in_a_row_bind_each_owners_options_and_name_what_belongs_to_none()
    {
        var row = OptionsSchema.InARow([("left", OptionsSchema.Of<Options>()), ("right", OptionsSchema.Of<Options>())]);
        var bound = (object[])row.Bind(new() { ["right.bits"] = "4" }, "left+right");
        Assert.Equal((2, 4), (((Options)bound[0]).Bits, ((Options)bound[1]).Bits));
        var canonical = row.Canonical(bound);
        Assert.Equal(2 * OptionsSchema.Of<Options>().Options.Count, canonical.Count);
        Assert.Equal("""{"right.bits":4}""", row.Changed(canonical).ToJsonString());
        Assert.Equal(row.Canonical(bound).ToJsonString(), row.Canonical(row.Bind(canonical, "left+right")).ToJsonString());
        Assert.True(row.Has("left.bits"));
        Assert.False(row.Has("bits") || row.Has("middle.bits"));
        Assert.Contains("left.bits", Assert.Throws<InputException>(() => row.Bind(new() { ["bits"] = 4 }, "left+right")).Message);
        Assert.Contains("right.bits", Assert.Throws<InputException>(() => row.Bind(new() { ["right.bits"] = 99 }, "left+right")).Message);
    }
}
