using Winnow.Core;

namespace Winnow.Language;

/// <summary>How the next token is chosen.</summary>
public sealed record SamplingOptions
{
    /// <summary>Logits are divided by this; 0 takes the largest.</summary>
    public double Temperature { get; init; }

    /// <summary>Only the so many most likely tokens; 0 for all.</summary>
    public int TopK { get; init; }

    /// <summary>Only the most likely tokens whose probabilities sum to this.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Only tokens at least this share as likely as the most likely one.</summary>
    public double MinP { get; init; }

    /// <summary>Positive logits of tokens that occurred are divided by this, negative ones multiplied (Keskar et al., CTRL, 2019); 1 for nothing.</summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Refuses what cannot be.</summary>
    /// <exception cref="InputException">An option out of range.</exception>
    public SamplingOptions Checked()
    {
        foreach (var (name, value, good) in new[] { ("temperature", Temperature, Temperature is >= 0 and <= 100), ("top-k", TopK, TopK >= 0), ("top-p", TopP, TopP is > 0 and <= 1), ("min-p", MinP, MinP is >= 0 and <= 1), ("repetition penalty", RepetitionPenalty, RepetitionPenalty is > 0 and <= 100) })
            if (!good)
                throw InputException.At(name, FormattableString.Invariant($"{value}"), "temperature 0 to 100, top-k at least 0, top-p above 0 and at most 1, min-p 0 to 1, penalty above 0", "Mend the option.");
        return this;
    }
}

/// <summary>Chooses tokens. Allocates nothing after it is made.</summary>
public sealed class Sampler
{
    private readonly SamplingOptions _options;
    private readonly SeededRandom _random;
    private readonly float[] _logits;
    private readonly int[] _order;
    private readonly HashSet<int> _seen = [];

    /// <summary>A sampler.</summary>
    /// <param name="options">How.</param>
    /// <param name="vocabulary">Tokens there are.</param>
    /// <param name="random">Where chance comes from.</param>
    public Sampler(SamplingOptions options, int vocabulary, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(options);
        (_options, _random, _logits, _order) = (options.Checked(), random, new float[vocabulary], new int[vocabulary]);
    }

    /// <summary>Says that a token occurred.</summary>
    public void See(int token) => _seen.Add(token);

    /// <summary>Chooses the next token; the lowest number of equals.</summary>
    /// <exception cref="InputException">A logit that is not a number.</exception>
    public int Next(ReadOnlySpan<float> logits)
    {
        logits.CopyTo(_logits);
        if (_options.RepetitionPenalty != 1)
            foreach (int token in _seen)
                _logits[token] = (float)(_logits[token] > 0 ? _logits[token] / _options.RepetitionPenalty : _logits[token] * _options.RepetitionPenalty);
        int best = 0;
        for (int i = 0; i < _logits.Length; i++)
        {
            if (float.IsNaN(_logits[i]))
                throw InputException.At($"logit {i}", "NaN", "a number", "The model's weights are damaged.");
            if (_logits[i] > _logits[best])
                best = i;
        }
        return _options.Temperature == 0 ? best : Draw(_logits[best]);
    }

    private int Draw(float most)
    {
        for (int i = 0; i < _logits.Length; i++)
            (_order[i], _logits[i]) = (i, MathF.Exp((float)((_logits[i] - most) / _options.Temperature)));
        bool ranked = _options.TopK > 0 || _options.TopP < 1;
        if (ranked)
            Array.Sort(_order, Compare);
        int kept = _options.TopK > 0 ? Math.Min(_options.TopK, _order.Length) : _order.Length;
        double all = 0, sum = 0;
        for (int i = 0; i < kept; i++)
            all += _logits[_order[i]];
        int end = 0;
        while (end < kept && (end == 0 || sum < _options.TopP * all) && (end == 0 || !ranked || _logits[_order[end]] >= _options.MinP))
            sum += _logits[_order[end++]];
        if (!ranked && _options.MinP > 0)
            for (int i = 0; i < end; i++)
                if (_logits[i] < _options.MinP)
                    (sum, _logits[i]) = (sum - _logits[i], 0);
        double at = _random.NextDouble() * sum;
        for (int i = 0; i < end; i++)
        {
            at -= _logits[_order[i]];
            if (at < 0)
                return _order[i];
        }
        return _order[0];
    }

    private int Compare(int a, int b) => _logits[a] != _logits[b] ? _logits[b].CompareTo(_logits[a]) : a.CompareTo(b);
}
