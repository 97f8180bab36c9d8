// A service that files invoices learns from 100,000 corrections, a few at a time, in flat memory:  dotnet run -c Release examples/invoice-stream.cs
// Arguments: the number of updates, and a CSV file for accuracy and memory over updates.
#:project ../src/Winnow.Continual/Winnow.Continual.csproj
#:property PublishAot=false
#:property ConcurrentGarbageCollection=false
using System.Diagnostics;
using System.Globalization;
using Winnow.Continual;
using Winnow.Core;
using Winnow.Data;
using Winnow.Learning;

int updates = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 100_000;
using var csv = args.Length > 1 ? new StreamWriter(args[1]) : TextWriter.Null;
csv.WriteLine("update,rows,classes,accuracy,resident_megabytes");

NativeTorch.SetThreads(1); // updates of a few rows: a second thread costs more than it brings
var text = new HashedText(dimensions: 1024);
using var classifier = new ContinualClassifier(new()
{
    Shape = [text.Dimensions],
    Method = "er:buffer-size=1000:replay-batch=8",
    MaxClasses = 32,
    Hidden = 64,
    LearningRate = 0.2,
    DetectBoundaries = true,
    MemoryLimit = 64 << 20,
});
classifier.BoundaryFound += (_, found) =>
{
    if (found.Kind == BoundaryKind.NewClass)
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"update {found.Update}: a new class, {found.Label}"));
};
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"declared memory: {classifier.MemoryBytes / 1e6:F1} MB"));

// Invoice lines from a stated model: each kind of cost has its own words; every supplier writes them in his own way; kinds appear over time.
string[] kinds = ["rent", "energy", "travel", "software", "catering", "repairs", "insurance", "freight", "advertising", "training"];
string[][] words =
[
    ["lease", "office", "warehouse", "month", "premises"], ["electricity", "kwh", "meter", "gas", "tariff"], ["flight", "hotel", "taxi", "train", "night"],
    ["licence", "subscription", "users", "cloud", "seats"], ["lunch", "coffee", "delivery", "persons", "buffet"], ["boiler", "hours", "parts", "roof", "fitter"],
    ["policy", "premium", "liability", "cover", "annual"], ["pallet", "kg", "customs", "carrier", "delivery"], ["campaign", "print", "banner", "clicks", "annual"],
    ["course", "persons", "seminar", "hours", "certificate"],
];
string[] fillers = ["invoice", "no", "net", "vat", "thank", "you", "due", "days", "item", "per", "total", "order"];
var random = new SeededRandom(1, "invoices");
var memory = new List<double>();
int rows = 0;

string Line(int kind)
{
    var line = new List<string>();
    for (int i = 0; i < 9; i++)
        line.Add(random.NextDouble() < 0.3 ? words[kind][random.Next(words[kind].Length)] : random.NextDouble() < 0.06 ? words[random.Next(kinds.Length)][random.Next(5)] : fillers[random.Next(fillers.Length)]);
    line.Add(random.Next(100_000).ToString(CultureInfo.InvariantCulture));
    return string.Join(' ', line);
}

for (int update = 1; update <= updates; update++)
{
    int known = Math.Min(kinds.Length, 2 + 10 * update / updates * 10 / 8); // new kinds of cost until eight tenths of the stream
    int count = 1 + random.Next(3);
    float[] x = new float[count * text.Dimensions];
    string[] y = new string[count];
    for (int i = 0; i < count; i++)
    {
        int kind = random.Next(known);
        text.Features(Line(kind)).CopyTo(x.AsSpan(i * text.Dimensions, text.Dimensions));
        y[i] = kinds[kind];
    }
    classifier.Learn(x, y);
    rows += count;
    if (update % Math.Max(1, updates / 100) == 0)
    {
        using var self = Process.GetCurrentProcess();
        memory.Add(self.WorkingSet64 / 1e6);
        csv.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{update},{rows},{classifier.Labels.Count},{classifier.Accuracy:F4},{memory[^1]:F1}"));
    }
}

float[] asked = new float[text.Dimensions];
text.Features("invoice no 7 boiler fitter 3 hours parts net total").CopyTo(asked);
var (label, confidence) = classifier.Predict(asked)[0];
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"'boiler fitter, 3 hours, parts' is filed under {label} with confidence {confidence:F2}"));
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{classifier.Updates} updates, {rows} rows, {classifier.Labels.Count} classes: {classifier.Accuracy:P1} of the last thousand rows were right before they were learned"));
using (var self = Process.GetCurrentProcess())
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{self.TotalProcessorTime.TotalMilliseconds / updates:F2} ms of processor time an update, start included"));
int quarter = memory.Count / 4;
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"resident memory: {memory.Skip(quarter).Take(quarter).Average():F0} MB in the second quarter, {memory.TakeLast(quarter).Average():F0} MB in the last"));
