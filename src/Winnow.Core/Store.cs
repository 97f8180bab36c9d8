using System.Globalization;
using System.Text.Json;
using Microsoft.Data.Sqlite;

namespace Winnow.Core;

/// <summary>
/// The trials of a study in one SQLite file (write-ahead log). Every finished trial is one transaction: it is there whole or not at all.
/// </summary>
public sealed class Store : IDisposable
{
    /// <summary>Each entry brings the schema from its index to the next version. Entries are never changed, only added.</summary>
    private static readonly string[] Migrations =
    [
        """
        CREATE TABLE study (id INTEGER PRIMARY KEY CHECK (id = 1), plan TEXT NOT NULL);
        CREATE TABLE trial (
            key TEXT PRIMARY KEY, position INTEGER NOT NULL, json TEXT NOT NULL,
            state TEXT NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'done', 'failed')),
            failure TEXT, peak_memory_bytes INTEGER, cpu_seconds REAL, wall_seconds REAL, finished TEXT,
            CHECK ((state = 'failed') = (failure IS NOT NULL))) WITHOUT ROWID;
        CREATE TABLE metric (
            trial TEXT NOT NULL REFERENCES trial (key) ON DELETE CASCADE, kind TEXT NOT NULL CHECK (kind IN ('metric', 'account')),
            name TEXT NOT NULL, value REAL, PRIMARY KEY (trial, kind, name)) WITHOUT ROWID;
        CREATE TABLE point (
            trial TEXT NOT NULL REFERENCES trial (key) ON DELETE CASCADE, position INTEGER NOT NULL,
            name TEXT NOT NULL, step INTEGER NOT NULL, value REAL, PRIMARY KEY (trial, position)) WITHOUT ROWID;
        CREATE TABLE artefact (
            trial TEXT NOT NULL REFERENCES trial (key) ON DELETE CASCADE, name TEXT NOT NULL, PRIMARY KEY (trial, name)) WITHOUT ROWID;
        """,
    ];

    private readonly SqliteConnection _connection;
    private readonly Lock _gate = new();

    private Store(SqliteConnection connection) => _connection = connection;

    /// <summary>The schema version this program writes.</summary>
    public static int Version => Migrations.Length;

