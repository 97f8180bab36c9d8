using Winnow.Core;
using Winnow.Numerics.Krylov;

namespace Winnow.Compute.Tests;

/// <summary>Sequences of one's own, and the data sets made of sequences.</summary>
public sealed class SystemFilesTests : IDisposable
{
    private const string Matrix = "%%MatrixMarket matrix coordinate real general\n", Vector = "%%MatrixMarket matrix array real general\n";
    private readonly string _folder = Directory.CreateTempSubdirectory("winnow-systems").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private string In(string name) => Path.Combine(_folder, "systems", name);

    private void Write(string name, string text)
    {
        Directory.CreateDirectory(In(""));
        File.WriteAllText(In(name), text);
    }

    private SystemSequenceProblem Problem(double tolerance = 1e-10) => SystemFiles.Read(In(""), Cancellation) is var f ? new(f.Fields, 0, f.Family, tolerance) : throw new InvalidOperationException();

    private void Refused(params string[] parts)
    {
        var error = Assert.Throws<InputException>(() => SystemFiles.Read(In(""), Cancellation));
        Assert.All(parts, p => Assert.Contains(p, error.Message));
    }

    /// <summary>Three systems of one pattern: A2 has a right side of its own, the others the shared one.</summary>
    private void WriteThree()
    {
        Write("A1.mtx", Matrix + "2 2 3\n1 1 2\n1 2 1\n2 2 4\n");
        Write("A2.mtx", Matrix + "2 2 3\n1 1 3\n1 2 1\n2 2 5\n");
        Write("A3.mtx", Matrix + "2 2 3\n2 2 4\n1 1 2.5\n1 2 1\n");
        Write("A2_b.mtx", Vector + "2 1\n7\n10\n");
        Write("b.mtx", Vector + "2 1\n4\n8\n");
        Write("notes.txt", "no matrix");
    }

    [Fact]
    public void Matrices_and_right_sides_are_found_by_their_names_and_solved_in_the_order_of_the_names()
    {
        WriteThree();
        var files = SystemFiles.Read(In(""), Cancellation);
        Assert.Equal(["A1", "A2", "A3"], files.Names);
        Assert.Equal((2, 3), (files.Size, files.RightSides));
        double[][] expected = [[1, 2], [5.0 / 3, 2], [0.8, 2]];
        foreach (var options in (SkrOptions[])[new() { Recycled = 1, Restart = 2 }, new() { Recycled = 1, Restart = 2, Preconditioner = PreconditionerKind.Ilu }])
        {
            double[][] solutions = Skr.Ordered(options).Run(Problem(), new(1, new()));
            for (int i = 0; i < 3; i++)
                Assert.All(expected[i].Zip(solutions[i]), p => Assert.Equal(p.First, p.Second, 1e-9));
        }
        double[][] eliminated = new DirectSolver().Run(Problem(), new(1, new()));
        Assert.All(expected.Zip(eliminated), p => Assert.All(p.First.Zip(p.Second), q => Assert.Equal(q.First, q.Second, 1e-12)));
    }

    [Fact]
    public void Without_right_sides_they_are_ones()
    {
        Write("only.mtx", Matrix + "2 2 2\n1 1 2\n2 2 4\n");
        Assert.Equal([2, 4, 1, 1], SystemFiles.Read(In(""), Cancellation).Fields[0]);
        Assert.Equal(0, SystemFiles.Read(In(""), Cancellation).RightSides);
    }

