using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// Rows from one conditional autoencoder that is trained on all tasks in turn. Against its own forgetting it learns, beside the rows of each
/// mini-batch, as many a class from every earlier component, drawn from the copy of it that was taken when the task began.
/// </summary>
internal sealed class GenerativeSupport : ISupportSource
{
    private readonly LearnerSetup _setup;
    private readonly GkclOptions _options;
    private readonly Tensor _before, _seen;
    private readonly Counter _steps = new("gkcl.vae.steps");

    public GenerativeSupport(LearnerSetup setup, GkclOptions options)
    {
        _setup = setup;
        _options = options;
        int components = Components.Count(setup);
        Vae = new(setup.Width, components, options.GeneratorHidden, options.Latent, setup.Random("vae"));
        _before = zeros(Vae.Parameters.Length).DetachFromDisposeScope();
        _seen = zeros(components, ScalarType.Int64).DetachFromDisposeScope();
    }

    /// <summary>The generator.</summary>
    public ConditionalVae Vae { get; }

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
        [.. Vae.Parameters.State, new("gkcl.vae.before", StateKind.Statistics, _before), new("gkcl.vae.seen", StateKind.Counter, _seen), _steps.State];

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        Vae.Parameters.Reset();
        Vae.Parameters.Values.Values<float>().CopyTo(_before.Values<float>());
        foreach (int label in task.Classes)
            _seen.Values<long>()[Components.Of(_setup, task.Id, label)] = 1 + task.Id;
    }

    /// <inheritdoc/>
    public StepReport Learn(TaskInfo task, Batch batch)
    {
        using var scope = NewDisposeScope();
        var offset = _setup.NewClasses ? 0 : task.Id * _setup.Classes;
        var fresh = new Batch(batch.X, batch.Y + offset);
        long[] earlier = _options.GeneratorReplay ? [.. Enumerable.Range(0, (int)_seen.numel()).Where(c => _seen.Values<long>()[c] is > 0 and var t && t <= task.Id).Select(c => (long)c)] : [];
        int each = (batch.Count + task.Classes.Count - 1) / task.Classes.Count;
        var report = StepReport.None;
        for (int i = 0; i < _options.GeneratorSteps; i++)
        {
            var random = _setup.Random($"vae/{_steps.Value++}");
            var rows = earlier.Length == 0 ? fresh : Joined(fresh, Before([.. earlier.SelectMany(c => Enumerable.Repeat(c, each))], random));
            Vae.Parameters.ZeroGradient();
            var loss = Vae.Loss(rows, random.Normal(rows.Count, Vae.Latent), _options.Beta, _options.Contrast, _options.ContrastTemperature);
            loss.backward();
            Vae.Parameters.AdamStep(_options.GeneratorRate);
            report += new StepReport(double.NaN, rows.Count, rows.Count, rows.Count - batch.Count);
        }
        return report;
    }

    /// <inheritdoc/>
    public Tensor Rows(int task, int label, int count, SeededRandom random)
    {
        using var scope = NewDisposeScope();
        int component = Components.Of(_setup, task, label);
        if (_seen.Values<long>()[component] == 0)
            throw new ArgumentException($"the generator was asked for class {label} of task {task}, which it never saw: learn its task first", nameof(label));
        return Vae.Sample(full(count, component, ScalarType.Int64), random.Normal(count, Vae.Latent)).MoveToOuterDisposeScope();
    }

    private Batch Before(long[] components, SeededRandom random)
    {
        var labels = tensor(components);
        return new(Vae.Parameters.With(_before, () => Vae.Sample(labels, random.Normal(components.Length, Vae.Latent))), labels);
    }

    private static Batch Joined(Batch a, Batch b) => new(cat([a.X, b.X]), cat([a.Y, b.Y]));

    /// <inheritdoc/>
    public void Dispose()
    {
        Vae.Dispose();
        _before.Dispose();
        _seen.Dispose();
        _steps.Dispose();
    }
}
