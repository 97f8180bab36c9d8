using System.CommandLine;
using System.Text.Json;
using Winnow.Core;

namespace Winnow.Cli.Verbs;

/// <summary>Verbs that only read the catalogue; none of them loads the tensor library.</summary>
internal static class CatalogueVerbs
{
    public static Command Arenas()
    {
        var command = new Command("arenas", "Lists the arenas, their tasks and how many methods stand in each.");
        command.SetAction(_ =>
        {
            foreach (var arena in Catalogue.Arenas)
            {
                Console.WriteLine($"{arena.Id}: {arena.Question}");
                Console.WriteLine($"  {arena.Methods.Count(m => m.Kind == MethodKind.Seed)} methods, {arena.Methods.Count(m => m.Kind == MethodKind.Baseline)} baselines; tasks:");
                foreach (var task in arena.Tasks)
                    Console.WriteLine($"    {task.Id,-20} {task.Summary}");
            }
        });
        return command;
    }

    public static Command Methods()
    {
        var arena = new Argument<string?>("arena") { Arity = ArgumentArity.ZeroOrOne, Description = "only the methods of this arena" };
        var json = new Option<FileInfo?>("--json") { Description = "write the catalogue to this file" };
        var command = new Command("methods", "Lists methods and baselines.") { arena, json };
        command.SetAction(parsed =>
        {
            IArena[] arenas = parsed.GetValue(arena) is { } id ? [Catalogue.Arena(id)] : [.. Catalogue.Arenas];
            if (parsed.GetValue(json) is { } file)
                WholeFile.Write(file.FullName, JsonSerializer.Serialize(new
                {
                    Schema = 1,
                    Methods = arenas.SelectMany(a => a.Methods.Select(m => new { m.Id, Arena = a.Id, m.Kind, m.Title, m.Paper, m.Year, m.Summary, m.Tags, m.Needs, m.Options.Options })),
                }, WinnowJson.Indented));
            foreach (var a in arenas)
                foreach (var kind in (MethodKind[])[MethodKind.Seed, MethodKind.Baseline])
                {
                    Console.WriteLine($"{a.Id}, {(kind == MethodKind.Seed ? "methods" : "baselines")}:");
                    foreach (var m in a.Methods.Where(m => m.Kind == kind))
                        Console.WriteLine($"  {m.Id,-14} {m.Year}  {m.Summary}");
                }
        });
        return command;
    }

    public static Command Show()
    {
        var method = new Argument<string>("method") { Description = "a method's id, or 'task' or a task's id for the options of a task" };
        var command = new Command("show", "Shows a method's card and its options, or a task's.") { method };
        command.SetAction(parsed =>
        {
            string id = parsed.GetValue(method)!;
            var tasks = Catalogue.Arenas.SelectMany(a => a.Tasks).Where(t => id == "task" || t.Id == id).ToArray();
            if (tasks.Length > 0)
                foreach (var task in tasks)
                {
                    Console.WriteLine($"{task.Id}: {task.Title}");
                    Console.WriteLine($"  {task.Summary}");
                    WriteOptions(task.Options, "task");
                }
            else
                WriteCard(Catalogue.Method(id));
        });
        return command;
    }

    private static void WriteCard((IArena Arena, MethodCard Card) found)
    {
        var card = found.Card;
        Console.WriteLine($"{card.Id}: {card.Title} ({(card.Kind == MethodKind.Seed ? "method" : "baseline")} of arena {found.Arena.Id})");
        Console.WriteLine($"  {card.Summary}");
        Console.WriteLine($"  paper: {card.Paper} ({card.Year})");
        if (card.Needs.Count > 0)
            Console.WriteLine($"  needs: {string.Join(", ", card.Needs)}");
        foreach (var claim in card.Claims)
            Console.WriteLine($"  claim: {claim.Text}");
        WriteOptions(card.Options, card.Id);
    }

    private static void WriteOptions(OptionsSchema schema, string owner)
    {
        Console.WriteLine(schema.Options.Count == 0 ? "  no options" : "  options:");
        foreach (var o in schema.Options)
            Console.WriteLine($"    --set {owner}.{o.Name}={o.Default?.ToString() ?? "(none)"}  {o.Type}{(o.Range is null ? "" : $" {o.Range}")}: {o.Description}");
    }
}
