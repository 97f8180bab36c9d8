// Groups of people who know each other, found by how near they are in a graph:  dotnet run -c Release examples/cluster-a-graph.cs FILE.gml GROUPS
// Without a file: a made graph of three circles of twelve people.
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
int groups = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 3;
using var graph = args.Length > 0 ? Read(args[0]) : Made(3, 12);
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{graph.Nodes} nodes, {graph.Adjacency.count_nonzero().item<long>() / 2} edges"));

// A nearness is a kernel on nodes; its logarithm is often the better one. Of ten strengths the one is kept whose groups have the most edges within.
var arena = new KernelMethodsArena();
int[] found = [];
double most = double.NegativeInfinity;
foreach (string method in (string[])["communicability", "heat", "forest", "walk", "spectral"])
{
    var clusterer = method == "spectral" ? (IGraphClusterer)arena.Build("spectral", seed: 1) : new LogProximity(new(purpose => new SeededRandom(1, purpose)), new() { Measure = method });
    var grouping = clusterer.Group(graph, groups);
    double modularity = graph.Modularity(grouping.Labels);
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(method == "spectral" ? method : $"logarithm of {method}"),-28} modularity {modularity:F3}"));
    if (modularity > most)
        (most, found) = (modularity, grouping.Labels);
}
foreach (var group in graph.Names.Zip(found).GroupBy(p => p.Second).OrderBy(g => g.Key))
    Console.WriteLine($"group {group.Key + 1}: {string.Join(", ", group.Select(p => p.First))}");

static Graph Read(string path)
{
    var file = GmlFile.Read(path);
    var weights = zeros(file.Names.Count, file.Names.Count, dtype: ScalarType.Float64);
    foreach (var (from, to, weight) in file.Edges)
        weights[from, to] = weights[to, from] = weight;
    return new(weights, file.Names);
}

static Graph Made(int circles, int people)
{
    var random = new SeededRandom(4, "friends");
    int n = circles * people;
    var weights = zeros(n, n, dtype: ScalarType.Float64);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            if (random.NextDouble() < (i / people == j / people ? 0.4 : 0.05))
                weights[i, j] = weights[j, i] = 1;
    return new(weights, [.. Enumerable.Range(0, n).Select(i => $"{(char)('A' + i / people)}{i % people + 1}")]);
}
