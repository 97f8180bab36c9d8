using System.Buffers.Binary;
using System.IO.Compression;

namespace Winnow.Data.Readers;

/// <summary>
/// Decompresses a gzip file and makes sure at its end that the file was whole: the runtime's own stream ends silently where a
/// truncated file ends. A gzip member closes with the length of its content, which a cut file does not have at its end.
/// </summary>
internal sealed class GzipInput(FileStream file) : Stream
{
    private const int Trailer = 4;
    private const int Candidates = 64;
    private readonly GZipStream _gzip = new(file, CompressionMode.Decompress, leaveOpen: true);
    private long _read;
    private bool _ended;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <exception cref="InvalidDataException">The content is damaged or cut short.</exception>
    public override int Read(Span<byte> buffer)
    {
        int n = _gzip.Read(buffer);
        _read += n;
        if (n == 0 && buffer.Length > 0 && !_ended)
        {
            _ended = true;
            if (ClosingLength() is not { } length || (uint)_read != length && !EndsWithWholeMember(length))
                throw new InvalidDataException("The gzip data is cut short.");
        }
        return n;
    }

    public override void Flush() { }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _gzip.Dispose();
            file.Dispose();
        }
        base.Dispose(disposing);
    }

    private uint? ClosingLength()
    {
        Span<byte> bytes = stackalloc byte[Trailer];
        return file.Length >= Trailer && RandomAccess.Read(file.SafeFileHandle, bytes, file.Length - Trailer) == Trailer ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : null;
    }

    /// <summary>Several members in a row are one file, too: then the last of them has the closing length.</summary>
    private bool EndsWithWholeMember(uint length)
    {
        var window = new byte[1 << 16];
        int tried = 0;
        for (long end = file.Length; end > 0 && tried < Candidates; end -= window.Length - 2)
        {
            long start = Math.Max(0, end - window.Length);
            var part = window.AsSpan(0, RandomAccess.Read(file.SafeFileHandle, window.AsSpan(0, (int)(end - start)), start));
            for (int at = part.LastIndexOf("\x1f"u8); at >= 0 && tried < Candidates; at = part[..at].LastIndexOf("\x1f"u8))
                if (part[at..] is [0x1f, 0x8b, 0x08, ..] && start + at > 0)
                {
                    tried++;
                    if (IsWholeMember(start + at, length))
                        return true;
                }
        }
        return false;
    }

    private bool IsWholeMember(long start, uint length)
    {
        file.Position = start;
        using var member = new GZipStream(file, CompressionMode.Decompress, leaveOpen: true);
        var buffer = new byte[1 << 14];
        long read = 0;
        try
        {
            for (int n = member.Read(buffer); n > 0 && read <= length; n = member.Read(buffer))
                read += n;
        }
        catch (InvalidDataException)
        {
            return false;
        }
        return read == length;
    }
}
