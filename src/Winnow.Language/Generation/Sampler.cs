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

/// <summary>Chooses tokens. Cost of a choice: O(vocabulary), with top-k or top-p O(vocabulary · log vocabulary). Choosing allocates nothing.</summary>
public sealed class Sampler
{
    private readonly SamplingOptions _options;
    private readonly SeededRandom _random;
    private readonly float[] _logits;
    private readonly int[] _order;
    private readonly HashSet<int> _seen = [];
    private readonly Comparison<int> _likelier;

    /// <summary>A sampler.</summary>
    /// <param name="options">How.</param>
    /// <param name="vocabulary">Tokens there are.</param>
    /// <param name="random">Where chance comes from.</param>
    public Sampler(SamplingOptions options, int vocabulary, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(options);
        (_options, _random, _logits, _order) = (options.Checked(), random, new float[vocabulary], new int[vocabulary]);
        _likelier = (a, b) => _logits[a] != _logits[b] ? _logits[b].CompareTo(_logits[a]) : a.CompareTo(b);
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

    /// <summary>Draws by weights e^((logit - largest) / temperature), of which the largest is 1; what is not to be drawn has weight 0.</summary>
    private int Draw(float most)
    {
        float[] weights = _logits;
        for (int i = 0; i < weights.Length; i++)
            (_order[i], weights[i]) = (i, MathF.Exp((float)((weights[i] - most) / _options.Temperature)));
        if (_options.TopK > 0 || _options.TopP < 1)
            Array.Sort(_order, _likelier);
        if (_options.TopK > 0)
            foreach (int token in _order.AsSpan(Math.Min(_options.TopK, _order.Length)))
                weights[token] = 0;
        if (_options.TopP < 1)
        {
            double left = _options.TopP * Sum();
            foreach (int token in _order)
            {
                if (left <= 0)
                    weights[token] = 0;
                left -= weights[token];
            }
        }
        for (int i = 0; i < weights.Length; i++)
            weights[i] = weights[i] < _options.MinP ? 0 : weights[i];
        double at = _random.NextDouble() * Sum();
        int last = 0;
        foreach (int token in _order)
        {
            if (weights[token] == 0)
                continue;
            last = token; // if sums were rounded so that nothing is left for anyone
            at -= weights[token];
            if (at < 0)
                break;
        }
        return last;
    }

    private double Sum()
    {
        double sum = 0;
        foreach (float weight in _logits)
            sum += weight;
        return sum;
    }
}
