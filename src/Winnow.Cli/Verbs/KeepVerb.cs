using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using CsvHelper;
using Winnow.Core;

namespace Winnow.Cli.Verbs;

/// <summary>Keeping a winner, and using it.</summary>
internal static class KeepVerb
{
    /// <summary><c>winnow keep TRIAL --out DIR</c>.</summary>
    public static Command Keep()
    {
        var trial = new Argument<string>("trial") { Description = "the first letters of a trial's key, or METHOD@SEED" };
        var outFolder = new Option<DirectoryInfo>("--out") { Required = true, Description = "a new folder for the winner" };
        var study = new Option<string?>("--study") { Description = "the study's folder; default the latest in ./winnow-runs that has the trial" };
        var command = new Command("keep", "Writes a trial's model, card, options, labels and preprocessing to a folder.") { trial, outFolder, study };
        command.SetAction(parsed =>
        {
            var (folder, found) = Find(parsed.GetValue(trial)!, parsed.GetValue(study));
            Write(folder, found, parsed.GetValue(outFolder)!.FullName);
            Console.WriteLine($"kept {found.Trial.Method} (seed {found.Trial.Seed}) in {parsed.GetValue(outFolder)!.FullName}");
            Console.WriteLine(found.Outcome.Artefacts.Contains("kept.json") ? $"use it:  winnow predict {parsed.GetValue(outFolder)} --data FILE" : $"use it:  {Path.Combine(parsed.GetValue(outFolder)!.ToString(), "Use.cs")}");
        });
        return command;
    }

