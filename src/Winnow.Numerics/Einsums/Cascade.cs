namespace Winnow.Numerics.Einsums;

/// <summary>
/// A cascade of extended Einsums as data: each says how every element of a tensor comes from elements of others. A text has one a line:
/// <code>
/// QK[m, p] = sum(e) Q[e, p] * K[e, m]
/// GM[p] = max(m) QK[m, p]
/// </code>
/// Operators: + − * /, <c>max(a, b)</c>, <c>exp(a)</c>, numbers, <c>inf</c>. <c>#</c> begins a comment. An index is a rank; <c>m1.m0</c>, the place of m0 inside
/// block m1 of rank m; <c>m1+1</c>, the next step of a recurrence over m1; <c>0</c>, the value it begins with; or <c>M1</c>, in capitals, the value
/// after the last step. Tensors that no line makes are the inputs.
/// </summary>
public sealed class Cascade
{
    private Cascade(IReadOnlyList<Einsum> starts, IReadOnlyList<Einsum> einsums)
    {
        (Starts, Einsums) = (starts, einsums);
        Inputs = [.. einsums.SelectMany(s => s.Reads).Select(a => a.Tensor).Where(t => !Makes(t)).Distinct()];
        Outputs = [.. einsums.Select(s => s.Output.Tensor).Distinct().Where(t => !einsums.Any(s => s.Output.Tensor != t && s.Reads.Any(a => a.Tensor == t)))];

        bool Makes(string tensor) => einsums.Any(s => s.Output.Tensor == tensor);
    }

    /// <summary>The values with which recurrences begin.</summary>
    public IReadOnlyList<Einsum> Starts { get; }

    /// <summary>The Einsums, each after all that it reads.</summary>
    public IReadOnlyList<Einsum> Einsums { get; }

    /// <summary>Tensors that are given.</summary>
    public IReadOnlyList<string> Inputs { get; }

    /// <summary>Tensors that no other Einsum reads.</summary>
    public IReadOnlyList<string> Outputs { get; }

    /// <summary>Reads a cascade.</summary>
    /// <exception cref="FormatException">A line cannot be understood, a tensor is made twice, or the Einsums wait for each other in a circle; the message names the line.</exception>
    public static Cascade Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<Einsum> starts = [], einsums = [];
        string[] lines = text.Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            string line = lines[i].Split('#')[0].Trim();
            if (line.Length == 0)
                continue;
            var einsum = new EinsumParser(line, i + 1).Statement();
            var list = einsum.Output.Indices.Any(x => x.IsStart) ? starts : einsums;
            if (list.FirstOrDefault(s => s.Output.Tensor == einsum.Output.Tensor) is { } other)
                throw new FormatException($"line {i + 1}: '{einsum.Output.Tensor}' is made a second time, first in line {other.Line}; give it another name");
            list.Add(einsum);
        }
        if (einsums.Count == 0)
            throw new FormatException("the cascade is empty; expected at least one line such as 'GM[p] = max(m) QK[m, p]'");
        foreach (var start in starts)
        {
            var made = einsums.FirstOrDefault(s => s.Output.Tensor == start.Output.Tensor);
            if (made is null || !made.Output.Indices.Any(x => x.Offset == 1))
                throw new FormatException($"line {start.Line}: '{start.Output.Tensor}' begins a recurrence that no line goes on with; expected a line that makes '{start.Output.Tensor}' at an index such as m1+1");
        }
        foreach (var next in einsums.Where(s => s.Output.Indices.Any(x => x.Offset == 1) && !starts.Any(b => b.Output.Tensor == s.Output.Tensor)))
            throw new FormatException($"line {next.Line}: nothing says what '{next.Output.Tensor}' begins with; expected a line such as '{next.Output.Tensor}[0, …] = 0'");
        return new(starts, Ordered(einsums));
    }

    /// <summary>Each Einsum after what it reads. What a recurrence reads from the step before does not make it wait.</summary>
    private static List<Einsum> Ordered(List<Einsum> einsums)
    {
        var ordered = new List<Einsum>();
        var open = new List<Einsum>();
        foreach (var einsum in einsums)
            Visit(einsum);
        return ordered;

        void Visit(Einsum einsum)
        {
            if (ordered.Contains(einsum))
                return;
            if (open.Contains(einsum))
                throw new FormatException($"line {einsum.Line}: the Einsums wait for each other: {string.Join(" ← ", open.SkipWhile(s => s != einsum).Append(einsum).Select(s => s.Output.Tensor))}; a recurrence must be written over a rank, as m1+1 from m1");
            open.Add(einsum);
            foreach (var read in einsum.Reads)
                if (einsums.FirstOrDefault(s => s.Output.Tensor == read.Tensor) is { } maker && !FromStepBefore(read, maker))
                    Visit(maker);
            open.Remove(einsum);
            ordered.Add(einsum);
        }
    }

    /// <summary>Whether an access reads what the maker made in the step before.</summary>
    internal static bool FromStepBefore(EinsumAccess read, Einsum maker) =>
        maker.Output.Indices.Zip(read.Indices).Any(x => x.First.Offset == 1 && x.Second is { Offset: 0, IsLast: false, IsStart: false } && x.Second.Rank == x.First.Rank);
}

