using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Winnow.Numerics;

/// <summary>
/// The exponential of float32 vectors: <c>eˣ = 2ⁿ·eʳ</c> with <c>n = round(x/ln 2)</c>, where <c>eʳ = 1 + r + r²q(r)</c> on |r| ≤ ln 2/2 and q is
/// the minimax polynomial of degree 4 (relative error 3.1e-9 before rounding). The error is at most 1 unit in the last place. What
/// is below the smallest normal number becomes 0, what is beyond the largest infinity; not-a-number stays.
/// </summary>
public static class VectorExp
{
    /// <summary>ln 2⁻¹²⁶ and ln of the largest number: below and beyond, the result is 0 or infinite.</summary>
    internal const float Least = -87.33654f, Greatest = 88.72283f;

    /// <summary>The exponential of every lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x)
    {
        // The clamp's second operand is x, so that not-a-number passes.
        var clamped = Vector256.MinNative(Vector256.Create(Greatest), Vector256.MaxNative(Vector256.Create(Least), x));
        var magic = Vector256.Create(12582912f); // 1.5·2²³: adding it rounds to a whole number, held by the low bits
        var shifted = Vector256.FusedMultiplyAdd(clamped, Vector256.Create(1.44269504f), magic);
        var n = shifted - magic;
        var r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-0.693145752f), clamped);
        r = Vector256.FusedMultiplyAdd(n, Vector256.Create(-1.42860677e-6f), r);
        var q = Vector256.FusedMultiplyAdd(Vector256.Create(0.0013814540579915047f), r, Vector256.Create(0.00836874544620514f));
        q = Vector256.FusedMultiplyAdd(q, r, Vector256.Create(0.04166838899254799f));
        q = Vector256.FusedMultiplyAdd(q, r, Vector256.Create(0.1666652113199234f));
        q = Vector256.FusedMultiplyAdd(q, r, Vector256.Create(0.49999994f));
        var p = Vector256.FusedMultiplyAdd(q * r, r, r) + Vector256<float>.One;
        var result = (p.AsInt32() + Vector256.ShiftLeft(shifted.AsInt32(), 23)).AsSingle();
        result = Vector256.AndNot(result, Vector256.LessThan(x, Vector256.Create(Least)));
        return Vector256.ConditionalSelect(Vector256.GreaterThan(x, Vector256.Create(Greatest)), Vector256.Create(float.PositiveInfinity), result);
    }

    /// <summary>The exponential of one number, by the same steps and so to the same bits.</summary>
    public static float Exp(float x) => Exp(Vector256.Create(x)).ToScalar();

    /// <summary><c>tanh x = 1 − 2/(e²ˣ + 1)</c>: absolute error below 1.2e-7, relative error large near 0, which a soft cap's logits do not feel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<float> Tanh(Vector256<float> x) =>
        Vector256<float>.One - Vector256.Create(2f) / (Exp(x + x) + Vector256<float>.One);
}
