namespace Winnow.Core;

/// <summary>Where the product keeps what it can make or download again.</summary>
public static class CacheFolder
{
    /// <summary>
    /// <c>WINNOW_CACHE</c>; else <c>winnow</c> in <c>XDG_CACHE_HOME</c>; else in the system's folder for caches: the local application data on
    /// Windows, <c>~/Library/Caches</c> on macOS, <c>~/.cache</c> elsewhere; in the temporary folder for a user without a home.
    /// </summary>
    /// <param name="variable">Value of an environment variable, or null.</param>
    public static string Of(Func<string, string?> variable)
    {
        if (variable("WINNOW_CACHE") is { Length: > 0 } own)
            return Path.GetFullPath(own);
        string root = variable("XDG_CACHE_HOME") is { Length: > 0 } xdg ? xdg
            : OperatingSystem.IsWindows() ? Known(Environment.SpecialFolder.LocalApplicationData)
            : Known(Environment.SpecialFolder.UserProfile) is not { Length: > 0 } home ? ""
            : Path.Combine(home, OperatingSystem.IsMacOS() ? "Library/Caches" : ".cache");
        return Path.GetFullPath(Path.Combine(root.Length > 0 ? root : Path.GetTempPath(), "winnow"));
    }

    private static string Known(Environment.SpecialFolder folder) => Environment.GetFolderPath(folder, Environment.SpecialFolderOption.DoNotVerify);
}
