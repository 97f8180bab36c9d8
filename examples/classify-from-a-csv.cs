// Which kernel knows most of the rows of a table, which rows it doubts, and how sure it is of new ones:  dotnet run -c Release examples/classify-from-a-csv.cs FILE.csv LABEL
// Without a file: small images of digits.
#:project ../src/Winnow.KernelMethods/Winnow.KernelMethods.csproj
#:property PublishAot=false
using System.Globalization;
using Winnow.Core;
using Winnow.Data;
using Winnow.KernelMethods;
using Winnow.Learning;
using static TorchSharp.torch;

NativeTorch.Require();
using var scope = NewDisposeScope();
var data = DataSources.Open(args.ElementAtOrDefault(0), new DataReading(args.ElementAtOrDefault(1)), CancellationToken.None);
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{data.Title}: {data.Count:N0} rows, {data.Width} features, {data.LabelNames.Count} classes"));

// Two rows in three are learned from, and they alone decide how features are scaled.
var random = new SeededRandom(1, "split");
int[] order = [.. Enumerable.Range(0, data.Count)];
random.Shuffle(order);
int[] learned = order[..(data.Count * 2 / 3)], asked = order[(data.Count * 2 / 3)..];
var scale = Standardiser.Fit(data, learned);
var rows = new TrainingRows(Take(learned), [.. learned.Select(i => data.Labels[i])], data.LabelNames.Count);
var questions = Take(asked);

// A classifier is a kernel and a solver; any IKernel serves, your own too. What is left open is chosen from the rows learned from.
(string Name, IClassifier Method)[] methods =
[
    ("linear ridge", new LinearRidge(new())),
    ("rbf kernel", new KernelRidge(new KernelRidgeOptions())),
    ("Laplacian kernel", new KernelRidge(new KernelRidgeOptions { Kernel = "laplacian" })),
    ("infinitely wide network", new KernelRidge(_ => [new Ntk(new())], new())),
    ("rbf times linear", new KernelRidge(x => [new Product(new Rbf(Rbf.Median(x)), new Linear())], new())),
];
double best = -1;
Tensor? answers = null;
foreach (var (name, method) in methods)
{
    using var fitted = method.Fit(rows);
    var scores = fitted.Scores(questions);
    double right = asked.Zip(scores.argmax(1).data<long>().ToArray()).Average(p => data.Labels[p.First] == p.Second ? 1.0 : 0);
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-24} {right:P1} of {asked.Length:N0} right; ridge {fitted.Report["ridge"]:G1}, jitter {fitted.Report["jitter"]:G1}"));
    if (right > best)
        (best, answers) = (right, scores);
}

// The rows whose two best answers are nearest to each other: the ones to look at, or to have labelled by somebody else.
var (two, classes) = answers!.topk(2);
var margin = two.select(1, 0) - two.select(1, 1);
foreach (int i in margin.argsort().narrow(0, 0, Math.Min(5, asked.Length)).data<long>().ToArray().Select(v => (int)v))
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"row {asked[i],6}: {data.LabelNames[(int)classes[i, 0].item<long>()]} or {data.LabelNames[(int)classes[i, 1].item<long>()]}? It is {data.LabelNames[data.Labels[asked[i]]]}."));

Tensor Take(int[] some)
{
    float[] values = new float[some.Length * data.Width];
    data.CopyRows(some, values);
    scale.Apply(values);
    return tensor(Array.ConvertAll(values, v => (double)v), [some.Length, data.Width]);
}