    /// <summary>Opens or makes the store of a study folder and brings its schema up to date.</summary>
    /// <exception cref="InputException">The folder cannot be written, the file is damaged, or a newer program made it.</exception>
    public static Store Open(string folder)
    {
        string path = Path.Combine(folder, "study.db");
        return Guard(path, () =>
        {
            Directory.CreateDirectory(folder);
            var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, ForeignKeys = true, Pooling = false, DefaultTimeout = 30 }.ToString());
            try
            {
                connection.Open();
                int version = Convert.ToInt32(Scalar(connection, "PRAGMA user_version"), CultureInfo.InvariantCulture);
                if (version > Version)
                    throw InputException.At(path, $"schema version {version}", $"at most {Version}", "A newer winnow made this study: use that one, or choose another folder with --out.");
                Execute(connection, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
                for (; version < Version; version++)
                    using (var transaction = connection.BeginTransaction())
                    {
                        Execute(connection, Migrations[version] + $"PRAGMA user_version = {version + 1};");
                        transaction.Commit();
                    }
                return new Store(connection);
            }
            catch
            {
                connection.Dispose();
                throw;
            }
        });
    }

    /// <summary>The plan stored with the study, or null for a new study.</summary>
    public string? Plan
    {
        get
        {
            lock (_gate)
                return Guard(_connection.DataSource, () => Scalar(_connection, "SELECT plan FROM study") as string);
        }
    }

    /// <summary>Stores the plan and its trials; trials that are already there keep their results.</summary>
    public void SavePlan(string plan, IReadOnlyList<Trial> trials)
    {
        lock (_gate)
            Guard(_connection.DataSource, () =>
            {
                using var transaction = _connection.BeginTransaction();
                Execute(_connection, "INSERT INTO study (id, plan) VALUES (1, $plan) ON CONFLICT (id) DO UPDATE SET plan = excluded.plan", ("$plan", plan));
                for (int i = 0; i < trials.Count; i++)
                    Execute(_connection, "INSERT INTO trial (key, position, json) VALUES ($key, $position, $json) ON CONFLICT (key) DO UPDATE SET position = excluded.position",
                        ("$key", trials[i].Key), ("$position", i), ("$json", JsonSerializer.Serialize(trials[i], WinnowJson.Options)));
                transaction.Commit();
                return 0;
            });
    }

    /// <summary>Stores how a trial ended, in one transaction. A trial that is already done stays as it is.</summary>
    public void Finish(Trial trial, TrialOutcome outcome, DateTimeOffset finished)
    {
        lock (_gate)
            Guard(_connection.DataSource, () =>
            {
                using var transaction = _connection.BeginTransaction();
                int changed = Execute(_connection, """
                    UPDATE trial SET state = $state, failure = $failure, peak_memory_bytes = $peak, cpu_seconds = $cpu, wall_seconds = $wall, finished = $finished
                    WHERE key = $key AND state <> 'done'
                    """, ("$key", trial.Key), ("$state", outcome.Failure is null ? "done" : "failed"), ("$failure", outcome.Failure), ("$peak", outcome.Usage.PeakMemoryBytes),
                    ("$cpu", outcome.Usage.CpuSeconds), ("$wall", outcome.Usage.WallSeconds), ("$finished", finished.ToString("O", CultureInfo.InvariantCulture)));
                if (changed == 0)
                    return 0;
                foreach (string table in (string[])["metric", "point", "artefact"])
                    Execute(_connection, $"DELETE FROM {table} WHERE trial = $key", ("$key", trial.Key));
                foreach (var (kind, values) in new[] { ("metric", outcome.Metrics), ("account", outcome.Account) })
                    foreach (var (name, value) in values)
                        Execute(_connection, "INSERT INTO metric (trial, kind, name, value) VALUES ($key, $kind, $name, $value)", ("$key", trial.Key), ("$kind", kind), ("$name", name), ("$value", value));
                for (int i = 0; i < outcome.Series.Count; i++)
                    Execute(_connection, "INSERT INTO point (trial, position, name, step, value) VALUES ($key, $position, $name, $step, $value)",
                        ("$key", trial.Key), ("$position", i), ("$name", outcome.Series[i].Name), ("$step", outcome.Series[i].Step), ("$value", outcome.Series[i].Value));
                foreach (string name in outcome.Artefacts.Distinct())
                    Execute(_connection, "INSERT INTO artefact (trial, name) VALUES ($key, $name)", ("$key", trial.Key), ("$name", name));
                transaction.Commit();
                return 0;
            });
    }

    /// <summary>Forgets the failures, so that these trials run again.</summary>
    public void RetryFailed()
    {
        lock (_gate)
            Guard(_connection.DataSource, () => Execute(_connection, "UPDATE trial SET state = 'planned', failure = NULL WHERE state = 'failed'"));
    }

    /// <summary>The finished trials, done or failed, in the order of the plan.</summary>
    public IReadOnlyList<FinishedTrial> Finished()
    {
        lock (_gate)
            return Guard(_connection.DataSource, () =>
            {
                var metrics = Rows("SELECT trial, kind, name, value FROM metric ORDER BY trial, kind, name", r => (Trial: r.GetString(0), Kind: r.GetString(1), Name: r.GetString(2), Value: Number(r, 3))).ToLookup(m => (m.Trial, m.Kind));
                var points = Rows("SELECT trial, name, step, value FROM point ORDER BY trial, position", r => (Trial: r.GetString(0), Point: new MetricEvent(r.GetString(1), Number(r, 3), r.GetInt64(2)))).ToLookup(p => p.Trial, p => p.Point);
                var artefacts = Rows("SELECT trial, name FROM artefact ORDER BY trial, name", r => (Trial: r.GetString(0), Name: r.GetString(1))).ToLookup(a => a.Trial, a => a.Name);
                return Rows("SELECT key, json, failure, peak_memory_bytes, cpu_seconds, wall_seconds FROM trial WHERE state <> 'planned' ORDER BY position", r =>
                {
                    string key = r.GetString(0);
                    return new FinishedTrial(JsonSerializer.Deserialize<Trial>(r.GetString(1), WinnowJson.Options)!, new TrialOutcome(
                        r.IsDBNull(2) ? null : r.GetString(2),
                        metrics[(key, "metric")].ToDictionary(m => m.Name, m => m.Value),
                        metrics[(key, "account")].ToDictionary(m => m.Name, m => m.Value),
                        [.. points[key]], [.. artefacts[key]], new(r.GetInt64(3), r.GetDouble(4), r.GetDouble(5))));
                });
            });
    }

    /// <inheritdoc/>
    public void Dispose() => _connection.Dispose();

    private List<T> Rows<T>(string sql, Func<SqliteDataReader, T> row)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        var rows = new List<T>();
        while (reader.Read())
            rows.Add(row(reader));
        return rows;
    }

    /// <summary>SQLite has no NaN: it stores one as NULL.</summary>
    private static double Number(SqliteDataReader r, int column) => r.IsDBNull(column) ? double.NaN : r.GetDouble(column);

    private static object? Scalar(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    private static int Execute(SqliteConnection connection, string sql, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
            command.Parameters.AddWithValue(name, value is null or double.NaN ? DBNull.Value : value);
        return command.ExecuteNonQuery();
    }

    /// <summary>Turns what the file system and SQLite say into an error a user can act on.</summary>
    private static T Guard<T>(string path, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (SqliteException e)
        {
            throw new InputException(e.SqliteErrorCode switch
            {
                8 or 14 => $"{path}: the study's store cannot be opened for writing ({e.Message}). Check the folder's permissions, or choose another with --out.",
                10 or 13 => $"{path}: the disk is full or failing ({e.Message}). Every trial finished before is kept; free some space and run the same command again.",
                11 or 26 => $"{path}: not a study's store, or damaged ({e.Message}). Move it away, or choose another folder with --out.",
                _ => $"{path}: the study's store failed ({e.Message}).",
            }, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: {e.Message.TrimEnd('.')}. Check the folder's permissions and free space, or choose another with --out.", e);
        }
    }
}
