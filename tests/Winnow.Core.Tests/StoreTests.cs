using Microsoft.Data.Sqlite;
using Winnow.FakeTrials;

namespace Winnow.Core.Tests;

public sealed class StoreTests : IDisposable
{
    private readonly TestFolder _folder = new();

    private static TrialOutcome Done(double value = 0.5) => new(null, new Dictionary<string, double> { ["value"] = value, ["tiny"] = double.Epsilon },
        new Dictionary<string, double> { ["rows"] = 10 }, [new("s", 0.1, 0), new("s", double.NaN, 1)], ["notes.txt"], new(123_456_789, 1.25, 2.5));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_is_stored_comes_back_to_the_bit()
    {
        var trial = FakeArena.Trial("ok", 3);
        using (var store = Store.Open(_folder.Path))
        {
            store.SavePlan("plan", [trial]);
            store.Finish(trial, Done(1.0 / 3), DateTimeOffset.UnixEpoch);
        }
        using var again = Store.Open(_folder.Path);
        Assert.Equal("plan", again.Plan);
        var found = Assert.Single(again.Finished());
        Assert.Equal(trial.Key, found.Trial.Key);
        Assert.Equal(1.0 / 3, found.Outcome.Metrics["value"]);
        Assert.Equal(double.Epsilon, found.Outcome.Metrics["tiny"]);
        Assert.Equal([new MetricEvent("s", 0.1, 0), new MetricEvent("s", double.NaN, 1)], found.Outcome.Series);
        Assert.Equal(["notes.txt"], found.Outcome.Artefacts);
        Assert.Equal(new Usage(123_456_789, 1.25, 2.5), found.Outcome.Usage);
    }

    [Fact]
    public void A_trial_that_is_done_stays_as_it_is()
    {
        var trial = FakeArena.Trial("ok", 1);
        using var store = Store.Open(_folder.Path);
        store.SavePlan("plan", [trial]);
        store.Finish(trial, Done(0.25), DateTimeOffset.UnixEpoch);
        store.Finish(trial, Done(0.75), DateTimeOffset.UnixEpoch);
        store.Finish(trial, Done() with { Failure = "late" }, DateTimeOffset.UnixEpoch);
        Assert.Equal(0.25, Assert.Single(store.Finished()).Outcome.Metrics["value"]);
    }

    [Fact]
    public void A_failed_trial_is_finished_until_it_is_to_be_retried()
    {
        var trial = FakeArena.Trial("ok", 1);
        using var store = Store.Open(_folder.Path);
        store.SavePlan("plan", [trial]);
        store.Finish(trial, Done() with { Failure = "over its time limit", Metrics = new Dictionary<string, double>() }, DateTimeOffset.UnixEpoch);
        Assert.Equal("over its time limit", Assert.Single(store.Finished()).Outcome.Failure);
        store.RetryFailed();
        Assert.Empty(store.Finished());
    }

    [Fact]
    public void Planning_again_keeps_results_and_takes_the_new_order()
    {
        Trial one = FakeArena.Trial("ok", 1), two = FakeArena.Trial("ok", 2);
        using var store = Store.Open(_folder.Path);
        store.SavePlan("plan", [one, two]);
        store.Finish(one, Done(), DateTimeOffset.UnixEpoch);
        store.Finish(two, Done(), DateTimeOffset.UnixEpoch);
        store.SavePlan("plan", [two, one]);
        Assert.Equal([2ul, 1ul], store.Finished().Select(f => f.Trial.Seed));
    }

    [Fact]
    public void A_store_of_a_newer_schema_is_refused_politely_and_left_alone()
    {
        Store.Open(_folder.Path).Dispose();
        Raw($"PRAGMA user_version = {Store.Version + 1}");
        var error = Assert.Throws<InputException>(() => Store.Open(_folder.Path));
        Assert.Contains($"schema version {Store.Version + 1}", error.Message);
        Assert.Contains("newer winnow", error.Message);
    }

    [Fact]
    public void Foreign_keys_hold()
    {
        using var store = Store.Open(_folder.Path);
        var stranger = FakeArena.Trial("ok", 9);
        store.Finish(stranger, Done(), DateTimeOffset.UnixEpoch); // not planned: nothing to finish
        Assert.Empty(store.Finished());
        Assert.Equal("wal", Raw("PRAGMA journal_mode"));
        Assert.ThrowsAny<SqliteException>(() => Raw("PRAGMA foreign_keys = ON; INSERT INTO metric (trial, kind, name, value) VALUES ('nobody', 'metric', 'a', 1)"));
    }

    [Fact]
    public void A_file_that_is_no_store_is_refused_with_a_remedy()
    {
        _folder.Write("study.db", new string('x', 5000));
        var error = Assert.Throws<InputException>(() => Store.Open(_folder.Path));
        Assert.Contains("not a study's store", error.Message);
        Assert.Contains("--out", error.Message);
    }

    [Fact]
    public void A_file_where_the_folder_should_be_is_refused()
    {
        string file = _folder.Write("file", "");
        Assert.Contains("--out", Assert.Throws<InputException>(() => Store.Open(file)).Message);
    }

    private object? Raw(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={_folder["study.db"]};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }
}
