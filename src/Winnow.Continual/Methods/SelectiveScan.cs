using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>
/// The selective scan, a linear recurrence whose coefficients depend on the input:
/// <c>h_l = exp(Δ_l A) h_{l−1} + Δ_l B_l u_l</c>, <c>y_l = C_l·h_l + D u_l</c>, gated by SiLU(z_l).
/// <para>Gu and Dao, Mamba: Linear-Time Sequence Modeling with Selective State Spaces, 2023 (arXiv 2312.00752).</para>
/// <para>Instead of one step a position, a piece of <see cref="Piece"/> positions is solved at once:
/// <c>h_l = Σ_{s≤l} exp(A Σ_{s&lt;r≤l} Δ_r) Δ_s B_s u_s + exp(A Σ_{r≤l} Δ_r) h_0</c>, whose exponents are not positive where A is not; only the state
/// goes from piece to piece. On the graph; any float type. Cost: O(M·D·N·L·min(L, <see cref="Piece"/>)).</para>
/// </summary>
public static class SelectiveScan
{
    /// <summary>Positions solved at once.</summary>
    public const int Piece = 16;

    /// <summary>Scans M sequences of L positions with D channels and N states each.</summary>
    /// <param name="u">Inputs [M, D, L].</param>
    /// <param name="delta">Steps Δ [M, D, L], not negative.</param>
    /// <param name="a">A [D, N], not positive.</param>
    /// <param name="b">B [M, N, L].</param>
    /// <param name="c">C [M, N, L].</param>
    /// <param name="d">D [D], or null for none.</param>
    /// <param name="z">Gates [M, D, L] before SiLU, or null for none.</param>
    /// <returns>y [M, D, L] and the last state h_L [M, D, N]; the current dispose scope owns them.</returns>
    /// <exception cref="ArgumentException">Shapes that do not fit each other.</exception>
    public static (Tensor Y, Tensor State) Run(Tensor u, Tensor delta, Tensor a, Tensor b, Tensor c, Tensor? d = null, Tensor? z = null)
    {
        Check(u, delta, a, b, c);
        using var scope = NewDisposeScope();
        long length = u.shape[2];
        var state = zeros([u.shape[0], a.shape[0], a.shape[1]], u.dtype);
        var outputs = new List<Tensor>();
        for (long start = 0; start < length; start += Piece)
        {
            long count = Math.Min(Piece, length - start);
            var (y, last) = Solve(At(u), At(delta), a, At(b), At(c), state);
            outputs.Add(y);
            state = last;

            Tensor At(Tensor whole) => whole.narrow(2, start, count);
        }
        var result = outputs.Count == 1 ? outputs[0] : cat(outputs, 2);
        if (d is not null)
            result = result + d.unsqueeze(1) * u;
        if (z is not null)
            result = result * F.silu(z);
        return (result.MoveToOuterDisposeScope(), state.MoveToOuterDisposeScope());
    }

    private static (Tensor Y, Tensor State) Solve(Tensor u, Tensor delta, Tensor a, Tensor b, Tensor c, Tensor before)
    {
        long length = u.shape[2];
        var time = delta.cumsum(2);                                                                  // Σ_{r≤l} Δ_r [M, D, l]
        var later = ones(length, length, ScalarType.Bool).triu(1);                                   // s > l: not yet seen
        var span = (time.unsqueeze(3) - time.unsqueeze(2)).masked_fill(later, 0);                    // [M, D, l, s]
        var decay = (span.unsqueeze(4) * a.view(1, a.shape[0], 1, 1, a.shape[1])).exp().masked_fill(later.unsqueeze(2), 0); // [M, D, l, s, N]
        var input = (delta * u).unsqueeze(3) * b.transpose(1, 2).unsqueeze(1);                       // [M, D, s, N]
        var kept = (time.unsqueeze(3) * a.unsqueeze(1)).exp() * before.unsqueeze(2);                 // [M, D, l, N]
        var h = (decay * input.unsqueeze(2)).sum(3) + kept;
        return ((h * c.transpose(1, 2).unsqueeze(1)).sum(3), h.select(2, length - 1));
    }

    private static void Check(Tensor u, Tensor delta, Tensor a, Tensor b, Tensor c)
    {
        bool fits = u.dim() == 3 && u.shape[2] > 0 && a.dim() == 2 && a.shape[0] == u.shape[1] && delta.shape.SequenceEqual(u.shape)
            && b.shape.SequenceEqual([u.shape[0], a.shape[1], u.shape[2]]) && c.shape.SequenceEqual(b.shape);
        if (!fits)
            throw new ArgumentException($"u {Text(u)}, Δ {Text(delta)}, A {Text(a)}, B {Text(b)} and C {Text(c)} do not fit; expected [M, D, L], [M, D, L], [D, N], [M, N, L] and [M, N, L] with L > 0", nameof(u));

        static string Text(Tensor t) => $"[{string.Join(", ", t.shape)}]";
    }
}
