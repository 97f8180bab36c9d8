using Microsoft.Extensions.AI;
using Winnow.Core;

namespace Winnow.Continual;

/// <summary>Class names embedded by any generator of the Microsoft.Extensions.AI abstractions, local or remote, as whole texts.</summary>
/// <param name="generator">The generator; the caller owns it.</param>
/// <param name="cancellation">Stops the request.</param>
public sealed class GeneratedEmbedding(IEmbeddingGenerator<string, Embedding<float>> generator, CancellationToken cancellation = default) : IClassNameEmbedding
{
    /// <inheritdoc/>
    /// <exception cref="InputException">The generator gave another number of vectors, vectors of several widths, or numbers that are not finite.</exception>
    public IReadOnlyList<float[]> Embed(IReadOnlyList<string> texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        // Off the caller's context, so that waiting for it cannot block what would complete it.
        var embeddings = Task.Run(() => generator.GenerateAsync(texts, cancellationToken: cancellation), cancellation).GetAwaiter().GetResult();
        float[][] vectors = [.. embeddings.Select(e => e.Vector.ToArray())];
        if (vectors.Length != texts.Count)
            throw Refused($"{vectors.Length} vectors for {texts.Count} class names", "one for each");
        for (int i = 0; i < vectors.Length; i++)
        {
            if (vectors[i].Length == 0 || vectors[i].Length != vectors[0].Length)
                throw Refused($"{vectors[i].Length} numbers for '{texts[i]}'", $"{vectors[0].Length}, as for '{texts[0]}', and at least one");
            if (vectors[i].Any(v => !float.IsFinite(v)))
                throw Refused($"a number that is not finite for '{texts[i]}'", "finite numbers");
        }
        return vectors;

        static InputException Refused(string found, string expected) => InputException.At("the embedding generator", found, expected, "Check the model behind it.");
    }
}
