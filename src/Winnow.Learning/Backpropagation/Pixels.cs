namespace Winnow.Learning;

/// <summary>
/// Values by row, pixel and channel, channels innermost and padded to whole vectors; a plain batch is one row whose pixels are its samples.
/// </summary>
/// <param name="data">The first channel of the first pixel.</param>
/// <param name="images">Blocks of rows.</param>
/// <param name="imageStride">Elements from one image to the next.</param>
/// <param name="rows">Rows in an image.</param>
/// <param name="rowStride">Elements from one row to the next.</param>
/// <param name="count">Pixels in a row.</param>
/// <param name="channels">Channels, also the elements from one pixel to the next.</param>
internal readonly unsafe struct Pixels(float* data, int images, nint imageStride, int rows, nint rowStride, int count, int channels)
{
    public int Images => images;

    public int Rows => rows;

    public int Count => count;

    public int Channels => channels;

    /// <summary>Pixels in all.</summary>
    public int Total => images * rows * count;

    public float* Row(int image, int row) => data + image * imageStride + row * rowStride;
}
