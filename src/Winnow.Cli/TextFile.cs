using Winnow.Core;

namespace Winnow.Cli;

/// <summary>Writes files whole or not at all.</summary>
internal static class TextFile
{
    /// <summary>Writes to a temporary file beside the target and moves it there.</summary>
    public static void Write(string path, string text)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            string temporary = $"{path}.{Environment.ProcessId}.tmp";
            File.WriteAllText(temporary, text);
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be written ({e.Message.TrimEnd('.')}). Check the folder's permissions and free space.", e);
        }
    }
}
