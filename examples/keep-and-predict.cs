// Trains a method, keeps it in a folder, loads it and predicts:  dotnet run -c Release examples/keep-and-predict.cs
// The same as `winnow compare`, `winnow keep` and `winnow predict`, through the library.
#:project ../src/Winnow.Continual/Winnow.Continual.csproj
#:property PublishAot=false
using System.Globalization;
using Winnow.Continual;
using Winnow.Core;
using Winnow.Data;

string folder = Path.Combine(Path.GetTempPath(), $"winnow-kept-{Environment.ProcessId}");

// One trial: replay with a memory of 200 rows, on the embedded digits, two classes at a time.
var arena = new ContinualArena();
var study = new Study { Arena = arena.Id, Methods = Study.ParseMethods("er:buffer-size=200"), Seeds = [1] };
var trial = StudyPlan.Make(study, arena, CancellationToken.None).Trials[0];
var result = arena.Run(trial, new TrialContext(trial.Seed, folder, _ => { }, CancellationToken.None));
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"trained {trial.Method}: accuracy {result.Metrics["accuracy"]:P1} on the rows held out"));

// The folder now has model.safetensors and kept.json: everything that is needed to predict, elsewhere and later.
using var learner = KeptLearner.Load(folder);
var digits = EmbeddedDigits.Open();
int[] rows = [.. Enumerable.Range(0, 1000)];
var pixels = new float[rows.Length * digits.Width];
digits.CopyRows(rows, pixels);
var predictions = learner.PredictRows(pixels);

foreach (int row in rows.Take(5))
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"row {row}: {predictions[row].Label} with confidence {predictions[row].Confidence:F2}; it is {digits.LabelNames[digits.Labels[row]]}"));
Console.WriteLine($"{rows.Count(row => predictions[row].Label == digits.LabelNames[digits.Labels[row]])} of {rows.Length} right, rows of the training included");
Directory.Delete(folder, recursive: true);
