using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Winnow.Core;

/// <summary>A method of a study with the options set for it.</summary>
public sealed record MethodChoice(string Id, JsonObject Options);

/// <summary>What a user asked to compare, before it is checked against a catalogue: from a YAML file or a command line.</summary>
public sealed record Study
{
    /// <summary>Name of the study; null to name it after arena and task.</summary>
    public string? Name { get; init; }

    /// <summary>The arena.</summary>
    public required string Arena { get; init; }

    /// <summary>Tasks; empty for the arena's first.</summary>
    public IReadOnlyList<string> Tasks { get; init; } = [];

    /// <summary>Methods; empty for the task's default ones.</summary>
    public IReadOnlyList<MethodChoice> Methods { get; init; } = [];

    /// <summary>Options set by <c>owner.option</c>; the owner is a method, <c>task</c>, or <c>*</c> for every method that has the option. A method's value may be several, as in <c>2|4</c>.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Set { get; init; } = [];

    /// <summary>Data source: a name, a path, or null for the embedded data.</summary>
    public string? Data { get; init; }

    /// <summary>How the data is read.</summary>
    public DataReading Reading { get; init; } = new();

    /// <summary>Seeds.</summary>
    public IReadOnlyList<ulong> Seeds { get; init; } = [1, 2, 3, 4, 5];

    /// <summary>Threads of a trial.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Limits of a trial.</summary>
    public Limits Limits { get; init; } = new();

    /// <summary>Trials at a time; null for cores / threads.</summary>
    public int? Parallel { get; init; }

    /// <summary>Time for the whole study in seconds; null for no limit.</summary>
    public double? TotalSeconds { get; init; }

    private static readonly string[] Keys = ["study", "arena", "task", "tasks", "methods", "set", "data", "label", "header", "domain", "seeds", "threads", "limits", "parallel", "budget"];

