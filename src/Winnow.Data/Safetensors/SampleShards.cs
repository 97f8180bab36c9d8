using System.Globalization;
using System.Runtime.InteropServices;
using Winnow.Core;

namespace Winnow.Data;

/// <summary>A tensor that every sample of a data set has, e.g. a field or a solution.</summary>
/// <param name="Name">Its name in the shards.</param>
/// <param name="Shape">Its shape in one sample; the shards have the samples as a further, first dimension.</param>
public sealed record SampleTensor(string Name, IReadOnlyList<int> Shape)
{
    /// <summary>Numbers in one sample.</summary>
    public int Length => Shape.Aggregate(1, (a, b) => checked(a * b));
}

/// <summary>
/// A data set of float64 samples in a folder of safetensors shards, <c>shard-00000.safetensors</c> and so on, each of which has the tensors
/// and, as <c>index</c>, which samples they are. A shard appears whole or not at all, so that writing may end at any moment, by
/// cancellation or by the power, and go on later without a sample lost or doubled. The samples may come in any order. One writer at a time:
/// it locks the folder.
/// </summary>
public sealed class SampleShards
{
    private const string IndexName = "index", CountKey = "samples", IdentityKey = "identity", LockName = "writing.lock";
    private readonly string _folder, _identity;
    private readonly int _samples;
    private readonly SampleTensor[] _tensors;

