// A method used alone, without the workbench:  dotnet run -c Release examples/replay-in-five-lines.cs
#:project ../src/Winnow.Continual/Winnow.Continual.csproj
#:property PublishAot=false
using System.Globalization;
using Winnow.Continual;
using Winnow.Core;
using Winnow.Data;

// Ten digits arrive two at a time; each pair is seen five times and never again.
using var stream = ContinualStream.ByClass(EmbeddedDigits.Open(), [2, 2, 2, 2, 2], testFraction: 0.25, new SeededRandom(1, "stream"));
var order = new SeededRandom(1, "order");

// The five lines: a learner that replays 100 remembered rows. Without the second argument it is plain fine-tuning, and forgets.
var setup = LearnerSetup.For(stream, seed: 1);
using var learner = new Learner(setup, new ExperienceReplay(setup, new() { BufferSize = 100 }));
foreach (var train in stream.Tasks.Select(t => t.Train()))
    for (int pass = 0; pass < 5; pass++)
        foreach (var batch in (train with { FirstPass = pass == 0 }).MiniBatches(32, order))
            learner.Observe(batch);

foreach (var task in stream.Tasks)
{
    var test = task.Test();
    double accuracy = learner.Predict(test.X).argmax(1).eq(test.Y).@double().mean().item<double>();
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"digits {string.Join(" and ", task.Info.Classes)}: {accuracy:P0}"));
}
