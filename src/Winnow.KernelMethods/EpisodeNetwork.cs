using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>A network of layers with ReLU between them as a function of one vector of parameters, for many tasks at once, each with parameters of its own. Cost of rows: their number times parameters.</summary>
public sealed class EpisodeNetwork
{
    private readonly int[] _widths;
    private readonly long[] _parts;
    private readonly bool _bias;

    /// <summary>A network.</summary>
    /// <param name="features">Numbers of a row.</param>
    /// <param name="hidden">Units of each hidden layer; none for a linear model.</param>
    /// <param name="outputs">Numbers of an answer.</param>
    /// <param name="bias">Whether layers have an offset.</param>
    public EpisodeNetwork(int features, IReadOnlyList<int> hidden, int outputs, bool bias = true)
    {
        ArgumentNullException.ThrowIfNull(hidden);
        _widths = [features, .. hidden, outputs];
        if (_widths.Any(w => w < 1))
            throw new ArgumentException($"A layer of {_widths.Min()} units; every layer needs at least one.", nameof(hidden));
        _bias = bias;
        _parts = [.. Enumerable.Range(0, _widths.Length - 1).SelectMany(l => bias ? new long[] { (long)_widths[l] * _widths[l + 1], _widths[l + 1] } : [(long)_widths[l] * _widths[l + 1]])];
    }

    /// <summary>Numbers of a row.</summary>
    public int Features => _widths[0];

    /// <summary>Numbers of an answer.</summary>
    public int Outputs => _widths[^1];

    /// <summary>Parameters: D.</summary>
    public int Size => (int)_parts.Sum();

    /// <summary>Outputs: float64 [tasks, n, outputs].</summary>
    /// <param name="theta">Parameters, [tasks, D].</param>
    /// <param name="x">Rows, [tasks, n, d].</param>
    public Tensor Forward(Tensor theta, Tensor x) => Forward(theta, x, _widths.Length - 1);

    /// <summary>The last hidden layer, or the rows where there is none: [tasks, n, units].</summary>
    internal Tensor Embed(Tensor theta, Tensor x) => Forward(theta, x, _widths.Length - 2);

    /// <summary>Random parameters: normal numbers of variance 2 over the units before, offsets of 0.</summary>
    public double[] Start(SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(random);
        var start = new List<double>();
        for (int l = 0; l < _widths.Length - 1; l++)
        {
            double scale = Math.Sqrt((l < _widths.Length - 2 ? 2.0 : 1.0) / _widths[l]);
            for (int i = 0; i < _widths[l] * _widths[l + 1]; i++)
                start.Add(scale * random.NextNormal());
            if (_bias)
                start.AddRange(new double[_widths[l + 1]]);
        }
        return [.. start];
    }

    private Tensor Forward(Tensor theta, Tensor x, int layers)
    {
        ArgumentNullException.ThrowIfNull(theta);
        ArgumentNullException.ThrowIfNull(x);
        if (theta.dim() != 2 || theta.shape[1] != Size || x.shape[0] != theta.shape[0])
            throw new ArgumentException($"Parameters [{string.Join(", ", theta.shape)}] for rows [{string.Join(", ", x.shape)}]; [tasks, {Size}] are needed.", nameof(theta));
        var parts = theta.split(_parts, 1);
        var h = x;
        for (int l = 0, p = 0; l < layers; l++)
        {
            var w = parts[p++].reshape(theta.shape[0], _widths[l], _widths[l + 1]);
            h = _bias ? h.baddbmm(w, parts[p++].unsqueeze(1)) : h.bmm(w);
            if (l < _widths.Length - 2)
                h = h.relu();
        }
        return h;
    }
}
