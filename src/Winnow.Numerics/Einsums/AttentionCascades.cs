namespace Winnow.Numerics.Einsums;

/// <summary>Softmax attention <c>AV[f, p] = Σ_m softmax_m(Σ_e Q[e, p] K[e, m]) V[f, m]</c> as cascades, after the FuseMax paper.</summary>
public static class AttentionCascades
{
    /// <summary>Maximum, then exponentials and their sum, then division and values: three passes over the keys.</summary>
    public const string ThreePass = """
        QK[m, p] = sum(e) Q[e, p] * K[e, m]
        GM[p] = max(m) QK[m, p]
        SN[m, p] = exp(QK[m, p] - GM[p])
        SD[p] = sum(m) SN[m, p]
        A[m, p] = SN[m, p] / SD[p]
        AV[f, p] = sum(m) A[m, p] * V[f, m]
        """;

    /// <summary>Maxima and sums of blocks first, corrected by the maximum of all in a second pass.</summary>
    public const string TwoPass = """
        QK[m1, m0, p] = sum(e) Q[e, p] * K[e, m1.m0]
        LM[m1, p] = max(m0) QK[m1, m0, p]
        SLN[m1, m0, p] = exp(QK[m1, m0, p] - LM[m1, p])
        SLD[m1, p] = sum(m0) SLN[m1, m0, p]
        SLNV[f, m1, p] = sum(m0) SLN[m1, m0, p] * V[f, m1.m0]
        GM[p] = max(m1) LM[m1, p]
        PLM[m1, p] = exp(LM[m1, p] - GM[p])
        SD[p] = sum(m1) SLD[m1, p] * PLM[m1, p]
        SNV[f, p] = sum(m1) SLNV[f, m1, p] * PLM[m1, p]
        AV[f, p] = SNV[f, p] / SD[p]
        """;

    /// <summary>A running maximum corrects what was summed before: one pass, and only a block of keys at a time.</summary>
    public const string OnePass = """
        RM[0, p] = -inf
        RD[0, p] = 0
        RNV[f, 0, p] = 0
        QK[m1, m0, p] = sum(e) Q[e, p] * K[e, m1.m0]
        LM[m1, p] = max(m0) QK[m1, m0, p]
        RM[m1+1, p] = max(RM[m1, p], LM[m1, p])
        SLN[m1, m0, p] = exp(QK[m1, m0, p] - RM[m1+1, p])
        SLD[m1, p] = sum(m0) SLN[m1, m0, p]
        SLNV[f, m1, p] = sum(m0) SLN[m1, m0, p] * V[f, m1.m0]
        PRM[m1, p] = exp(RM[m1, p] - RM[m1+1, p])
        SPD[m1, p] = RD[m1, p] * PRM[m1, p]
        RD[m1+1, p] = SLD[m1, p] + SPD[m1, p]
        SPNV[f, m1, p] = RNV[f, m1, p] * PRM[m1, p]
        RNV[f, m1+1, p] = SLNV[f, m1, p] + SPNV[f, m1, p]
        AV[f, p] = RNV[f, M1, p] / RD[M1, p]
        """;

    /// <summary>Without a maximum, divided at once: two passes, and it overflows for large logits.</summary>
    public const string Unstabilised = """
        QK[m, p] = sum(e) Q[e, p] * K[e, m]
        SN[m, p] = exp(QK[m, p])
        SD[p] = sum(m) SN[m, p]
        A[m, p] = SN[m, p] / SD[p]
        AV[f, p] = sum(m) A[m, p] * V[f, m]
        """;

    /// <summary>Without a maximum, divided at the end: one pass, and it overflows for large logits.</summary>
    public const string UnstabilisedDelayed = """
        QK[m, p] = sum(e) Q[e, p] * K[e, m]
        SN[m, p] = exp(QK[m, p])
        SD[p] = sum(m) SN[m, p]
        SNV[f, p] = sum(m) SN[m, p] * V[f, m]
        AV[f, p] = SNV[f, p] / SD[p]
        """;
}