    /// <summary>Reads a study file.</summary>
    /// <exception cref="InputException">Not readable, not YAML, an unknown key, or a value of the wrong kind: with the line.</exception>
    public static Study Load(string path)
    {
        YamlMappingNode root;
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > 1 << 20 })
                throw InputException.At(path, "more than 1 MB", "a study file", "Give the study's YAML, not its data.");
            using var reader = new StreamReader(path);
            var yaml = new YamlStream();
            yaml.Load(reader);
            root = yaml.Documents.Count == 1 && yaml.Documents[0].RootNode is YamlMappingNode map ? map
                : throw InputException.At(path, yaml.Documents.Count == 0 ? "an empty file" : "no mapping", "keys such as 'arena:' and 'methods:'", "See 'winnow run --help' for an example.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: {e.Message.TrimEnd('.')}. Check the path of the study file.", e);
        }
        catch (YamlException e)
        {
            throw new InputException($"{path}, line {e.Start.Line}: not valid YAML ({e.Message.TrimEnd('.')}). Mend that line.", e);
        }

        string? Text(string key) => root.Children.TryGetValue(key, out var node) ? Scalar(node, path, key) : null;
        foreach (var key in root.Children.Keys)
            if (!Keys.Contains(Scalar(key, path, "key")))
                throw new InputException($"{path}, line {key.Start.Line}: {InputException.Unknown("key", key.ToString(), Keys).Message}");
        return new Study
        {
            Name = Text("study"),
            Arena = Text("arena") ?? throw InputException.At(path, "no key 'arena'", "the arena to compare on", "Add a line such as 'arena: continual'."),
            Tasks = Children(root, "tasks") is { } tasks ? [.. tasks.Select(t => Scalar(t, path, "tasks"))] : Text("task") is { } task ? [task] : [],
            Methods = Children(root, "methods") is { } methods ? [.. methods.Select(m => Choice(m, path))] : [],
            Set = root.Children.TryGetValue("set", out var set) ? [.. Map(set, path, "set").Select(e => KeyValuePair.Create(Scalar(e.Key, path, "set"), Scalar(e.Value, path, "set")))] : [],
            Data = Text("data") is { } data ? Beside(path, data) : null,
            Reading = new(Text("label"), Text("header") is { } header ? bool.TryParse(header, out bool b) ? b : throw InputException.At($"{path}: header", $"'{header}'", "true or false", "Mend the value.") : null, Text("domain")),
            Seeds = Children(root, "seeds") is { } seeds ? ParseSeeds(string.Join(',', seeds.Select(s => Scalar(s, path, "seeds"))), listed: true) : Text("seeds") is { } count ? ParseSeeds(count) : [1, 2, 3, 4, 5],
            Threads = Text("threads") is { } threads ? ParseCount("threads", threads) : 1,
            Parallel = Text("parallel") is { } parallel ? ParseCount("parallel", parallel) : null,
            Limits = root.Children.TryGetValue("limits", out var limits) ? ParseLimits(string.Join(',', Map(limits, path, "limits").Select(e => $"{e.Key}={e.Value}")), "limits") : new(),
            TotalSeconds = Text("budget") is { } budget ? ParseTime("budget", budget) : null,
        };
    }

    /// <summary>Seeds from a count (<c>5</c> is 1 to 5) or a list (<c>3,7,9</c>).</summary>
    public static IReadOnlyList<ulong> ParseSeeds(string text, bool listed = false)
    {
        if (listed || text.Contains(',', StringComparison.Ordinal))
        {
            var seeds = text.Split(',').Select(s => ulong.TryParse(s.Trim(), CultureInfo.InvariantCulture, out ulong v) ? v : throw InputException.At("seeds", $"'{s}'", "whole numbers", "For instance --seeds 1,2,3.")).ToArray();
            return seeds.Distinct().Count() == seeds.Length ? seeds : throw InputException.At("seeds", $"'{text}'", "different seeds", "A seed given twice would count one result twice.");
        }
        int count = ParseCount("seeds", text);
        return [.. Enumerable.Range(1, count).Select(i => (ulong)i)];
    }

    /// <summary>A whole number of at least one and, unless said otherwise, at most 10,000.</summary>
    public static int ParseCount(string what, string text, int most = 10_000) =>
        int.TryParse(text, CultureInfo.InvariantCulture, out int n) && n >= 1 && n <= most ? n : throw InputException.At(what, $"'{text}'", $"a whole number from 1 to {most}", "Mend the value.");

    /// <summary>Limits such as <c>time=2m,memory=2GB</c>.</summary>
    public static Limits ParseLimits(string text, string what)
    {
        var limits = new Limits();
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            limits = part.Split('=', 2, StringSplitOptions.TrimEntries) switch
            {
                ["time", var t] => limits with { Seconds = ParseTime($"{what}: time", t) },
                ["memory", var m] => limits with { MemoryBytes = ParseBytes($"{what}: memory", m) },
                _ => throw InputException.At(what, $"'{part}'", "time=DURATION or memory=SIZE", "For instance time=10m,memory=2GB."),
            };
        return limits;
    }

    /// <summary>A share such as <c>20%</c> or <c>0.2</c>, above 0 and at most 1.</summary>
    public static double ParseShare(string what, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        bool percent = text.EndsWith('%');
        double share = double.TryParse(percent ? text[..^1] : text, NumberStyles.Float, CultureInfo.InvariantCulture, out double v) ? percent ? v / 100 : v : double.NaN;
        return share is > 0 and <= 1 ? share : throw InputException.At(what, $"'{text}'", "a share such as 20% or 0.2", "Give a number above 0 and at most 1.");
    }

    /// <summary>Shares such as <c>10%|20%|40%</c>, or one.</summary>
    public static IReadOnlyList<double> ParseShares(string what, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return [.. text.Split('|', StringSplitOptions.TrimEntries).Select(share => ParseShare(what, share))];
    }

    /// <summary>A duration such as <c>90s</c>, <c>10m</c>, <c>1.5h</c>, in seconds.</summary>
    public static double ParseTime(string what, string text) => ParseQuantity(what, text, "a duration such as 90s, 10m or 2h", ("s", 1), ("m", 60), ("min", 60), ("h", 3600), ("ms", 1e-3));

    /// <summary>A size such as <c>500MB</c> or <c>2GiB</c>, in bytes.</summary>
    public static long ParseBytes(string what, string text) => (long)ParseQuantity(what, text, "a size such as 500MB or 2GB", ("b", 1), ("kb", 1e3), ("mb", 1e6), ("gb", 1e9), ("kib", 1024), ("mib", 1 << 20), ("gib", 1 << 30));

    private static double ParseQuantity(string what, string text, string expected, params (string Unit, double Factor)[] units)
    {
        var match = Regex.Match(text.Trim().ToLowerInvariant(), @"^(\d{1,12}(?:\.\d{1,6})?)\s*([a-z]+)$", RegexOptions.CultureInvariant);
        double factor = match.Success ? Array.Find(units, u => u.Unit == match.Groups[2].Value).Factor : 0;
        double value = factor == 0 ? 0 : double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) * factor;
        return value > 0 ? value : throw InputException.At(what, $"'{text}'", expected, "Give a number above zero with its unit.");
    }

    /// <summary>Methods of a command line: <c>er,fpf:k=3:steps=50,joint</c>; several in a row: <c>windowkv:keep=0.2+kivi:bits=2</c>.</summary>
    public static IReadOnlyList<MethodChoice> ParseMethods(string text) =>
    [
        .. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(item =>
        {
            string[][] row = [.. Regex.Split(item, @"\+(?=\p{L})", RegexOptions.CultureInvariant).Select(p => p.Split(':'))];
            var options = new JsonObject();
            foreach (string[] parts in row)
                foreach (string part in parts.Skip(1))
                {
                    string name = part.Split('=', 2) is [var n, _] ? n : throw InputException.At("--methods", $"'{part}'", "OPTION=VALUE", "For instance er:buffer-size=200.");
                    options[row.Length == 1 ? name : $"{parts[0]}.{name}"] = part.Split('=', 2)[1];
                }
            return new MethodChoice(string.Join('+', row.Select(p => p[0])), options);
        }),
    ];

    private static string Beside(string file, string data)
    {
        string path = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(file))!, data);
        return Path.Exists(path) ? path : data;
    }

    private static MethodChoice Choice(YamlNode node, string path)
    {
        if (node is YamlScalarNode scalar)
            return new(scalar.Value ?? "", []);
        var map = Map(node, path, "methods");
        if (map.Count() != 1)
            throw new InputException($"{path}, line {node.Start.Line}: found {map.Count()} keys in one entry of 'methods'; expected one method. Start each method with a dash.");
        var (key, value) = map.First();
        var options = new JsonObject();
        foreach (var (name, option) in Map(value, path, key.ToString()))
            options[Scalar(name, path, key.ToString())] = Scalar(option, path, key.ToString());
        return new(Scalar(key, path, "methods"), options);
    }

    private static IEnumerable<YamlNode>? Children(YamlMappingNode root, string key) => root.Children.TryGetValue(key, out var node) && node is YamlSequenceNode list ? list.Children : null;

    private static IEnumerable<KeyValuePair<YamlNode, YamlNode>> Map(YamlNode node, string path, string key) =>
        node as YamlMappingNode ?? throw new InputException($"{path}, line {node.Start.Line}: found no mapping under '{key}'; expected lines of 'name: value'. Mend the indentation.");

    private static string Scalar(YamlNode node, string path, string key) =>
        (node as YamlScalarNode)?.Value ?? throw new InputException($"{path}, line {node.Start.Line}: found a list or mapping under '{key}'; expected one value. Mend the indentation.");
}

