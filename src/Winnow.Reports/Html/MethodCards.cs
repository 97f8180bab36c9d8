using Winnow.Core;
using Winnow.Reports.Plots;

namespace Winnow.Reports.Html;

/// <summary>Every method that took part: what it is, what its paper claims, with which options it ran.</summary>
internal static class MethodCards
{
    public static Markup Of(Comparison comparison, MethodStyles styles) => Markup.Of($"""
        <section id="methods">
        <h2>Methods</h2>
        {comparison.Rows.GroupBy(r => r.Row.Method.Id).Select(g => Card([.. g], styles))}
        </section>
        """);

    private static Markup Card(IReadOnlyList<ComparisonRow> rows, MethodStyles styles)
    {
        var card = rows[0].Row.Method;
        var variants = rows.DistinctBy(r => r.Row.Label).ToList();
        return Markup.Of($"""
            <details class="card" id="method-{card.Id}">
            <summary>{Swatch.Of(styles[rows[0]])}<strong>{card.Id}</strong> <span class="name">{card.Title}</span> <span class="muted">{card.Year}</span></summary>
            <p>{card.Summary}</p>
            <p class="muted">{card.Paper}</p>
            {(card.Tags.Count == 0 ? Markup.Empty : Markup.Of($"<p>{card.Tags.Select(t => Markup.Of($"<span class=\"tag\">{t}</span>"))}</p>"))}
            {(card.Claims.Count == 0 ? Markup.Empty : Markup.Of($"""<h4>What the paper claims</h4><ul>{card.Claims.Select(c => Markup.Of($"<li>{c.Text}</li>"))}</ul>"""))}
            {variants.Select(v => Variant(v.Row, variants.Count > 1))}
            </details>
            """);
    }

    private static Markup Variant(StudyRow row, bool named) => row.Options.Count == 0
        ? Markup.Of($"<p class=\"muted\">It has no options.</p>")
        : Markup.Of($"""{(named ? Markup.Of($"<h4>{row.Label}</h4>") : Markup.Empty)}{Setting.Options(row.Method.Options, row.Options, row.Changed)}""");
}
