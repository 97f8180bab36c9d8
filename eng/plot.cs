// Draws columns of a CSV file over its first column, one panel a column:  dotnet run eng/plot.cs -- FILE.csv OUT.png COLUMN...
#:package ScottPlot
#:property PublishAot=false
using System.Globalization;
using ScottPlot;

string[] lines = File.ReadAllLines(args[0]);
string[] names = lines[0].Split(',');
double[][] rows = [.. lines[1..].Select(l => l.Split(',').Select(v => double.Parse(v, CultureInfo.InvariantCulture)).ToArray())];
double[] x = [.. rows.Select(r => r[0])];
var panels = new Multiplot();
panels.AddPlots(args.Length - 2);
foreach (var (column, i) in args[2..].Select((c, i) => (c, i)))
{
    var plot = panels.GetPlot(i);
    int at = Array.IndexOf(names, column);
    var line = plot.Add.ScatterLine(x, rows.Select(r => r[at]).ToArray(), Color.FromHex("#1f5fa8"));
    line.LineWidth = 2;
    plot.YLabel(column.Replace('_', ' '));
    plot.XLabel(names[0]);
    plot.Axes.SetLimitsY(0, 1.15 * rows.Max(r => r[at]));
}
panels.SavePng(args[1], 760, 220 * (args.Length - 2));