/// <summary>A study checked against its arena: every trial, ready to run.</summary>
/// <param name="Name">Name of the study.</param>
/// <param name="Hash">Hash over the identities of all trials: the same request makes the same folder.</param>
/// <param name="Data">What was found.</param>
/// <param name="Trials">Seed by seed, so that an early stop leaves comparable rows.</param>
/// <param name="LeftOut">Default methods that cannot run on a task, with the reason.</param>
public sealed record StudyPlan(string Name, string Hash, DataSummary Data, IReadOnlyList<Trial> Trials, IReadOnlyList<string> LeftOut)
{
    /// <summary>The plan as it is stored.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, WinnowJson.Options);

    /// <summary>Reads a stored plan.</summary>
    public static StudyPlan FromJson(string json) => JsonSerializer.Deserialize<StudyPlan>(json, WinnowJson.Options)!;

    /// <summary>Checks a study against an arena and plans its trials.</summary>
    /// <exception cref="InputException">An unknown name or option, a refused pair, or unusable data.</exception>
    public static StudyPlan Make(Study study, IArena arena, CancellationToken cancellation)
    {
        TaskCard[] tasks = study.Tasks.Count == 0 ? [arena.Tasks[0]] : [.. study.Tasks.Select(arena.Task)];
        CheckSet(study, arena);
        string code = CodeVersion.Of(arena.GetType().Assembly);
        var trials = new List<Trial>();
        var leftOut = new List<string>();
        DataSummary? data = null;
        foreach (var task in tasks)
        {
            object taskOptions = task.Options.Bind(Gather([], study.Set, "task", task.Options), "task");
            data = arena.Inspect(study.Data, task, taskOptions, study.Reading, cancellation);
            var methods = Methods(study, arena, task, leftOut);
            foreach (ulong seed in study.Seeds)
                foreach (var (card, options) in methods)
                    trials.Add(new(arena.Id, task.Id, task.Options.Canonical(taskOptions), card.Id, (JsonObject)options.DeepClone(), seed, data.Reference, code, study.Threads));
        }
        return new(study.Name ?? $"{arena.Id}-{string.Join('-', tasks.Select(t => t.Id))}", Trial.Hash(string.Join(',', trials.Select(t => t.Key)))[..8], data!, trials, leftOut);
    }

