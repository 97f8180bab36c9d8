using System.Text;
using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>
/// CoNLL-U treebanks as word classification: each word with its universal part of speech (UPOS, the fourth column) as its class. Features are hashed
/// names: the word, its prefixes and suffixes of one to three letters and its shape, and word and suffix of the neighbours up to two away. Words of several
/// tokens and empty nodes are skipped, as in the CoNLL-U definition of a syntactic word. Where all documents are named after their genre
/// (<c># newdoc id = weblog-...</c>, as in the English Web Treebank), the genres are the domains.
/// </summary>
internal static class ConlluReader
{
    private const string Document = "# newdoc id = ";
    private const int Columns = 10, Longest = 3, Reach = 2;

    /// <summary>Whether a file starts like one.</summary>
    public static bool Starts(ReadOnlySpan<byte> head)
    {
        foreach (string line in Encoding.UTF8.GetString(head).Split('\n'))
            if (!line.StartsWith('#'))
                return line.Split('\t') is { Length: Columns } fields && fields[0] is "1" or "1-2";
        return false;
    }

    /// <summary>Reads all words.</summary>
    public static Table Read(Stream utf8, ReadRequest request)
    {
        if (request.Layout is null)
            Domains.RefuseColumn(request.Where, request.Reading, "a treebank");
        var domains = new DomainEncoder(request.Where, request.Limits);
        var (text, encoder, hashing) = (new SparseTable(request.Where, request.Limits), new LabelEncoder(request.Where, request.Limits), new HashedText(Table.TextDimensions));
        using var reader = new StreamReader(utf8, Encoding.UTF8, leaveOpen: true);
        var sentence = new List<string>();
        int count = 0;
        string? genre = null;
        var genres = new HashSet<string?>();
        for (long line = 1; reader.ReadLine() is { } row; line++)
        {
            if (line % 1024 == 0)
                request.Cancellation.ThrowIfCancellationRequested();
            if (string.IsNullOrWhiteSpace(row))
                Flush();
            if (row.StartsWith(Document, StringComparison.Ordinal))
                genre = row.IndexOf('-', Document.Length) is var dash && dash > Document.Length ? row[Document.Length..dash] : null;
            if (string.IsNullOrWhiteSpace(row) || row.StartsWith('#'))
                continue;
            string[] fields = row.Split('\t');
            if (fields.Length != Columns)
                throw InputException.At($"{request.Where}, line {line}", $"{fields.Length} columns", $"{Columns}, separated by tabs, as CoNLL-U has", "Check this line for missing or extra tabs.");
            if (fields[0].Contains('-', StringComparison.Ordinal) || fields[0].Contains('.', StringComparison.Ordinal))
                continue;
            if (request.Layout is null && fields[3] is "" or "_")
                throw InputException.At($"{request.Where}, line {line}", "no part of speech", "UPOS in the fourth column", "Annotate the word or remove its sentence.");
            sentence.Add(fields[1]);
            encoder.Add(fields[3]);
            genres.Add(genre);
            domains.AddName(genre ?? "");
        }
        Flush();
        if (count == 0)
            throw InputException.At(request.Where, "no words", "sentences", "Check that it was written completely.");
        var (labels, names) = request.Layout is null ? encoder.Finish() : ([], []);
        return new([], 0, null, labels, names, text.Finish()) { Domains = genres.Count < 2 || genres.Contains(null) ? null : domains.Finish("") };

        void Flush()
        {
            for (int i = 0; i < sentence.Count; i++)
                text.Add(hashing.Named([.. Names(sentence, i)]));
            count += sentence.Count;
            sentence.Clear();
        }
    }

    private static IEnumerable<string> Names(List<string> sentence, int at)
    {
        string word = sentence[at], lower = word.ToLowerInvariant();
        yield return $"word={lower}";
        yield return $"shape={(char.IsUpper(word[0]) ? "A" : char.IsDigit(word[0]) ? "0" : char.IsLetter(word[0]) ? "a" : ".")}{(at == 0 ? "^" : "")}";
        for (int n = 1; n <= Math.Min(Longest, lower.Length); n++)
        {
            yield return $"prefix={lower[..n]}";
            yield return $"suffix={lower[^n..]}";
        }
        for (int d = -Reach; d <= Reach; d++)
        {
            if (d == 0)
                continue;
            string near = at + d >= 0 && at + d < sentence.Count ? sentence[at + d].ToLowerInvariant() : "";
            yield return $"word{d}={near}";
            yield return $"suffix{d}={near[^Math.Min(2, near.Length)..]}";
        }
    }
}
