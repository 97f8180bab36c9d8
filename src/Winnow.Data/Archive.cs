using System.Formats.Tar;
using System.IO.Compression;
using Winnow.Core;
using Winnow.Data.Readers;

namespace Winnow.Data;

/// <summary>Unpacks the archive CIFAR-10 is published in.</summary>
internal static class Archive
{
    private const int LargestEntry = 10_000 * CifarReader.Record;

    /// <summary>Unpacks a <c>.tar.gz</c> into the folder of its batches beside it; other files are left alone.</summary>
    /// <param name="content">The file with the content.</param>
    /// <param name="path">Its final name.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="InputException">The archive is damaged.</exception>
    public static async Task UnpackAsync(string content, string path, CancellationToken cancellation)
    {
        if (!path.EndsWith(".tar.gz", StringComparison.Ordinal))
            return;
        string target = Path.Combine(Path.GetDirectoryName(path)!, "cifar-10-batches-bin"), temporary = target + ".part";
        if (Directory.Exists(temporary))
            Directory.Delete(temporary, recursive: true);
        Directory.CreateDirectory(temporary);
        try
        {
            var file = File.OpenRead(content);
            await using var _ = file.ConfigureAwait(false);
            var tar = new TarReader(new GZipStream(file, CompressionMode.Decompress));
            await using var __ = tar.ConfigureAwait(false);
            while (await tar.GetNextEntryAsync(cancellationToken: cancellation).ConfigureAwait(false) is { } entry)
            {
                // Names inside an archive are not trusted as paths: only the last part of known ones is used.
                string name = entry.Name.Split('/')[^1];
                if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile) || !IsBatch(name))
                    continue;
                if (entry.Length > LargestEntry)
                    throw InputException.At($"{path}, entry {Excerpt.Of(name)}", $"{Excerpt.Of(entry.Length)} bytes", $"at most {Excerpt.Of(LargestEntry)}", "The archive is not the published one.");
                await entry.ExtractToFileAsync(Path.Combine(temporary, name), overwrite: true, cancellation).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new InputException($"{path}: found a damaged archive; expected a whole .tar.gz. Delete it and get it again.", e);
        }
        if (Directory.Exists(target))
            Directory.Delete(target, recursive: true);
        Directory.Move(temporary, target);
    }

    private static bool IsBatch(string name) => name is "batches.meta.txt" or "test_batch.bin" || name.StartsWith("data_batch_", StringComparison.Ordinal) && name.EndsWith(".bin", StringComparison.Ordinal);
}
