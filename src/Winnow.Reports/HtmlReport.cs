using System.Security.Cryptography;
using System.Text;
using Winnow.Core;
using Winnow.Reports.Html;
using Winnow.Reports.Plots;

namespace Winnow.Reports;

/// <summary>The report of a study: one HTML file that needs no network, no fonts and no script to be read.</summary>
public static class HtmlReport
{
    /// <summary>Writes the file, whole or not at all. Costs about 25 MB of memory while it runs and half a second.</summary>
    /// <exception cref="InputException">The file cannot be written.</exception>
    public static void Write(string path, Comparison comparison) => WholeFile.Write(path, ToHtml(comparison));

    /// <summary>The document.</summary>
    public static string ToHtml(Comparison comparison)
    {
        var styles = new MethodStyles(comparison);
        string script = Resource("report.js").Trim();
        var parts = new Dictionary<string, Markup>
        {
            ["title"] = Markup.Of($"{comparison.Info.Name}"),
            ["policy"] = new($"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(script)))}'"),
            ["style"] = new(Resource("report.css").Trim()),
            ["script"] = new(script),
            ["header"] = Header(comparison),
            ["tasks"] = Markup.Join(comparison.Tasks.Select(t => TaskSection(comparison, t, styles))),
            ["setting"] = Setting.Of(comparison),
            ["methods"] = MethodCards.Of(comparison, styles),
            ["failures"] = Failures(comparison),
            ["again"] = Again(comparison),
        };
        return Fill(Resource("report.html"), parts);
    }

    private static Markup Header(Comparison comparison)
    {
        string failures = comparison.Failures.Count == 0 ? "Failures" : $"Failures ({comparison.Failures.Count})";
        return Markup.Of($"""
            <header>
            <p class="kicker">Winnow · {comparison.Arena.Id} · {comparison.Info.Finished:yyyy-MM-dd}</p>
            <h1>{comparison.Info.Name}</h1>
            <p class="question">{comparison.Arena.Question}</p>
            <nav aria-label="Contents">{comparison.Tasks.Select(t => Markup.Of($"<a href=\"#task-{t}\">{Title(comparison, t)}</a>"))}<a href="#setting">What was run</a><a href="#methods">Methods</a><a href="#failures">{failures}</a><a href="#again">Run it again</a></nav>
            </header>
            """);
    }

    private static string Title(Comparison comparison, string task) => comparison.Arena.Tasks.FirstOrDefault(t => t.Id == task)?.Title ?? task;

    private static Markup TaskSection(Comparison comparison, string task, MethodStyles styles)
    {
        var rows = comparison.RowsOf(task);
        return Markup.Of($"""
            <section class="task" id="task-{task}">
            <h2>{Title(comparison, task)}</h2>
            <p class="verdict">{VerdictOf(comparison, task)}</p>
            {ResultTable.Of(comparison, rows, styles)}
            {Figures.Of(comparison, rows, styles)}
            </section>
            """);
    }

    private static Markup VerdictOf(Comparison comparison, string task)
    {
        var sentences = Verdict.Sentences(comparison, task);
        return Markup.Of($"<strong>{sentences[0]}</strong> {string.Join(' ', sentences.Skip(1))}");
    }

    private static Markup Failures(Comparison comparison) => comparison.Failures.Count == 0
        ? Markup.Of($"""<section id="failures"><h2>Failures</h2><p>None: every trial finished.</p></section>""")
        : Markup.Of($"""
            <section id="failures">
            <h2>Failures</h2>
            <div class="scroll" role="region" aria-label="Failures" tabindex="0"><table>
            <thead><tr><th scope="col">method</th><th scope="col">task</th><th scope="col">seed</th><th scope="col">reason</th><th scope="col">ran for</th><th scope="col">trial</th></tr></thead>
            <tbody>{comparison.Failures.Select(f => Markup.Of($"""<tr><th scope="row">{f.Trial.Method}</th><td>{f.Trial.Task}</td><td>{f.Trial.Seed}</td><td class="prose">{f.Outcome.Failure}</td><td>{Format.Seconds(f.Outcome.Usage.WallSeconds)}</td><td><code>{f.Trial.Key[..8]}</code></td></tr>"""))}</tbody>
            </table></div>
            </section>
            """);

    private static Markup Again(Comparison comparison)
    {
        string keep = comparison.Winner is { } winner ? $"winnow keep {winner.Done[0].Trial.Key[..8]} --out winner" : "winnow keep TRIAL --out winner";
        return Markup.Of($"""
            <section id="again">
            <h2>Run it again</h2>
            <p>The same command on the same commit, data and machine gives the same numbers; finished trials are not run twice.</p>
            <pre><code>{comparison.Info.Command}</code></pre>
            <p>Keep a trained model, with its options, label names and preprocessing, and use it on new rows:</p>
            <pre><code>{keep}
            winnow predict winner --data FILE</code></pre>
            </section>
            """);
    }

    private static string Fill(string template, Dictionary<string, Markup> parts)
    {
        // one pass, so that a text which looks like a placeholder stays the text it is
        var html = new StringBuilder();
        int at = 0;
        for (int open; (open = template.IndexOf("{{", at, StringComparison.Ordinal)) >= 0;)
        {
            int close = template.IndexOf("}}", open, StringComparison.Ordinal);
            html.Append(template, at, open - at).Append(parts[template[(open + 2)..close]].Text);
            at = close + 2;
        }
        return html.Append(template, at, template.Length - at).ToString();
    }

    private static string Resource(string name)
    {
        using var stream = typeof(HtmlReport).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
