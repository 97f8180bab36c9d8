using System.Runtime.Intrinsics;

namespace Winnow.Numerics;

/// <summary>The instructions that the inner loops of tiles use. All three give the same bits; they differ in speed.</summary>
public enum TilePath
{
    /// <summary>One number at a time: what the others are tested against.</summary>
    Scalar,

    /// <summary>8 lanes, 4 rows by 24 columns in 16 registers.</summary>
    Vector256,

    /// <summary>16 lanes, 8 rows by 48 columns in 32 registers.</summary>
    Vector512,
}

/// <summary>Which path a machine takes and how wide its panels are.</summary>
public static class TilePaths
{
    /// <summary>The fastest path of this machine.</summary>
    public static TilePath Best { get; } = Vector512.IsHardwareAccelerated ? TilePath.Vector512 : TilePath.Vector256;

    /// <summary>Columns of a packed panel: three vectors.</summary>
    public static int PanelWidth(this TilePath path) => path == TilePath.Vector512 ? 48 : 24;
}
