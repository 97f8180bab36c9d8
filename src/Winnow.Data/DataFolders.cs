namespace Winnow.Data;

/// <summary>Where data sets are looked for.</summary>
/// <param name="Data">Folder of the user's own copies (<c>WINNOW_DATA</c>), looked at first; null when unset.</param>
/// <param name="Cache">Folder of downloads (<c>WINNOW_CACHE</c>, else the system's folder for caches).</param>
public sealed record DataFolders(string? Data, string Cache)
{
    /// <summary>The folders this process's environment names: the one place where it is read.</summary>
    public static DataFolders FromEnvironment() => From(Environment.GetEnvironmentVariable);

    /// <summary>The folders an environment names: <c>WINNOW_DATA</c>; <c>WINNOW_CACHE</c>, else <c>winnow</c> in <c>XDG_CACHE_HOME</c> or the local application data.</summary>
    /// <param name="variable">Value of a variable, or null.</param>
    public static DataFolders From(Func<string, string?> variable)
    {
        return new(Folder("WINNOW_DATA"), Folder("WINNOW_CACHE") ?? Path.Combine(Folder("XDG_CACHE_HOME") ?? SystemCache(), "winnow"));

        string? Folder(string name) => variable(name) is { Length: > 0 } value ? Path.GetFullPath(value) : null;
    }

    private static string SystemCache()
    {
        string local = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        return local.Length > 0 ? local : Path.GetTempPath();
    }
}
