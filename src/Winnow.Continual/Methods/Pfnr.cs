using Winnow.Core;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>
/// Progressive Fourier Neural Representation: many videos, one after another, in one neural decoder. Each picks a sparse subnetwork by
/// learned scores, in space and in Fourier space, may use the weights of earlier videos and writes only into free ones, so that earlier videos
/// decode exactly as before.
/// <para>Paper: Kang et al., Progressive Fourier neural representation for sequential video compilation, ICLR 2024 (arXiv 2306.11305).</para>
/// <para>For video t: minimise <c>0.7 · L1 + 0.3 · (1 − SSIM)</c> of <see cref="FrameDecoder"/> with weights m∘W and a head of its own by
/// <see cref="Adam"/>, made anew for each video (moments would move frozen weights), over W where the union of earlier masks is 0, over the scores, from
/// which m follows at every step, and over the head; then keep m_t and set <c>union ← union ∨ m_t</c>. See <see cref="Subnetwork"/>.
/// When nothing is left free, a video can only reuse weights: the series <c>capacity</c> shows how much is in use.</para>
/// <para>With <see cref="WsnOptions"/>: winning subnetworks (Kang et al., ICML 2022) in space alone. With <see cref="NervOptions"/>: sequential
/// fine-tuning of the dense decoder (NeRV, Chen et al., NeurIPS 2021).</para>
/// <para>Left out: decoders of several resolutions, bilinear and transposed-convolution blocks, the Fourier block beside a convolution. The
/// size is that of weights in use rounded to 8 bits and Huffman-coded, with masks at their binary entropy: an estimate, no file is written.</para>
/// <para>Shapes: inputs [B, 2] (session, time), answers [B, channels · height · width] in (0, 1). Cost: dense compute, a selection O(n) a step;
/// memory: weights, scores, a bit a weight and video, a head a video.</para>
/// </summary>
public sealed class Pfnr : IContinualLearner, IReportsSeries, IReportsAccount
{
    private readonly LearnerSetup _setup;
    private readonly NervOptions _options;
    private readonly FrameDecoder _decoder;
    private readonly Subnetwork? _subnetwork;
    private readonly Tensor _weights, _heads, _frames, _steps;
    private Adam[] _optimizers = [];
    private Tensor? _frozen;
    private int _session = -1;
    private long _stepsOfSession;

    /// <summary>A learner of the kind that the options have.</summary>
    /// <exception cref="ArgumentException">The stream has no frames, or the decoder does not fit them.</exception>
    public Pfnr(LearnerSetup setup, NervOptions options)
    {
        _setup = setup;
        _options = options;
        _decoder = new(setup.Frame ?? throw new ArgumentException("The targets are class labels; expected frames: choose a stream of videos.", nameof(setup)), options);
        _weights = zeros(_decoder.Length).DetachFromDisposeScope();
        _heads = zeros(Sessions, _decoder.HeadLength).DetachFromDisposeScope();
        _frames = zeros(Sessions, ScalarType.Int64).DetachFromDisposeScope();
        _steps = zeros(1, ScalarType.Int64).DetachFromDisposeScope();
        var random = setup.Random("weights");
        Subnetwork.Draw(_decoder.Tensors, _weights, random);
        for (int j = 0; j < Sessions; j++)
            using (var head = _heads[j])
                Subnetwork.Draw(_decoder.Head, head, random);
        if (options is WsnOptions wsn)
            _subnetwork = new(_decoder.Tensors, Sessions, wsn.Kept, setup.Random("scores"));
    }

    /// <summary>The paper's claims.</summary>
    internal static IReadOnlyList<Claim> Claims { get; } =
    [
        new()
        {
            Text = "Large gains in PSNR over continual baselines on UVG8, UVG17 and DAVIS50 with no forgetting at all; here: 8 dB above sequential fine-tuning of the same decoder.",
            Task = "video", Metric = "psnr", Baseline = "nerv", Margin = 8,
        },
        new()
        {
            Text = "Earlier videos decode exactly as before: the backward transfer is not below 0.",
            Task = "video", Metric = "psnr_backward_transfer", Baseline = "nerv", BaselineFactor = 0, Margin = 0,
        },
        new()
        {
            Text = "The Fourier block is worth 0.3 dB against subnetworks in space alone that store as many weights.",
            Task = "video", Metric = "psnr", Baseline = "wsn", Margin = 0.3,
        },
    ];

