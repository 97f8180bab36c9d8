using System.Buffers.Binary;
using System.Text;
using CsCheck;
using static Winnow.Data.Tests.Scratch;

namespace Winnow.Data.Tests;

public sealed class SafetensorsTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    internal static byte[] File(string header, int data, int? length = null)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        var bytes = new byte[8 + json.Length + data];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)(length ?? json.Length));
        json.CopyTo(bytes, 8);
        return bytes;
    }

    internal static byte[] Model()
    {
        using var buffer = new MemoryStream();
        SafetensorsWriter.Write(buffer, [SafetensorsTensor.F32("w", [2, 3], new float[] { 1, 2, 3, 4, 5, 6 }), SafetensorsTensor.I64("steps", [], new long[] { 7 })],
            new Dictionary<string, string> { ["format"] = "pt", ["arena"] = "continual" });
        return buffer.ToArray();
    }

    private SafetensorsFile Open(byte[] bytes) => SafetensorsFile.Open(_scratch.Write("m.safetensors", bytes));

    [Fact]
    public void Layout_is_the_formats_own()
    {
        byte[] bytes = Model();
        ulong n = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        string header = Encoding.UTF8.GetString(bytes, 8, (int)n);
        Assert.Equal(0u, n % 8);
        Assert.Equal("""{"__metadata__":{"arena":"continual","format":"pt"},"steps":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]}}""", header.TrimEnd(' '));
        Assert.Equal(8 + (int)n + 32, bytes.Length);
        Assert.Equal(7, BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(8 + (int)n)));
        Assert.Equal(1f, BinaryPrimitives.ReadSingleLittleEndian(bytes.AsSpan(16 + (int)n)));
    }

    [Fact]
    public void What_is_written_is_read_back_bit_for_bit() =>
        Assert.All(Gen.Select(Gen.String[1, 12], Gen.Int[0, 4].Array[0, 3], Gen.Single).Array[1, 6].Fixed(200), drawn =>
        {
            var tensors = drawn.Where(d => d.Item1 != "__metadata__").DistinctBy(d => Clean(d.Item1))
                .Select((d, i) => (Name: Clean(d.Item1), Shape: d.Item2.Select(x => (long)x).ToArray(), Values: Enumerable.Range(0, d.Item2.Aggregate(1, (a, b) => a * b)).Select(k => d.Item3 + k).ToArray())).ToArray();
            var stream = new MemoryStream();
            SafetensorsWriter.Write(stream, tensors.Select(t => SafetensorsTensor.F32(t.Name, t.Shape, t.Values)));
            stream.Position = 0;
            using var file = SafetensorsFile.Open(stream, "r");
            Assert.Equal(tensors.Length, file.Tensors.Count);
            foreach (var t in tensors)
            {
                Assert.Equal(t.Shape, file[t.Name].Shape);
                Assert.Equal(t.Values.Select(BitConverter.SingleToInt32Bits), file.ReadFloats(t.Name).Select(BitConverter.SingleToInt32Bits));
            }
        });

    /// <summary>Lone surrogates are not text and cannot be names in UTF-8.</summary>
    private static string Clean(string name) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(name));

    [Fact]
    public void Same_tensors_in_another_order_give_the_same_bytes()
    {
        SafetensorsTensor[] tensors = [SafetensorsTensor.F32("a", [1], new float[] { 1 }), SafetensorsTensor.F32("b", [1], new float[] { 2 }), SafetensorsTensor.I64("c", [1], new long[] { 3 })];
        using var one = new MemoryStream();
        using var two = new MemoryStream();
        SafetensorsWriter.Write(one, tensors);
        SafetensorsWriter.Write(two, tensors.Reverse());
        Assert.Equal(one.ToArray(), two.ToArray());
    }

    [Fact]
    public void All_floating_types_are_read_as_floats()
    {
        byte[] bytes = File("""{"d":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"h":{"dtype":"F16","shape":[1],"data_offsets":[8,10]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[10,12]},"i":{"dtype":"I16","shape":[1],"data_offsets":[12,14]}}  """, 14);
        var data = bytes.AsSpan(bytes.Length - 14);
        BinaryPrimitives.WriteDoubleLittleEndian(data, -2.5);
        BinaryPrimitives.WriteHalfLittleEndian(data[8..], (Half)0.5);
        BinaryPrimitives.WriteUInt16LittleEndian(data[10..], 0x4049);
        using var file = Open(bytes);
        Assert.Equal([-2.5f], file.ReadFloats("d"));
        Assert.Equal([0.5f], file.ReadFloats("h"));
        Assert.Equal([3.140625f], file.ReadFloats("b"));
        Refused(() => file.ReadFloats("i"), "tensor 'i': found dtype I16; expected F32, F64, F16 or BF16");
        Refused(() => file.ReadFloats("dd"), "found no tensor 'dd'", "Did you mean 'd'?");
        Assert.Throws<ArgumentException>(() => file.Read(file["d"], new byte[7]));
    }

    [Fact]
    public void Metadata_and_empty_tensors_are_kept()
    {
        using var file = Open(File("""{"__metadata__":{"k":"v"},"e":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]},"s":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}""", 1));
        Assert.Equal("v", file.Metadata["k"]);
        Assert.Empty(file.ReadFloats("e"));
        Assert.Equal(1, file["s"].Count);
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "'a' twice")]
    [InlineData("""{"__metadata__":{"k":"1","k":"2"}}""", 0, "metadata 'k' twice")]
    [InlineData("""{"__metadata__":{"k":1}}""", 0, "as metadata 'k'; expected a string")]
    [InlineData("""{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, "key 'dtype' of tensor 'a' twice")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}""", 4, "key 'x' of tensor 'a'")]
    [InlineData("""{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}""", 4, "unknown dtype of tensor 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1]}}""", 4, "without dtype, shape and two data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, "expected 8 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", 4, "at bytes 4 to 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4, "expected integers from 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}""", 4, "expected integers from 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}""", 4, "more than 2^63 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807,0],"data_offsets":[0,0]}}""", 0, "more than 2^63 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "found data from byte 4 on; expected from byte 0 on")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "without hole or overlap")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1000],"data_offsets":[0,4000]}}""", 4, "promises data up to byte 4000; expected at most 4")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 5, "found 5 bytes of data; expected 4")]
    [InlineData("""{"a":3}""", 0, "under 'a'; expected an object")]
    [InlineData("""[1]""", 0, "found a header that starts with 5b; expected '{'")]
    [InlineData("""{"a":""", 0, "not JSON in UTF-8")]
    [InlineData("""{} {}""", 0, "not JSON in UTF-8")]
    [InlineData(""" {}""", 0, "starts with 20")]
    public void Damaged_header_is_refused(string header, int data, string part) => Refused(() => Open(File(header, data)), "m.safetensors", part);

    [Fact]
    public void Header_length_is_checked_before_anything_is_allocated()
    {
        Refused(() => Open([]), "empty file");
        Refused(() => Open([1, 2, 3]), "found 3 bytes; expected at least 8");
        byte[] huge = File("{}", 0);
        BinaryPrimitives.WriteUInt64LittleEndian(huge, ulong.MaxValue);
        Refused(() => Open(huge), "found a header of 18446744073709551615 bytes; expected at most 100000000");
        long before = GC.GetAllocatedBytesForCurrentThread();
        Refused(() => Open(File("{}", 0, 99_000_000)), "found a header of 99000000 bytes in a file of 10; expected at most 2");
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        byte[] notText = File("{\"\u00ff\":1}", 0);
        notText[10] = 0xff;
        Refused(() => Open(notText), "not JSON in UTF-8");
        Refused(() => SafetensorsFile.Open(_scratch.Folder), "found a folder; expected a file");
        Refused(() => SafetensorsFile.Open(_scratch.Path("none")), "found nothing");
    }

    [Fact]
    public void Misuse_of_the_writer_is_refused_and_leaves_no_file()
    {
        string path = _scratch.Path("x.safetensors");
        var a = SafetensorsTensor.F32("a", [2], new float[] { 1, 2 });
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(path, [a, a]));
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(path, [a with { Shape = [3] }]));
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(path, [a with { Name = "__metadata__" }]));
        Assert.False(System.IO.File.Exists(path));
        Refused(() => SafetensorsWriter.Write(_scratch.Path("no/folder/x"), [a]), "found a place that cannot be written");
    }
}
