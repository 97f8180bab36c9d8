using System.Net;
using System.Net.Http.Headers;
using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data;

/// <summary>How far a download is.</summary>
/// <param name="File">File name.</param>
/// <param name="Received">Bytes so far, those of an earlier, interrupted download included.</param>
/// <param name="Total">Bytes in all, where the server says.</param>
public sealed record DownloadProgress(string File, long Received, long? Total);

/// <summary>
/// Gets named data sets from their public addresses into the cache. An interrupted download goes on where it stopped; every file is
/// compared with the checksum stated for it, and with the SHA-256 of its first download, which is pinned beside it.
/// </summary>
/// <param name="folders">Where the cache is.</param>
/// <param name="handler">Sends the requests; null for the network.</param>
public sealed class DataDownload(DataFolders folders, HttpMessageHandler? handler = null) : IDisposable
{
    private const long LargestFile = 1L << 30;
    private const int Attempts = 2;
    private static readonly TimeSpan Stall = TimeSpan.FromSeconds(60);
    private readonly HttpClient _http = new(handler ?? new HttpClientHandler(), disposeHandler: handler is null);

    /// <summary>Downloads what is missing of a data set, checks all of it, and returns its folder.</summary>
    /// <param name="name">Name of a data set with a public address.</param>
    /// <param name="progress">Is told how far it is; null for nobody.</param>
    /// <param name="cancellation">Stops; what was received is kept for the next attempt.</param>
    /// <exception cref="InputException">Unknown name, no network, an error of the server, a wrong checksum, or a cache that cannot be written.</exception>
    public Task<string> GetAsync(string name, IProgress<DownloadProgress>? progress, CancellationToken cancellation) => GetAsync(NamedDataSets.Downloadable(name), progress, cancellation);

    /// <summary>Compares the files of a data set in the cache with their checksums.</summary>
    /// <param name="name">Name of a data set with a public address.</param>
    /// <param name="folders">Where the cache is.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">A file is missing or differs.</exception>
    public static Task CheckAsync(string name, DataFolders folders, CancellationToken cancellation) => CheckAsync(NamedDataSets.Downloadable(name), folders, cancellation);

    internal async Task<string> GetAsync(NamedDataSet set, IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        string folder = NamedDataSets.CacheFolder(set, folders);
        foreach (var file in set.Files)
        {
            string path = Path.Combine(folder, file.FileName);
            try
            {
                Directory.CreateDirectory(folder);
                if (File.Exists(path))
                    await Checksums.RequireAsync(path, path, file, cancellation).ConfigureAwait(false);
                else
                    await DownloadAsync(set, file, path, progress, cancellation).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new InputException($"{path}: found a cache that cannot be written ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}); expected a folder with room and permission, used by one download at a time. Free space or set WINNOW_CACHE to another folder.", e);
            }
        }
        return folder;
    }