    /// <inheritdoc/>
    public IEnumerable<StateEntry> State =>
    [
        new("weights", StateKind.Model, _weights), new("heads", StateKind.Model, _heads),
        .. _subnetwork is null ? (StateEntry[])[] : [new("scores", StateKind.Statistics, _subnetwork.Scores), new("masks", StateKind.Statistics, _subnetwork.StoredBits)],
        new("frames", StateKind.Counter, _frames), new("steps", StateKind.Counter, _steps),
    ];

    private int Sessions => _setup.Training.Tasks;

    /// <summary>The videos learned so far.</summary>
    private IEnumerable<int> Learned => Enumerable.Range(0, Sessions).Where(j => _frames.Values<long>()[j] > 0);

    /// <inheritdoc/>
    public void BeginTask(TaskInfo task, Batch train)
    {
        using var scope = NewDisposeScope();
        _session = SessionOf(train.X);
        foreach (var old in _optimizers)
            old.Dispose();
        _optimizers = [.. ((long[])[_decoder.Length, _decoder.HeadLength, _decoder.Length]).Select(n => new Adam((int)n, 0, _options.Beta1))];
        _steps.Values<long>()[0] = 0;
        _stepsOfSession = (long)_setup.Training.Epochs * ContinualStream.BatchCount(train.Count, _setup.Training.BatchSize);
        _frozen?.Dispose();
        _frozen = _subnetwork?.Union(Learned.Where(j => j != _session)).DetachFromDisposeScope();
        if (_options is WsnOptions { FreshScores: true })
            Subnetwork.Draw(_decoder.Tensors, _subnetwork!.Scores, _setup.Random($"scores/{_session}"));
    }

    /// <inheritdoc/>
    public StepReport Observe(Batch batch)
    {
        if (_session < 0 || SessionOf(batch.X) != _session)
            throw new InvalidOperationException("A video is learned between its begin and its end: begin the video of these frames first.");
        using var scope = NewDisposeScope();
        var mask = _subnetwork?.Mask();
        var weights = (mask is null ? _weights.clone() : Subnetwork.InUse(_weights, mask)).requires_grad_();
        var head = _heads[_session];
        var headLeaf = head.clone().requires_grad_();
        var answers = _decoder.Forward(batch.X, weights, headLeaf);
        var loss = FrameLoss.Of(answers, batch.Y.view(answers.shape), _options.Ssim);
        loss.backward();

        double rate = _setup.Training.LearningRate * Schedule((double)_steps.Values<long>()[0]++ / _stepsOfSession, _options.WarmUp);
        var byWeights = weights.grad!;
        if (mask is not null)
        {
            (byWeights, var byScores) = _subnetwork!.Gradients(byWeights, _weights, mask, _frozen!);
            Move(2, _subnetwork.Scores, byScores);
        }
        Move(0, _weights, byWeights);
        Move(1, head, headLeaf.grad!);
        return new(loss.item<float>(), batch.Count, batch.Count, 0);

        void Move(int optimizer, Tensor parameters, Tensor gradient)
        {
            using var dense = gradient.contiguous();
            _optimizers[optimizer].LearningRate = rate;
            _optimizers[optimizer].Step(parameters.Values<float>(), dense.Values<float>());
        }
    }

    /// <summary>The factor on the step size: from 0.1 to 1 in the warm-up, then down to 0 by half a cosine.</summary>
    internal static double Schedule(double progress, double warmUp) =>
        progress < warmUp ? 0.1 + 0.9 * progress / warmUp : 0.5 * (1 + Math.Cos(Math.PI * Math.Min(1, (progress - warmUp) / (1 - warmUp))));

    /// <inheritdoc/>
    public StepReport EndTask(TaskInfo task, Batch train)
    {
        using var scope = NewDisposeScope();
        int session = SessionOf(train.X);
        if (_subnetwork is { } subnetwork)
            subnetwork.Store(session, subnetwork.Mask());
        _frames.Values<long>()[session] = train.Count;
        return StepReport.None;
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor x, TaskInfo? task = null) => Decode(x, _weights, _heads);

