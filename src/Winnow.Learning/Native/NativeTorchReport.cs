namespace Winnow.Learning;

/// <summary>How loading libtorch went.</summary>
public sealed record NativeTorchReport
{
    /// <summary>True when tensors can be used.</summary>
    public required bool Loaded { get; init; }

    /// <summary>The file that was loaded as TorchSharp's native library, or null.</summary>
    public string? Library { get; init; }

    /// <summary>The folder libtorch's own libraries were loaded from, or null where the system's loader found them by itself.</summary>
    public string? LibTorchFolder { get; init; }

    /// <summary>True when the system's C++ library is too old for the library as shipped and a patched copy was loaded.</summary>
    public bool Patched { get; init; }

    /// <summary>The patched copy, or null; it is gone after loading when the cache folder could not be written.</summary>
    public string? PatchedCopy { get; init; }

    /// <summary>Version of libtorch, or null.</summary>
    public string? TorchVersion { get; init; }

    /// <summary>Threads that an operation may use; 0 when not loaded.</summary>
    public int Threads { get; init; }

    /// <summary>How long loading took.</summary>
    public TimeSpan Elapsed { get; init; }

    /// <summary>What went wrong in one line, or null.</summary>
    public string? Error { get; init; }

    /// <summary>What the user can do about <see cref="Error"/>, or null.</summary>
    public string? Remedy { get; init; }
}
