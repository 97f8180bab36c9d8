using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Winnow.Core;
using Winnow.Data;
using Winnow.Numerics.Sparse;

namespace Winnow.Bench;

/// <summary>
/// Products of sparse matrices in float64 beside SciPy and SuiteSparse:GraphBLAS: words of a corpus that occur together, users who rated the
/// same, paths of length two in a citation graph and in a random graph. Equal results: as many entries, and two weighted sums that agree.
/// The real matrices are measured where <c>WINNOW_DATA</c> has them.
/// </summary>
internal static class SparseProductsBench
{
    private const string Name = "compute.spgemm";
    private const int Threads = 2, Repetitions = 7;

    /// <summary>Two orders of sums of up to 10⁷ terms, nearly all positive, agree to 10⁷·2⁻⁵³; what is compared is no better than that.</summary>
    private const double Tolerance = 1e-9;

    /// <summary>Runs of ours before it is measured: the runtime compiles in stages, and the last comes after 30 calls.</summary>
    private static readonly TimeSpan Warming = TimeSpan.FromSeconds(1);

    public static IEnumerable<BenchCase> Cases =>
        from matrix in Matrices
        from peer in (Peer[])[new("scipy", "SciPy", 0.8, "a python3 that has scipy (Debian: apt-get install python3-scipy)"),
            new("graphblas", "SuiteSparse:GraphBLAS", 1.0, "SuiteSparse:GraphBLAS and a python3 that has scipy (Debian: apt-get install libgraphblas-dev python3-scipy)")]
        select new BenchCase(Name, $"{matrix.What}, beside {peer.Title}, {Threads} threads", "s", Better.Lower, peer.Target, c => Run(matrix.Make, peer, PythonPeer.Candidates, c));

    private static IEnumerable<(string What, Func<(SparseMatrix<double> A, SparseMatrix<double> B)> Make)> Matrices
    {
        get
        {
            if (DataFolders.FromEnvironment().Data is { } data)
            {
                if (File.Exists(Path.Combine(data, "text", "ag_news_test.csv")))
                    yield return ("AG News words, DᵀD", () => Corpus(Path.Combine(data, "text", "ag_news_test.csv")) is var d ? (d.Transpose(), d) : default);
                if (File.Exists(Path.Combine(data, "movielens-100k", "u.data")))
                    yield return ("MovieLens users, UUᵀ", () => Edges(Path.Combine(data, "movielens-100k", "u.data"), 0, w => (w[0] - 1, w[1] - 1, w[2])) is var u ? (u, u.Transpose()) : default);
                if (File.Exists(Path.Combine(data, "cora", "edges.tsv")))
                    yield return ("Cora citations, A²", () => Edges(Path.Combine(data, "cora", "edges.tsv"), 1, w => (w[0], w[1], 1)) is var e ? Square(Undirected(e)) : default);
            }
            yield return ("R-MAT 13 with 16 edges a vertex, A²", () => Square(SparseMatrix.RMat<double>(13, 16, new SeededRandom(1, "graph"))));
        }
    }

    /// <summary>A peer and what is aimed at beside it.</summary>
    internal sealed record Peer(string Library, string Title, double Target, string Missing);

