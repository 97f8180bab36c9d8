using Winnow.Core;

namespace Winnow.Data.Tests;

/// <summary>The readers on published files, where <c>WINNOW_DATA</c> names a folder that has them.</summary>
public class RealDataTests
{
    private static LabelledData Open(string name)
    {
        var folders = DataFolders.FromEnvironment();
        Assert.SkipUnless(folders.Data is not null, "WINNOW_DATA is not set");
        Assert.SkipUnless(NamedDataSets.Locate(NamedDataSets.Find(name)!, folders) is not null, $"WINNOW_DATA has no {name}");
        return DataSources.Open(name, new DataReading(), TestContext.Current.CancellationToken);
    }

    [Fact]
    public void Mnist_test_images() => Assert.Equal(
        "IDX, gzip: 10,000 rows of 1x28x28, 10 classes (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), 892 to 1,135 rows a class", Open("mnist-test").Describe());

    [Fact]
    public void First_mnist_test_image_is_a_seven_with_its_known_grey_sum()
    {
        var data = Open("mnist-test");
        var image = new float[784];
        data.CopyRows([0], image);
        Assert.Equal(7, data.Labels[0]);
        Assert.Equal(18454, Math.Round(image.Sum(v => v * 255.0)));
    }

    [Fact]
    public void Cifar10_sample_keeps_its_split_and_class_names()
    {
        var data = Open("cifar10-small");
        Assert.Equal("CIFAR-10 binary: 12,000 rows (10,000 for training) of 3x32x32, 10 classes (airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck), 1,200 to 1,200 rows a class", data.Describe());
    }

    [Theory]
    [InlineData("iris", "CSV: 150 rows of 4 features, 3 classes (setosa, versicolor, virginica), 50 to 50 rows a class")]
    [InlineData("wine", "CSV: 178 rows of 13 features, 3 classes (class_0, class_1, class_2), 48 to 71 rows a class")]
    [InlineData("breast-cancer", "CSV: 569 rows of 30 features, 2 classes (malignant, benign), 212 to 357 rows a class")]
    public void Classic_tables(string name, string text) => Assert.Equal(text, Open(name).Describe());

    [Fact]
    public void Movielens_ratings_but_the_nine_of_a_movie_without_a_date()
    {
        var data = Open("movielens-100k");
        Assert.Equal("MovieLens 100K: 99,991 rows of 43 features, 2 classes (not liked, liked), 44,621 to 55,370 rows a class; ordered by a number from 874724710 to 893286638", data.Describe());
        Assert.All(data.Domains!.Cut(5).CountBy(p => p), p => Assert.InRange(p.Value, 99_991 / 5 - 100, 99_991 / 5 + 100));
    }
}
