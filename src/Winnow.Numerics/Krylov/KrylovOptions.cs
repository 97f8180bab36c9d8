namespace Winnow.Numerics.Krylov;

/// <summary>How a Krylov method runs.</summary>
public sealed record KrylovOptions
{
    /// <summary>Most basis vectors, m: restarts after so many. At least 1; what is more than the unknowns is cut down to them.</summary>
    public int Restart { get; init; } = 30;

    /// <summary>Vectors handed from one cycle, and one system, to the next, k: fewer than <see cref="Restart"/>. GMRES does not look at it.</summary>
    public int Recycled { get; init; } = 10;

    /// <summary>Relative residual to be reached, <c>‖b - A·x‖ ≤ tolerance·‖b‖</c>: above 0 and below 1.</summary>
    public double Tolerance { get; init; } = 1e-8;

    /// <summary>Most products with the matrix for a system, those that set up the recycled space and check the residual among them.</summary>
    public int MaximumProducts { get; init; } = 10000;

    /// <summary>On which side a preconditioner stands.</summary>
    public PreconditionerSide Side { get; init; } = PreconditionerSide.Right;

    internal KrylovOptions Checked(bool recycles)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Restart, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(Recycled);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaximumProducts, 1);
        if (!(Tolerance > 0 && Tolerance < 1))
            throw Refused(nameof(Tolerance), Tolerance, "the relative tolerance must be above 0 and below 1");
        if (recycles && Recycled >= Restart)
            throw Refused(nameof(Recycled), Recycled, $"{Recycled} recycled vectors in a basis of {Restart} leave no room for new ones: recycle fewer than the restart length");
        return this;

        static ArgumentOutOfRangeException Refused(string option, object value, string message) => new(option, value, message);
    }
}

/// <summary>How a solve ended.</summary>
public enum SolveStatus
{
    /// <summary>The true residual is within the tolerance.</summary>
    Converged,

    /// <summary>The products allowed are used up.</summary>
    ProductLimit,

    /// <summary>Cycles no longer lower the residual: the matrix is singular, the restart too short, or the tolerance below what float64 reaches.</summary>
    Stagnated,
}

/// <summary>What a solve did.</summary>
/// <param name="Status">How it ended.</param>
/// <param name="Products">Products with the matrix, all of them.</param>
/// <param name="SpaceProducts">Those of them that set up the recycled space.</param>
/// <param name="Residual">The true relative residual at the end, <c>‖b - A·x‖/‖b‖</c>; 0 where b is 0.</param>
/// <param name="History">Relative residuals as the recurrence has them: before the first step, after the recycled space was used, and after every step.</param>
public sealed record SolveReport(SolveStatus Status, int Products, int SpaceProducts, double Residual, IReadOnlyList<double> History);
