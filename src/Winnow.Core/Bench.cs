using System.Text.Json.Nodes;

namespace Winnow.Core;

/// <summary>A measurement of this code beside a peer's, taken in one run; only their ratio is compared with anything.</summary>
/// <param name="Bench">Name on the command line, e.g. <c>mlp-step</c>.</param>
/// <param name="Case">What is measured, e.g. sizes.</param>
/// <param name="Unit">Unit of both numbers.</param>
/// <param name="Better">Which direction of the ratio wins.</param>
/// <param name="Target">The ratio, ours by theirs, to be reached; null where the ratio is only to be known.</param>
/// <param name="Run">Measures; takes some seconds.</param>
public sealed record BenchCase(string Bench, string Case, string Unit, Better Better, double? Target, Func<CancellationToken, BenchMeasurement> Run);

/// <summary>What a case measured.</summary>
/// <param name="Ours">This code's number.</param>
/// <param name="Peer">Who was measured beside it, with version and settings.</param>
/// <param name="Theirs">The peer's number, or null without it.</param>
/// <param name="AccuracyOk">Whether both computed the same, or null without the peer.</param>
/// <param name="MissingPeer">What to install so that the peer can be measured, or null.</param>
public sealed record BenchMeasurement(double Ours, string Peer, double? Theirs = null, bool? AccuracyOk = null, string? MissingPeer = null);

/// <summary>A case with what it measured.</summary>
public sealed record BenchResult(BenchCase Case, BenchMeasurement Measurement)
{
    /// <summary>Ours by theirs, or null without the peer or where its number is 0.</summary>
    public double? Ratio => Measurement.Theirs == 0 ? null : Measurement.Ours / Measurement.Theirs;

    /// <summary>Whether the ratio reaches the target with equal results, or null without a peer or a target.</summary>
    public bool? Met => Ratio is not { } ratio || Case.Target is not { } target ? null
        : Measurement.AccuracyOk == true && (Case.Better == Better.Higher ? ratio >= target : ratio <= target);

    /// <summary>The case as <c>winnow bench --json</c> writes it.</summary>
    public JsonObject ToJson() => new()
    {
        ["bench"] = Case.Bench,
        ["case"] = Case.Case,
        ["ours"] = Measurement.Ours,
        ["peer"] = Measurement.Peer,
        ["theirs"] = Measurement.Theirs,
        ["unit"] = Case.Unit,
        ["ratio"] = Ratio,
        ["better"] = Case.Better == Better.Higher ? "higher" : "lower",
        ["target"] = Case.Target,
        ["accuracy_ok"] = Measurement.AccuracyOk,
        ["missing_peer"] = Measurement.MissingPeer,
    };
}
