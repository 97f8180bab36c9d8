using System.Globalization;

namespace Winnow.Numerics.Einsums;

/// <summary>Reads one line of a cascade by recursive descent.</summary>
internal sealed class EinsumParser(string text, int line)
{
    private int _at;

    public Einsum Statement()
    {
        if (Expression() is not EinsumAccess output)
            throw Error("the tensor that is made, such as QK[m, p]");
        Expect('=');
        EinsumReduction? reduction = null;
        List<string> reduced = [];
        int before = _at;
        if (Word() is "sum" or "max" && Take('('))
        {
            reduction = text.AsSpan(before).TrimStart().StartsWith("sum", StringComparison.Ordinal) ? EinsumReduction.Sum : EinsumReduction.Max;
            do
                reduced.Add(Word());
            while (Take(','));
            if (!Take(')') || reduced.Any(r => r.Length == 0) || End)
            {
                // max(a, b) of two values is no reduction
                (reduction, _at) = (null, before);
                reduced.Clear();
            }
            else if (_at < text.Length && Peek() is '+' or '-' or '*' or '/')
                throw Error("what is reduced, behind the ranks");
        }
        else
            _at = before;
        var body = Expression();
        if (!End)
            throw Error("the end of the line");
        var einsum = new Einsum(output, reduction, reduced, body, line);
        string[] known = [.. einsum.Reads.SelectMany(a => a.Indices).SelectMany(x => x.Ranks).Distinct()];
        if (einsum.Output.Indices.SelectMany(x => x.Ranks).Concat(reduced).FirstOrDefault(r => !known.Contains(r)) is { } unknown && body is not EinsumConstant)
            throw new FormatException($"line {line}: rank '{unknown}' is on the left, or reduced, but nothing on the right has it: its size is unknown");
        if (known.FirstOrDefault(r => !einsum.Ranks.Contains(r)) is { } free)
            throw new FormatException($"line {line}: rank '{free}' is neither on the left nor reduced; write for instance 'sum({free})' before the expression");
        if (reduced.FirstOrDefault(r => einsum.Output.Indices.SelectMany(x => x.Ranks).Contains(r)) is { } both)
            throw new FormatException($"line {line}: rank '{both}' is reduced and on the left; expected one of the two");
        return einsum;
    }

    private EinsumExpression Expression()
    {
        var left = Term();
        while (!End && Peek() is '+' or '-')
            left = new EinsumBinary(text[_at++], left, Term());
        return left;
    }

    private EinsumExpression Term()
    {
        var left = Factor();
        while (!End && Peek() is '*' or '/')
            left = new EinsumBinary(text[_at++], left, Factor());
        return left;
    }

    private EinsumExpression Factor()
    {
        if (Take('('))
        {
            var inner = Expression();
            Expect(')');
            return inner;
        }
        if (Take('-'))
            return Factor() is EinsumConstant number ? new EinsumConstant(-number.Value) : throw Error("a number behind the minus; write 0 - x for a tensor");
        if (!End && char.IsAsciiDigit(Peek()))
            return Number();
        string name = Word();
        switch (name)
        {
            case "":
                throw Error("a tensor, a number, exp(…), max(…, …) or a parenthesis");
            case "inf":
                return new EinsumConstant(double.PositiveInfinity);
            case "exp":
                Expect('(');
                var argument = Expression();
                Expect(')');
                return new EinsumExp(argument);
            case "max":
                Expect('(');
                var first = Expression();
                Expect(',');
                var second = Expression();
                Expect(')');
                return new EinsumBinary('m', first, second);
        }
        Expect('[');
        var indices = new List<EinsumIndex>();
        do
            indices.Add(Index());
        while (Take(','));
        Expect(']');
        return new EinsumAccess(name, indices);
    }

    private EinsumIndex Index()
    {
        if (Take('0'))
            return new("", IsStart: true);
        string rank = Word();
        if (rank.Length == 0)
            throw Error("a rank");
        if (char.IsAsciiLetterUpper(rank[0]))
            return new(rank.ToLowerInvariant(), IsLast: true);
        if (Take('.'))
            return Word() is { Length: > 0 } inner ? new(rank, inner) : throw Error("the rank inside the block");
        if (!Take('+'))
            return new(rank);
        Expect('1');
        return new(rank, Offset: 1);
    }

    private EinsumConstant Number()
    {
        int start = _at;
        while (_at < text.Length && (char.IsAsciiDigit(text[_at]) || text[_at] == '.'))
            _at++;
        return double.TryParse(text.AsSpan(start, _at - start), NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? new(value) : throw Error("a number");
    }

    private string Word()
    {
        Skip();
        int start = _at;
        while (_at < text.Length && (char.IsAsciiLetter(text[_at]) || (_at > start && char.IsAsciiDigit(text[_at]))))
            _at++;
        return text[start.._at];
    }

    private bool End
    {
        get
        {
            Skip();
            return _at == text.Length;
        }
    }

    private char Peek()
    {
        Skip();
        return text[_at];
    }

    private bool Take(char expected)
    {
        Skip();
        if (_at == text.Length || text[_at] != expected)
            return false;
        _at++;
        return true;
    }

    private void Expect(char expected)
    {
        if (!Take(expected))
            throw Error($"'{expected}'");
    }

    private void Skip()
    {
        while (_at < text.Length && char.IsWhiteSpace(text[_at]))
            _at++;
    }

    private FormatException Error(string expected) =>
        new($"line {line}, column {_at + 1}: {(_at < text.Length ? $"'{text[_at]}'" : "the line ends")}; expected {expected}: '{text}'");
}
