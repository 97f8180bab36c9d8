namespace Winnow.Continual;

/// <summary>Vectors for the names of classes: a file of word vectors, a sentence encoder, or the text that comes with the library.</summary>
public interface IClassNameEmbedding
{
    /// <summary>A vector for each text, all of the same width.</summary>
    /// <exception cref="Winnow.Core.InputException">A text has no vector; the message names the word.</exception>
    IReadOnlyList<float[]> Embed(IReadOnlyList<string> texts);
}