    internal static async Task CheckAsync(NamedDataSet set, DataFolders folders, CancellationToken cancellation)
    {
        foreach (var file in set.Files)
        {
            string path = Path.Combine(NamedDataSets.CacheFolder(set, folders), file.FileName);
            if (!File.Exists(path))
                throw InputException.At(path, "nothing", "the downloaded file", $"Run: winnow data get {set.Name}");
            await Checksums.RequireAsync(path, path, file, cancellation).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task DownloadAsync(NamedDataSet set, PublishedFile file, string path, IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        string part = path + ".part";
        for (int attempt = 1; ; attempt++)
        {
            bool resumed = await FetchAsync(set, file, part, progress, cancellation).ConfigureAwait(false);
            try
            {
                await Checksums.RequireAsync(part, path, file, cancellation).ConfigureAwait(false);
                break;
            }
            catch (InputException)
            {
                // The rest of a resumed download may belong to another version of the file: once more, from the start.
                File.Delete(part);
                if (!resumed || attempt == Attempts)
                    throw;
            }
        }
        await Archive.UnpackAsync(part, path, cancellation).ConfigureAwait(false);
        await Checksums.PinAsync(part, path, cancellation).ConfigureAwait(false);
        File.Move(part, path);
    }

    /// <summary>Receives a file into its partial name; returns whether it continued an earlier attempt.</summary>
    private async Task<bool> FetchAsync(NamedDataSet set, PublishedFile file, string part, IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        string elsewhere = $"Try again later, or put the files of {set.Name} into the folder {set.Paths[0]} below WINNOW_DATA.";
        var output = new FileStream(part, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        await using var _ = output.ConfigureAwait(false);
        try
        {
            long have = output.Length;
            using var response = await SendAsync(file, have, cancellation).ConfigureAwait(false);
            bool resumed = response.StatusCode == HttpStatusCode.PartialContent && response.Content.Headers.ContentRange?.From == have;
            if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable && have > 0)
                return response.Content.Headers.ContentRange?.Length == have || await RestartAsync().ConfigureAwait(false);
            if (response.StatusCode != HttpStatusCode.OK && !resumed)
                throw InputException.At(file.Address.ToString(), $"HTTP {(int)response.StatusCode} {response.ReasonPhrase}", "the file", elsewhere);
            if (!resumed)
                output.SetLength(0);
            output.Position = output.Length;
            long? total = response.Content.Headers.ContentLength is { } rest ? output.Length + rest : null;
            await ReceiveAsync(response, file, output, total, progress, cancellation).ConfigureAwait(false);
            return resumed;

            async Task<bool> RestartAsync()
            {
                output.SetLength(0);
                using var whole = await SendAsync(file, 0, cancellation).ConfigureAwait(false);
                if (whole.StatusCode != HttpStatusCode.OK)
                    throw InputException.At(file.Address.ToString(), $"HTTP {(int)whole.StatusCode} {whole.ReasonPhrase}", "the file", elsewhere);
                await ReceiveAsync(whole, file, output, whole.Content.Headers.ContentLength, progress, cancellation).ConfigureAwait(false);
                return false;
            }
        }
        catch (HttpRequestException e)
        {
            throw new InputException($"{file.Address}: found no connection ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}); expected the file. Check the network and proxy. {elsewhere}", e);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw BrokenOff(file, output.Length, e);
        }
    }

    private async Task<HttpResponseMessage> SendAsync(PublishedFile file, long from, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, file.Address);
        if (from > 0)
            request.Headers.Range = new RangeHeaderValue(from, null);
        return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation).ConfigureAwait(false);
    }

    private static async Task ReceiveAsync(HttpResponseMessage response, PublishedFile file, FileStream output, long? total, IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        if (total > LargestFile)
            throw InputException.At(file.Address.ToString(), $"{Excerpt.Of(total.Value)} bytes", $"at most {Excerpt.Of(LargestFile)}", "The address serves something else now.");
        using var stall = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var input = await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
        await using var _ = input.ConfigureAwait(false);
        var buffer = new byte[1 << 16];
        while (true)
        {
            stall.CancelAfter(Stall);
            int n;
            try
            {
                n = await input.ReadAsync(buffer, stall.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException || e is OperationCanceledException && !cancellation.IsCancellationRequested)
            {
                throw BrokenOff(file, output.Length, e);
            }
            if (n == 0)
                break;
            if (output.Length + n > LargestFile)
                throw InputException.At(file.Address.ToString(), $"more than {Excerpt.Of(LargestFile)} bytes", "a smaller file", "The address serves something else now.");
            await output.WriteAsync(buffer.AsMemory(0, n), cancellation).ConfigureAwait(false);
            progress?.Report(new(file.FileName, output.Position, total));
        }
        await output.FlushAsync(cancellation).ConfigureAwait(false);
        if (output.Length < total)
            throw BrokenOff(file, output.Length, null);
    }

    private static InputException BrokenOff(PublishedFile file, long received, Exception? cause) =>
        new($"{file.Address}: found a connection that broke off after {Excerpt.Of(received)} bytes; expected the whole file. Run it again: it goes on where it stopped.", cause);
}
