using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Winnow.Core;

namespace Winnow.Data;

/// <summary>Compares downloaded files with the checksum stated for them and with the pinned SHA-256 of the first download.</summary>
internal static class Checksums
{
    /// <summary>Checks the content of a file.</summary>
    /// <param name="content">File to check.</param>
    /// <param name="path">Its final name, beside which the pin lies.</param>
    /// <param name="file">What is stated about it.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">It differs.</exception>
    public static async Task RequireAsync(string content, string path, PublishedFile file, CancellationToken cancellation)
    {
        if (file.Md5 is { } md5 && await Md5Async(content, cancellation).ConfigureAwait(false) is var found && found != md5)
            throw InputException.At(path, $"MD5 {found}", $"{md5}, stated by {file.Md5Source}", "The file is damaged or has changed: delete it and get it again.");
        string pin = Pin(path);
        if (!File.Exists(pin))
            return;
        string pinned = (await File.ReadAllTextAsync(pin, cancellation).ConfigureAwait(false)).Trim();
        string sha = await Sha256Async(content, cancellation).ConfigureAwait(false);
        if (sha != pinned)
            throw InputException.At(path, $"SHA-256 {sha}", $"{pinned}, as the first download had", $"If the publisher changed the file on purpose, delete {pin} and get it again.");
    }

    /// <summary>Pins the SHA-256 of a file's content, unless one is pinned.</summary>
    public static async Task PinAsync(string content, string path, CancellationToken cancellation)
    {
        if (!File.Exists(Pin(path)))
            await File.WriteAllTextAsync(Pin(path), await Sha256Async(content, cancellation).ConfigureAwait(false) + "\n", cancellation).ConfigureAwait(false);
    }

    private static string Pin(string path) => path + ".sha256";

    private static async Task<string> Sha256Async(string path, CancellationToken cancellation)
    {
        var stream = File.OpenRead(path);
        await using var _ = stream.ConfigureAwait(false);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellation).ConfigureAwait(false));
    }

    [SuppressMessage("Security", "CA5351", Justification = "MD5 is what the publishers state; the pinned SHA-256 guards later downloads.")]
    private static async Task<string> Md5Async(string path, CancellationToken cancellation)
    {
        var stream = File.OpenRead(path);
        await using var _ = stream.ConfigureAwait(false);
        return Convert.ToHexStringLower(await MD5.HashDataAsync(stream, cancellation).ConfigureAwait(false));
    }
}
