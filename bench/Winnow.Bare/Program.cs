// Runs the trial in the file given, in this process: no parent, no events, no store. What the harness is measured beside.
using System.Text.Json;
using Winnow.Continual;
using Winnow.Core;
using Winnow.Learning;

var trial = JsonSerializer.Deserialize<Trial>(File.ReadAllText(args[0]), WinnowJson.Options)!;
NativeTorch.SetThreads(trial.Threads);
var result = new ContinualArena().Run(trial, new TrialContext(trial.Seed, args[1], _ => { }, CancellationToken.None));
Console.WriteLine(result.Metrics["accuracy"].ToString("R", System.Globalization.CultureInfo.InvariantCulture));