/// <summary>How the elements of a tensor come from those of others.</summary>
/// <param name="Output">What is made.</param>
/// <param name="Reduction">What runs over the reduced ranks; null when there is none.</param>
/// <param name="Reduced">The ranks that are reduced.</param>
/// <param name="Body">What is computed of each point.</param>
/// <param name="Line">Where it stands in the text, from 1.</param>
public sealed record Einsum(EinsumAccess Output, EinsumReduction? Reduction, IReadOnlyList<string> Reduced, EinsumExpression Body, int Line)
{
    /// <summary>All tensors it reads, in order.</summary>
    public IEnumerable<EinsumAccess> Reads => Body.Accesses;

    /// <summary>The ranks it goes over, output first.</summary>
    public IReadOnlyList<string> Ranks => [.. Output.Indices.SelectMany(x => x.Ranks).Concat(Reduced).Distinct()];
}

/// <summary>What joins the points of reduced ranks.</summary>
public enum EinsumReduction
{
    /// <summary>Their sum.</summary>
    Sum,

    /// <summary>Their maximum.</summary>
    Max,
}

/// <summary>A part of what an Einsum computes.</summary>
public abstract record EinsumExpression
{
    internal abstract IEnumerable<EinsumAccess> Accesses { get; }
}

/// <summary>An element of a tensor.</summary>
/// <param name="Tensor">The tensor's name.</param>
/// <param name="Indices">One for each of its dimensions.</param>
public sealed record EinsumAccess(string Tensor, IReadOnlyList<EinsumIndex> Indices) : EinsumExpression
{
    internal override IEnumerable<EinsumAccess> Accesses => [this];

    /// <inheritdoc/>
    public override string ToString() => $"{Tensor}[{string.Join(", ", Indices)}]";
}

/// <summary>A number.</summary>
public sealed record EinsumConstant(double Value) : EinsumExpression
{
    internal override IEnumerable<EinsumAccess> Accesses => [];
}

/// <summary>The exponential function of something.</summary>
public sealed record EinsumExp(EinsumExpression Of) : EinsumExpression
{
    internal override IEnumerable<EinsumAccess> Accesses => Of.Accesses;
}

/// <summary>Two things joined: '+', '-', '*', '/', or 'm' for the larger one.</summary>
public sealed record EinsumBinary(char Operator, EinsumExpression Left, EinsumExpression Right) : EinsumExpression
{
    internal override IEnumerable<EinsumAccess> Accesses => Left.Accesses.Concat(Right.Accesses);
}

/// <summary>A place along a dimension.</summary>
/// <param name="Rank">The rank that runs along it; of a block and its inside, the block's; empty for the start of a recurrence.</param>
/// <param name="Inner">The rank inside the block, or null.</param>
/// <param name="Offset">1 for the next step of a recurrence.</param>
/// <param name="IsLast">Whether it is the value after the last step.</param>
/// <param name="IsStart">Whether it is the value before the first.</param>
public sealed record EinsumIndex(string Rank, string? Inner = null, int Offset = 0, bool IsLast = false, bool IsStart = false)
{
    /// <summary>The ranks it runs with: none for a start or a last value.</summary>
    public IEnumerable<string> Ranks => IsLast || IsStart ? [] : Inner is null ? [Rank] : [Rank, Inner];

    /// <inheritdoc/>
    public override string ToString() => IsStart ? "0" : IsLast ? Rank.ToUpperInvariant() : Inner is not null ? $"{Rank}.{Inner}" : Offset == 1 ? $"{Rank}+1" : Rank;
}
