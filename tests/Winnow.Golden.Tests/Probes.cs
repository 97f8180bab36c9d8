namespace Winnow.Golden.Tests;

/// <summary>The functions of the product that golden files check, by probe name. A new method adds a line here and a function beside its arena's.</summary>
internal static class Probes
{
    public static IReadOnlyDictionary<string, Func<GoldenFile, Dictionary<string, GoldenArray>>> All { get; } =
        new Dictionary<string, Func<GoldenFile, Dictionary<string, GoldenArray>>>
        {
            ["fpf/dynamics"] = ContinualProbes.ModuleDynamics,
            ["scole/frequency-replay"] = ScoleProbes.FrequencyReplay,
            ["scole/mask"] = ScoleProbes.Mask,
            ["scole/probability"] = ScoleProbes.Probability,
            ["slca/ca"] = ContinualProbes.ClassifierAlignment,
            ["cuber/basis"] = CuberProbes.Basis,
            ["cuber/gpm"] = CuberProbes.Gpm,
            ["cuber/regimes"] = CuberProbes.Regimes,
            ["cuber/scaled-proj"] = CuberProbes.ScaledProjection,
            ["cuber/select"] = CuberProbes.Select,
            ["cl-dst/death-rate"] = ClDstProbes.DeathRate,
            ["cl-dst/drop-grow"] = ClDstProbes.DropAndGrowOnce,
            ["cl-dst/erk"] = ClDstProbes.Erk,
            ["onpro/apf"] = OnProProbes.Feedback,
            ["onpro/ntxent"] = OnProProbes.InstanceContrast,
            ["onpro/ope"] = OnProProbes.Equilibrium,
            ["proto-cl/seq"] = ProtoClProbes.Sequence,
            ["continual-thesis/mas"] = ThesisProbes.Mas,
            ["continual-thesis/slnid"] = ThesisProbes.Slnid,
            ["continual-thesis/mir-gss"] = ThesisProbes.MirAndGss,
            ["continual-thesis/taskfree"] = ThesisProbes.TaskFree,
            ["gkcl/kl"] = GkclProbes.Divergence,
            ["gkcl/krr"] = GkclProbes.KernelRidge,
            ["dependency-hypernet/lstm-reg"] = HypernetProbes.LstmRegulariser,
            ["mamba-fscil/etf"] = MambaFscilProbes.Etf,
            ["mamba-fscil/scan"] = MambaFscilProbes.Scan,
            ["mamba-fscil/sep"] = MambaFscilProbes.Separation,
            ["language-guided-cl/head"] = LanguageGuidedProbes.Head,
            ["pfnr/spectral"] = PfnrProbes.Spectral,
            ["pfnr/subnet"] = PfnrProbes.Subnet,
            ["tame/switch"] = TameProbes.Switch,
            ["cce/loss"] = TileProbes.LinearCrossEntropyLoss,
            ["inf-cl/core"] = TileProbes.ContrastiveRingLoss,
            ["lifelong-framework/quadratic"] = LifelongProbes.Quadratic,
            ["fusemax/attention-latency"] = FusemaxProbes.AttentionLatency,
            ["smash/product"] = SmashProbes.Product,
            ["lifelong-llm-survey/regularisers"] = LifelongProbes.Regularisers,
            ["skr/darcy-order"] = KrylovProbes.DarcyOrder,
        };
}
