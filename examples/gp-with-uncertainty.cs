// A number and how sure it is: a Gaussian process learns a column of a table and says where it does not know:  dotnet run -c Release examples/gp-with-uncertainty.cs FILE.csv COLUMN
// Without a file: twenty measurements of a curve, with a gap in the middle.
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
var (x, y) = args.Length > 0 ? Read(args[0], args.ElementAtOrDefault(1)) : Measured();

// Lengths, height and noise are those under which the numbers are likeliest; nothing is left to choose.
using var fitted = new GaussianProcess(new() { Ard = x.shape[1] > 1 }).Fit(new RegressionRows(x, y));
Console.WriteLine(string.Join(", ", fitted.Report.Select(r => string.Create(CultureInfo.InvariantCulture, $"{r.Key} {r.Value:G3}"))));

// Along the first feature, everything else as it is on average: the band is 1.96 deviations of a new measurement.
const int steps = 13;
var along = x.mean([0], keepdim: true).repeat(steps, 1);
along.select(1, 0).copy_(linspace(x.select(1, 0).min().item<double>(), x.select(1, 0).max().item<double>(), steps, dtype: ScalarType.Float64));
var (mean, variance) = fitted.Predict(along);
double[] at = along.select(1, 0).contiguous().data<double>().ToArray(), expected = mean.data<double>().ToArray(), half = (variance!.sqrt() * 1.96).data<double>().ToArray();
double low = expected.Zip(half, (m, h) => m - h).Min(), high = expected.Zip(half, (m, h) => m + h).Max();
for (int i = 0; i < steps; i++)
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{at[i],8:F2}: {expected[i],8:F2} ± {half[i],5:F2}  {Drawn(expected[i], half[i])}"));

string Drawn(double m, double h)
{
    const int width = 60;
    int Place(double v) => (int)Math.Round((v - low) / (high - low) * (width - 1));
    char[] line = [.. Enumerable.Repeat(' ', width)];
    for (int i = Place(m - h); i <= Place(m + h); i++)
        line[i] = '-';
    line[Place(m)] = 'o';
    return new(line);
}

static (Tensor X, Tensor Y) Measured()
{
    var random = new SeededRandom(1, "measurements");
    double[] at = [.. Enumerable.Range(0, 20).Select(i => i < 10 ? i * 0.3 : 4 + i * 0.3)];
    return (tensor(at, [20, 1]), tensor([.. at.Select(t => Math.Sin(t) + 0.1 * t + 0.1 * random.NextNormal())]));
}

static (Tensor X, Tensor Y) Read(string path, string? column)
{
    var data = DataSources.OpenTargets(path, new DataReading(column), CancellationToken.None);
    float[] values = new float[data.Count * data.Rows.Width];
    data.Rows.CopyRows([.. Enumerable.Range(0, data.Count)], values);
    return (tensor(Array.ConvertAll(values, v => (double)v), [data.Count, data.Rows.Width]), tensor(data.Targets.ToArray()));
}
