using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Winnow.Continual;

/// <summary>The learner that is repaired.</summary>
public enum FpfBase
{
    /// <summary>Plain fine-tuning: what the paper calls k-FPF.</summary>
    Naive,

    /// <summary>Experience replay; both use one reservoir.</summary>
    Er,

    /// <summary>DER++; both use one reservoir, whose logits the distillation uses.</summary>
    DerPp,
}

/// <summary>Options of <see cref="Fpf"/>.</summary>
public sealed record FpfOptions
{
    /// <summary>The learner that is repaired.</summary>
    [Description("the learner that is repaired: naive fine-tuning (k-FPF), or er or der-pp, with which the reservoir is shared")]
    public FpfBase On { get; init; } = FpfBase.Naive;

    /// <summary>Repairs k.</summary>
    [Range(0, 1_000_000), Description("repairs, evenly spaced over the stream, the last after its final step; 0 for none")]
    public int Runs { get; init; } = 1;

    /// <summary>Modules that are repaired.</summary>
    [Description("what is repaired, joined by '+': norm, head, first, all, names of modules such as linear2, or auto: by measured sensitivity; by default norm+head, and first+norm+head where tasks bring no new classes")]
    public string? Modules { get; init; }

    /// <summary>Least sensitivity of a module to be chosen automatically.</summary>
    [Range(0.0, 1000.0, MinimumIsExclusive = true), Description("modules=auto: repair modules at least this many times as sensitive as the reference; by default the budget decides")]
    public double? Threshold { get; init; }

    /// <summary>Share of all parameters that may be chosen automatically.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("modules=auto: repair the most sensitive modules up to this share of all parameters")]
    public double Budget { get; init; } = 0.1;

    /// <summary>What sensitivity is relative to.</summary>
    [Description("a module's sensitivity is its change at task boundaries relative to that of all modules, or to its own change within tasks")]
    public SensitivityReference Reference { get; init; } = SensitivityReference.AllModules;

    /// <summary>Whether the sensitivity is measured where the choice does not need it.</summary>
    [Description("measure each module's sensitivity for the report; costs a copy of the network")]
    public bool Measure { get; init; } = true;

    /// <summary>Steps between the checkpoints of the measurement.</summary>
    [Range(1, 1_000_000), Description("steps between two checkpoints of the measurement; by default one epoch")]
    public int? CheckpointEvery { get; init; }

    /// <summary>Rows kept.</summary>
    [Range(2, 1_000_000), Description("rows kept in the reservoir")]
    public int BufferSize { get; init; } = 100;

    /// <summary>Steps F of a repair.</summary>
    [Range(0, 1_000_000), Description("SGD steps of one repair")]
    public int Steps { get; init; } = 150;

    /// <summary>Rows of a repair's mini-batch.</summary>
    [Range(2, 100_000), Description("rows of a repair's mini-batch")]
    public int BatchSize { get; init; } = 32;

    /// <summary>Step size of a repair.</summary>
    [Range(0.0, 10.0, MinimumIsExclusive = true), Description("step size of a repair")]
    public double LearningRate { get; init; } = 0.1;

    /// <summary>Whether the step size falls along a cosine.</summary>
    [Description("lower the step size along a cosine to zero over each repair")]
    public bool Cosine { get; init; }

    /// <summary>Weight α of the distillation term.</summary>
    [Range(0.0, 100.0), Description("k-FPF-KD: weight of the squared distance to the logits stored with the rows (0.2 to 0.5 in the paper); 0 for none")]
    public double Distillation { get; init; }
}