    private static List<(MethodCard, JsonObject)> Methods(Study study, IArena arena, TaskCard task, List<string> leftOut)
    {
        var chosen = new List<(MethodCard Card, JsonObject Options)>();
        if (study.Methods.Count == 0)
        {
            leftOut.AddRange(arena.Methods.Select(m => m.Refusal(task)).OfType<string>());
            chosen.AddRange(arena.DefaultMethods(task).Select(m => (m, new JsonObject())));
        }
        foreach (var choice in study.Methods)
        {
            var card = arena.Method(choice.Id);
            chosen.Add((card, choice.Options));
        }
        List<(MethodCard Card, JsonObject Options)> bound = [.. chosen.SelectMany(c => Each(Gather(c.Options, study.Set, c.Card.Id, c.Card.Options)).Select(given => (c.Card, c.Card.Options.Canonical(c.Card.Options.Bind(given, c.Card.Id)))))];
        foreach (var (card, options) in bound)
            if (card.Refusal(task, options) is { } reason)
                throw new InputException($"{reason}. Leave the method out, or choose another task with --task.");
        return [.. bound.DistinctBy(b => (b.Card.Id, b.Options.ToJsonString()))];
    }

    /// <summary>Options once for each combination of the values that <c>|</c> separates: <c>bits=2|4</c> is two methods.</summary>
    private static IEnumerable<JsonObject> Each(JsonObject options)
    {
        IEnumerable<JsonObject> made = [[]];
        foreach (var (name, value) in options)
        {
            JsonNode?[] values = value?.GetValueKind() == JsonValueKind.String && value.GetValue<string>().Contains('|', StringComparison.Ordinal)
                ? [.. value.GetValue<string>().Split('|', StringSplitOptions.TrimEntries).Select(v => (JsonNode?)v)] : [value];
            made = [.. made.SelectMany(m => values.Select(v => new JsonObject(m.Select(e => KeyValuePair.Create(e.Key, e.Value?.DeepClone()))) { [name] = v?.DeepClone() }))];
        }
        return made;
    }

    /// <summary>The options meant for one owner, from the wildcard, then by name, then those written beside the method.</summary>
    private static JsonObject Gather(JsonObject own, IEnumerable<KeyValuePair<string, string>> set, string owner, OptionsSchema schema)
    {
        var gathered = new JsonObject();
        if (schema.Parts is { } parts)
        {
            foreach (var (part, inner) in parts)
                foreach (var (name, value) in Gather(OptionsSchema.Of(own, part), set, part, inner))
                    gathered[$"{part}.{name}"] = value?.DeepClone();
            foreach (var (name, value) in own.Where(o => !gathered.ContainsKey(o.Key)))
                gathered[name] = value?.DeepClone(); // no part's: refused when it is bound
            return gathered;
        }
        foreach (string scope in (string[])["*", owner])
            foreach (var (key, value) in set)
                if (key.Split('.', 2) is [var o, var name] && o == scope && (scope != "*" || (owner != "task" && schema.Has(name))))
                    gathered[schema.Options.FirstOrDefault(c => Nearest.Fold(c.Name) == Nearest.Fold(name))?.Name ?? name] = value;
        foreach (var (name, value) in own)
            gathered[schema.Options.FirstOrDefault(c => Nearest.Fold(c.Name) == Nearest.Fold(name))?.Name ?? name] = value?.DeepClone();
        return gathered;
    }

    private static void CheckSet(Study study, IArena arena)
    {
        foreach (var (key, value) in study.Set)
        {
            string[] parts = key.Split('.', 2);
            if (parts.Length != 2)
                throw InputException.At("--set", $"'{key}={value}'", "OWNER.OPTION=VALUE", $"The owner is a method, 'task' or '*'; for instance task.{key}={value}.");
            if (parts[0] == "task")
                continue;
            if (parts[0] == "*")
            {
                if (!arena.Methods.Any(m => m.Options.Has(parts[1])))
                    throw InputException.Unknown("option of any method", parts[1], arena.Methods.SelectMany(m => m.Options.Options.Select(o => o.Name)).Distinct());
                continue;
            }
            foreach (var one in Each(new JsonObject { [parts[1]] = value }))
                arena.Method(parts[0]).Options.Bind(one, parts[0]);
        }
    }
}
