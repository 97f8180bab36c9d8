namespace Winnow.KvCache.Tests;

public sealed class HalvesTests
{
    [Fact]
    public void Every_finite_half_becomes_its_single()
    {
        Half[] all = [.. Enumerable.Range(0, 1 << 16).Select(b => BitConverter.UInt16BitsToHalf((ushort)b)).Where(Half.IsFinite)];
        float[] singles = new float[all.Length];
        Halves.ToSingle(all, singles);
        Assert.Equal(all.Select(h => (float)h), singles);
        Halves.ToSingle(all.AsSpan(5, 3), singles);
        Assert.Equal((float)all[6], singles[1]);
    }
}
