using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Winnow.Core;

namespace Winnow.Data.Tests;

public sealed class DataDownloadTests : IDisposable
{
    private static readonly NamedDataSet Kmnist = NamedDataSets.Find("kmnist")!;
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private DataFolders Folders => new(null, _scratch.Folder);

    private string Cached(string file, string set = "kmnist") => _scratch.Path($"data/{set}/{file}");

    /// <summary>Answers requests from memory; remembers where each began.</summary>
    private sealed class Server(Func<HttpRequestMessage, long, HttpResponseMessage> answer) : HttpMessageHandler
    {
        public List<(string File, long From)> Requests { get; } = [];

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            long from = request.Headers.Range?.Ranges.Single().From ?? 0;
            Requests.Add((Path.GetFileName(request.RequestUri!.LocalPath), from));
            return Task.FromResult(answer(request, from));
        }
    }

    private static HttpResponseMessage Part(byte[] whole, long from, int? cut = null)
    {
        var content = new ByteArrayContent(whole, (int)from, (cut ?? whole.Length) - (int)from);
        content.Headers.ContentLength = cut is null ? whole.Length - from : null;
        var response = new HttpResponseMessage(from > 0 ? HttpStatusCode.PartialContent : HttpStatusCode.OK) { Content = content };
        if (from > 0)
            content.Headers.ContentRange = new ContentRangeHeaderValue(from, whole.Length - 1, whole.Length);
        return response;
    }

    private async Task<InputException> RefusedAsync(Server server, string name = "kmnist")
    {
        using var download = new DataDownload(Folders, server);
        var error = await Assert.ThrowsAsync<InputException>(() => download.GetAsync(name, null, TestContext.Current.CancellationToken));
        Assert.DoesNotContain('\n', error.Message);
        return error;
    }

    [Fact]
    public void Every_stated_checksum_is_an_md5_with_its_source()
    {
        var files = NamedDataSets.All.SelectMany(s => s.Files).ToArray();
        Assert.Equal(16, files.Length);
        Assert.All(files, f => Assert.Matches("^[0-9a-f]{32}$", f.Md5));
        Assert.All(files, f => Assert.False(string.IsNullOrEmpty(f.Md5Source)));
        Assert.Equal(16, files.Select(f => f.Md5).Distinct().Count());
    }

    [Fact]
    public async Task Wrong_checksum_is_refused_and_nothing_is_kept()
    {
        var error = await RefusedAsync(new Server((_, from) => Part([1, 2, 3], from)));
        Assert.Contains($"train-images-idx3-ubyte.gz: found MD5 {Md5([1, 2, 3])}; expected bdb82020997e1d708af4cf47b453dcf7, stated by torchvision", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(_scratch.Path("data/kmnist")));
    }

    [Fact]
    public async Task Not_found_names_the_address_and_the_way_around()
    {
        var error = await RefusedAsync(new Server((_, _) => new HttpResponseMessage(HttpStatusCode.NotFound)));
        Assert.Contains("http://codh.rois.ac.jp/kmnist/dataset/kmnist/train-images-idx3-ubyte.gz: found HTTP 404 Not Found; expected the file.", error.Message, StringComparison.Ordinal);
        Assert.Contains("folder kmnist below WINNOW_DATA", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_network_is_one_line_with_a_remedy()
    {
        var error = await RefusedAsync(new Server((_, _) => throw new HttpRequestException("Name or service\nnot known")));
        Assert.Contains("found no connection (Name or service not known); expected the file. Check the network", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Unknown_names_are_refused()
    {
        var server = new Server((_, _) => throw new InvalidOperationException());
        Assert.Contains("did you mean 'kmnist'?", (await RefusedAsync(server, "kmnits")).Message, StringComparison.Ordinal);
        Assert.Contains("comes with the program", (await RefusedAsync(server, "digits")).Message, StringComparison.Ordinal);
        Assert.Contains("no public address", (await RefusedAsync(server, "iris")).Message, StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Interrupted_download_goes_on_where_it_stopped()
    {
        byte[] whole = [.. Enumerable.Range(0, 100_000).Select(i => (byte)(i * 7))];
        bool broken = true;
        var server = new Server((_, from) => broken ? Interrupted(whole, 60_000) : Part(whole, from));
        using var download = new DataDownload(Folders, server);
        var file = new PublishedFile(new("http://example.org/f.gz"), Md5(whole), "the test");
        var set = Kmnist with { Name = "set", Files = [file] };
        var error = await Assert.ThrowsAsync<InputException>(() => download.GetAsync(set, null, TestContext.Current.CancellationToken));
        Assert.Contains("http://example.org/f.gz: found a connection that broke off after 60,000 bytes", error.Message, StringComparison.Ordinal);
        Assert.Contains("goes on where it stopped", error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Cached("f.gz", "set")));

        broken = false;
        var seen = new List<DownloadProgress>();
        string folder = await download.GetAsync(set, new Recorder(seen), TestContext.Current.CancellationToken);
        Assert.Equal([("f.gz", 0), ("f.gz", 60_000)], server.Requests);
        Assert.Equal(whole, await File.ReadAllBytesAsync(Path.Combine(folder, "f.gz"), TestContext.Current.CancellationToken));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(whole)) + "\n", await File.ReadAllTextAsync(Path.Combine(folder, "f.gz.sha256"), TestContext.Current.CancellationToken));
        Assert.False(File.Exists(Path.Combine(folder, "f.gz.part")));
        Assert.Equal(new DownloadProgress("f.gz", 100_000, 100_000), seen[^1]);
        Assert.True(seen[0].Received > 60_000);

        await download.GetAsync(set, null, TestContext.Current.CancellationToken);
        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task Stale_part_is_fetched_again_from_the_start()
    {
        byte[] whole = [.. Enumerable.Range(0, 1000).Select(i => (byte)i)];
        var set = Kmnist with { Name = "set", Files = [new(new("http://example.org/f.gz"), Md5(whole), "the test")] };
        foreach (byte[] stale in new[] { new byte[500], new byte[1000], new byte[2000] })
        {
            _scratch.Write("data/set/f.gz.part", stale);
            using var download = new DataDownload(Folders, new Server((_, from) => from < whole.Length ? Part(whole, from) : Unsatisfiable(whole.Length)));
            string folder = await download.GetAsync(set, null, TestContext.Current.CancellationToken);
            Assert.Equal(whole, await File.ReadAllBytesAsync(Path.Combine(folder, "f.gz"), TestContext.Current.CancellationToken));
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Server_without_resume_sends_the_whole_file_again()
    {
        byte[] whole = [.. Enumerable.Range(0, 1000).Select(i => (byte)i)];
        _scratch.Write("data/set/f.gz.part", whole[..300]);
        using var download = new DataDownload(Folders, new Server((_, _) => Part(whole, 0)));
        string folder = await download.GetAsync(Kmnist with { Name = "set", Files = [new(new("http://example.org/f.gz"), Md5(whole), "the test")] }, null, TestContext.Current.CancellationToken);
        Assert.Equal(whole, await File.ReadAllBytesAsync(Path.Combine(folder, "f.gz"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Without_a_stated_checksum_the_first_download_is_pinned_and_later_ones_compared()
    {
        byte[] content = [1, 2, 3];
        var set = Kmnist with { Name = "set", Files = [new(new("http://example.org/f.gz"), null, null)] };
        using var download = new DataDownload(Folders, new Server((_, from) => Part(content, from)));
        await download.GetAsync(set, null, TestContext.Current.CancellationToken);
        File.Delete(Cached("f.gz", "set"));
        await download.GetAsync(set, null, TestContext.Current.CancellationToken);

        File.Delete(Cached("f.gz", "set"));
        content = [1, 2, 4];
        var error = await Assert.ThrowsAsync<InputException>(() => download.GetAsync(set, null, TestContext.Current.CancellationToken));
        Assert.Contains("as the first download had", error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Cached("f.gz", "set")));
    }

    [Fact]
    public async Task Archive_is_unpacked_into_batches_and_paths_inside_are_not_trusted()
    {
        using var buffer = new MemoryStream();
        using (var gzip = new GZipStream(buffer, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(gzip))
            foreach (var (name, content) in new[] { ("cifar/data_batch_1.bin", Scratch.Cifar(1, 2)), ("../../test_batch.bin", Scratch.Cifar(3)), ("../evil.txt", [1]), ("cifar/readme.html", [2]) })
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) });
        byte[] archive = buffer.ToArray();
        var set = NamedDataSets.Find("cifar10")! with { Name = "set", Files = [new(new("http://example.org/x.tar.gz"), Md5(archive), "the test")] };
        using var download = new DataDownload(Folders, new Server((_, from) => Part(archive, from)));
        string folder = await download.GetAsync(set, null, TestContext.Current.CancellationToken);
        var batches = Path.Combine(folder, "cifar-10-batches-bin");
        Assert.Equal(["data_batch_1.bin", "test_batch.bin"], Directory.EnumerateFiles(batches).Select(f => Path.GetFileName(f)).Order());
        Assert.False(File.Exists(_scratch.Path("data/evil.txt")) || File.Exists(_scratch.Path("data/test_batch.bin")));
        var data = Scratch.Open(folder);
        Assert.Equal((3, 2), (data.Count, data.TrainCount));
    }

    [Fact]
    public async Task Damaged_files_in_the_cache_are_noticed()
    {
        byte[] content = [1, 2, 3];
        var set = Kmnist with { Name = "set", Files = [new(new("http://example.org/f.gz"), null, null)] };
        using var download = new DataDownload(Folders, new Server((_, from) => Part(content, from)));
        await download.GetAsync(set, null, TestContext.Current.CancellationToken);
        await DataDownload.CheckAsync(set, Folders, TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(Cached("f.gz", "set"), [9], TestContext.Current.CancellationToken);
        await Assert.ThrowsAsync<InputException>(() => DataDownload.CheckAsync(set, Folders, TestContext.Current.CancellationToken));
        File.Delete(Cached("f.gz", "set"));
        var error = await Assert.ThrowsAsync<InputException>(() => DataDownload.CheckAsync(set, Folders, TestContext.Current.CancellationToken));
        Assert.Contains("Run: winnow data get set", error.Message, StringComparison.Ordinal);
    }

    [System.Diagnostics.CodeAnalysis.SuppressMessage("Security", "CA5351", Justification = "The checksum publishers state.")]
    private static string Md5(byte[] content) => Convert.ToHexStringLower(MD5.HashData(content));

    private static HttpResponseMessage Unsatisfiable(long length)
    {
        var response = new HttpResponseMessage(HttpStatusCode.RequestedRangeNotSatisfiable) { Content = new ByteArrayContent([]) };
        response.Content.Headers.ContentRange = new ContentRangeHeaderValue(length);
        return response;
    }

    /// <summary>Says how long the file is, and ends early.</summary>
    private static HttpResponseMessage Interrupted(byte[] whole, int cut)
    {
        var content = new StreamContent(new MemoryStream(whole, 0, cut));
        content.Headers.ContentLength = whole.Length;
        return new HttpResponseMessage(HttpStatusCode.OK) { Content = content };
    }

    private sealed class Recorder(List<DownloadProgress> seen) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => seen.Add(value);
    }
}
