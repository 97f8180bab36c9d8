using System.IO.MemoryMappedFiles;
using Winnow.Core;

namespace Winnow.Language;

/// <summary>A file mapped into memory for reading, with its bounds.</summary>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _start;
    private readonly string _path;
    private bool _disposed;

    public MappedFile(string path)
    {
        _path = path;
        try
        {
            Length = new FileInfo(path).Length;
            if (Length == 0)
                throw InputException.At(path, "an empty file", "a model", "Get it again.");
            _file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            _view = _file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            byte* start = null;
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            _start = start + _view.PointerOffset;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}). Check the path and its permissions.", e);
        }
    }

    public long Length { get; }

    /// <summary>The memory at an offset, of which so many bytes are there.</summary>
    public byte* At(long offset, long bytes) => offset >= 0 && bytes >= 0 && offset <= Length - bytes ? _start + offset
        : throw InputException.At(_path, $"{Length:N0} bytes", $"at least {offset + bytes:N0}", "The file is cut short: get it again.");

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }
}
