using System.Numerics.Tensors;

namespace Winnow.Numerics.Krylov;

/// <summary>
/// The order in which to solve systems, so that neighbours are alike: a greedy walk over the fields that they were made of (Wang et al.,
/// "Accelerating Data Generation for Neural Operators via Krylov Subspace Recycling", 2024).
/// </summary>
public static class FieldOrder
{
    /// <summary>From field 0 on, always to the nearest field not yet visited, in the Frobenius norm; the lowest index on ties. Cost: O(n²·p) for n fields of p numbers.</summary>
    /// <param name="fields">Fields of equal length.</param>
    /// <param name="cancellation">Looked at at every step.</param>
    /// <returns>The index of the field at each place.</returns>
    /// <exception cref="ArgumentException">Lengths differ, or a number is not finite.</exception>
    public static int[] Greedy(IReadOnlyList<double[]> fields, CancellationToken cancellation = default)
    {
        Check(fields);
        return Walk(fields, [.. Enumerable.Range(0, fields.Count)], 0, cancellation);
    }

    /// <summary>
    /// For many fields: each is compressed to an address of <see cref="FieldAddress.Dimensions"/> numbers from 0 to 1, the cube of
    /// addresses is halved along every axis, and its cells are visited along a Gray code, neighbours by a face; within a cell the walk is
    /// greedy over the addresses. Cost: O(n·p + Σ c²) for cells of c fields.
    /// </summary>
    /// <param name="fields">Square fields, row by row.</param>
    /// <param name="side">Rows and columns of a field.</param>
    /// <param name="cancellation">Looked at at every step.</param>
    /// <returns>The index of the field at each place.</returns>
    /// <exception cref="ArgumentException">Lengths differ, or a number is not finite.</exception>
    public static int[] GrayCode(IReadOnlyList<double[]> fields, int side, CancellationToken cancellation = default)
    {
        Check(fields);
        double[][] addresses = FieldAddress.Of(fields, side);
        var order = new List<int>(fields.Count);
        foreach (var cell in Enumerable.Range(0, fields.Count).GroupBy(i => GrayRank(Cell(addresses[i]))).OrderBy(g => g.Key))
        {
            int[] members = [.. cell];
            int start = order.Count == 0 ? 0 : Nearest(addresses, addresses[order[^1]], members);
            order.AddRange(Walk(addresses, members, start, cancellation));
        }
        return [.. order];
    }

    /// <summary>The length of the walk: Σ ‖field - the one before‖.</summary>
    public static double PathLength(IReadOnlyList<double[]> fields, IReadOnlyList<int> order)
    {
        ArgumentNullException.ThrowIfNull(fields);
        ArgumentNullException.ThrowIfNull(order);
        return Enumerable.Range(1, Math.Max(0, order.Count - 1)).Sum(i => TensorPrimitives.Distance(fields[order[i - 1]].AsSpan(), fields[order[i]]));
    }

    /// <summary>The cell of an address: a bit for each number, set from one half on.</summary>
    internal static int Cell(double[] address)
    {
        int cell = 0;
        for (int i = 0; i < address.Length; i++)
            cell |= address[i] >= 0.5 ? 1 << i : 0;
        return cell;
    }

    /// <summary>The place of a cell in the reflected Gray code.</summary>
    internal static int GrayRank(int cell)
    {
        int rank = 0;
        for (; cell != 0; cell >>= 1)
            rank ^= cell;
        return rank;
    }

    private static int[] Walk(IReadOnlyList<double[]> points, int[] members, int start, CancellationToken cancellation)
    {
        var order = new int[members.Length];
        List<int> left = [.. members];
        for (int place = 0, at = start; place < order.Length; place++)
        {
            cancellation.ThrowIfCancellationRequested();
            if (place > 0)
                at = Nearest(points, points[order[place - 1]], left);
            order[place] = left[at];
            left.RemoveAt(at);
        }
        return order;
    }

    /// <summary>Where among the members, which ascend, the nearest is: squared distances, and the first of equal ones.</summary>
    private static int Nearest(IReadOnlyList<double[]> points, double[] from, IReadOnlyList<int> members)
    {
        int best = 0;
        double least = double.PositiveInfinity;
        for (int i = 0; i < members.Count; i++)
        {
            double distance = SquaredDistance(from, points[members[i]], least);
            if (distance < least)
                (least, best) = (distance, i);
        }
        return best;
    }

    /// <summary>The squared distance, or a number that is not below the bound as soon as that is known.</summary>
    private static double SquaredDistance(ReadOnlySpan<double> x, ReadOnlySpan<double> y, double bound)
    {
        const int block = 256;
        double sum = 0;
        for (int i = 0; i < x.Length && sum < bound; i += block)
        {
            int count = Math.Min(block, x.Length - i);
            double distance = TensorPrimitives.Distance(x.Slice(i, count), y.Slice(i, count));
            sum += distance * distance;
        }
        return sum;
    }

    private static void Check(IReadOnlyList<double[]> fields)
    {
        ArgumentNullException.ThrowIfNull(fields);
        for (int i = 0; i < fields.Count; i++)
        {
            if (fields[i].Length != fields[0].Length)
                throw new ArgumentException($"field {i} has {fields[i].Length} numbers, field 0 has {fields[0].Length}; expected fields of one grid", nameof(fields));
            if (Array.Exists(fields[i], v => !double.IsFinite(v)))
                throw new ArgumentException($"field {i} has a number that is not finite; nothing is near to it: repair the field or leave it out", nameof(fields));
        }
    }
}
