using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>Opens users' files, and turns what the system says about them into errors a user can act on.</summary>
internal static class InputFile
{
    /// <summary>Opens a file for reading, decompressed when it is gzip. The error handling of <see cref="Reading"/> must surround the use of the stream.</summary>
    /// <returns>The stream and whether it is gzip.</returns>
    public static (Stream Stream, bool Gzip) Open(string path)
    {
        var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
        try
        {
            if (file.Length == 0)
                throw Empty(path);
            Span<byte> magic = stackalloc byte[2];
            bool gzip = file.ReadAtLeast(magic, 2, throwOnEndOfStream: false) == 2 && magic is [0x1f, 0x8b];
            file.Position = 0;
            return (gzip ? new GzipInput(file) : file, gzip);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The first bytes of a file, decompressed: fewer than asked when it is shorter.</summary>
    public static (byte[] Head, bool Gzip) Head(string path, int count) => Reading(path, () =>
    {
        var (stream, gzip) = Open(path);
        using (stream)
        {
            var head = new byte[count];
            int n = stream.ReadAtLeast(head, count, throwOnEndOfStream: false);
            return n == 0 ? throw Empty(path) : (head[..n], gzip);
        }
    });

    /// <summary>Runs the reading of a file; failures of the system and of decompression become <see cref="InputException"/>.</summary>
    public static T Reading<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw Missing(path);
        }
        catch (UnauthorizedAccessException e)
        {
            throw Directory.Exists(path) ? IsFolder(path) : new InputException($"{path}: found a file this user may not read; expected a readable file. Change its permissions (chmod u+r) or copy it.", e);
        }
        catch (InvalidDataException e)
        {
            throw new InputException($"{path}: found damaged or truncated gzip data ({Length(path)} bytes); expected a whole gzip file. Download or compress it again.", e);
        }
        catch (IOException e)
        {
            throw new InputException($"{path}: found a file the system cannot read ({OneLine(e.Message)}); expected a readable file. Check the disk and the path.", e);
        }
    }

    public static InputException Empty(string path) => InputException.At(path, "an empty file", "data", "Check that it was written or downloaded completely.");

    public static InputException IsFolder(string path) => InputException.At(path, "a folder", "a file", "Name the file inside it.");

    public static InputException Missing(string path)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? path;
        string? near = Directory.Exists(folder) ? Nearest.To(Path.GetFileName(path), Directory.EnumerateFileSystemEntries(folder).Take(1000).Select(p => Path.GetFileName(p)!)) : null;
        string remedy = near is not null ? $"Did you mean '{Path.Combine(Path.GetDirectoryName(path) ?? "", near)}'?"
            : Directory.Exists(folder) ? $"The folder {folder} exists; check the name." : $"The folder {folder} does not exist either; check the path.";
        return InputException.At(path, "nothing", "a file or folder", remedy);
    }

    private static string OneLine(string text) => text.ReplaceLineEndings(" ").TrimEnd('.');

    private static string Length(string path)
    {
        try
        {
            return Excerpt.Of(new FileInfo(path).Length);
        }
        catch (IOException)
        {
            return "an unknown number of";
        }
    }
}
