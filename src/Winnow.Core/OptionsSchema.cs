using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;

namespace Winnow.Core;

/// <summary>One option: what <c>winnow show METHOD</c> lists.</summary>
/// <param name="Name">Kebab-case name.</param>
/// <param name="Type">integer, number, flag, text or choice.</param>
/// <param name="Default">Default value; null when there is none.</param>
/// <param name="Range">Allowed range or choices in words; null when unlimited.</param>
/// <param name="Description">What it means, with its unit.</param>
public sealed record OptionCard(string Name, string Type, JsonNode? Default, string? Range, string Description);

/// <summary>
/// The options of a method or task, read once from an options record: public <c>init</c> properties of type int, long, double,
/// bool, string, an enum, or a nullable of these, with <see cref="RangeAttribute"/>, <see cref="AllowedValuesAttribute"/> and
/// <see cref="DescriptionAttribute"/>. Binds values from JSON, YAML or <c>--set</c>, with errors that name the nearest right option.
/// </summary>
public sealed class OptionsSchema
{
    private readonly PropertyInfo[] _properties = [];
    private readonly Func<object> _create;
    private readonly IReadOnlyList<(string Owner, OptionsSchema Schema)>? _parts;

    private OptionsSchema(Type type, Func<object> create)
    {
        Type = type;
        _create = create;
        _properties = [.. type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.CanWrite && p.GetIndexParameters().Length == 0)];
        object defaults = create();
        Options = [.. _properties.Select(p => Describe(p, defaults))];
    }

    private OptionsSchema(IReadOnlyList<(string Owner, OptionsSchema Schema)> parts)
    {
        (Type, _parts) = (typeof(object[]), parts);
        _create = () => parts.Select(p => p.Schema._create()).ToArray();
        Options = [.. parts.SelectMany(p => p.Schema.Options.Select(o => o with { Name = $"{p.Owner}.{o.Name}" }))];
    }

    /// <summary>The options record; an array of objects where several are in a row.</summary>
    public Type Type { get; }

    /// <summary>The owners in a row; null for one.</summary>
    internal IReadOnlyList<(string Owner, OptionsSchema Schema)>? Parts => _parts;

    /// <summary>The options in declaration order.</summary>
    public IReadOnlyList<OptionCard> Options { get; }

    /// <summary>The schema of an options record.</summary>
    public static OptionsSchema Of<T>() where T : class, new() => new(typeof(T), () => new T());

    /// <summary>The schema of several owners in a row, whose options are named <c>owner.option</c>; it binds an array of their records.</summary>
    public static OptionsSchema InARow(IReadOnlyList<(string Owner, OptionsSchema Schema)> parts) => new(parts);

    /// <summary>Whether an option of this name exists.</summary>
    public bool Has(string name) => _parts is null ? Find(name) is not null : name.Split('.', 2) is [var owner, var own] && _parts.Any(p => p.Owner == owner && p.Schema.Has(own));

    /// <summary>Binds the given values over the defaults and validates them.</summary>
    /// <param name="given">Option names (case and dashes do not matter) and values.</param>
    /// <param name="owner">Whose options these are, for the error message: a method or <c>task</c>.</param>
    /// <returns>An instance of <see cref="Type"/>.</returns>
    /// <exception cref="InputException">An unknown name, a value of the wrong type or out of range.</exception>
    public object Bind(JsonObject given, string owner)
    {
        ArgumentNullException.ThrowIfNull(given);
        if (_parts is not null)
        {
            if (given.FirstOrDefault(g => !_parts.Any(p => g.Key.StartsWith($"{p.Owner}.", StringComparison.Ordinal))).Key is { } stray)
                throw InputException.Unknown($"option of {owner}", stray, Options.Select(o => o.Name), $"winnow show {_parts[0].Owner}");
            return _parts.Select(p => p.Schema.Bind(Of(given, p.Owner), p.Owner)).ToArray();
        }
        object options = _create();
        var set = new HashSet<string>();
        foreach (var (name, value) in given)
        {
            var property = Find(name) ?? throw InputException.Unknown($"option of {owner}", name, Options.Select(o => o.Name), $"winnow show {owner}");
            if (!set.Add(property.Name))
                throw InputException.At($"{owner}.{Kebab(property.Name)}", "the option given twice", "one value", "Keep one of them.");
            object? converted = Convert(property, value, owner);
            Validate(property, converted, owner);
            property.SetValue(options, converted);
        }
        return options;
    }

    /// <summary>Every option with its value, defaults included, in declaration order: the form that is hashed and stored.</summary>
    public JsonObject Canonical(object options)
    {
        var json = new JsonObject();
        if (_parts is not null)
            foreach (var ((owner, schema), own) in _parts.Zip((object[])options))
                foreach (var (name, value) in schema.Canonical(own))
                    json[$"{owner}.{name}"] = value?.DeepClone();
        foreach (var property in _properties)
            json[Kebab(property.Name)] = ToJson(property.GetValue(options));
        return json;
    }

    /// <summary>The options of a canonical object that differ from the defaults.</summary>
    public JsonObject Changed(JsonObject canonical)
    {
        var defaults = Canonical(_create());
        var changed = new JsonObject();
        foreach (var (name, value) in canonical)
            if (!JsonNode.DeepEquals(value, defaults[name]))
                changed[name] = value?.DeepClone();
        return changed;
    }

    /// <summary>The options of one owner in a row, by their own names.</summary>
    internal static JsonObject Of(JsonObject given, string owner) =>
        new(given.Where(g => g.Key.StartsWith($"{owner}.", StringComparison.Ordinal)).Select(g => KeyValuePair.Create(g.Key[(owner.Length + 1)..], g.Value?.DeepClone())));

    private PropertyInfo? Find(string name) =>
        Array.Find(_properties, p => Nearest.Fold(p.Name) == Nearest.Fold(name));

    private static OptionCard Describe(PropertyInfo p, object defaults)
    {
        var type = Nullable.GetUnderlyingType(p.PropertyType) ?? p.PropertyType;
        string kind = type.IsEnum || p.GetCustomAttribute<AllowedValuesAttribute>() is not null ? "choice"
            : type == typeof(int) || type == typeof(long) ? "integer"
            : type == typeof(double) ? "number"
            : type == typeof(bool) ? "flag"
            : type == typeof(string) ? "text"
            : throw new NotSupportedException($"{p.DeclaringType!.Name}.{p.Name}: options of type {type.Name} are not supported; use int, long, double, bool, string or an enum.");
        return new(Kebab(p.Name), kind, ToJson(p.GetValue(defaults)), RangeText(p, type), p.GetCustomAttribute<DescriptionAttribute>()?.Description ?? "");
    }

    private static string? RangeText(PropertyInfo p, Type type)
    {
        if (type.IsEnum)
            return string.Join(" | ", Enum.GetNames(type).Select(Kebab));
        if (p.GetCustomAttribute<AllowedValuesAttribute>() is { } allowed)
            return string.Join(" | ", allowed.Values);
        if (p.GetCustomAttribute<RangeAttribute>() is not { } range)
            return null;
        (string min, string max) = (Text(range.Minimum), Text(range.Maximum));
        string open = range.MinimumIsExclusive ? "(" : "[", close = range.MaximumIsExclusive ? ")" : "]";
        return $"{open}{min}, {max}{close}";
    }

    private static string Text(object value) => value switch
    {
        int.MaxValue or long.MaxValue or double.MaxValue or double.PositiveInfinity => "∞",
        _ => System.Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static object? Convert(PropertyInfo p, JsonNode? value, string owner)
    {
        var type = Nullable.GetUnderlyingType(p.PropertyType) ?? p.PropertyType;
        string where = $"{owner}.{Kebab(p.Name)}";
        if (value is null || (Text(value) is "null" or "" && type != typeof(string)))
            return Nullable.GetUnderlyingType(p.PropertyType) is not null || type == typeof(string)
                ? null
                : throw InputException.At(where, "nothing", $"a {Noun(type)}", $"The default is {ToJson(p.GetValue(Activator.CreateInstance(p.DeclaringType!)))}.");
        string text = Text(value);
        if (type.IsEnum)
            return Enum.GetNames(type).FirstOrDefault(n => Nearest.Fold(n) == Nearest.Fold(text)) is { } match
                ? Enum.Parse(type, match)
                : throw InputException.At(where, $"'{text}'", $"one of {RangeText(p, type)}", "Choose one of these.");
        const NumberStyles Number = NumberStyles.Float;
        var culture = CultureInfo.InvariantCulture;
        object? parsed =
            type == typeof(int) ? (int.TryParse(text, NumberStyles.AllowLeadingSign, culture, out int i) ? i : null)
            : type == typeof(long) ? (long.TryParse(text, NumberStyles.AllowLeadingSign, culture, out long l) ? l : null)
            : type == typeof(double) ? (double.TryParse(text, Number, culture, out double d) && double.IsFinite(d) ? d : null)
            : type == typeof(bool) ? (bool.TryParse(text, out bool b) ? b : null)
            : text;
        return parsed ?? throw InputException.At(where, $"'{text}'", $"a {Noun(type)}", RangeText(p, type) is { } r ? $"Allowed: {r}." : "Mend the value.");

        static string Text(JsonNode node) => node is JsonValue v && v.TryGetValue(out string? s) ? s : node.ToJsonString();
    }

    private static string Noun(Type type) =>
        type == typeof(int) || type == typeof(long) ? "whole number" : type == typeof(double) ? "finite number" : type == typeof(bool) ? "flag (true or false)" : "text";

    private static void Validate(PropertyInfo p, object? value, string owner)
    {
        foreach (var rule in p.GetCustomAttributes<ValidationAttribute>())
            if (!rule.IsValid(value))
                throw InputException.At($"{owner}.{Kebab(p.Name)}", ToJson(value)?.ToJsonString() ?? "nothing",
                    rule is RangeAttribute ? $"a value in {RangeText(p, p.PropertyType)}" : rule is AllowedValuesAttribute ? $"one of {RangeText(p, p.PropertyType)}" : rule.FormatErrorMessage(p.Name),
                    p.GetCustomAttribute<DescriptionAttribute>() is { } about ? $"It means: {about.Description}." : "Mend the value.");
    }

    private static JsonNode? ToJson(object? value) => value switch
    {
        null => null,
        Enum e => JsonValue.Create(Kebab(e.ToString())),
        int i => JsonValue.Create(i),
        long l => JsonValue.Create(l),
        double d => JsonValue.Create(d),
        bool b => JsonValue.Create(b),
        _ => JsonValue.Create(value.ToString()),
    };

    /// <summary><c>BufferSize</c> → <c>buffer-size</c>.</summary>
    public static string Kebab(string name)
    {
        var text = new StringBuilder();
        for (int i = 0; i < name.Length; i++)
        {
            bool boundary = i > 0 && char.IsUpper(name[i]) && (!char.IsUpper(name[i - 1]) || (i + 1 < name.Length && char.IsLower(name[i + 1])));
            if (boundary)
                text.Append('-');
            text.Append(char.ToLowerInvariant(name[i]));
        }
        return text.ToString();
    }
}