/// <summary>
/// Forgetting Prioritized Finetuning: after the stream (k = 1), or at k evenly spaced points of it (k-FPF), the few modules that forget most
/// are fine-tuned on a reservoir of past rows while all others are frozen.
/// <para>Paper: Zhao, Zhou, Long, Jiang and Zhang, Does Continual Learning Equally Forget All Parameters?, ICML 2023 (arXiv 2304.04158).
/// Implemented: the dynamics of modules and their sensitivity (<see cref="ModuleDynamics"/>), automatic and fixed choice of modules, FPF on fine-tuning
/// and on replay, k-FPF-CE, and k-FPF-KD (logits stored when a row is kept, as the network then predicts it). The paper's numbers of steps and rates are unpublished;
/// the defaults suit small networks: the step size is that of the streams.</para>
/// <para>Cost: k·F mini-batches forward and backward (twice with distillation); memory BufferSize · (width + 1) values.</para>
/// </summary>
public sealed class Fpf : IPart, IReportsSeries
{
    private const string Auto = "auto";
    private readonly FpfOptions _options;
    private readonly long _streamSteps;
    private readonly CancellationToken _cancellation;
    private readonly Reservoir _reservoir;
    private readonly bool _ownsReservoir;
    private readonly ModuleDynamics? _dynamics;
    private readonly string[] _names, _fixed;
    private readonly Tensor _repairs;

    /// <summary>The part; <see cref="Learner"/> builds a learner with it.</summary>
    /// <param name="setup">What the arena gives.</param>
    /// <param name="options">Options.</param>
    /// <param name="shared">The reservoir of another part, filled and owned by it; null for one of its own.</param>
    /// <param name="dynamics">The measurement, which the learner owns; needed for <c>modules=auto</c>.</param>
    /// <exception cref="InputException">Options that cannot be met.</exception>
    public Fpf(LearnerSetup setup, FpfOptions options, Reservoir? shared = null, ModuleDynamics? dynamics = null)
    {
        if (options.Runs > setup.Training.Steps)
            throw InputException.At("fpf.runs", $"{options.Runs} repairs", $"at most the stream's {setup.Training.Steps} steps", "Lower runs.");
        if (options.Distillation > 0 && shared is { StoresExtra: false })
            throw InputException.At("fpf.distillation", FormattableString.Invariant($"{options.Distillation} with a reservoir that stores no logits"), "on=naive or on=der-pp", "Set one of these, or distillation=0.");
        _options = options;
        _streamSteps = setup.Training.Steps;
        _cancellation = setup.Cancellation;
        _ownsReservoir = shared is null;
        _dynamics = dynamics;
        using var network = setup.Network();
        _names = [.. network.Modules.Select(m => m.Name)];
        string wanted = options.Modules ?? (setup.NewClasses ? "norm+head" : "first+norm+head");
        _fixed = wanted == Auto ? [] : Choose(network, wanted);
        if (wanted == Auto && dynamics is null)
            throw new ArgumentException("modules=auto needs the measurement of the module dynamics.", nameof(dynamics));
        _reservoir = shared ?? new(options.BufferSize, setup.Width, setup.Random("reservoir"), options.Distillation > 0 ? setup.Classes : 0);
        _repairs = zeros(_names.Length, ScalarType.Int64).DetachFromDisposeScope();
    }

    /// <summary>What the paper claims.</summary>
    public static IReadOnlyList<Claim> Claims { get; } =
    [
        new() { Text = "FPF improves sequential fine-tuning by a large margin (here by at least 0.50).", Task = "class-incremental", Metric = "accuracy", Baseline = "naive", Margin = 0.5 },
        new() { Text = "FPF improves replay methods (here experience replay by at least 0.005).", Task = "class-incremental", Metric = "accuracy", Baseline = "er", Margin = 0.005, MethodOptions = new() { ["on"] = "er" } },
        new() { Text = "k-FPF keeps up with replay (here: at least 90% of experience replay's accuracy).", Task = "class-incremental", Metric = "accuracy", Baseline = "er", BaselineFactor = 0.9, Margin = 0 },
        new() { Text = "k-FPF halves the cost of replay (here: at most 50% of experience replay's sample gradients).", Task = "class-incremental", Metric = "sample_gradients", Baseline = "er", BaselineFactor = 0.5, Margin = 0 },
    ];

