using System.Globalization;
using System.Text;
using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>
/// The folder of MovieLens 100K: every rating as a row, with the movie's genres and year of release and the user's age, gender and occupation;
/// its class is whether the user liked the movie (4 or 5 of 5), its place in the order the second it was given. Ids are no features. Ratings of
/// a movie without a date of release (one of 1,682, with 9 of the 100,000 ratings) are left out.
/// </summary>
/// <param name="folder">The folder.</param>
/// <param name="request">What to read.</param>
internal sealed class MovieLensReader(string folder, ReadRequest request)
{
    private const string Ratings = "u.data", Movies = "u.item", Users = "u.user", GenreNames = "u.genre";
    private const int Liked = 4, Best = 5, MovieFields = 5, OldestAge = 130;

    /// <summary>Whether a folder holds it.</summary>
    public static bool Holds(IEnumerable<string> files) => new[] { Ratings, Movies, Users }.All(name => files.Any(f => Path.GetFileName(f) == name));

    /// <summary>Reads and joins the files.</summary>
    public Table Read()
    {
        Domains.RefuseColumn(folder, request.Reading, "MovieLens, whose order is the time of a rating");
        string[] genres = Genres();
        var movies = ReadMovies(genres.Length);
        var users = ReadUsers();
        string[] occupations = [.. users.Values.Select(u => u.Occupation).Distinct().Order(StringComparer.Ordinal)];
        string[] names = [.. genres, "year", "age", "female", .. occupations];
        if (request.Layout is { } layout && layout.FeatureNames?.SequenceEqual(names) != true)
            throw InputException.At(folder, $"MovieLens rows of {names.Length} features", $"rows of {layout.ShapeText} as the model was trained on", "Give rows like those of the training data.");

        var values = new GrowingArray<float>(folder, request.Limits);
        var labels = new GrowingArray<int>(folder, request.Limits);
        var times = new GrowingArray<double>(folder, request.Limits);
        foreach (var (line, where) in Lines(Ratings))
        {
            // Copies are about in which some tabs have become spaces.
            string[] fields = line.Split(['\t', ' '], StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length != 4)
                throw Fields(where, fields.Length, "user, movie, rating and time");
            var user = users.GetValueOrDefault(fields[0]) ?? throw InputException.At(where, $"user {Excerpt.Of(fields[0])}", $"one of the {Excerpt.Of(users.Count)} users of {Users}", "The files do not belong together, or one is cut short: get them again.");
            var movie = movies.GetValueOrDefault(fields[1]) ?? throw InputException.At(where, $"movie {Excerpt.Of(fields[1])}", $"one of the {Excerpt.Of(movies.Count)} movies of {Movies}", "The files do not belong together, or one is cut short: get them again.");
            int rating = Whole(fields[2], where, "rating", 1, Best), time = Whole(fields[3], where, "time", 0, int.MaxValue);
            if (movie.Year is not { } year)
                continue;
            foreach (bool genre in movie.Genres)
                values.Add(genre ? 1 : 0);
            values.Add(year);
            values.Add(user.Age);
            values.Add(user.Female ? 1 : 0);
            foreach (string occupation in occupations)
                values.Add(occupation == user.Occupation ? 1 : 0);
            labels.Add(rating >= Liked ? 1 : 0);
            times.Add(time);
        }
        if (labels.Count == 0)
            throw InputException.At(Path.Combine(folder, Ratings), "no ratings", "lines of user, movie, rating and time", "Get the file again.");
        return new(values.ToArray(), names.Length, names, labels.ToArray(), ["not liked", "liked"]) { Domains = Domains.Ordered(times.ToArray()) };
    }

    private string[] Genres()
    {
        var names = new List<string>();
        foreach (var (line, where) in Lines(GenreNames))
        {
            string[] fields = line.Split('|');
            if (fields.Length != 2 || fields[1] != $"{names.Count}")
                throw InputException.At(where, Excerpt.Of(line), $"the name of genre {names.Count}, | and {names.Count}", "Get the file again.");
            names.Add(fields[0]);
        }
        return [.. names];
    }

    private Dictionary<string, Movie> ReadMovies(int genres)
    {
        var movies = new Dictionary<string, Movie>();
        foreach (var (line, where) in Lines(Movies))
        {
            string[] fields = line.Split('|');
            if (fields.Length != MovieFields + genres)
                throw Fields(where, fields.Length, $"id, title, two dates, address and {genres} genres");
            string date = fields[2];
            int? year = date.Length == 0 ? null
                : DateTime.TryParseExact(date, "d-MMM-yyyy", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day) ? day.Year
                : throw InputException.At(where, Excerpt.Of(date), "a date of release such as 01-Jan-1995, or nothing", "Get the file again.");
            bool[] own = Array.ConvertAll(fields[MovieFields..], g => g is "0" or "1" ? g == "1" : throw InputException.At(where, $"{Excerpt.Of(g)} for a genre", "0 or 1", "Get the file again."));
            if (!movies.TryAdd(fields[0], new(year, own)))
                throw Twice(where, $"movie {Excerpt.Of(fields[0])}");
        }
        return movies;
    }

    private Dictionary<string, User> ReadUsers()
    {
        var users = new Dictionary<string, User>();
        foreach (var (line, where) in Lines(Users))
        {
            string[] fields = line.Split('|');
            if (fields.Length != 5)
                throw Fields(where, fields.Length, "id, age, gender, occupation and postal code");
            bool female = fields[2] is "F" or "M" ? fields[2] == "F" : throw InputException.At(where, $"the gender {Excerpt.Of(fields[2])}", "F or M", "Get the file again.");
            if (!users.TryAdd(fields[0], new(Whole(fields[1], where, "age", 0, OldestAge), female, fields[3])))
                throw Twice(where, $"user {Excerpt.Of(fields[0])}");
        }
        return users;
    }

    /// <summary>The lines of a file that are not blank, each with file and number. The last must have an end, or it may have been cut.</summary>
    private IEnumerable<(string Line, string Where)> Lines(string name)
    {
        string path = Path.Combine(folder, name);
        string text = InputFile.Reading(path, () =>
        {
            var (stream, _) = InputFile.Open(path);
            using var reader = new StreamReader(stream, Encoding.Latin1);
            return reader.ReadToEnd();
        });
        string[] lines = text.Split('\n');
        if (lines[^1].Length > 0)
            throw InputException.At($"{path}, line {lines.Length}", $"{Excerpt.Of(lines[^1])} without an end of line", "whole lines", "The file is cut short: get it again.");
        for (int i = 0; i < lines.Length; i++)
        {
            if (i % 1024 == 0)
                request.Cancellation.ThrowIfCancellationRequested();
            if (lines[i].Length > 0)
                yield return (lines[i], $"{path}, line {i + 1}");
        }
    }

    private static int Whole(string text, string where, string what, int least, int most) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= least && value <= most ? value
            : throw InputException.At(where, $"the {what} {Excerpt.Of(text)}", $"a whole number from {least} to {most}", "Get the file again.");

    private static InputException Fields(string where, int found, string expected) => InputException.At(where, $"{found} fields", expected, "The line is damaged or cut short: get the file again.");

    private static InputException Twice(string where, string what) => InputException.At(where, $"{what} a second time", "each once", "Get the file again.");

    private sealed record Movie(int? Year, bool[] Genres);

    private sealed record User(int Age, bool Female, string Occupation);
}
