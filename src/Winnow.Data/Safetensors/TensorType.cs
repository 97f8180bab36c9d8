namespace Winnow.Data;

/// <summary>Element types of the safetensors format, from the least to the most strictly aligned.</summary>
public enum TensorType
{
    /// <summary>One byte, 0 or 1.</summary>
    Bool,

    /// <summary>Unsigned byte.</summary>
    U8,

    /// <summary>Signed byte.</summary>
    I8,

    /// <summary>8-bit float, 5 exponent bits.</summary>
    F8E5M2,

    /// <summary>8-bit float, 4 exponent bits.</summary>
    F8E4M3,

    /// <summary>16-bit signed.</summary>
    I16,

    /// <summary>16-bit unsigned.</summary>
    U16,

    /// <summary>IEEE half.</summary>
    F16,

    /// <summary>The upper half of a float.</summary>
    BF16,

    /// <summary>32-bit signed.</summary>
    I32,

    /// <summary>32-bit unsigned.</summary>
    U32,

    /// <summary>IEEE single.</summary>
    F32,

    /// <summary>IEEE double.</summary>
    F64,

    /// <summary>64-bit signed.</summary>
    I64,

    /// <summary>64-bit unsigned.</summary>
    U64,
}

/// <summary>Names and sizes of element types, as the format writes them.</summary>
public static class TensorTypes
{
    private static readonly string[] Codes = ["BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "I16", "U16", "F16", "BF16", "I32", "U32", "F32", "F64", "I64", "U64"];

    /// <summary>The name in a header, e.g. <c>F32</c>.</summary>
    public static string Code(this TensorType type) => Codes[(int)type];

    /// <summary>Bytes of one element.</summary>
    public static int Size(this TensorType type) => type switch
    {
        <= TensorType.F8E4M3 => 1,
        <= TensorType.BF16 => 2,
        <= TensorType.F32 => 4,
        _ => 8,
    };

    /// <summary>The type of a name in a header; null when it is not one.</summary>
    internal static TensorType? Of(string code) => Array.IndexOf(Codes, code) is >= 0 and var i ? (TensorType)i : null;

    internal static string All => string.Join(", ", Codes);
}
