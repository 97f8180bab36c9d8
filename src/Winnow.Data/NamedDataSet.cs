namespace Winnow.Data;

/// <summary>A data set known by name.</summary>
/// <param name="Name">Name on the command line.</param>
/// <param name="Title">Name for people.</param>
/// <param name="Attribution">Source and terms.</param>
/// <param name="Paths">Where it lies below <c>WINNOW_DATA</c>, the first that exists wins.</param>
/// <param name="LabelNames">Its classes, where the files only hold indices.</param>
/// <param name="Files">What can be downloaded; empty when only the user's own copy is used.</param>
public sealed record NamedDataSet(string Name, string Title, string Attribution, IReadOnlyList<string> Paths, IReadOnlyList<string>? LabelNames, IReadOnlyList<PublishedFile> Files);

/// <summary>A file at its public address.</summary>
/// <param name="Address">Where it is.</param>
/// <param name="Md5">MD5 that is stated for it, in hex; null where none is, and then only the first download's SHA-256 is compared.</param>
/// <param name="Md5Source">Who states it.</param>
public sealed record PublishedFile(Uri Address, string? Md5, string? Md5Source)
{
    /// <summary>File name in the cache.</summary>
    public string FileName => Path.GetFileName(Address.LocalPath);
}
