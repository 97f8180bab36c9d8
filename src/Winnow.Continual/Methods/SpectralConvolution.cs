using TorchSharp;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Where the negative rows of the spectrum lie when a Fourier layer enlarges its map.</summary>
public enum SpectralPlacement
{
    /// <summary>As the authors' code has it: the half-spectrum of the input's size is filled up with zeros at the end of the row axis, so that the negative rows become positive ones.</summary>
    Released,

    /// <summary>At the end of the larger spectrum, where they are negative frequencies: a band-limited map keeps its form.</summary>
    Recentred,
}

/// <summary>
/// The Fourier subneural operator: a convolution by complex weights on the lowest frequencies, which may enlarge the map.
/// <para><c>X = rfft2(x)/(HW)</c>; for the first and the last m₁ rows and the first m₂ columns <c>Y[o, u, v] = Σ_i X[i, u, v] · (R + iJ)[i, o, u, v]</c> with
/// weights of its own for each block; the other frequencies are 0; <c>y = irfft2(Y)</c> at the larger size, without a factor.</para>
/// <para>Cost: FFTs O(B(I + O) HW log HW), contraction O(B · I · O · m₁ · m₂ · 2).</para>
/// </summary>
public static class SpectralConvolution
{
    /// <summary>From x [B, I, H, W] to y [B, O, H · scale, W · scale], on the tape.</summary>
    /// <param name="x">Maps.</param>
    /// <param name="real">Real parts [I, O, m₁, m₂] for the first rows and for the last.</param>
    /// <param name="imaginary">Imaginary parts of the same shapes.</param>
    /// <param name="scale">How many times larger the result is.</param>
    /// <param name="placement">Where the last rows go when it is larger.</param>
    /// <exception cref="ArgumentException">More modes than frequencies.</exception>
    public static Tensor Forward(Tensor x, (Tensor First, Tensor Last) real, (Tensor First, Tensor Last) imaginary, int scale, SpectralPlacement placement)
    {
        long height = x.shape[2], width = x.shape[3], rows = real.First.shape[2], columns = real.First.shape[3];
        if (2 * rows > height || columns > width / 2 + 1)
            throw new ArgumentException($"2 x {rows} rows and {columns} columns of modes for maps of {height}x{width}; expected at most {height} rows and {width / 2 + 1} columns.", nameof(real));
        var spectrum = fft.rfft2(x, norm: FFTNormType.Forward).narrow(3, 0, columns);
        var first = Contract(spectrum.narrow(2, 0, rows), real.First, imaginary.First);
        var last = Contract(spectrum.narrow(2, height - rows, rows), real.Last, imaginary.Last);
        long gap = (placement == SpectralPlacement.Released ? height : height * scale) - 2 * rows, end = height * scale - 2 * rows - gap;
        var result = cat([first, Nothing(gap), last, Nothing(end)], 2);
        return fft.irfft2(result, s: [height * scale, width * scale], norm: FFTNormType.Forward);

        Tensor Nothing(long count) => zeros([x.shape[0], real.First.shape[1], count, columns], ScalarType.ComplexFloat32);

        static Tensor Contract(Tensor x, Tensor real, Tensor imaginary) => einsum("bixy,ioxy->boxy", x, complex(real, imaginary));
    }
}
