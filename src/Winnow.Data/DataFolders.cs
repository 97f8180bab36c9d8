using Winnow.Core;

namespace Winnow.Data;

/// <summary>Where data sets are looked for.</summary>
/// <param name="Data">Folder of the user's own copies (<c>WINNOW_DATA</c>), looked at first; null when unset.</param>
/// <param name="Cache">Folder of downloads (<c>WINNOW_CACHE</c>, else the system's folder for caches).</param>
public sealed record DataFolders(string? Data, string Cache)
{
    /// <summary>The folders this process's environment names: the one place where it is read.</summary>
    public static DataFolders FromEnvironment() => From(Environment.GetEnvironmentVariable);

    /// <summary>The folders an environment names: <c>WINNOW_DATA</c>, and the cache as <see cref="CacheFolder"/> finds it.</summary>
    /// <param name="variable">Value of a variable, or null.</param>
    public static DataFolders From(Func<string, string?> variable) =>
        new(variable("WINNOW_DATA") is { Length: > 0 } data ? Path.GetFullPath(data) : null, CacheFolder.Of(variable));
}
