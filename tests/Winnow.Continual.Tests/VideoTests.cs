using Winnow.Core;
using Winnow.Data;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class VideoTests
{
    [Fact]
    public void Scenes_are_the_same_for_a_seed_differ_between_sessions_and_move()
    {
        var (a, b, other) = (Make(1), Make(1), Make(2));
        Assert.Equal(a.Hash, b.Hash);
        Assert.NotEqual(a.Hash, other.Hash);
        Assert.Equal((3 * 5, 20 * 20, 3), (a.Count, a.Width, a.LabelNames.Count));
        float[][] frames = [.. Enumerable.Range(0, a.Count).Select(i => { var v = new float[a.Width]; a.CopyRows([i], v); return v; })];
        Assert.All(frames.SelectMany(f => f), v => Assert.InRange(v, 0, 1));
        Assert.True(frames.Zip(frames.Skip(1)).All(p => !p.First.SequenceEqual(p.Second)));

        static LabelledData Make(ulong seed) => MovingScenes.Make(EmbeddedDigits.Open(), new() { Sessions = 3, Frames = 5, Size = 20 }, new SeededRandom(seed, "stream"));
    }

    [Fact]
    public void A_video_is_a_task_of_coordinates_and_frames_in_order()
    {
        int[] labels = [1, 0, 0, 1, 0, 0];
        var videos = LabelledData.FromImages("videos", [.. Enumerable.Range(0, 24).Select(i => (byte)(10 * i))], [1, 2, 2], labels, ["a", "b"]);
        using var stream = ContinualStream.OfVideos(videos);
        using var scope = NewDisposeScope();
        var (x, y, _) = stream.Tasks[0].Train();
        Assert.Equal([1 / 3f, 0, 1 / 3f, 0.25f, 1 / 3f, 0.5f, 1 / 3f, 0.75f], x.data<float>().ToArray());
        Assert.Equal([40 / 255f, 80 / 255f, 160 / 255f, 200 / 255f], y.select(1, 0).data<float>().ToArray());
        Assert.Equal([2 / 3f, 0, 2 / 3f, 0.5f], stream.Tasks[1].Test().X.data<float>().ToArray());
        Assert.Equal([1], stream.Tasks[1].Info.Classes);
    }

    [Fact]
    public void Psnr_is_the_mean_over_frames_and_ends_at_a_hundred()
    {
        using var scope = NewDisposeScope();
        var frames = zeros(2, 4);
        Assert.Equal(Scoring.MostPsnr, Scoring.Psnr(frames, frames));
        Assert.Equal((20 + 40) / 2.0, Scoring.Psnr(tensor(new[] { 0.1f, -0.1f, 0.1f, 0.1f, 0.01f, 0.01f, 0.01f, -0.01f }).reshape(2, 4), frames), 5);
    }

    [Fact]
    public void A_folder_with_one_folder_of_frames_a_video_is_a_stream_of_its_videos_frames_in_the_order_of_their_numbers()
    {
        var random = new SeededRandom(1, "stream");
        var videos = Videos.Make(Folder(frames: 5), new(), random);
        Assert.Equal(["left", "right"], videos.LabelNames.Order());
        Videos.Check(Folder(frames: 5));
    }

    [Fact]
    public void Data_of_which_no_video_can_be_made_is_refused_with_the_remedy()
    {
        Refused(LabelledData.FromTable("table", [1, 2, 3, 4], 2, [0, 1], ["a", "b"]), "a table of 2 columns");
        Refused(Folder(frames: 3), "3 frames of video 'left'; expected at least 4");
        Refused(Folder(frames: 5, width: 3), "an even width and height");

        static void Refused(LabelledData data, string message) =>
            Assert.Contains(message, Assert.Throws<InputException>(() => Videos.Check(data)).Message, StringComparison.Ordinal);
    }

    private static LabelledData Folder(int frames, int width = 2) => new(
        LabelledData.FromImages("folder", new byte[2 * frames * 2 * width], [1, 2, width], new int[2 * frames], ["unused"]).Rows,
        [.. Enumerable.Range(0, 2 * frames).Select(i => i / frames)], ["left", "right"])
    { FromFolders = true };
}