    /// <summary>Fine-tuning or replay, with its measurement and repairs.</summary>
    public static Learner Learner(LearnerSetup setup, FpfOptions options)
    {
        var parts = new List<IPart>();
        Reservoir? shared = null;
        switch (options.On)
        {
            case FpfBase.Er:
                var replay = new ExperienceReplay(setup, new() { BufferSize = options.BufferSize });
                shared = replay.Reservoir;
                parts.Add(replay);
                break;
            case FpfBase.DerPp:
                var dark = new DerPlusPlus(setup, new() { BufferSize = options.BufferSize });
                shared = dark.Reservoir;
                parts.Add(dark);
                break;
        }
        var dynamics = options.Measure || options.Modules == Auto ? new ModuleDynamics(setup, options.CheckpointEvery, options.Reference) : null;
        if (dynamics is not null)
            parts.Add(dynamics);
        parts.Add(new Fpf(setup, options, shared, dynamics));
        return new(setup, parts);
    }

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State => [.. _ownsReservoir ? _reservoir.State("fpf") : [], new("fpf.repairs", StateKind.Counter, _repairs)];

    /// <inheritdoc/>
    public IEnumerable<(string Name, double Value, long Step)> Series =>
        _names.Zip(_repairs.Values<long>().ToArray(), (name, count) => ($"repairs/{name}", (double)count, (long)_options.Runs));

    /// <inheritdoc/>
    public void AfterStep(Step step)
    {
        if (_ownsReservoir && step.New.FirstPass)
            Keep(step);
        long done = step.Index + 1;
        // The n-th repair comes after step n·N/k, rounded up, so the last one after the last step.
        if (done <= _streamSteps && done * _options.Runs / _streamSteps != step.Index * _options.Runs / _streamSteps)
            step.Report += Repair(step.Network);
    }

    private void Keep(Step step)
    {
        if (_options.Distillation == 0)
        {
            _reservoir.Offer(step.New.X, step.New.Y);
            return;
        }
        using var _ = no_grad();
        step.Network.Training = false;
        _reservoir.Offer(step.New.X, step.New.Y, step.Network.Forward(step.New.X));
        step.Report += new StepReport(double.NaN, step.New.Count, 0, 0);
    }

    private StepReport Repair(Network network)
    {
        string[] chosen = _fixed.Length > 0 ? _fixed : BySensitivity(network);
        var counts = _repairs.Values<long>();
        foreach (string name in chosen)
            counts[Array.IndexOf(_names, name)]++;
        NetworkModule[] modules = [.. network.Modules.Where(m => chosen.Contains(m.Name))];
        return _dynamics is null ? FineTune(network, modules, _reservoir, _options, _cancellation)
            : _dynamics.Exclude(network, () => FineTune(network, modules, _reservoir, _options, _cancellation));
    }

    /// <summary>The modules that a list of names and groups joined by '+' means.</summary>
    private static string[] Choose(Network network, string wanted)
    {
        var modules = network.Modules;
        string[] chosen = [.. wanted.Split('+', StringSplitOptions.TrimEntries).SelectMany(word => word switch
        {
            "all" => modules,
            "head" => modules.TakeLast(1),
            "first" => modules.Take(1),
            "norm" => modules.Where(m => m.Kind == ModuleKind.BatchNorm),
            _ => modules.Where(m => m.Name == word).ToArray() is { Length: > 0 } named ? named
                : throw InputException.Unknown("module in fpf.modules", word, [Auto, "all", "head", "first", "norm", .. modules.Select(m => m.Name)]),
        }).Select(m => m.Name).Distinct()];
        return chosen.Length > 0 ? chosen : throw NoModule($"'{wanted}', which selects no module of this network");
    }