    /// <summary>Measures, beside the first of the Python programs that has the library.</summary>
    public static BenchMeasurement Run(Func<(SparseMatrix<double> A, SparseMatrix<double> B)> make, Peer peer, IReadOnlyList<string> pythons, CancellationToken cancellation)
    {
        var (a, b) = make();
        var options = new ProductOptions { Threads = Threads };
        string prefix = Path.GetTempFileName();
        try
        {
            Write(a, prefix + ".a");
            Write(b, prefix + ".b");
            using var other = PythonPeer.Start(pythons, "spgemm.py", $"{peer.Library},{Threads},{prefix}");
            bool? accurate = other is null ? null : Same(SparseMatrix.Multiply(a, b, options, cancellation: cancellation).Matrix, other.Ask("check"));
            long begin = Stopwatch.GetTimestamp();
            for (int runs = 0; runs < 3 || Stopwatch.GetElapsedTime(begin) < Warming; runs++)
                SparseMatrix.Multiply(a, b, options, cancellation: cancellation);
            List<double> ours = [], theirs = [];
            for (int i = 0; i <= Repetitions; i++)
            {
                long start = Stopwatch.GetTimestamp();
                SparseMatrix.Multiply(a, b, options, cancellation: cancellation);
                ours.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
                if (other is not null)
                    theirs.Add(other.Ask("seconds")[0]);
            }
            return new BenchMeasurement(TrainingStep.MedianWithoutFirst(ours), other?.Name ?? peer.Title, other is null ? null : TrainingStep.MedianWithoutFirst(theirs), accurate, other is null ? peer.Missing : null);
        }
        finally
        {
            foreach (string file in (string[])[prefix, prefix + ".a", prefix + ".b"])
                File.Delete(file);
        }
    }

    private static bool Same(SparseMatrix<double> c, double[] theirs)
    {
        double sum = 0, weighted = 0;
        for (int i = 0; i < c.Rows; i++)
        {
            for (long p = c.Starts[i]; p < c.Starts[i + 1]; p++)
            {
                sum += c.Values[p];
                weighted += c.Values[p] / ((1.0 + i) * (1.0 + c.Indices[p]));
            }
        }
        return c.Entries == (long)theirs[0] && Math.Abs(sum - theirs[1]) <= Tolerance * Math.Abs(sum) && Math.Abs(weighted - theirs[2]) <= Tolerance * Math.Abs(weighted);
    }

    private static void Write(SparseMatrix<double> m, string path)
    {
        using var file = File.Create(path);
        file.Write(MemoryMarshal.AsBytes<long>([m.Rows, m.Columns, m.Entries]));
        file.Write(MemoryMarshal.AsBytes(m.Starts.AsSpan()));
        file.Write(MemoryMarshal.AsBytes(m.Indices.AsSpan()));
        file.Write(MemoryMarshal.AsBytes(m.Values.AsSpan()));
    }

    private static (SparseMatrix<double>, SparseMatrix<double>) Square(SparseMatrix<double> a) => (a, a);

    /// <summary>How often each word of the corpus occurs in each of its lines; words are numbered as they come. The first field is the class.</summary>
    private static SparseMatrix<double> Corpus(string path)
    {
        var words = new Dictionary<string, int>();
        var entries = new List<(int, int, double)>();
        int rows = 0;
        foreach (string line in File.ReadLines(path))
        {
            for (int at = line.IndexOf(',', StringComparison.Ordinal), start = at; at >= 0 && at <= line.Length; at++)
            {
                if (at < line.Length && char.IsLetterOrDigit(line[at]))
                    continue;
                if (at > start)
                {
                    string word = line[start..at].ToLowerInvariant();
                    words.TryAdd(word, words.Count);
                    entries.Add((rows, words[word], 1));
                }
                start = at + 1;
            }
            rows++;
        }
        return SparseMatrix.FromEntries(rows, words.Count, entries);
    }

    private static SparseMatrix<double> Edges(string path, int header, Func<int[], (int Row, int Column, double Value)> entry)
    {
        var entries = File.ReadLines(path).Skip(header).Select(l => entry([.. l.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Select(w => int.Parse(w, CultureInfo.InvariantCulture))])).ToList();
        return SparseMatrix.FromEntries(entries.Max(e => e.Row) + 1, entries.Max(e => e.Column) + 1, entries);
    }

    private static SparseMatrix<double> Undirected(SparseMatrix<double> edges)
    {
        int size = Math.Max(edges.Rows, edges.Columns);
        return SparseMatrix.FromEntries(size, size, Enumerable.Range(0, edges.Rows).SelectMany(i =>
            Enumerable.Range((int)edges.Starts[i], (int)(edges.Starts[i + 1] - edges.Starts[i])).SelectMany(p => new[] { (i, edges.Indices[p], 1.0), (edges.Indices[p], i, 1.0) })));
    }
}
