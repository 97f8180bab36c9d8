using System.Reflection;
using Winnow.Compute;
using Winnow.Continual;
using Winnow.Core;
using Winnow.Data;
using Winnow.KernelMethods;
using Winnow.KvCache;
using Winnow.Training;

namespace Winnow.Cli;

/// <summary>The arenas of this program, in the order they are listed.</summary>
internal static class Catalogue
{
    public static IReadOnlyList<IArena> Arenas { get; } = [new ContinualArena(), new ComputeArena(TimeProvider.System), new KvCacheArena(TimeProvider.System, cancellation => RecallModel.Folder(DataFolders.FromEnvironment().Cache, line => Console.Error.WriteLine($"winnow: {line}"), cancellation)), new KernelMethodsArena(TimeProvider.System)];

    public static IArena Arena(string id) =>
        Arenas.FirstOrDefault(a => a.Id == id) ?? throw InputException.Unknown("arena", id, Arenas.Select(a => a.Id), "winnow arenas");

    /// <summary>A method by its id, in whichever arena it stands.</summary>
    public static (IArena Arena, MethodCard Card) Method(string id) =>
        Arenas.SelectMany(a => a.Methods.Select(m => (a, m))).FirstOrDefault(p => p.m.Id == id) is { m: not null } found
            ? found
            : throw InputException.Unknown("method", id, Arenas.SelectMany(a => a.Methods.Select(m => m.Id)), "winnow methods");

    private static readonly string[] Stamp = typeof(Catalogue).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+');

    public static string Version => Stamp[0];

    /// <summary>The git commit the program was built from, or null.</summary>
    public static string? Commit => Stamp.Length > 1 ? Stamp[1] : null;
}