    /// <summary>The modules above the threshold, or the most sensitive ones that fit into the budget.</summary>
    private string[] BySensitivity(Network network)
    {
        if (_dynamics!.Sensitivity() is not { } scores)
            return Choose(network, "norm+head"); // a repair before the first checkpoint knows nothing yet
        var modules = network.Modules;
        if (_options.Threshold is { } threshold)
        {
            string[] above = [.. modules.Where((_, i) => scores[i] >= threshold).Select(m => m.Name)];
            return above.Length > 0 ? above : throw NoModule(FormattableString.Invariant($"threshold {threshold}, while the largest sensitivity is {scores.Max():G3}"));
        }
        double left = _options.Budget * network.ParameterValues.Length;
        var chosen = new List<string>();
        foreach (int i in ModuleDynamics.Ranking(scores).Where(i => scores[i] > 0))
            if (modules[i].Length <= left)
            {
                chosen.Add(modules[i].Name);
                left -= modules[i].Length;
            }
        return chosen.Count > 0 ? [.. chosen] : throw NoModule(FormattableString.Invariant($"budget {_options.Budget}, which is less than the smallest module"));
    }

    private static InputException NoModule(string found) =>
        InputException.At("fpf.modules", found, "at least one module to repair", "Lower the threshold, raise the budget, or name modules, for instance modules=norm+head.");

    /// <summary>
    /// Fine-tunes some modules on stored rows by SGD without momentum or decay, cross-entropy, the others frozen: their parameters and
    /// statistics keep their bytes. Normalisations among the chosen modules are in training mode, so that their statistics are estimated
    /// anew. Changes the network's mode; uses its gradient.
    /// </summary>
    /// <returns>The rows passed forward and backward, all of them stored ones.</returns>
    /// <exception cref="ArgumentException">No module is given, or the buffer holds nothing, one row, or one class only.</exception>
    public static StepReport FineTune(Network network, IReadOnlyCollection<NetworkModule> modules, Reservoir buffer, FpfOptions options, CancellationToken cancellation)
    {
        if (modules.Count == 0)
            throw new ArgumentException("No module is selected for fine-tuning; give at least one.", nameof(modules));
        if (options.Steps == 0)
            return StepReport.None;
        Refuse(buffer, modules);
        network.Training = false;
        using var optimizer = new Sgd(network, options.LearningRate);
        foreach (var module in network.Modules)
        {
            module.Training = modules.Contains(module);
            optimizer.SetFactor(module, module.Training ? 1 : 0);
        }
        double loss = double.NaN;
        long rows = 0;
        for (int i = 0; i < options.Steps; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            if (options.Cosine)
                optimizer.LearningRate = options.LearningRate * (1 + Math.Cos(Math.PI * i / options.Steps)) / 2;
            network.ZeroGradient();
            var batch = buffer.Draw(options.BatchSize);
            loss = network.AddCrossEntropyGradient(batch.X, batch.Y);
            rows += batch.Count;
            if (options.Distillation > 0)
            {
                // As in DER++, the two terms see rows drawn apart.
                var (kept, logits) = buffer.DrawWithExtra(options.BatchSize);
                network.AddGradient(kept.X, z => options.Distillation * F.mse_loss(z, logits!));
                rows += kept.Count;
            }
            optimizer.Step();
        }
        return new(loss, rows, rows, rows);
    }

    private static void Refuse(Reservoir buffer, IEnumerable<NetworkModule> modules)
    {
        if (buffer.Count == 0)
            throw new ArgumentException("The buffer is empty: nothing can be repaired before rows have been kept.", nameof(buffer));
        if (buffer.Count == 1 && modules.Any(m => m.Kind == ModuleKind.BatchNorm))
            throw new ArgumentException("The buffer holds one row, which has no variance for batch normalisation; keep at least two.", nameof(buffer));
        using var scope = NewDisposeScope();
        long[] labels = buffer.Content.Rows.Y.Values<long>().ToArray();
        if (labels.Distinct().Count() == 1)
            throw new ArgumentException($"The buffer holds class {labels[0]} only: a repair on it would forget all others. Repair later (fewer runs) or keep rows of more classes.", nameof(buffer));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_ownsReservoir)
            _reservoir.Dispose();
        _repairs.Dispose();
    }
}
