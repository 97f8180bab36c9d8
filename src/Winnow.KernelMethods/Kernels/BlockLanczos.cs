using static TorchSharp.torch;

namespace Winnow.KernelMethods;

/// <summary>
/// The largest eigenvalues of a symmetric matrix by block Lanczos with full reorthogonalisation and Rayleigh–Ritz (Golub and Underwood 1977): the space of <c>A^j V</c> grows by a block of eight until the
/// residuals of the wanted pairs are below the tolerance. A space that A does not lead out of is gone on from with new random vectors until they no longer change what is wanted.
/// Cost: m / 8 reads of A and O(n m²) for a space of m vectors; memory n · m numbers. Of an eigenvalue that is there more than eight times some may be missed where the space never closes.
/// </summary>
internal static class BlockLanczos
{
    private const int Block = 8, Passes = 4;
    private const double Orthogonal = 1e-13, Growth = 1.2;

    /// <summary>The largest, or null where the space would have to be larger than <paramref name="most"/>.</summary>
    /// <param name="product">V A of rows V [b, n], in the current dispose scope.</param>
    /// <param name="start">Makes random rows [b, n] in the space wanted.</param>
    /// <param name="n">Size of A.</param>
    /// <param name="count">How many.</param>
    /// <param name="tolerance">Largest residual ‖A u − θ u‖, as a share of the largest |θ|.</param>
    /// <param name="most">Largest space.</param>
    /// <param name="cancellation">Stops.</param>
    /// <returns>Values [count], descending; vectors as rows [count, n]; the smallest Ritz value, which the smallest eigenvalue is not above.</returns>
    public static (Tensor Values, Tensor Vectors, double Smallest)? Largest(Func<Tensor, Tensor> product, Func<int, Tensor> start, int n, int count, double tolerance, int most, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        most = most / Block * Block;
        if (most < count + Block)
            return null;
        var basis = empty(most, n, dtype: ScalarType.Float64);
        var projected = zeros(most, most, dtype: ScalarType.Float64);
        if (!Next(start(Block), basis, 0))
            return null;
        double[]? closed = null;
        int check = count + Block;
        for (int m = Block; ; m += Block)
        {
            cancellation.ThrowIfCancellationRequested();
            using var step = NewDisposeScope();
            var known = basis.narrow(0, 0, m);
            var w = product(basis.narrow(0, m - Block, Block));
            var along = w.mm(known.t());
            w.sub_(along.mm(known));
            projected.narrow(0, m - Block, Block).narrow(1, 0, m).copy_(along);
            projected.narrow(1, m - Block, Block).narrow(0, 0, m).copy_(along.t());
            double size = projected.narrow(0, 0, m).narrow(1, 0, m).norm().item<double>();
            bool shut = w.norm(1).max().item<double>() <= tolerance * size;
            if (m >= check || shut && m >= count || m + Block > most)
            {
                check = (int)(m * Growth);
                var (values, vectors) = linalg.eigh(projected.narrow(0, 0, m).narrow(1, 0, m));
                if (m >= count && Settled(values, vectors, w.mm(w.t())))
                    return (values.narrow(0, m - count, count).flip(0).MoveToOuterDisposeScope().MoveToOuterDisposeScope(), vectors.narrow(1, m - count, count).flip(1).t().mm(known).MoveToOuterDisposeScope().MoveToOuterDisposeScope(), values[0].item<double>());
            }
            if (m + Block > most || !Next(shut ? start(Block) : w, basis, m))
                return null;

            // the residual of a pair is ‖W s‖, s its last coordinates; WWᵀ has what of it is needed
            bool Settled(Tensor values, Tensor vectors, Tensor squares)
            {
                var last = vectors.narrow(0, m - Block, Block).narrow(1, m - count, count);
                double largest = values.abs().max().item<double>(), residual = Math.Sqrt(Math.Max(0, (last * squares.mm(last)).sum([0]).max().item<double>()));
                if (residual > tolerance * largest)
                    return false;
                if (!shut && closed is null)
                    return true;
                double[] wanted = values.narrow(0, m - count, count).data<double>().ToArray();
                bool same = closed is not null && wanted.Zip(closed).All(p => Math.Abs(p.First - p.Second) <= tolerance * largest);
                closed = wanted;
                return same || m == n;
            }
        }
    }

    /// <summary>Puts an orthonormal basis of what is new in some rows below those that are known.</summary>
    private static bool Next(Tensor w, Tensor basis, int m)
    {
        using var scope = NewDisposeScope();
        var known = basis.narrow(0, 0, m);
        var q = linalg.qr(w.t()).Q.t();
        for (int passes = 0; passes < Passes; passes++)
        {
            var along = q.mm(known.t());
            if (m == 0 || along.abs().max().item<double>() < Orthogonal)
            {
                basis.narrow(0, m, Block).copy_(q);
                return true;
            }
            q = linalg.qr((q - along.mm(known)).t()).Q.t();
        }
        return false;
    }
}
