using System.Text;
using CsvHelper;
using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data;

/// <summary>Sequences as a file gives them.</summary>
/// <param name="Path">The file.</param>
/// <param name="Names">A name a sequence, each once.</param>
/// <param name="Labels">The class of each; null where any has none.</param>
/// <param name="Residues">Letters in capitals; a gap is -.</param>
/// <param name="Lines">Where each begins.</param>
public sealed record NamedSequences(string Path, IReadOnlyList<string> Names, IReadOnlyList<string>? Labels, IReadOnlyList<string> Residues, IReadOnlyList<int> Lines)
{
    /// <summary>Refuses sequences that are not aligned.</summary>
    /// <exception cref="InputException">Lengths that differ: the first two that do are named with their lines.</exception>
    public void RequireAligned()
    {
        for (int i = 1; i < Residues.Count; i++)
            if (Residues[i].Length != Residues[0].Length)
                throw InputException.At($"{Path}, line {Lines[i]}", $"'{Names[i]}' of {Residues[i].Length:N0} residues, but '{Names[0]}' in line {Lines[0]} of {Residues[0].Length:N0}", "sequences of one length", "Align them first; a gap is '-'.");
    }
}

/// <summary>
/// Reads sequences of proteins or nucleotides: FASTA, or a table (CSV, TSV) with a header and a column <c>sequence</c>. In FASTA the class of a sequence is what its header says after the last <c>|</c>
/// (<c>&gt;name|class</c>), and its name what is before; in a table it is the column <c>label</c> or the one that is named, and the name is the column <c>name</c>, or the line. Residues are the letters and
/// <c>*</c>, in either case; <c>-</c> and <c>.</c> are gaps; spaces, blank lines and lines that begin with <c>;</c> are passed over. Files may be gzip.
/// </summary>
public static class FastaFile
{
    private const int Most = 256 << 20;

    /// <summary>Reads a file. Cost O(length).</summary>
    /// <param name="path">The file.</param>
    /// <param name="label">Of a table the column with the class; null for <c>label</c>.</param>
    /// <exception cref="InputException">The file cannot be read, is empty or too large, has a residue that is none, an empty sequence or a name twice; the message names it and the line.</exception>
    public static NamedSequences Read(string path, string? label = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (Directory.Exists(path))
            throw InputFile.IsFolder(path);
        return InputFile.Reading(path, () =>
        {
            using var stream = InputFile.Open(path).Stream;
            using var whole = new MemoryStream();
            byte[] some = new byte[1 << 16];
            for (int n; (n = stream.Read(some)) > 0; whole.Write(some, 0, n))
                if (whole.Length + n > Most)
                    throw InputException.At(path, $"more than {Most:N0} bytes", $"at most {Most:N0}", "Give a part of the sequences.");
            string text = Encoding.UTF8.GetString(whole.GetBuffer(), 0, (int)whole.Length);
            var sequences = new Reader(path);
            if (text.AsSpan().TrimStart("\uFEFF \t\r\n") is ['>' or ';', ..])
                sequences.Fasta(text);
            else if (text.AsSpan(0, Math.Min(text.Length, 1 << 16)).Contains('\0') || !text.AsSpan(0, Math.Max(0, text.IndexOf('\n'))).Contains("sequence", StringComparison.OrdinalIgnoreCase))
                throw InputException.At(path, string.IsNullOrWhiteSpace(text) ? "blank lines only" : $"{Excerpt.Of(text)} at the beginning", "a header '>name|class' or a table whose header has a column 'sequence'", "Check that this is a FASTA file, or name the column.");
            else
                sequences.Table(whole, label);
            return sequences.All();
        });
    }

    private sealed class Reader(string path)
    {
        private readonly List<string> _names = [], _residues = [];
        private readonly List<string?> _labels = [];
        private readonly List<int> _lines = [];
        private readonly Dictionary<string, int> _known = new(StringComparer.Ordinal);

        public NamedSequences All() => new(path, _names, _labels.Any(l => l is null) ? null : [.. _labels.Select(l => l!)], _residues, _lines);