    /// <summary>A data set, begun or not.</summary>
    /// <param name="folder">Its folder; made by the first write.</param>
    /// <param name="samples">Samples it has when it is complete.</param>
    /// <param name="tensors">What each sample has: distinct names.</param>
    /// <param name="identity">What the samples are made of (problem, seed, tolerance): shards of another identity are refused, so that a run never goes on with other settings.</param>
    /// <exception cref="ArgumentException">No tensors, or names that repeat.</exception>
    public SampleShards(string folder, int samples, IReadOnlyList<SampleTensor> tensors, string identity)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentOutOfRangeException.ThrowIfNegative(samples);
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentNullException.ThrowIfNull(identity);
        if (tensors.Count == 0 || tensors.Select(t => t.Name).Append(IndexName).Distinct(StringComparer.Ordinal).Count() <= tensors.Count)
            throw new ArgumentException($"tensors {string.Join(", ", tensors.Select(t => t.Name))}; expected at least one, and distinct names other than '{IndexName}'", nameof(tensors));
        (_folder, _samples, _tensors, _identity) = (folder, samples, [.. tensors], identity);
    }

    /// <summary>Which samples are stored. Cost: the headers and indices of the shards.</summary>
    /// <exception cref="InputException">A shard is damaged, is of another data set, or holds a sample that another one has.</exception>
    public bool[] Stored()
    {
        var stored = new bool[_samples];
        foreach (string path in Shards())
        {
            using var file = SafetensorsFile.Open(path);
            foreach (long i in Indices(file, path))
            {
                if (stored[i])
                    throw InputException.At(path, $"sample {i}, which an earlier shard has too", "every sample once", "Remove one of the two shards and write again.");
                stored[i] = true;
            }
        }
        return stored;
    }

    /// <summary>
    /// Writes the samples that are missing; returns how many those were. What is cancelled or throws has stored all samples made before it,
    /// the last of them in a shorter shard.
    /// </summary>
    /// <param name="samples">Makes the samples of the given indices, each once and in any order: the index, and the numbers of each tensor. They are asked for one at a time.</param>
    /// <param name="samplesPerShard">Samples in a shard.</param>
    /// <param name="progress">Is told how many samples are stored, after each shard.</param>
    /// <param name="cancellation">Looked at before each sample.</param>
    /// <exception cref="InputException">The folder cannot be written, another writer holds it, or its shards are not of this data set.</exception>
    /// <exception cref="ArgumentException">A sample was not asked for, comes twice, is missing at the end, or has another size than its tensors.</exception>
    public int Write(Func<IReadOnlyList<int>, IEnumerable<(int Index, double[][] Values)>> samples, int samplesPerShard = 256, IProgress<int>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(samples);
        ArgumentOutOfRangeException.ThrowIfLessThan(samplesPerShard, 1);
        using var held = Lock();
        bool[] stored = Stored();
        int[] missing = [.. Enumerable.Range(0, _samples).Where(i => !stored[i])];
        int shard = Shards().Select(Number).DefaultIfEmpty(-1).Max() + 1, written = 0;
        var pending = new List<(int Index, double[][] Values)>(samplesPerShard);
        try
        {
            if (missing.Length > 0)
            {
                foreach (var sample in samples(missing))
                {
                    Check(sample, stored);
                    stored[sample.Index] = true;
                    pending.Add(sample);
                    if (pending.Count == samplesPerShard)
                        Flush();
                    cancellation.ThrowIfCancellationRequested();
                }
            }
            Flush();
        }
        catch
        {
            Flush();
            throw;
        }
        if (written != missing.Length)
            throw new ArgumentException($"{written} of {missing.Length} missing samples were made; expected every index that was asked for", nameof(samples));
        return written;

        void Flush()
        {
            if (pending.Count == 0)
                return;
            WriteShard(shard++, pending);
            written += pending.Count;
            pending.Clear();
            progress?.Report(_samples - missing.Length + written);
        }
    }

    /// <summary>Reads all samples stored, shard by shard: the index, and the numbers of each tensor.</summary>
    /// <exception cref="InputException">A shard is damaged, or is of another data set.</exception>
    public IEnumerable<(int Index, double[][] Values)> Read()
    {
        foreach (string path in Shards())
        {
            using var file = SafetensorsFile.Open(path);
            long[] indices = Indices(file, path);
            double[][] columns = [.. _tensors.Select(t =>
            {
                var values = new double[indices.Length * t.Length];
                file.Read(file[t.Name], MemoryMarshal.AsBytes(values.AsSpan()));
                return values;
            })];
            for (int i = 0; i < indices.Length; i++)
                yield return ((int)indices[i], [.. columns.Select((c, t) => c[(i * _tensors[t].Length)..((i + 1) * _tensors[t].Length)])]);
        }
    }

    private void WriteShard(int number, List<(int Index, double[][] Values)> samples)
    {
        long[] indices = [.. samples.Select(s => (long)s.Index)];
        List<SafetensorsTensor> tensors = [SafetensorsTensor.I64(IndexName, [indices.Length], indices)];
        for (int t = 0; t < _tensors.Length; t++)
        {
            int which = t;
            tensors.Add(new(_tensors[t].Name, TensorType.F64, [indices.Length, .. _tensors[t].Shape.Select(s => (long)s)], stream =>
            {
                foreach (var (_, values) in samples)
                    stream.Write(MemoryMarshal.AsBytes(values[which].AsSpan()));
            }));
        }
        var metadata = new Dictionary<string, string> { [CountKey] = _samples.ToString(CultureInfo.InvariantCulture), [IdentityKey] = _identity };
        WholeFile.Write(Path.Combine(_folder, $"shard-{number:D5}.safetensors"), stream => SafetensorsWriter.Write(stream, tensors, metadata));
    }

    private void Check((int Index, double[][] Values) sample, bool[] stored)
    {
        if (sample.Index < 0 || sample.Index >= _samples || stored[sample.Index])
            throw new ArgumentException($"sample {sample.Index} was made; expected one of those asked for, once");
        if (sample.Values.Length != _tensors.Length)
            throw new ArgumentException($"sample {sample.Index} has {sample.Values.Length} tensors; expected {_tensors.Length}");
        for (int t = 0; t < _tensors.Length; t++)
        {
            if (sample.Values[t].Length != _tensors[t].Length)
                throw new ArgumentException($"'{_tensors[t].Name}' of sample {sample.Index} has {sample.Values[t].Length} numbers; expected {_tensors[t].Length}");
        }
    }

    private long[] Indices(SafetensorsFile file, string path)
    {
        const string remedy = "Choose another folder, or the settings that the data set was begun with.";
        if (file.Metadata.GetValueOrDefault(IdentityKey) is var identity && identity != _identity)
            throw InputException.At(path, identity is null ? "no data set's shard" : $"samples of '{identity}'", $"those of '{_identity}'", remedy);
        if (file.Metadata.GetValueOrDefault(CountKey) is var count && count != _samples.ToString(CultureInfo.InvariantCulture))
            throw InputException.At(path, $"a data set of {count} samples", $"one of {_samples}", remedy);
        var entry = file[IndexName];
        if (entry.Type != TensorType.I64 || entry.Shape.Count != 1)
            throw InputException.At(path, $"indices as {entry.Type.Code()} of {entry.Shape.Count} dimensions", "I64 of one", remedy);
        var indices = new long[entry.Count];
        file.Read(entry, MemoryMarshal.AsBytes(indices.AsSpan()));
        foreach (var tensor in _tensors)
        {
            if (file[tensor.Name] is var t && (t.Type != TensorType.F64 || !t.Shape.SequenceEqual([indices.Length, .. tensor.Shape.Select(s => (long)s)])))
                throw InputException.At(path, $"'{tensor.Name}' of shape [{string.Join(", ", t.Shape)}], {t.Type.Code()}", $"[{indices.Length}, {string.Join(", ", tensor.Shape)}], F64", remedy);
        }
        foreach (long i in indices)
        {
            if (i < 0 || i >= _samples)
                throw InputException.At(path, $"sample {i}", $"0 to {_samples - 1}", remedy);
        }
        return indices;
    }

    private IEnumerable<string> Shards() => Directory.Exists(_folder)
        ? Directory.EnumerateFiles(_folder, "shard-*.safetensors").Where(p => Number(p) >= 0).Order(StringComparer.Ordinal) : [];

    private static int Number(string path) =>
        int.TryParse(Path.GetFileNameWithoutExtension(path).AsSpan("shard-".Length), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : -1;

    /// <summary>Held open without sharing: gone with the process, however that ends.</summary>
    private FileStream Lock()
    {
        string path = Path.Combine(_folder, LockName);
        try
        {
            Directory.CreateDirectory(_folder);
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{_folder}: found a folder that is being written or cannot be ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}); expected one for this writer alone. Wait for the other, or choose another folder.", e);
        }
    }
}
