using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Winnow.Learning;

/// <summary>A copy of TorchSharp's native library that loads beside a C++ library older than gcc 13's.</summary>
internal static class PatchedShim
{
    /// <summary>The version that gcc 13 introduced and the library demands, though nothing in it uses it at run time.</summary>
    public const string Version = "GLIBCXX_3.4.32";

    private const string Library = "libstdc++.so.6";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>
    /// Patches and loads. The copy is kept in <paramref name="cache"/> under the hash of its content; one that is already there is used
    /// if it is whole. When the cache cannot be written the copy lives in a new temporary folder only until it is loaded.
    /// </summary>
    /// <exception cref="FormatException">The file cannot be patched.</exception>
    /// <exception cref="DllNotFoundException">The patched copy does not load either.</exception>
    public static (nint Handle, string Copy) Load(string shim, string cache)
    {
        byte[] image = File.ReadAllBytes(shim);
        try
        {
            ElfVersionNeed.MakeWeak(image, Library, Version);
        }
        catch (FormatException e)
        {
            throw new FormatException($"{shim} cannot be adapted to this system's {Library}: {e.Message}", e);
        }
        string name = $"libLibTorchSharp-{Convert.ToHexStringLower(SHA256.HashData(image))[..16]}.so";
        try
        {
            string copy = Keep(image, Path.Combine(cache, "native"), name);
            return (NativeLibrary.Load(copy), copy);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string folder = Directory.CreateTempSubdirectory("winnow-").FullName;
            try
            {
                string copy = Keep(image, folder, name);
                return (NativeLibrary.Load(copy), copy);
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    /// <summary>Makes the file hold exactly the image: left alone when it does, else replaced in one step, so that no other process sees a part of it.</summary>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder cannot be written.</exception>
    public static string Keep(byte[] image, string folder, string name)
    {
        string path = Path.Combine(folder, name);
        if (File.Exists(path) && new FileInfo(path).Length == image.Length && File.ReadAllBytes(path).AsSpan().SequenceEqual(image))
            return path;
        Directory.CreateDirectory(folder);
        string part = $"{path}.{Guid.NewGuid():N}";
        try
        {
            File.WriteAllBytes(part, image);
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(part, OwnerOnly);
            File.Move(part, path, overwrite: true);
        }
        finally
        {
            File.Delete(part);
        }
        return path;
    }
}
