using Microsoft.Extensions.AI;

namespace Winnow.Continual;

/// <summary>Class names embedded by any generator of the Microsoft.Extensions.AI abstractions, local or remote, as whole texts.</summary>
/// <param name="generator">The generator; the caller owns it.</param>
/// <param name="cancellation">Stops the request.</param>
public sealed class GeneratedEmbedding(IEmbeddingGenerator<string, Embedding<float>> generator, CancellationToken cancellation = default) : IClassNameEmbedding
{
    /// <inheritdoc/>
    public IReadOnlyList<float[]> Embed(IReadOnlyList<string> texts)
    {
        // Off the caller's context, so that waiting for it cannot block what would complete it.
        var embeddings = Task.Run(() => generator.GenerateAsync(texts, cancellationToken: cancellation), cancellation).GetAwaiter().GetResult();
        return [.. embeddings.Select(e => e.Vector.ToArray())];
    }
}
