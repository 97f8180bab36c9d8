using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Winnow.Core;

/// <summary>A data source and what its content was when the study was planned.</summary>
/// <param name="Source">Name of a data set, or an absolute path.</param>
/// <param name="Hash">SHA-256 of the content, in hex; a trial refuses data that changed since.</param>
/// <param name="Reading">How the file is read.</param>
public sealed record DataRef(string Source, string Hash, DataReading Reading)
{
    /// <summary>SHA-256 of a text, in hex.</summary>
    public static string HashOf(string content) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content)));

    /// <summary>SHA-256 of files, one after another, in hex. Cost O(length), whatever their size in constant memory.</summary>
    /// <param name="paths">Files; those that are missing count as empty.</param>
    public static string HashOfFiles(params IEnumerable<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        using var all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string path in paths)
        {
            all.AppendData(Encoding.UTF8.GetBytes(Path.GetFileName(path)));
            if (!File.Exists(path))
                continue;
            using var content = File.OpenRead(path);
            all.AppendData(SHA256.HashData(content));
        }
        return Convert.ToHexStringLower(all.GetHashAndReset());
    }

    /// <summary>Refuses another content than that with which the study was planned.</summary>
    /// <param name="hash">SHA-256 of what is there now.</param>
    /// <exception cref="InputException">It is another.</exception>
    public void Require(string hash)
    {
        ArgumentNullException.ThrowIfNull(hash);
        if (hash != Hash)
            throw InputException.At(Source, $"content {hash[..12]}", $"the content the study was planned with, {Hash[..12]}", "The file changed: start the study anew.");
    }
}

/// <summary>What a trial may use at most; enforced by the parent process.</summary>
/// <param name="Seconds">Wall time.</param>
/// <param name="MemoryBytes">Peak resident memory.</param>
public sealed record Limits(double? Seconds = null, long? MemoryBytes = null);

/// <summary>One (task, method, options, seed) on one data source, run in its own process.</summary>
/// <param name="Arena">Arena id.</param>
/// <param name="Task">Task id.</param>
/// <param name="TaskOptions">All options of the task, canonical.</param>
/// <param name="Method">Method id.</param>
/// <param name="Options">All options of the method, canonical.</param>
/// <param name="Seed">Every random stream of the trial derives from it.</param>
/// <param name="Data">The data.</param>
/// <param name="Code">Version of the code, from <see cref="CodeVersion"/>.</param>
/// <param name="Threads">Threads the trial may compute with; part of the identity because sums depend on it.</param>
public sealed record Trial(string Arena, string Task, JsonObject TaskOptions, string Method, JsonObject Options, ulong Seed, DataRef Data, string Code, int Threads)
{
    /// <summary>The trial's identity: a hash of all that its result depends on. 32 hex digits.</summary>
    [JsonIgnore]
    public string Key => field ??= Hash(JsonSerializer.Serialize(this with { Data = Data with { Source = Path.GetFileName(Data.Source) } }, WinnowJson.Options));

    internal static string Hash(string text) => DataRef.HashOf(text)[..32];
}

/// <summary>What a trial found: its final metrics and its account.</summary>
/// <param name="Metrics">Final value by metric name.</param>
public sealed record TrialResult(IReadOnlyDictionary<string, double> Metrics);

/// <summary>What a trial cost, by kind: bytes, sample gradients, replayed items. Amounts add up.</summary>
public sealed class Account
{
    private readonly SortedDictionary<string, double> _entries = new(StringComparer.Ordinal);

    /// <summary>The amounts by kind.</summary>
    public IReadOnlyDictionary<string, double> Entries => _entries;

    /// <summary>Adds to a kind.</summary>
    public void Add(string kind, double amount) => _entries[kind] = _entries.GetValueOrDefault(kind) + amount;
}

/// <summary>The version of the code that a trial's result depends on.</summary>
public static class CodeVersion
{
    /// <summary>
    /// A hash of the compiled contents (module version ids) of the assembly and of the project's libraries it refers to.
    /// Builds are deterministic: the same sources give the same version, a changed line gives another.
    /// </summary>
    public static string Of(Assembly assembly)
    {
        var seen = new SortedDictionary<string, Guid>(StringComparer.Ordinal);
        Visit(assembly);
        return Trial.Hash(string.Join(';', seen.Select(e => $"{e.Key}={e.Value}")))[..16];

        void Visit(Assembly a)
        {
            string name = a.GetName().Name!;
            if (!name.StartsWith("Winnow.", StringComparison.Ordinal) || !seen.TryAdd(name, a.ManifestModule.ModuleVersionId))
                return;
            foreach (var reference in a.GetReferencedAssemblies().Where(r => r.Name!.StartsWith("Winnow.", StringComparison.Ordinal)))
                Visit(Assembly.Load(reference));
        }
    }
}

/// <summary>The one way JSON is written and read: camel case, named floating-point literals, invariant numbers.</summary>
public static class WinnowJson
{
    /// <summary>Compact form.</summary>
    public static JsonSerializerOptions Options { get; } = Make(indented: false);

    /// <summary>Indented form, for files people read.</summary>
    public static JsonSerializerOptions Indented { get; } = Make(indented: true);

    private static JsonSerializerOptions Make(bool indented)
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.General)
        {
            PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
            NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            WriteIndented = indented,
        };
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower));
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }
}
