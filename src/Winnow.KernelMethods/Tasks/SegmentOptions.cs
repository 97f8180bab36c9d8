using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Winnow.KernelMethods;

/// <summary>Options of the task <c>segment</c>.</summary>
public sealed record SegmentOptions
{
    /// <summary>Width.</summary>
    [Range(16, 512), Description("pixels of a scene's side")]
    public int Size { get; init; } = 32;

    /// <summary>New classes.</summary>
    [Range(1, 100), Description("classes that are new; the others are base classes")]
    public int Novel { get; init; } = 3;

    /// <summary>Scenes shown.</summary>
    [Range(1, 1000), Description("scenes that show a new class")]
    public int Shots { get; init; } = 1;

    /// <summary>Training scenes.</summary>
    [Range(1, 100_000), Description("scenes of base classes to learn from")]
    public int Train { get; init; } = 1000;

    /// <summary>Validation scenes.</summary>
    [Range(1, 10_000), Description("scenes of base classes to choose options by")]
    public int Validation { get; init; } = 30;

    /// <summary>Test scenes.</summary>
    [Range(1, 10_000), Description("scenes of all classes to test on")]
    public int Test { get; init; } = 60;

    /// <summary>Whether new classes are in training scenes.</summary>
    [Description("training scenes hold objects of new classes, labelled as background")]
    public bool Unlabelled { get; init; }

    /// <summary>What is object.</summary>
    [Range(0.0, 1.0), Description("least brightness of an image's pixel that belongs to the object; 0: the whole image does")]
    public double Ink { get; init; } = 0.3;
}
