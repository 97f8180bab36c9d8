using System.Buffers.Binary;
using System.IO.Compression;
using SkiaSharp;
using static Winnow.Data.Tests.Scratch;

namespace Winnow.Data.Tests;

public sealed class ImageReaderTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private string IdxPair(byte[] images, byte[] labels, string prefix = "t10k", string suffix = "")
    {
        _scratch.Write($"{prefix}-labels-idx1-ubyte{suffix}", labels);
        return _scratch.Write($"{prefix}-images-idx3-ubyte{suffix}", images);
    }

    [Fact]
    public void Idx_pair_is_read_plain_and_gzip()
    {
        byte[] images = Idx([0, 255, 51, 102, 153, 204], 3, 1, 2), labels = Idx([7, 3, 7], 3);
        var plain = Open(IdxPair(images, labels));
        Assert.Equal([1, 1, 2], plain.Shape);
        Assert.Equal(["3", "7"], plain.LabelNames);
        Assert.Equal([1, 0, 1], plain.Labels);
        Assert.Equal([0, 1, 0.2f, 0.4f, 0.6f, 0.8f], Values(plain));
        Assert.Null(plain.TrainCount);

        var packed = Open(IdxPair(Gzip(images), Gzip(labels), "packed", ".gz"));
        Assert.Equal("IDX, gzip", packed.Format);
        Assert.Equal(plain.Hash, packed.Hash);
    }

    [Fact]
    public void Idx_folder_holds_training_before_test_images()
    {
        IdxPair(Idx([1, 2], 2, 1, 1), Idx([0, 1], 2));
        IdxPair(Gzip(Idx([3, 4, 5], 3, 1, 1)), Gzip(Idx([1, 0, 1], 3)), "train", ".gz");
        var data = Open(_scratch.Folder);
        Assert.Equal(3, data.TrainCount);
        Assert.Equal([1, 0, 1, 0, 1], data.Labels);
        Assert.Equal([3 / 255f, 4 / 255f, 5 / 255f, 1 / 255f, 2 / 255f], Values(data));
        Assert.Contains("5 rows (3 for training) of 1x1x1", data.Describe(), StringComparison.Ordinal);
    }

    [Fact]
    public void Idx_of_another_image_size_is_refused()
    {
        IdxPair(Idx([1, 2], 1, 1, 2), Idx([0], 1));
        IdxPair(Idx([3, 4], 2, 1, 1), Idx([1, 0], 2), "train");
        Refused(() => Open(_scratch.Folder), "t10k-images-idx3-ubyte: found an image of 2x1 pixels; expected 1x1 pixels, as in train-images-idx3-ubyte");
    }

    [Fact]
    public void Idx_with_a_wrong_magic_number_is_refused()
    {
        byte[] images = Idx([1, 2], 2, 1, 1);
        images[2] = 0x0d;
        Refused(() => Open(IdxPair(images, Idx([0, 1], 2))), "t10k-images-idx3-ubyte, byte 0: found magic number 00 00 0d 03; expected 00 00 08 03 (images as unsigned bytes)");
        Refused(() => Open(IdxPair(Idx([0, 1], 2), Idx([0, 1], 2))), "This is a label file");
    }

    [Fact]
    public void Idx_header_that_promises_more_than_the_file_has_is_refused_before_anything_is_allocated()
    {
        byte[] images = Idx([1, 2], 2_000_000_000, 1, 1);
        string path = IdxPair(images, Idx([0, 1], 2));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Refused(() => Open(path), "t10k-images-idx3-ubyte, byte 4: found a header that promises 2000000000 bytes of content in a file that has 2");
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Gzip_idx_header_that_promises_more_than_the_file_has_allocates_only_what_arrives()
    {
        string path = IdxPair(Gzip(Idx(new byte[100], 700_000_000, 1, 1)), Gzip(Idx([0, 1], 2)), suffix: ".gz");
        long before = GC.GetAllocatedBytesForCurrentThread();
        Refused(() => Open(path), "found 100 bytes of content; expected 700,000,000, as the header promises");
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Gzip_bomb_is_not_unpacked_beyond_its_header()
    {
        using var bomb = new MemoryStream();
        using (var gzip = new GZipStream(bomb, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(Idx(new byte[10], 10, 1, 1));
            var zeros = new byte[1 << 20];
            for (int i = 0; i < 64; i++)
                gzip.Write(zeros);
        }
        string path = IdxPair(bomb.ToArray(), Idx(new byte[10], 10), "bomb", ".gz");
        File.Move(_scratch.Path("bomb-labels-idx1-ubyte.gz"), _scratch.Path("bomb-labels-idx1-ubyte"));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Refused(() => Open(path), "found more content than the header promises; expected 10 bytes");
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Idx_sizes_beyond_an_array_are_refused()
    {
        byte[] images = Gzip(Idx(new byte[100], 1_000_000, 1000, 1000));
        Refused(() => Open(IdxPair(images, Gzip(Idx([0, 1], 2)), suffix: ".gz")), "found 1000000000000 values; expected at most", "sample");
    }

    [Fact]
    public void Idx_that_is_cut_short_or_inconsistent_is_refused()
    {
        Refused(() => Open(IdxPair(Idx([1, 2], 2, 1, 1)[..10], Idx([0, 1], 2))), "found 10 bytes; expected a header of 16");
        Refused(() => Open(IdxPair(Idx([1, 2], 2, 1, 1), Idx([0, 1, 1], 3))), "t10k-labels-idx1-ubyte: found 3 labels; expected 2, one per image of t10k-images-idx3-ubyte");
        Refused(() => Open(IdxPair(Idx([], 0, 1, 1), Idx([], 0))), "byte 4: found a size of 0");
        File.Delete(_scratch.Path("t10k-labels-idx1-ubyte"));
        Refused(() => Open(_scratch.Path("t10k-images-idx3-ubyte")), "found no label file beside it; expected t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz");
    }

    [Fact]
    public void Label_outside_the_declared_classes_is_refused_with_its_byte()
    {
        _scratch.Write("mnist/t10k-images-idx3-ubyte", Idx([1, 2], 2, 1, 1));
        _scratch.Write("mnist/t10k-labels-idx1-ubyte", Idx([0, 10], 2));
        Refused(() => DataSources.Open("mnist", new(), new DataFolders(_scratch.Folder, "/nowhere"), CancellationToken.None), "t10k-labels-idx1-ubyte, byte 9: found label 10; expected 0 to 9, the 10 declared classes");
    }

    [Fact]
    public void Cifar_folder_holds_training_before_test_images_and_class_names()
    {
        _scratch.Write("data_batch_1.bin", Cifar(3, 0));
        _scratch.Write("data_batch_2.bin", Cifar(9));
        _scratch.Write("test_batch.bin", Cifar(1, 1));
        _scratch.Write("batches.meta.txt", "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n");
        var data = Open(_scratch.Folder);
        Assert.Equal([3, 32, 32], data.Shape);
        Assert.Equal(3, data.TrainCount);
        Assert.Equal([3, 0, 9, 1, 1], data.Labels);
        Assert.Equal("truck", data.LabelNames[9]);
        float[] values = Values(data);
        Assert.Equal([0, 1 / 255f, 0, 0, 1 / 255f], Enumerable.Range(0, 5).Select(i => values[i * 3072 + 3071]));
        Assert.Equal(3, Open(_scratch.Path("data_batch_1.bin")).Labels[0]);
    }

    [Fact]
    public void Cifar_with_a_wrong_length_or_label_is_refused()
    {
        Refused(() => Open(_scratch.Write("data_batch_1.bin", Cifar(1, 2)[..^1])), "data_batch_1.bin: found 6,145 bytes; expected a multiple of 3073");
        Refused(() => Open(_scratch.Write("data_batch_1.bin", Cifar(1, 2, 10))), "data_batch_1.bin, byte 6146: found label 10; expected 0 to 9");
        Refused(() => Open(_scratch.Write("data_batch_1.bin", [])), "data_batch_1.bin: found an empty file");
    }

    [Fact]
    public void Image_folder_takes_classes_from_folders_and_files_in_order()
    {
        _scratch.Write("set/cats/b.png", GreyImage(2, 1, 51));
        _scratch.Write("set/cats/a.png", GreyImage(2, 1, 102));
        _scratch.Write("set/dogs/c.png", GreyImage(2, 1, 255));
        _scratch.Write("set/dogs/.hidden", [1]);
        _scratch.Write("set/dogs/Thumbs.db", [1]);
        var data = Open(_scratch.Path("set"));
        Assert.Equal([1, 1, 2], data.Shape);
        Assert.Equal(["cats", "dogs"], data.LabelNames);
        Assert.Equal([0, 0, 1], data.Labels);
        Assert.Equal([0.4f, 0.4f, 0.2f, 0.2f, 1, 1], Values(data));
    }

    [Fact]
    public void One_colour_image_makes_all_of_them_colour_images_channels_first()
    {
        _scratch.Write("set/a/1.png", GreyImage(2, 1, 51));
        _scratch.Write("set/b/2.png", Image(2, 1, (x, _) => x == 0 ? new SKColor(255, 0, 102) : new SKColor(0, 51, 0)));
        var data = Open(_scratch.Path("set"));
        Assert.Equal([3, 1, 2], data.Shape);
        Assert.Equal([0.2f, 0.2f, 0.2f, 0.2f, 0.2f, 0.2f, 1, 0, 0, 0.2f, 0.4f, 0], Values(data));
    }

    [Fact]
    public void Jpeg_is_read_within_its_loss()
    {
        _scratch.Write("set/a/1.jpg", Image(8, 8, (_, _) => new SKColor(200, 40, 90), format: SKEncodedImageFormat.Jpeg));
        _scratch.Write("set/b/2.jpeg", Image(8, 8, (_, _) => new SKColor(10, 220, 30), format: SKEncodedImageFormat.Jpeg));
        float[] values = Values(Open(_scratch.Path("set")));
        Assert.InRange(values[0] * 255, 195, 205);
        Assert.InRange(values[64] * 255, 35, 45);
        Assert.InRange(values[128] * 255, 85, 95);
    }

    [Fact]
    public void Train_and_test_folders_keep_the_split()
    {
        foreach (var (name, level) in new[] { ("test/x/1", 3), ("train/x/1", 1), ("train/y/1", 2), ("test/y/1", 4) })
            _scratch.Write($"set/{name}.png", GreyImage(1, 1, (byte)level));
        var data = Open(_scratch.Path("set"));
        Assert.Equal(2, data.TrainCount);
        Assert.Equal([1 / 255f, 2 / 255f, 3 / 255f, 4 / 255f], Values(data));
        _scratch.Write("set/test/z/1.png", GreyImage(1, 1, 9));
        Refused(() => Open(_scratch.Path("set")), "found class 'z'; expected one of the 2 classes of the training folder");
    }

    [Fact]
    public void Image_of_another_size_is_refused()
    {
        _scratch.Write("set/a/1.png", GreyImage(2, 2, 1));
        _scratch.Write("set/b/2.png", GreyImage(3, 2, 1));
        Refused(() => Open(_scratch.Path("set")), "2.png: found an image of 3x2 pixels; expected 2x2 pixels, as 1.png has", "Resize");
    }

    [Fact]
    public void Image_header_that_promises_more_than_the_file_can_hold_is_refused_before_anything_is_allocated()
    {
        byte[] png = GreyImage(4, 4, 9);
        _scratch.Write("set/b/1.png", png);
        string path = _scratch.Write("set/a/1.png", png);
        void OpenWith(string file, byte[] bytes)
        {
            File.WriteAllBytes(file, bytes);
            Open(_scratch.Path("set"));
        }
        long before = GC.GetAllocatedBytesForCurrentThread();
        Refused(() => OpenWith(path, WithSize(png, 16_000, 16_000)), $"{path}: found a header that promises 16000x16000 pixels in a file of {png.Length} bytes");
        Refused(() => OpenWith(path, WithSize(png, 100_000, 1)), "found an image of 100000x1 pixels; expected at most 16384 on a side");
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    /// <summary>A PNG whose header states another size: bytes 16 to 23, guarded by the CRC-32 of bytes 12 to 28.</summary>
    private static byte[] WithSize(byte[] png, int width, int height)
    {
        byte[] changed = [.. png];
        BinaryPrimitives.WriteInt32BigEndian(changed.AsSpan(16), width);
        BinaryPrimitives.WriteInt32BigEndian(changed.AsSpan(20), height);
        uint crc = uint.MaxValue;
        foreach (byte b in changed.AsSpan(12, 17))
        {
            crc ^= b;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ ((crc & 1) * 0xedb88320u);
        }
        BinaryPrimitives.WriteUInt32BigEndian(changed.AsSpan(29), ~crc);
        return changed;
    }

    [Fact]
    public void Damaged_and_foreign_files_in_an_image_folder_are_refused()
    {
        byte[] noise = Image(32, 32, (x, y) => new SKColor((byte)(x * y), (byte)(x ^ y), (byte)(7 * x)));
        _scratch.Write("set/a/1.png", noise);
        string second = _scratch.Write("set/b/2.png", noise[..(noise.Length / 2)]);
        Refused(() => Open(_scratch.Path("set")), "2.png: found", "expected a whole PNG or JPEG");
        File.WriteAllText(second, "hello");
        Refused(() => Open(_scratch.Path("set")), "2.png: found content that is not an image");
        File.WriteAllText(second, "");
        Refused(() => Open(_scratch.Path("set")), "2.png: found an empty file");
        File.Move(second, _scratch.Path("set/b/2.gif"));
        Refused(() => Open(_scratch.Path("set")), "2.gif: found a file of type '.gif'; expected PNG or JPEG images only");
        File.Delete(_scratch.Path("set/b/2.gif"));
        Refused(() => Open(_scratch.Path("set")), "found a class folder without images");
    }
}
