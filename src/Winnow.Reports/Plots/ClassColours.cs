using System.Globalization;
using Winnow.Reports.Html;

namespace Winnow.Reports.Plots;

/// <summary>
/// Gives ten classes a colour of their own that people of any colour vision tell apart: Okabe and Ito's, and three more. Where there are more classes, nine of those most seen have one and the others share a grey, which the legend says.
/// </summary>
internal sealed class ClassColours
{
    /// <summary>Colours of the style sheet, <c>c0</c> to <c>c9</c>.</summary>
    public const int Own = 10;

    private readonly List<string> _classes;
    private readonly Dictionary<string, string> _inks;

    /// <summary>Colours of classes.</summary>
    /// <param name="seen">Classes in the order of the legend, which is by size where all are numbers, and how much each is seen; may come more than once.</param>
    public ClassColours(IEnumerable<(string Class, double Weight)> seen)
    {
        var weights = new Dictionary<string, double>();
        _classes = [];
        foreach (var (name, weight) in seen)
        {
            if (weights.TryAdd(name, 0))
                _classes.Add(name);
            weights[name] += weight;
        }
        if (_classes.All(c => double.TryParse(c, NumberStyles.Float, CultureInfo.InvariantCulture, out _)))
            _classes = [.. _classes.OrderBy(c => double.Parse(c, CultureInfo.InvariantCulture))];
        var coloured = _classes.Count <= Own ? _classes : [.. _classes.OrderByDescending(c => weights[c]).Take(Own - 1).OrderBy(_classes.IndexOf)];
        _inks = coloured.Index().ToDictionary(c => c.Item, c => $"c{c.Index}");
    }

    /// <summary>The colour of a class.</summary>
    public string this[string name] => _inks.GetValueOrDefault(name, "rest");

    /// <summary>Names beside their colours.</summary>
    public Markup Legend()
    {
        int others = _classes.Count - _inks.Count;
        return Markup.Of($"""<span class="classes">{_classes.Where(_inks.ContainsKey).Select(c => One(_inks[c], TextFit.Shorten(c, 240)))}{(others == 0 ? Markup.Empty : One("rest", $"{others} others"))}</span>""");
    }

    private static Markup One(string ink, string name) => Markup.Of($"""<span><i class="swatch" style="background:var(--{ink})" aria-hidden="true"></i>{name}</span> """);
}