        public void Fasta(string text)
        {
            var residues = new StringBuilder();
            int line = 0, header = 0;
            string? name = null, label = null;
            foreach (var raw in text.AsSpan().TrimStart('\uFEFF').EnumerateLines())
            {
                line++;
                var part = raw.Trim();
                if (part.IsEmpty || part[0] == ';')
                    continue;
                if (part[0] != '>')
                {
                    Append(residues, part, line);
                    continue;
                }
                if (name is not null)
                    Add(name, label, residues, header);
                int bar = part.LastIndexOf('|');
                name = part[1..(bar < 0 ? part.Length : bar)].Trim().ToString();
                label = bar < 0 || part[(bar + 1)..].Trim().IsEmpty ? null : part[(bar + 1)..].Trim().ToString();
                header = line;
            }
            if (name is null)
                throw InputException.At(path, "remarks only", "sequences", "Check that it was written or downloaded completely.");
            Add(name, label, residues, header);
        }

        public void Table(MemoryStream utf8, string? label)
        {
            utf8.Position = 0;
            try
            {
                using var csv = CsvReader.Create(utf8, new() { HasHeader = false, TrackLineNumbers = true, TrimWhitespace = true, MaxRecordSize = Most, MalformedData = CsvMalformedDataHandling.Throw }, leaveOpen: true);
                csv.Read();
                string[] columns = csv.Current.ToArray();
                int Column(string column) => Array.FindIndex(columns, c => c.Equals(column, StringComparison.OrdinalIgnoreCase));
                int sequence = Column("sequence"), labels = Column(label ?? "label"), names = Column("name");
                if (sequence < 0 || label is not null && labels < 0)
                    throw InputException.At($"{path}, line 1", $"the columns {string.Join(", ", columns.Take(8).Select(Excerpt.Of))}", $"'{(sequence < 0 ? "sequence" : label)}' among them", "Name the column so.");
                var residues = new StringBuilder();
                while (csv.Read())
                {
                    int line = (int)csv.LineNumber;
                    if (csv.FieldCount != columns.Length)
                        throw InputException.At($"{path}, line {line}", $"{csv.FieldCount} fields", $"{columns.Length}, as in the header", "Check that the file is whole.");
                    Append(residues, csv.GetString(sequence), line);
                    Add(names < 0 ? $"line {line}" : csv.GetString(names), labels < 0 || csv.GetString(labels).Length == 0 ? null : csv.GetString(labels), residues, line);
                }
                if (_names.Count == 0)
                    throw InputException.At(path, "a header and no row", "sequences", "Check that it was written or downloaded completely.");
            }
            catch (CsvFormatException e)
            {
                throw new InputException($"{path}, line {e.LineNumber}: found a row that is not CSV ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}); expected fields whose quotes are closed. Check the quotes on this line.", e);
            }
        }

        private void Append(StringBuilder residues, ReadOnlySpan<char> part, int line)
        {
            foreach (char c in part)
            {
                if (c is ' ' or '\t')
                    continue;
                residues.Append(char.IsAsciiLetter(c) ? char.ToUpperInvariant(c) : c is '*' or '-' ? c : c == '.' ? '-'
                    : throw InputException.At($"{path}, line {line}", $"the residue {Excerpt.Of(c.ToString())}", "letters, * and - for a gap", "Check that this line is a sequence; a header begins with '>'."));
            }
        }

        private void Add(string name, string? label, StringBuilder residues, int line)
        {
            if (name.Length == 0)
                throw InputException.At($"{path}, line {line}", "a sequence without a name", "'>name|class'", "Give it one.");
            if (residues.Length == 0)
                throw InputException.At($"{path}, line {line}", $"{Excerpt.Of(name)} without residues", "a sequence", "Check that the file is whole, or leave it out.");
            if (!_known.TryAdd(name, line))
                throw InputException.At($"{path}, line {line}", $"a second {Excerpt.Of(name)}, the first in line {_known[name]}", "each name once", "Leave one out, or name it otherwise.");
            _names.Add(name);
            _labels.Add(label);
            _residues.Add(residues.ToString());
            _lines.Add(line);
            residues.Clear();
        }
    }
}