    /// <summary><c>winnow predict DIR --data FILE</c>.</summary>
    public static Command Predict()
    {
        var folder = new Argument<DirectoryInfo>("folder") { Description = "a folder that 'winnow keep' wrote" };
        var data = new Option<string>("--data") { Required = true, Description = "rows to predict, with or without a label column" };
        var label = new Option<string?>("--label") { Description = "label column to ignore, by name or position" };
        var header = new Option<bool?>("--header") { Description = "whether the first row is a header" };
        var domain = new Option<string?>("--domain") { Description = "domain column to ignore, by name or position" };
        var outFile = new Option<FileInfo?>("--out") { Description = "write CSV here instead of printing it" };
        var command = new Command("predict", "Predicts labels with a kept winner; writes row, label, confidence as CSV.") { folder, data, label, header, domain, outFile };
        command.SetAction((parsed, cancellation) =>
        {
            string kept = parsed.GetValue(folder)!.FullName;
            string path = Path.Combine(kept, "kept.json");
            if (!File.Exists(path))
                throw InputException.At(kept, "no kept.json", "a folder that 'winnow keep' wrote", "Run 'winnow keep TRIAL --out DIR' first.");
            string arena = KeptArena(path);
            var predictions = Catalogue.Arena(arena).Predict(kept, parsed.GetValue(data)!, new(parsed.GetValue(label), parsed.GetValue(header), parsed.GetValue(domain)), cancellation).ToList();
            using var text = new StringWriter(CultureInfo.InvariantCulture);
            using (var csv = CsvWriter.Create(text, new CsvWriterOptions(), leaveOpen: true))
            {
                csv.WriteRecord(["row", "label", "confidence"]);
                foreach (var p in predictions)
                    csv.WriteRecord([p.Row.ToString(CultureInfo.InvariantCulture), p.Label, p.Confidence.ToString("F6", CultureInfo.InvariantCulture)]);
            }
            if (parsed.GetValue(outFile) is { } file)
                WholeFile.Write(file.FullName, text.ToString());
            else
                Console.Write(text.ToString());
            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }

    private static string KeptArena(string path)
    {
        try
        {
            return (string?)JsonNode.Parse(File.ReadAllText(path))?["arena"] ?? throw InputException.At(path, "no 'arena'", "the arena's id", "The file is damaged: keep the trial again.");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or IOException)
        {
            throw InputException.At(path, $"what cannot be read ({e.Message.TrimEnd('.')})", "the JSON that 'winnow keep' wrote", "The file is damaged: keep the trial again.");
        }
    }

    private static (string Folder, FinishedTrial Trial) Find(string wanted, string? study)
    {
        string[] folders = study is null ? [.. StudyRequest.All()] : [StudyRequest.Load(study).Folder];
        foreach (string folder in folders)
        {
            using var store = Store.Open(folder);
            var finished = store.Finished();
            var matches = finished.Where(f => Matches(f.Trial, wanted)).ToArray();
            if (matches.Length > 1)
                throw InputException.At($"trial '{wanted}'", $"{matches.Length} trials ({string.Join(", ", matches.Take(4).Select(m => $"{m.Trial.Key[..8]} {m.Trial.Method}@{m.Trial.Seed}"))}{(matches.Length > 4 ? ", ..." : "")})", "one", "Give more letters of the key, or METHOD@SEED.");
            if (matches.Length == 1)
                return matches[0].Outcome.Failure is { } reason ? throw InputException.At($"trial '{wanted}'", $"a failed trial ({reason})", "one that is done", "Choose another.") : (folder, matches[0]);
        }
        throw InputException.At($"trial '{wanted}'", "no such trial", $"a trial of {(folders.Length == 0 ? "a study in ./winnow-runs" : string.Join(", ", folders.Take(3).Select(Path.GetFileName)))}", "Give the first letters of its key (results.json lists them), METHOD@SEED, or another --study.");
    }

    private static bool Matches(Trial trial, string wanted) =>
        wanted.Split('@') is [var method, var seed] ? trial.Method == method && trial.Seed.ToString(CultureInfo.InvariantCulture) == seed
        : (wanted.Length >= 4 && trial.Key.StartsWith(wanted, StringComparison.OrdinalIgnoreCase)) || trial.Method == wanted;

    /// <summary>Copies the artefacts and adds the card and a program; the folder appears whole or not at all.</summary>
    private static void Write(string study, FinishedTrial found, string target)
    {
        string artefacts = Runner.ArtefactFolder(study, found.Trial);
        if (found.Outcome.Artefacts.FirstOrDefault(name => !File.Exists(Path.Combine(artefacts, name))) is { } missing)
            throw InputException.At(artefacts, $"no {missing}", "the trial's artefacts", "Run the study again: its artefacts were removed.");
        if (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any() || File.Exists(target))
            throw InputException.At(target, "a folder that is not empty", "a new folder", "Choose another with --out.");
        string temporary = $"{target.TrimEnd(Path.DirectorySeparatorChar)}.{Environment.ProcessId}.tmp";
        try
        {
            Directory.CreateDirectory(temporary);
            foreach (string name in found.Outcome.Artefacts)
                File.Copy(Path.Combine(artefacts, name), Path.Combine(temporary, name));
            var arena = Catalogue.Arena(found.Trial.Arena);
            var card = arena.Method(found.Trial.Method);
            WholeFile.Write(Path.Combine(temporary, "card.json"), JsonSerializer.Serialize(new
            {
                card.Id,
                card.Kind,
                card.Title,
                card.Paper,
                card.Year,
                card.Summary,
                found.Trial.Options,
                found.Trial.Task,
                found.Trial.TaskOptions,
                found.Trial.Seed,
                Data = found.Trial.Data.Source,
                found.Trial.Key,
                found.Outcome.Metrics,
            }, WinnowJson.Indented));
            WholeFile.Write(Path.Combine(temporary, "Use.cs"), arena.Program(found.Trial, Catalogue.Version));
            if (Directory.Exists(target))
                Directory.Delete(target);
            Directory.Move(temporary, target);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{target}: cannot be written ({e.Message.TrimEnd('.')}). Check the folder's permissions and free space.", e);
        }
        finally
        {
            if (Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
        }
    }
}
