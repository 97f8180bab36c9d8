// Multiplies a sparse matrix by its transpose, and says which kernel made which rows, and why:  dotnet run -c Release examples/multiply-sparse.cs
// An argument names a Matrix Market file; without one a random graph is multiplied.
#:project ../src/Winnow.Data/Winnow.Data.csproj
#:project ../src/Winnow.Numerics/Winnow.Numerics.csproj
#:property PublishAot=false
using System.Globalization;
using Winnow.Core;
using Winnow.Data;
using Winnow.Numerics;
using Winnow.Numerics.Sparse;

SparseMatrix<double> a;
if (args.Length > 0)
{
    var file = MatrixMarket.Read(args[0]);
    a = new(file.Rows, file.Columns, file.Starts, file.Indices, file.Values);
}
else
    a = SparseMatrix.RMat<double>(scale: 12, edgesPerVertex: 8, new SeededRandom(1, "graph"));

var scratch = new Scratch();
var (product, statistics) = SparseMatrix.Multiply(a, a.Transpose(), new() { Threads = Environment.ProcessorCount }, scratch);

Print($"{a.Rows:N0} x {a.Columns:N0}, {a.Entries:N0} entries: A·Aᵀ has {product.Entries:N0}, of {statistics.Multiplications:N0} multiplications ({statistics.Compression:F1} an entry)");
foreach (var use in statistics.Kernels)
    Print($"{use.Kernel}: {use.Rows:N0} rows, {use.Multiplications:N0} multiplications: {use.Reason}");
Print($"scratch memory: {scratch.PeakBytes / 1e6:F2} MB; busiest thread: {(double)statistics.ThreadLoad.Max() / Math.Max(1, statistics.Multiplications):P0} of the work");

// A·Aᵀ is symmetric
var transposed = product.Transpose();
Print($"symmetric: {transposed.Indices.SequenceEqual(product.Indices)}");

static void Print(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
