using System.Text;
using System.Text.Json;
using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>JSON lines: a flat object a line, each with the keys of the first in any order; columns are the keys, fields as in a CSV.</summary>
internal static class JsonLinesReader
{
    private const string Form = "one flat JSON object a line, with text, numbers or truth values";

    /// <summary>Reads a whole table.</summary>
    /// <param name="utf8">The text; read once, front to back.</param>
    /// <param name="request">What to read.</param>
    public static Table Read(Stream utf8, ReadRequest request)
    {
        using var reader = new StreamReader(utf8, Encoding.UTF8, leaveOpen: true);
        string[]? names = null;
        TableRows? rows = null;
        byte[][] fields = [];
        for (long line = 1; reader.ReadLine() is { } text; line++)
        {
            if (line % 1024 == 0)
                request.Cancellation.ThrowIfCancellationRequested();
            if (string.IsNullOrWhiteSpace(text))
                continue;
            string where = $"{request.Where}, line {line}";
            using var document = Parse(text, where);
            names ??= [.. document.RootElement.EnumerateObject().Select(p => p.Name)];
            rows ??= new(request, names, names.Length, null);
            fields = new byte[names.Length][];
            foreach (var property in document.RootElement.EnumerateObject())
            {
                int column = Array.IndexOf(names, property.Name);
                if (column < 0)
                    throw InputException.At(where, $"the key {Excerpt.Of(property.Name)}", $"the keys of the first line: {string.Join(", ", names.Take(20).Select(Excerpt.Of))}", "Give every line the same keys.");
                fields[column] = Field(property.Value, $"{where}, {Excerpt.Of(property.Name)}");
            }
            int missing = Array.FindIndex(fields, f => f is null);
            if (missing >= 0)
                throw InputException.At(where, $"no key {Excerpt.Of(names[missing])}", "the keys of the first line", "Give every line the same keys.");
            rows.Add(fields.Length, c => fields[c], line);
        }
        return rows?.Finish() ?? throw InputException.At(request.Where, "blank lines only", "data", "Check that it was written or downloaded completely.");
    }

    private static JsonDocument Parse(string text, string where)
    {
        try
        {
            var document = JsonDocument.Parse(text);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document : throw InputException.At(where, $"a JSON {document.RootElement.ValueKind.ToString().ToLowerInvariant()}", Form, "Write each row as an object.");
        }
        catch (JsonException)
        {
            throw InputException.At(where, Excerpt.Of(text), Form, "Check the quotes and brackets of this line; a row may not span lines.");
        }
    }

    private static byte[] Field(JsonElement value, string where) => value.ValueKind switch
    {
        JsonValueKind.String => Encoding.UTF8.GetBytes(value.GetString()!.Trim()),
        JsonValueKind.Number => Encoding.UTF8.GetBytes(value.GetRawText()),
        JsonValueKind.True => "1"u8.ToArray(),
        JsonValueKind.False => "0"u8.ToArray(),
        JsonValueKind.Null => [],
        _ => throw InputException.At(where, "a nested value", Form, "Flatten it."),
    };
}
