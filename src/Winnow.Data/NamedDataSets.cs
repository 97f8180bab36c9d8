using Winnow.Core;

namespace Winnow.Data;

/// <summary>The data sets known by name, with the public address of those that can be downloaded and the checksum stated for each file.</summary>
public static class NamedDataSets
{
    private const string TorchVision = "torchvision (datasets/mnist.py)";
    private static readonly string[] Digits = [.. Enumerable.Range(0, 10).Select(d => $"{d}")];
    private static readonly string[] Cifar10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
    private const string MnistTerms = "LeCun, Cortes, Burges: The MNIST database of handwritten digits.";
    private const string CifarTerms = "Krizhevsky (2009): Learning multiple layers of features from tiny images.";
    private const string UciTerms = "UCI Machine Learning Repository, CC BY 4.0.";

    /// <summary>All of them; the embedded digits are not among them.</summary>
    public static IReadOnlyList<NamedDataSet> All { get; } =
    [
        new("mnist", "MNIST", MnistTerms, ["mnist"], Digits, Idx("https://ossci-datasets.s3.amazonaws.com/mnist/", TorchVision,
            "f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432", "9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c")),
        new("fashion-mnist", "Fashion-MNIST", "Xiao, Rasul, Vollgraf (2017), Zalando SE, MIT licence.", ["fashion-mnist"],
            ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
            Idx("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", "the publisher (README of zalandoresearch/fashion-mnist)",
                "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe", "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310")),
        new("kmnist", "Kuzushiji-MNIST", "\"KMNIST Dataset\" (created by CODH), adapted from \"Kuzushiji Dataset\" (created by NIJL and others), doi:10.20676/00000341, CC BY-SA 4.0.", ["kmnist"],
            ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
            Idx("http://codh.rois.ac.jp/kmnist/dataset/kmnist/", TorchVision,
                "bdb82020997e1d708af4cf47b453dcf7", "e144d726b3acfaa3e44228e80efcd344", "5c965bf0a639b31b8f53240b1b52f4d7", "7320c461ea6c1c855c0b718fb2a4b134")),
        new("cifar10", "CIFAR-10", CifarTerms, ["cifar10", "cifar-10", "cifar-10-batches-bin"], Cifar10,
            [new(new("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"), "c32a1d4ab5d03f1284b67883e8d87530", "the publisher (www.cs.toronto.edu/~kriz/cifar.html)")]),
        new("mnist-test", "MNIST test images", MnistTerms, ["mnist-test"], Digits, []),
        new("cifar10-small", "CIFAR-10, a sample", CifarTerms, ["cifar10-small"], Cifar10, []),
        new("iris", "Iris", UciTerms, ["iris.csv", "sklearn/iris.csv"], null, []),
        new("wine", "Wine", UciTerms, ["wine.csv", "sklearn/wine_data.csv"], null, []),
        new("breast-cancer", "Breast cancer (Wisconsin)", UciTerms, ["breast_cancer.csv", "sklearn/breast_cancer.csv"], null, []),
        Uci("energy", "Energy efficiency (heating load)", "Tsanas and Xifara (2012)", "261d4267aec44ab19d18cca07eb7060f"),
        Uci("yacht", "Yacht hydrodynamics (residuary resistance)", "Gerritsma, Onnink and Versluis (1981)", "7f76e247bb7ca38df3f1a5e918697b3f"),
        Uci("concrete", "Concrete compressive strength", "Yeh (1998)", "3a0d46c88b95e3181e5a29475b3a2e04"),
        new("movielens-100k", "MovieLens 100K", "Harper and Konstan (2015): The MovieLens datasets: history and context; GroupLens, University of Minnesota, for research, not to be redistributed.",
            ["movielens-100k", "ml-100k"], null, []),
    ];

    /// <summary>The data set of a name, or null.</summary>
    public static NamedDataSet? Find(string name) => All.FirstOrDefault(d => d.Name == name);

    /// <summary>The data set of a name that can be downloaded.</summary>
    /// <exception cref="InputException">There is none.</exception>
    internal static NamedDataSet Downloadable(string name)
    {
        if (name == EmbeddedDigits.Name)
            throw InputException.At($"data set '{name}'", "data that comes with the program", "a data set to download", "It is always there: --data digits.");
        var set = Find(name);
        return set is { Files.Count: > 0 } ? set
            : set is not null ? throw InputException.At($"data set '{name}'", "no public address", "a data set that can be downloaded", $"Put {set.Paths[0]} below the folder that WINNOW_DATA names.")
            : throw InputException.Unknown("data set", name, All.Where(s => s.Files.Count > 0).Select(s => s.Name), "winnow data list");
    }

    /// <summary>Where a data set lies on this machine: below <c>WINNOW_DATA</c>, else complete in the cache; null when it is in neither.</summary>
    public static string? Locate(NamedDataSet set, DataFolders folders)
    {
        if (folders.Data is { } root)
            foreach (string path in set.Paths.Select(p => Path.Combine(root, p)))
                if (Path.Exists(path))
                    return path;
        string cached = CacheFolder(set, folders);
        return set.Files.Count > 0 && set.Files.All(f => File.Exists(Path.Combine(cached, f.FileName))) ? cached : null;
    }

    /// <summary>Where downloads of a data set lie.</summary>
    internal static string CacheFolder(NamedDataSet set, DataFolders folders) => Path.Combine(folders.Cache, "data", set.Name);

    /// <summary>A table of numbers whose last column is learned, as the repository of a paper on deep kernel processes keeps it beside fixed splits.</summary>
    private static NamedDataSet Uci(string name, string title, string source, string md5) =>
        new(name, title, $"{source}. {UciTerms}", [$"uci/{name}/data.txt", $"{name}.txt"], null, [new(new($"https://raw.githubusercontent.com/LaurenceA/bayesfunc/d3fed87236834d49994cc8017fa4ed4ca66cab96/uci/{name}/data.txt"), md5, "its repository at this commit")]);

    private static PublishedFile[] Idx(string root, string source, string trainImages, string trainLabels, string testImages, string testLabels) =>
    [
        new(new(root + "train-images-idx3-ubyte.gz"), trainImages, source),
        new(new(root + "train-labels-idx1-ubyte.gz"), trainLabels, source),
        new(new(root + "t10k-images-idx3-ubyte.gz"), testImages, source),
        new(new(root + "t10k-labels-idx1-ubyte.gz"), testLabels, source),
    ];
}
