using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>
/// Exact Bayesian classification by one Gaussian prototype a class: <c>π ~ Dir(a)</c>, <c>z | c ~ N(z̄_c, s·I)</c>, <c>z̄_c ~ N(μ_c, I / L_c)</c>.
/// The posterior is kept in natural parameters, <c>Q_c = L_c μ_c</c> [classes, d], <c>L_c</c> [classes] and <c>a_c</c> [classes], all float64, so
/// that a row is one addition: rows may come in any order, in any batches, and may be taken out again.
/// <para>Cost: O(d) a row learned, O(classes · d) a row scored; classes · (d + 2) values.</para>
/// </summary>
public sealed class GaussianPrototypes : IDisposable
{
    private readonly Tensor _q, _l, _a, _q0, _l0, _a0;

    /// <summary>Prototypes that have seen nothing.</summary>
    /// <param name="noise">s, the variance of a row about its prototype.</param>
    /// <param name="means">Q of the prior, float64 [classes, d].</param>
    /// <param name="precisions">L of the prior, float64 [classes].</param>
    /// <param name="counts">a of the prior, float64 [classes].</param>
    /// <exception cref="ArgumentException">A shape does not fit, or a variance, precision or count is not positive.</exception>
    public GaussianPrototypes(double noise, Tensor means, Tensor precisions, Tensor counts)
    {
        if (!(noise > 0 && double.IsFinite(noise)))
            throw new ArgumentException($"the noise variance is {noise}; expected a positive number", nameof(noise));
        if (means.dim() != 2 || !precisions.shape.AsSpan().SequenceEqual([means.shape[0]]) || !counts.shape.AsSpan().SequenceEqual([means.shape[0]]))
            throw new ArgumentException($"means [{string.Join(", ", means.shape)}], precisions [{string.Join(", ", precisions.shape)}] and counts [{string.Join(", ", counts.shape)}]; expected [classes, d], [classes] and [classes]", nameof(means));
        Positive(precisions, nameof(precisions));
        Positive(counts, nameof(counts));
        Noise = noise;
        (_q0, _l0, _a0) = (Own(means), Own(precisions), Own(counts));
        (_q, _l, _a) = (Own(means), Own(precisions), Own(counts));
    }

    /// <summary>s.</summary>
    public double Noise { get; }

    /// <summary>Q [classes, d], L [classes] and a [classes] now, live.</summary>
    public (Tensor Q, Tensor L, Tensor A) Posterior => (_q, _l, _a);

    /// <summary>What is remembered, under a prefix.</summary>
    public IEnumerable<StateEntry> State(string prefix, StateKind kind = StateKind.Model) =>
        [new($"{prefix}.q", kind, _q), new($"{prefix}.l", kind, _l), new($"{prefix}.a", kind, _a)];

    /// <summary>
    /// log p(z, c) [n, classes] of embeddings [n, d], the prototypes integrated out, on the tape of the embeddings alone: its softmax is the
    /// posterior of the class, its log-sum-exp the evidence of the row, low for rows unlike any class.
    /// <para><c>−½ (‖z − μ_c‖² / v_c + d log v_c + d log 2π) + log (a_c / Σ a)</c> with <c>v_c = 1 / L_c + s</c>.</para>
    /// </summary>
    public Tensor LogJoint(Tensor z)
    {
        Check(z);
        using var scope = NewDisposeScope();
        var means = _q / _l.unsqueeze(1);
        var variances = _l.reciprocal() + Noise;
        var distances = (z.to_type(ScalarType.Float64).unsqueeze(1) - means).square().sum(2);
        var scores = (distances / variances + _q.shape[1] * (variances.log() + Math.Log(2 * Math.PI))) / -2 + (_a / _a.sum()).log();
        return scores.MoveToOuterDisposeScope();
    }

    /// <summary>log p(c | z) [n, classes].</summary>
    public Tensor LogPosterior(Tensor z)
    {
        using var joint = LogJoint(z);
        return F.log_softmax(joint, 1);
    }

    /// <summary>Takes rows in: <c>Q_y += z / s</c>, <c>L_y += 1 / s</c>, <c>a_y += 1</c>.</summary>
    /// <param name="z">Embeddings [n, d].</param>
    /// <param name="y">Labels, int64 [n].</param>
    /// <exception cref="ArgumentException">A shape, a label, or an embedding that is not finite; nothing is changed.</exception>
    public void Add(Tensor z, Tensor y) => Change(z, y, 1);

    /// <summary>Takes rows out that were taken in before: the state is the one without them, but for rounding.</summary>
    /// <exception cref="ArgumentException">As for <see cref="Add"/>, or more rows of a class than it was given.</exception>
    public void Remove(Tensor z, Tensor y) => Change(z, y, -1);

    /// <summary>Forgets every row: the prior.</summary>
    public void Reset()
    {
        using var _ = no_grad();
        _q.copy_(_q0);
        _l.copy_(_l0);
        _a.copy_(_a0);
    }

    private void Change(Tensor z, Tensor y, int sign)
    {
        Check(z);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        long classes = _q.shape[0];
        if (y.dtype != ScalarType.Int64 || !y.shape.AsSpan().SequenceEqual([z.shape[0]]))
            throw new ArgumentException($"labels {y.dtype} [{string.Join(", ", y.shape)}]; expected Int64 [{z.shape[0]}], one for each embedding", nameof(y));
        foreach (long label in y.contiguous().Values<long>())
            if (label < 0 || label >= classes)
                throw new ArgumentException($"the label {label}; expected 0 to {classes - 1}", nameof(y));
        if (!z.isfinite().all().item<bool>())
            throw new ArgumentException("an embedding that is not finite: the network has diverged; lower its step size", nameof(z));
        var counts = zeros_like(_a).index_add_(0, y, ones(y.shape[0], ScalarType.Float64), sign);
        if (sign < 0 && (_a + counts - _a0).lt(-0.5).any().item<bool>())
            throw new ArgumentException("more rows of a class than were learned; expected rows that were", nameof(y));
        _q.index_add_(0, y, z.to_type(ScalarType.Float64), sign / Noise);
        _l.add_(counts, alpha: 1 / Noise);
        _a.add_(counts);
    }

    private void Check(Tensor z)
    {
        if (z.dim() != 2 || z.shape[1] != _q.shape[1])
            throw new ArgumentException($"embeddings [{string.Join(", ", z.shape)}]; expected [n, {_q.shape[1]}]", nameof(z));
    }

    private static void Positive(Tensor values, string name)
    {
        using var scope = NewDisposeScope();
        if (!(values.gt(0) & values.isfinite()).all().item<bool>())
            throw new ArgumentException("not positive and finite for every class; expected positive numbers", name);
    }

    private static Tensor Own(Tensor value) => value.to_type(ScalarType.Float64, copy: true).DetachFromDisposeScope();

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in (Tensor[])[_q, _l, _a, _q0, _l0, _a0])
            owned.Dispose();
    }
}
