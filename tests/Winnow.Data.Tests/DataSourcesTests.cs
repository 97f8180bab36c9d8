using Winnow.Core;
using Winnow.Data.Readers;
using static Winnow.Data.Tests.Scratch;

namespace Winnow.Data.Tests;

public sealed class DataSourcesTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private LabelledData Named(string name) => DataSources.Open(name, new(), new DataFolders(_scratch.Path("data"), _scratch.Path("cache")), CancellationToken.None);

    [Fact]
    public void Folders_come_from_the_environment()
    {
        static DataFolders From(params (string, string)[] set) => DataFolders.From(name => set.FirstOrDefault(s => s.Item1 == name).Item2);
        Assert.Equal(new DataFolders("/d", "/c"), From(("WINNOW_DATA", "/d"), ("WINNOW_CACHE", "/c"), ("XDG_CACHE_HOME", "/x")));
        Assert.Equal(new DataFolders(null, Path.Combine("/x", "winnow")), From(("XDG_CACHE_HOME", "/x"), ("WINNOW_DATA", "")));
        Assert.EndsWith("winnow", From().Cache, StringComparison.Ordinal);
    }

    [Fact]
    public void Named_set_is_looked_for_in_the_users_folder_before_the_cache()
    {
        foreach (var file in NamedDataSets.Find("kmnist")!.Files)
            _scratch.Write($"cache/data/kmnist/{file.FileName}", file.FileName.Contains("images", StringComparison.Ordinal) ? Idx([1, 2], 2, 1, 1) : Idx([0, 1], 2));
        var cached = Named("kmnist");
        Assert.Equal(("kmnist", "Kuzushiji-MNIST", 2), (cached.Name, cached.Title, cached.TrainCount));
        Assert.Equal(["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"], cached.LabelNames);
        Assert.Contains("CC BY-SA 4.0", cached.Attribution, StringComparison.Ordinal);

        _scratch.Write("data/kmnist/t10k-images-idx3-ubyte", Idx([1, 2, 3], 3, 1, 1));
        _scratch.Write("data/kmnist/t10k-labels-idx1-ubyte", Idx([0, 1, 2], 3));
        Assert.Equal(3, Named("kmnist").Count);
    }

    [Fact]
    public void Named_set_that_is_not_here_says_how_to_get_it()
    {
        Refused(() => Named("mnist"), "data set 'mnist': found nothing on this machine", "Run: winnow data get mnist");
        Refused(() => Named("iris"), "expected iris.csv or sklearn/iris.csv in", "Set WINNOW_DATA");
        Directory.CreateDirectory(_scratch.Path("data/mnist-test"));
        Refused(() => Named("mnist"), "(or use 'mnist-test', which is here)");
    }

    [Fact]
    public void Unknown_name_is_refused_with_the_nearest()
    {
        Refused(() => Named("fashon-mnist"), "unknown data set or path 'fashon-mnist'; did you mean 'fashion-mnist'?");
        Refused(() => Named("digit"), "did you mean 'digits'?");
    }

    [Fact]
    public void Missing_path_is_refused_with_the_nearest_file()
    {
        _scratch.Write("train.csv", "1,2,a\n1,2,b\n");
        Refused(() => Open(_scratch.Path("trian.csv")), "trian.csv: found nothing; expected a file or folder. Did you mean", "train.csv");
        Refused(() => Open(_scratch.Path("no/such/x.csv")), "does not exist either");
    }

    [Fact]
    public void Folder_without_data_is_refused_and_names_a_file_inside()
    {
        Directory.CreateDirectory(_scratch.Path("empty"));
        Refused(() => Open(_scratch.Path("empty")), "found an empty folder; expected CSV, TSV, numbers between spaces, JSON lines, CoNLL-U, Parquet, IDX");
        _scratch.Write("full/x.csv", "1,2,a\n");
        Refused(() => Open(_scratch.Path("full")), "found a folder without IDX pairs", "Name the file inside it, e.g.", "x.csv");
    }

    [Fact]
    public void Unreadable_file_is_refused()
    {
        // Permissions do not bind root, but the kernel's write-only settings do.
        const string WriteOnly = "/proc/sys/vm/compact_memory";
        bool root = Environment.UserName == "root";
        Assert.SkipWhen(OperatingSystem.IsWindows() || (root && !File.Exists(WriteOnly)), "needs a file that this user may not read");
        string path = Path.Combine(_scratch.Folder, "secret.csv");
        if (root)
            File.CreateSymbolicLink(path, WriteOnly);
        else
            _scratch.Write("secret.csv", "1,2,a\n1,2,b\n");
        if (!root && !OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.None);
        Refused(() => Open(path), "secret.csv: found a file this user may not read", "chmod u+r");
    }

    [Fact]
    public void What_the_system_refuses_becomes_a_line_with_a_remedy()
    {
        string path = _scratch.Write("x.csv", "1");
        Refused(() => InputFile.Reading<int>(path, () => throw new UnauthorizedAccessException()), "x.csv: found a file this user may not read; expected a readable file. Change its permissions");
        Refused(() => InputFile.Reading<int>(_scratch.Folder, () => throw new UnauthorizedAccessException()), "found a folder; expected a file. Name the file inside it.");
        Refused(() => InputFile.Reading<int>(path, () => throw new IOException("Input/output error")), "x.csv: found a file the system cannot read (Input/output error)");
    }

    [Fact]
    public void Other_files_are_refused_with_what_they_are()
    {
        Refused(() => Open(_scratch.Write("a.xlsx", [(byte)'P', (byte)'K', 3, 4, 0, 0])), "found a zip archive (or an Excel file)", "export it as CSV");
        Refused(() => Open(_scratch.Write("a.png", GreyImage(1, 1, 1))), "found a single image", "Name the folder");
        Refused(() => Open(_scratch.Write("a.dat", [1, 2, 0, 4])), "a.dat, byte 2: found binary data starting with 01 02 00 04");
    }

    [Theory]
    [InlineData("0,0,5,13\n16,1,2,3\n", "0")]
    [InlineData("0,0,5,13,a\n16,1,2,3,b\n", "0")]
    [InlineData("y,0,0,5,13\nx,16,1,2,3\n", "0")]
    public void Rows_to_predict_may_have_a_label_column_or_not(string text, string label)
    {
        var layout = new ExampleLayout([1, 2, 2], 16);
        string path = _scratch.Write("rows.csv", text);
        var rows = DataSources.OpenRows(path, new DataReading(text[0] == 'y' ? label : null), layout, TestContext.Current.CancellationToken);
        var values = new float[8];
        rows.CopyRows([0, 1], values);
        Assert.Equal([0, 0, 5 / 16f, 13 / 16f, 1, 1 / 16f, 2 / 16f, 3 / 16f], values);
    }

    [Fact]
    public void Rows_to_predict_are_matched_by_column_name_in_any_order()
    {
        var layout = new ExampleLayout([2], 1, ["len", "wid"]);
        RowData Rows(string text) => DataSources.OpenRows(_scratch.Write("rows.csv", text), new(), layout, CancellationToken.None);
        var values = new float[4];
        Rows("kind,wid,len,extra\na,1,2,x\nb,3,4,y\n").CopyRows([0, 1], values);
        Assert.Equal([2, 1, 4, 3], values);
        Refused(() => Rows("kind,wide,len\na,1,2\n"), "found no column 'wid'; expected the 2 columns the model was trained on", "Rename column 'wide'?");
        Refused(() => Rows("1,2,3,4\n1,2,3,4\n"), "found 4 columns; expected 2 features as the model was trained on");
    }

    [Fact]
    public void Images_to_predict_are_read_in_the_models_size_and_channels()
    {
        var layout = new ExampleLayout([1, 1, 2], 255);
        _scratch.Write("new/b.png", Image(2, 1, (_, _) => new SkiaSharp.SKColor(255, 0, 0)));
        _scratch.Write("new/a.png", GreyImage(2, 1, 51));
        var rows = DataSources.OpenRows(_scratch.Path("new"), new(), layout, TestContext.Current.CancellationToken);
        var values = new float[4];
        rows.CopyRows([0, 1], values);
        Assert.Equal([51 / 255f, 51 / 255f, 76 / 255f, 76 / 255f], values);
        Refused(() => DataSources.OpenRows(_scratch.Path("new/a.png"), new(), layout with { Shape = [1, 2, 2] }, CancellationToken.None), "found an image of 2x1 pixels; expected 2x2 pixels, as the model was trained on");
        Refused(() => DataSources.OpenRows(_scratch.Path("new"), new(), new ExampleLayout([4], 1), CancellationToken.None), "found images; expected rows of 4 features");
        var idx = DataSources.OpenRows(_scratch.Write("x-images-idx3-ubyte", Idx([0, 255], 1, 1, 2)), new(), layout, TestContext.Current.CancellationToken);
        Assert.Equal(1, idx.Count);
        Refused(() => DataSources.OpenRows(_scratch.Path("missing"), new(), layout, CancellationToken.None), "found nothing");
    }
}
