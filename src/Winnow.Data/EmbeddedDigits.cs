using System.IO.Compression;
using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data;

/// <summary>The data set that comes with the program: UCI optical digits, 1,797 real 8x8 images of 17 grey levels, CC BY 4.0.</summary>
public static class EmbeddedDigits
{
    /// <summary>Its name on the command line.</summary>
    public const string Name = "digits";

    /// <summary>Source and terms.</summary>
    public static string Attribution
    {
        get
        {
            using var reader = new StreamReader(Resource("digits.txt"));
            return string.Join(' ', reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        }
    }

    /// <summary>Unpacks the digits: about 20 ms, 115 kB.</summary>
    public static LabelledData Open()
    {
        using var text = new GZipStream(Resource("digits.csv.gz"), CompressionMode.Decompress);
        var table = new DelimitedReader(new ReadRequest(Name, new DataReading(Header: false), null, ReadLimits.Here, CancellationToken.None)).Read(text);
        var pixels = Array.ConvertAll(table.Values, v => (byte)v);
        return new(new RowData(Name, "embedded CSV, gzip", new ExampleLayout([1, 8, 8], 16), pixels), table.Labels, table.LabelNames)
        {
            Title = "UCI optical digits",
            Attribution = Attribution,
        };
    }

    private static Stream Resource(string name) =>
        typeof(EmbeddedDigits).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"The assembly was built without its resource '{name}'.");
}