    private Tensor Decode(Tensor x, Tensor weights, Tensor heads)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var answers = zeros(x.shape[0], _setup.Frame!.Aggregate(1, (a, b) => a * b));
        int[] sessions = SessionsOf(x);
        foreach (var rows in sessions.Select((session, row) => (session, row)).GroupBy(r => r.session, r => (long)r.row))
        {
            var index = tensor(rows.ToArray());
            var used = _subnetwork is null ? weights : Subnetwork.InUse(weights, Learned.Contains(rows.Key) ? _subnetwork.Stored(rows.Key) : _subnetwork.Mask());
            answers.index_copy_(0, index, _decoder.Forward(x.index_select(0, index), used, heads[rows.Key]).flatten(1));
        }
        return answers.MoveToOuterDisposeScope();
    }

    /// <summary>The sessions of coordinates [B, 2].</summary>
    private int[] SessionsOf(Tensor x)
    {
        using var column = x.select(1, 0).contiguous();
        return [.. column.Values<float>().ToArray().Select((p, row) =>
        {
            double session = p * (Sessions + 1) - 1;
            int nearest = (int)Math.Round(session);
            return Math.Abs(session - nearest) < 1e-3 && nearest >= 0 && nearest < Sessions ? nearest
                : throw new ArgumentException($"Row {row} has the session coordinate {p}; expected one of 1/{Sessions + 1} to {Sessions}/{Sessions + 1}.", nameof(x));
        })];
    }

    private int SessionOf(Tensor x) => SessionsOf(x).Distinct().ToArray() is [var one] ? one : throw new ArgumentException("The rows are of several videos; expected one.", nameof(x));

    /// <summary>Share of weights in use after each video, and share of a video's weights that another uses too.</summary>
    public IEnumerable<(string Name, double Value, long Step)> Series
    {
        get
        {
            if (_subnetwork is null)
                yield break;
            using var scope = NewDisposeScope();
            var masks = Learned.ToDictionary(j => j, j => _subnetwork.Stored(j));
            foreach (var (i, mask) in masks)
            {
                yield return ("capacity", Count(_subnetwork.Union(Learned.Where(j => j <= i))) / (double)_decoder.Length, i + 1);
                foreach (var (j, other) in masks)
                    yield return ($"overlap/{j + 1}", Count(mask.logical_and(other)) / (double)Count(mask), i + 1);
            }
        }
    }

    /// <summary>Size of what decodes the videos learned, rounded and entropy-coded, and the PSNR of its frames against those of the weights as they are.</summary>
    public IEnumerable<(string Kind, double Amount)> Account
    {
        get
        {
            if (!Learned.Any())
                return [];
            using var scope = NewDisposeScope();
            var (weights, heads) = (_weights.clone(), _heads.clone());
            double bits = WeightCode.Round(weights, _decoder.Tensors, _subnetwork?.Union(Learned), _options.Bits);
            double fidelity = 0;
            foreach (int j in Learned)
            {
                bits += WeightCode.Round(heads[j], _decoder.Head, null, _options.Bits);
                if (_subnetwork?.Stored(j) is { } mask)
                    bits += _decoder.Tensors.Sum(t => WeightCode.MaskBits(Count(mask.narrow(0, t.Offset, t.Length)), t.Length));
                long frames = _frames.Values<long>()[j];
                var x = stack([full(frames, (j + 1f) / (Sessions + 1)), arange(frames) / (float)frames], 1);
                fidelity += Scoring.Psnr(Decode(x, weights, heads), Decode(x, _weights, _heads)) / Learned.Count();
            }
            return [("coded_bytes", Math.Ceiling(bits / 8)), ("coded_fidelity_db", fidelity)];
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var owned in (IEnumerable<IDisposable?>)[_weights, _heads, _frames, _steps, _subnetwork, _frozen, .. _optimizers])
            owned?.Dispose();
    }

    private static long Count(Tensor mask) => mask.sum().item<long>();
}
