using System.CommandLine;
using System.Globalization;
using Winnow.Data;

namespace Winnow.Cli.Verbs;

/// <summary><c>winnow data list | get NAME | check PATH | solve</c>.</summary>
internal static class DataVerb
{
    public static Command Make()
    {
        var list = new Command("list", "Lists the data sets known by name and where each is.");
        list.SetAction(_ =>
        {
            var folders = DataFolders.FromEnvironment();
            foreach (var set in NamedDataSets.All)
                Console.WriteLine($"{set.Name,-16} {NamedDataSets.Locate(set, folders) ?? "not here: winnow data get " + set.Name,-40} {set.Title}");
        });

        var name = new Argument<string>("name") { Description = "a data set's name" };
        var get = new Command("get", "Downloads a data set into the cache and checks it.") { name };
        get.SetAction(async (parsed, cancellation) =>
        {
            using var download = new DataDownload(DataFolders.FromEnvironment());
            string path = await download.GetAsync(parsed.GetValue(name)!, new Progress(), cancellation).ConfigureAwait(false);
            Console.WriteLine(path);
        });

        var source = new Argument<string>("source") { Description = "name or path" };
        var label = new Option<string?>("--label") { Description = "label column, by name or zero-based position" };
        var header = new Option<bool?>("--header") { Description = "whether the first row is a header" };
        var domain = new Option<string?>("--domain") { Description = "column that says where or when a row comes from, by name or zero-based position" };
        var check = new Command("check", "Reads data as a study would and says what was found.") { source, label, header, domain };
        check.SetAction((parsed, cancellation) =>
        {
            var data = DataSources.Open(parsed.GetValue(source), new(parsed.GetValue(label), parsed.GetValue(header), parsed.GetValue(domain)), cancellation);
            Console.WriteLine($"{data.Title}: {data.Describe()}");
            if (data.Attribution is { } attribution)
                Console.WriteLine(attribution);
            Console.WriteLine($"sha-256 {data.Hash}");
            return Task.FromResult(ExitCode.Done);
        });
        return new Command("data", "Lists, downloads, checks and makes data sets.") { list, get, check, SolveVerb.Make() };
    }

    /// <summary>A line for every tenth of a file, on the error stream.</summary>
    private sealed class Progress : IProgress<DownloadProgress>
    {
        private (string File, long Tenth) _last;

        public void Report(DownloadProgress value)
        {
            long tenth = value.Total is > 0 and { } total ? value.Received * 10 / total : value.Received >> 24;
            if (_last == (value.File, tenth))
                return;
            _last = (value.File, tenth);
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{value.File}: {value.Received / 1e6:F1}{(value.Total is { } t ? $" of {t / 1e6:F1}" : "")} MB"));
        }
    }
}
