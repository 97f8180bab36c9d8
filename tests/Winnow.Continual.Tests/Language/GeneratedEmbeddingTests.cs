using Microsoft.Extensions.AI;
using Winnow.Core;

namespace Winnow.Continual.Tests.Language;

public sealed class GeneratedEmbeddingTests
{
    [Fact]
    public void Each_name_gets_the_generators_vector()
    {
        var vectors = new GeneratedEmbedding(new Generator(texts => texts.Select(t => new float[] { t.Length, t[0] })), TestContext.Current.CancellationToken).Embed(["cat", "zebra"]);
        Assert.Equal([[3, 'c'], [5, 'z']], vectors);
    }

    [Fact]
    public void What_is_no_embedding_of_the_names_is_refused()
    {
        Refused(_ => [[1, 2]], "1 vectors for 2 class names");
        Refused(_ => [[1, 2], [1]], "1 numbers for 'zebra'", "2, as for 'cat'");
        Refused(_ => [[], []], "0 numbers for 'cat'");
        Refused(_ => [[1], [float.NaN]], "not finite for 'zebra'");
    }

    [Fact]
    public void It_can_be_stopped()
    {
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => new GeneratedEmbedding(new Generator(_ => []), stop.Token).Embed(["cat"]));
    }

    private static void Refused(Func<IEnumerable<string>, IEnumerable<float[]>> make, params string[] parts)
    {
        var error = Assert.Throws<InputException>(() => new GeneratedEmbedding(new Generator(make), TestContext.Current.CancellationToken).Embed(["cat", "zebra"]));
        Assert.All(parts, p => Assert.Contains(p, error.Message));
    }

    private sealed class Generator(Func<IEnumerable<string>, IEnumerable<float[]>> make) : IEmbeddingGenerator<string, Embedding<float>>
    {
        public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
        {
            await Task.Yield();
            return new(make(values).Select(v => new Embedding<float>(v)));
        }

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
        }
    }
}
