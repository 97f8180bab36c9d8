using Winnow.Core;
using Winnow.Data;

namespace Winnow.Continual;

/// <summary>What a stream of videos is made from.</summary>
internal static class Videos
{
    /// <summary>Refuses data that holds no videos and that none can be made from.</summary>
    public static void Check(LabelledData data)
    {
        const int Least = 4;
        if (data.Shape.Count != 3)
            throw InputException.At(data.Title, $"a table of {data.Width} columns", "images, or a folder with one folder of frames a video", "Choose another task, for instance --task class-incremental.");
        if (!data.FromFolders)
            return;
        if (data.TrainCount is not null)
            throw InputException.At(data.Title, "a folder with a training and a test part", "a folder with one folder of frames a video", "Name the part that holds the videos.");
        for (int j = 0; j < data.LabelNames.Count; j++)
            if (data.CountPerClass[j] < Least)
                throw InputException.At(data.Title, $"{data.CountPerClass[j]} frames of video '{data.LabelNames[j]}'", $"at least {Least}", "Add frames, or remove the video.");
        if (data.Shape[1] % 2 != 0 || data.Shape[2] % 2 != 0)
            throw InputException.At(data.Title, $"frames of {data.Shape[2]}x{data.Shape[1]} pixels", "an even width and height, for a decoder doubles its maps", "Crop or resize the frames.");
    }

    /// <summary>The videos in the order of the stream: those of a folder of frames, shuffled, or scenes of moving images.</summary>
    public static LabelledData Make(LabelledData data, VideoOptions options, SeededRandom random)
    {
        if (!data.FromFolders)
            return MovingScenes.Make(data, options, random);
        int[] order = [.. Enumerable.Range(0, data.LabelNames.Count)];
        random.Shuffle(order);
        int[] labels = [.. Enumerable.Range(0, data.Count).Select(i => Array.IndexOf(order, data.Labels[i]))];
        return new(data.Rows, labels, [.. order.Select(j => data.LabelNames[j])]) { Title = data.Title };
    }

    /// <summary>The training plan: rows and steps are counted.</summary>
    public static TrainingPlan Plan(ContinualStream stream, VideoOptions options) => new(options.LearningRate, 0, options.BatchSize, options.Epochs, stream.Tasks.Count,
        stream.Data.CountPerClass.Sum(n => (long)options.Epochs * ContinualStream.BatchCount(n, options.BatchSize)), stream.Data.Count);

    /// <summary>What a method that learns frames is built from.</summary>
    public static LearnerSetup Setup(IReadOnlyList<int> frame, int videos, TrainingPlan plan, Func<string, SeededRandom> random, CancellationToken cancellation = default) => new()
    {
        Network = () => throw new InvalidOperationException("A stream of frames brings no classifier: its methods make their own decoder."),
        Frame = frame,
        Width = 2,
        Classes = videos,
        Training = plan,
        Random = random,
        Cancellation = cancellation,
    };
}
