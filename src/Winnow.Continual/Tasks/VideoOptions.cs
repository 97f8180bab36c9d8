using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Winnow.Continual;

/// <summary>Options of a stream of videos. The paper trains 150 epochs with mini-batches of one and step size 0.0005; these are for small frames and half a minute.</summary>
public sealed record VideoOptions
{
    /// <summary>Videos that are made.</summary>
    [Range(2, 20), Description("videos in the stream, where they are made from single images; of a folder of frames all are taken")]
    public int Sessions { get; init; } = 5;

    /// <summary>Frames of a video that is made.</summary>
    [Range(4, 256), Description("frames of a video that is made from single images")]
    public int Frames { get; init; } = 24;

    /// <summary>Side of a frame that is made.</summary>
    [Range(8, 128), Description("height and width, in pixels, of a frame that is made from single images")]
    public int Size { get; init; } = 32;

    /// <summary>Images that move in a video that is made.</summary>
    [Range(1, 8), Description("images that move and turn in a video that is made from single images")]
    public int Sprites { get; init; } = 2;

    /// <summary>Passes over each video.</summary>
    [Range(1, 10_000), Description("passes over the frames of each video")]
    public int Epochs { get; init; } = 50;

    /// <summary>Frames of a mini-batch.</summary>
    [Range(1, 256), Description("frames of a mini-batch")]
    public int BatchSize { get; init; } = 4;

    /// <summary>Largest step size of Adam.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true), Description("largest step size of Adam")]
    public double LearningRate { get; init; } = 0.005;
}
