using Winnow.Core;
using static Winnow.Data.Tests.Scratch;

namespace Winnow.Data.Tests;

public sealed class MovieLensReaderTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private string Folder(string? ratings = null, string? movies = null, string? users = null, string genres = "unknown|0\nDrama|1\n\n")
    {
        _scratch.Write("ml/u.data", ratings ?? "1\t1\t3\t900\n2\t2   5\t100\n2\t1\t4\t500\n1\t3\t1\t300\n");
        _scratch.Write("ml/u.item", System.Text.Encoding.Latin1.GetBytes(movies ?? "1|Misérables, Les (1995)|01-Jan-1995||http://x|0|1\n2|Old (1971)|4-Feb-1971||http://y|1|0\n3|unknown||||1|0\n"));
        _scratch.Write("ml/u.user", users ?? "1|24|M|writer|85711\n2|53|F|artist|94043\n");
        _scratch.Write("ml/u.genre", genres);
        return _scratch.Path("ml");
    }

    [Fact]
    public void Ratings_are_joined_with_movies_and_users_without_ids()
    {
        var data = Open(Folder());
        Assert.Equal(["unknown", "Drama", "year", "age", "female", "artist", "writer"], data.FeatureNames!);
        Assert.Equal([0, 1, 1995, 24, 0, 0, 1, 1, 0, 1971, 53, 1, 1, 0, 0, 1, 1995, 53, 1, 1, 0], Values(data)); // the movie without a date is left out
        Assert.Equal(["not liked", "liked"], data.LabelNames);
        Assert.Equal([0, 1, 1], data.Labels);
        Assert.Equal([900, 100, 500], data.Domains!.Order);
        Assert.Equal("MovieLens 100K", data.Format);
    }

    [Fact]
    public void Damaged_files_are_refused_with_file_and_line()
    {
        Refused(() => Open(Folder(ratings: "1\t1\t3\t900\n2\t2\t5\n")), "u.data, line 2: found 3 fields; expected user, movie, rating and time");
        Refused(() => Open(Folder(ratings: "1\t1\t3\t900\n2\t2\t5\t10")), "u.data, line 2: found '2\\u00092\\u00095\\u000910' without an end of line", "cut short");
        Refused(() => Open(Folder(ratings: "1\t1\t6\t900\n")), "u.data, line 1: found the rating '6'; expected a whole number from 1 to 5");
        Refused(() => Open(Folder(ratings: "1\t1\t5\tnoon\n")), "u.data, line 1: found the time 'noon'");
        Refused(() => Open(Folder(ratings: "7\t1\t5\t900\n")), "u.data, line 1: found user '7'; expected one of the 2 users of u.user");
        Refused(() => Open(Folder(ratings: "1\t9\t5\t900\n")), "u.data, line 1: found movie '9'; expected one of the 3 movies of u.item");
        Refused(() => Open(Folder(ratings: "\n")), "u.data: found no ratings");
        Refused(() => Open(Folder(ratings: "")), "u.data: found an empty file");
        Refused(() => Open(Folder(movies: "1|A|01-Jan-1995||http://x|0|1\n2|B|01-Jan-1971||http://y|1\n")), "u.item, line 2: found 6 fields; expected id, title, two dates, address and 2 genres");
        Refused(() => Open(Folder(movies: "1|A|Jan 95||http://x|0|1\n")), "u.item, line 1: found 'Jan 95'; expected a date of release");
        Refused(() => Open(Folder(movies: "1|A|||http://x|0|2\n")), "u.item, line 1: found '2' for a genre");
        Refused(() => Open(Folder(movies: "1|A|||http://x|0|1\n1|A|||http://x|0|1\n")), "u.item, line 2: found movie '1' a second time");
        Refused(() => Open(Folder(users: "1|24|M|writer\n")), "u.user, line 1: found 4 fields");
        Refused(() => Open(Folder(users: "1|24|X|writer|0\n")), "u.user, line 1: found the gender 'X'; expected F or M");
        Refused(() => Open(Folder(users: "1|old|M|writer|0\n")), "u.user, line 1: found the age 'old'");
        Refused(() => Open(Folder(users: "1|24|M|writer|0\n1|24|M|writer|0\n")), "u.user, line 2: found user '1' a second time");
        Refused(() => Open(Folder(genres: "unknown|0\nDrama|2\n")), "u.genre, line 2: found 'Drama|2'");
        Refused(() => DataSources.Open(Folder(), new DataReading(Domain: "age"), CancellationToken.None), "found MovieLens, whose order is the time of a rating");
        File.Delete(_scratch.Path("ml/u.genre"));
        Refused(() => Open(_scratch.Path("ml")), "u.genre: found nothing");
    }

    [Fact]
    public void Rows_to_predict_must_have_the_features_of_training()
    {
        var layout = Open(Folder()).Layout;
        Assert.Equal(3, DataSources.OpenRows(Folder(), new(), layout, TestContext.Current.CancellationToken).Count);
        Refused(() => DataSources.OpenRows(Folder(), new(), new ExampleLayout([4], 1), CancellationToken.None), "found MovieLens rows of 7 features; expected rows of 4 features");
    }
}