    [Fact]
    public void What_is_wrong_with_a_folder_is_said_with_the_file()
    {
        Refused("found nothing", "a folder of Matrix Market files");
        Write("b.mtx", Vector + "2 1\n4\n8\n");
        Refused("no matrix");
        Write("A.mtx", Matrix + "2 2 2\n1 1 2\n2 2 4\n");
        Write("C_b.mtx", Vector + "2 1\n4\n8\n");
        Refused("C_b.mtx", "C.mtx beside it");
        File.Delete(In("C_b.mtx"));
        Write("b.mtx", Vector + "3 1\n4\n8\n9\n");
        Refused("b.mtx", "3 numbers", "2, as A.mtx has rows");
        Write("b.mtx", Vector + "2 1\n4\nNaN\n");
        Refused("b.mtx", "NaN in row 2");
        File.Delete(In("b.mtx"));
        Write("B.mtx", Matrix + "3 3 1\n1 1 2\n");
        Refused("B.mtx", "3 rows", "2, as in A.mtx");
        Write("B.mtx", Matrix + "2 2 2\n1 1 2\n2 1 4\n");
        Refused("B.mtx", "row 2", "one pattern", "Write the zeros");
        Write("B.mtx", Matrix + "2 2 2\n1 1 2\n2 2 inf\n");
        Refused("B.mtx");
        Write("B.mtx", Matrix + "2 3 1\n1 1 2\n");
        Refused("B.mtx", "square");
        Write("B.mtx", Matrix + "2 2 2\n1 1 2\n2 2 4\n");
        File.WriteAllBytes(In("B.mtx.gz"), []);
        Refused("B.mtx and B.mtx.gz", "one file of a name");
    }

    [Fact]
    public void Gray_codes_need_a_grid()
    {
        WriteThree();
        Assert.Contains("on a grid", Assert.Throws<InputException>(() => Skr.Ordered(new() { Ordering = FieldOrdering.GrayCode }).Run(Problem(), new(1, new()))).Message);
    }

    [Fact]
    public void A_data_set_of_given_systems_has_matrix_right_side_and_solution()
    {
        WriteThree();
        string set = Path.Combine(_folder, "set");
        var report = SolutionSet.Write(Problem(), set, new() { Recycled = 1, Restart = 2 }, TimeProvider.System, threads: 2, cancellation: Cancellation);
        Assert.Equal((3, 0), (report.Written, report.Eliminated));
        var samples = SolutionSet.Open(Problem(), set).Read().OrderBy(s => s.Index).ToList();
        Assert.Equal([2.5, 1, 4], samples[2].Values[0]);
        Assert.Equal([7.0, 10], samples[1].Values[1]);
        Assert.Equal(2, samples[1].Values[2][1], 1e-9);
        Assert.Equal(0, SolutionSet.Write(Problem(), set, new(), TimeProvider.System, cancellation: Cancellation).Written);
        Write("A1.mtx", Matrix + "2 2 3\n1 1 2.0000001\n1 2 1\n2 2 4\n");
        Assert.Contains("expected those of", Assert.Throws<InputException>(() => SolutionSet.Write(Problem(), set, new(), TimeProvider.System, cancellation: Cancellation)).Message);
    }

    [Fact]
    public void What_the_Krylov_method_leaves_is_eliminated_and_what_is_singular_refused()
    {
        // A cyclic shift of 40: no restarted method of 3 vectors moves at all, elimination is exact.
        const int size = 40;
        Write("shift.mtx", Matrix + $"{size} {size} {size}\n" + string.Concat(Enumerable.Range(1, size).Select(i => $"{i} {i % size + 1} 1\n")));
        Write("b.mtx", Vector + $"{size} 1\n1\n" + string.Concat(Enumerable.Repeat("0\n", size - 1)));
        string set = Path.Combine(_folder, "set");
        var report = SolutionSet.Write(Problem(), set, new() { Recycled = 1, Restart = 3 }, TimeProvider.System, cancellation: Cancellation);
        Assert.Equal((1, 1), (report.Written, report.Eliminated));
        double[] x = SolutionSet.Open(Problem(), set).Read().Single().Values[2];
        Assert.Equal(Enumerable.Range(0, size).Select(i => i == 1 ? 1.0 : 0), x);

        Write("shift.mtx", Matrix + $"{size} {size} {size - 1}\n" + string.Concat(Enumerable.Range(1, size - 1).Select(i => $"{i} {i % size + 1} 1\n")));
        Write("b.mtx", Vector + $"{size} 1\n" + string.Concat(Enumerable.Repeat("1\n", size)));
        var error = Assert.Throws<InputException>(() => SolutionSet.Write(Problem(), Path.Combine(_folder, "other"), new() { Recycled = 1, Restart = 3 }, TimeProvider.System, cancellation: Cancellation));
        Assert.Contains("system 0", error.Message);
        Assert.Contains("skr.preconditioner=ilu", error.Message);
    }
}
