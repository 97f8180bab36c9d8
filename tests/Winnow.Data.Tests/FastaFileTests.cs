using System.IO.Compression;
using System.Text;
using Winnow.Core;

namespace Winnow.Data.Tests;

public sealed class FastaFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-fasta").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private NamedSequences Read(string text, string? label = null, string name = "some.fasta")
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return FastaFile.Read(path, label);
    }

    private string Refused(string text, string? label = null) => Assert.Throws<InputException>(() => Read(text, label)).Message;

    [Fact]
    public void Sequences_over_several_lines_names_and_classes_are_read()
    {
        var file = Read("; a remark\r\n>one two|x | bird \r\nACd\r\n\r\n-E.\r\n>three|cow\nAC DE*X\n");
        Assert.Equal(["one two|x", "three"], file.Names);
        Assert.Equal(["bird", "cow"], file.Labels!);
        Assert.Equal(["ACD-E-", "ACDE*X"], file.Residues);
        Assert.Equal([2, 6], file.Lines);
        file.RequireAligned();
        Assert.Null(Read(">a|x\nAC\n>b\nAC").Labels);
    }

    [Theory, InlineData(',', "label", null), InlineData('\t', "host", "host"), InlineData(';', "Label", null)]
    public void A_table_is_read_by_the_names_of_its_columns(char separator, string column, string? label)
    {
        var file = Read($"id,{column},Sequence\n1,bird,acde\n2,\"cow\",AC-E\n".Replace(',', separator), label);
        Assert.Equal(["line 2", "line 3"], file.Names);
        Assert.Equal(["bird", "cow"], file.Labels!);
        Assert.Equal(["ACDE", "AC-E"], file.Residues);
        Assert.Null(Read("sequence\nACDE\n").Labels);
    }

    [Fact]
    public void A_compressed_file_is_read()
    {
        string path = Path.Combine(_folder, "some.fasta.gz");
        using (var gzip = new GZipStream(File.Create(path), CompressionLevel.Fastest))
            gzip.Write(Encoding.UTF8.GetBytes(">a|x\nACD\n"));
        Assert.Equal(["ACD"], FastaFile.Read(path).Residues);
        byte[] bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, bytes[..(bytes.Length / 2)]);
        Assert.Contains("gzip", Assert.Throws<InputException>(() => FastaFile.Read(path)).Message);
    }

    [Fact]
    public void What_is_no_sequence_is_refused_with_its_line()
    {
        Assert.Contains("line 4: found the residue '5'", Refused(">a\nAC\n>b\nA5\n"));
        Assert.Contains("line 2: found the residue '\\u0000'", Refused(">a\nA\0C\n"));
        Assert.Contains("line 3: found 'b' without residues", Refused(">a\nAC\n>b\n")); // the end is missing
        Assert.Contains("line 1: found 'a' without residues", Refused(">a\n>b\nAC\n"));
        Assert.Contains("line 3: found a second 'a', the first in line 1", Refused(">a|x\nAC\n>a|y\nAC\n"));
        Assert.Contains("without a name", Refused(">|x\nAC\n"));
        Assert.Contains("an empty file", Refused(""));
        Assert.Contains("blank lines only", Refused(" \n\n"));
        Assert.Contains("remarks only", Refused("; nothing\n"));
        Assert.Contains("expected a header '>name|class'", Refused("ACD\n>a\nAC\n"));
        Assert.Contains("expected a header '>name|class'", Refused("\u0001\u0002\0sequence\n\0\0"));
        Assert.Contains("'sequence' among them", Refused("sequences,label\nAC,x\n"));
        Assert.Contains("'host' among them", Refused("sequence,label\nAC,x\n", "host"));
        Assert.Contains("line 3: found 1 fields", Refused("sequence,label\nAC,x\nAC\n"));
        Assert.Contains("no row", Refused("sequence,label\n"));
        Assert.Contains("not CSV", Refused("sequence,label\n\"AC,x\n"));
        Assert.Contains("a folder", Assert.Throws<InputException>(() => FastaFile.Read(_folder)).Message);
        Assert.Contains("nothing", Assert.Throws<InputException>(() => FastaFile.Read(Path.Combine(_folder, "none.fasta"))).Message);
        var unequal = Read(">a|x\nACD\n>b|x\nACD\n>c|y\nAC\n");
        Assert.Contains("line 5: found 'c' of 2 residues, but 'a' in line 1 of 3", Assert.Throws<InputException>(unequal.RequireAligned).Message);
    }

    [Fact] // a stream of random bytes is read or refused, never anything else
    public void Damaged_files_are_refused_or_read()
    {
        var random = new SeededRandom(1, "damage");
        byte[] good = Encoding.UTF8.GetBytes(">a|x\nACDEFG\n>b|y\nACD-FG\n");
        string path = Path.Combine(_folder, "some.fasta");
        for (int turn = 0; turn < 300; turn++)
        {
            byte[] bytes = good[..(turn % 3 == 0 ? random.Next(good.Length + 1) : good.Length)];
            for (int i = 0; i < 3 && bytes.Length > 0; i++)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(path, bytes);
            try
            {
                var file = FastaFile.Read(path);
                Assert.Equal(file.Names.Count, file.Residues.Count);
            }
            catch (InputException)
            {
            }
        }
    }
}
