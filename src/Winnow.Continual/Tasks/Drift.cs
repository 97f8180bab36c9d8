using Winnow.Core;
using Winnow.Data;

namespace Winnow.Continual;

/// <summary>The data's own domains as tasks.</summary>
internal static class Drift
{
    private const int Parts = 5, Least = 4, Most = 100;

    /// <summary>The rows of each task: of each named domain, in order, or of each of so many equal parts of an order.</summary>
    /// <exception cref="InputException">The data have no domains, too few or too many, or too few rows of one.</exception>
    public static IReadOnlyList<int[]> Domains(LabelledData data, DriftOptions options)
    {
        var domains = data.Domains ?? throw InputException.At(data.Title, "data without domains", "a column that says where or when each row comes from", "Name it with --domain COLUMN, or choose another task, for instance --task permuted.");
        string[] names = domains.Names is { } named ? [.. named.Select(name => $"domain '{name}'")] : [.. Enumerable.Range(1, options.Steps ?? Parts).Select(k => $"part {k} of the order")];
        int steps = options.Steps ?? names.Length;
        if (steps > names.Length)
            throw InputException.At("task.steps", $"{steps}", $"at most the {names.Length} domains of {data.Title}", "Lower it, or leave it away to take all.");
        if (steps > Most)
            throw InputException.At(data.Title, $"{steps} domains", $"at most {Most}", $"Set task.steps to take the first so many; write a time as a number, or fewer domains.");
        int[] domainOf = domains.Names is null ? domains.Cut(steps) : domains.Rows.ToArray();
        ILookup<int, int> rows = Enumerable.Range(0, data.Count).ToLookup(row => domainOf[row]);
        for (int k = 0; k < steps; k++)
            if (rows[k].Count() < Least)
                throw InputException.At(data.Title, $"{rows[k].Count()} rows of {names[k]}", $"at least {Least} (some to train on, some to test)",
                    domains.Names is null ? "Lower task.steps: rows with the same number stay together." : "Add rows, or remove the domain.");
        return [.. Enumerable.Range(0, steps).Select(k => rows[k].ToArray())];
    }
}
