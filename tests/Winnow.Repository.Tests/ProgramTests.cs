using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Winnow.Compute;
using Winnow.Continual;
using Winnow.Core;
using Winnow.KernelMethods;
using Winnow.KvCache;

namespace Winnow.Repository.Tests;

/// <summary>The programs that <c>winnow keep</c> writes beside a winner.</summary>
public sealed class ProgramTests
{
    private static readonly IArena[] Arenas = [new ContinualArena(), new ComputeArena(), new KvCacheArena(), new KernelMethodsArena()];

    private static readonly MetadataReference[] References =
        [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Select(path => MetadataReference.CreateFromFile(path))];

    private static readonly SyntaxTree Usings = CSharpSyntaxTree.ParseText(string.Concat(
        ((string[])["System", "System.Collections.Generic", "System.IO", "System.Linq", "System.Net.Http", "System.Threading", "System.Threading.Tasks"]).Select(n => $"global using {n};\n")), cancellationToken: TestContext.Current.CancellationToken);

    public static TheoryData<string, string> Tasks => [.. Arenas.SelectMany(a => a.Tasks.Select(t => (a.Id, t.Id)))];

    /// <summary>The texts differ by what the method is and its options are, and by little else: each is compiled once.</summary>
    [Theory, MemberData(nameof(Tasks))]
    public void The_program_of_every_method_compiles(string arena, string task)
    {
        var owner = Arenas.Single(a => a.Id == arena);
        var card = owner.Tasks.Single(t => t.Id == task);
        var texts = new HashSet<string>();
        foreach (var method in owner.Methods.Where(m => m.Needs.All(card.Offers.Contains)))
        {
            var options = method.Options.Canonical(method.Options.Bind([], method.Id));
            string text = owner.Program(new(arena, task, card.Options.Canonical(card.Options.Bind([], "task")), method.Id, options, 1, new("digits", "0", new()), "code", 1), "1.0.0");
            Assert.Contains("#:package Winnow.", text, StringComparison.Ordinal);
            if (texts.Add(text.Replace(options.ToJsonString(), "{}", StringComparison.Ordinal).Replace($"\"{method.Id}\"", "\"\"", StringComparison.Ordinal)))
                Compiles(text, $"{task}, {method.Id}");
        }
        Assert.NotEmpty(texts);
    }

    [Fact] // what fails here must fail
    public void A_program_with_a_wrong_name_does_not_compile() =>
        Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => Compiles("System.Console.WriteLine(new Winnow.Core.NoSuchThing());", "wrong"));

    private static void Compiles(string text, string what)
    {
        string code = string.Join('\n', text.Split('\n').Select(l => l.StartsWith("#:", StringComparison.Ordinal) ? "" : l));
        var tree = CSharpSyntaxTree.ParseText(code, cancellationToken: TestContext.Current.CancellationToken);
        var made = CSharpCompilation.Create("Use", [tree, Usings], References, new(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable));
        string[] wrong = [.. made.GetDiagnostics(TestContext.Current.CancellationToken).Where(d => d.Severity >= DiagnosticSeverity.Warning && d.Id is not ("CS1701" or "CS1702" or "CS8019" or "CS8321")).Select(d => d.ToString())];
        Assert.True(wrong.Length == 0, $"{what}:\n{string.Join('\n', wrong)}\n{text}");
    }
}
