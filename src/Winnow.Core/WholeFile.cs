using System.Text;

namespace Winnow.Core;

/// <summary>Writes files whole or not at all.</summary>
public static class WholeFile
{
    /// <summary>Writes UTF-8 text to a temporary file beside the target and moves it there.</summary>
    /// <exception cref="InputException">The folder cannot be written.</exception>
    public static void Write(string path, string text) => Write(path, stream => stream.Write(new UTF8Encoding(false).GetBytes(text)));

    /// <summary>Has a temporary file beside the target written and forced to the disk, and moves it there: the file that was there before, or the new one whole.</summary>
    /// <exception cref="InputException">The folder cannot be written.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        string temporary = $"{path}.{Environment.ProcessId}.tmp";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            try
            {
                File.Delete(temporary);
            }
            catch (Exception inner) when (inner is IOException or UnauthorizedAccessException)
            {
                // The folder cannot be written at all: nothing was left there.
            }
            throw new InputException($"{path}: cannot be written ({e.Message.TrimEnd('.')}). Check the folder's permissions and free space.", e);
        }
    }
}
