using System.Globalization;

namespace Winnow.Core;

/// <summary>
/// Lets one process at a time run a study. The operating system releases the lock when its holder ends, however it ends;
/// a second process waits, and then finds the trials done.
/// </summary>
public sealed class StudyLock : IDisposable
{
    private readonly FileStream _file;

    private StudyLock(FileStream file) => _file = file;

    /// <summary>Takes the lock of a study folder; waits while another process holds it.</summary>
    /// <param name="folder">The study's folder; made when absent.</param>
    /// <param name="waiting">Called once, when it is necessary to wait.</param>
    /// <param name="cancellation">Stops the waiting.</param>
    /// <exception cref="InputException">The folder cannot be written.</exception>
    public static async Task<StudyLock> TakeAsync(string folder, Action waiting, CancellationToken cancellation)
    {
        string path = Path.Combine(folder, "study.lock");
        for (bool first = true; ; first = false)
        {
            try
            {
                Directory.CreateDirectory(folder);
                var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
                return new StudyLock(file);
            }
            catch (IOException e) when (e is not (DirectoryNotFoundException or PathTooLongException) && File.Exists(path) && !IsFull(e))
            {
                if (first)
                    waiting();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new InputException(string.Create(CultureInfo.InvariantCulture, $"{folder}: the study's folder cannot be written ({e.Message.TrimEnd('.')}). Check its permissions and free space, or choose another with --out."), e);
            }
            await Task.Delay(TimeSpan.FromMilliseconds(200), cancellation).ConfigureAwait(false);
        }
    }

    private static bool IsFull(IOException e) => (e.HResult & 0xFFFF) is 28 or 30 or 112; // ENOSPC, EROFS, ERROR_DISK_FULL

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
