using Winnow.Core;
using Winnow.Data;

namespace Winnow.Continual.Tests;

public sealed class LearnerStateTests : IDisposable
{
    private readonly string _file = Path.Combine(Directory.CreateTempSubdirectory("winnow-test-").FullName, "state.safetensors");
    private readonly SmallStream _stream = new();

    public void Dispose()
    {
        _stream.Dispose();
        Directory.Delete(Path.GetDirectoryName(_file)!, recursive: true);
    }

    [Fact]
    public void The_same_state_gives_the_same_bytes()
    {
        using var learner = Learner();
        using var first = new MemoryStream();
        using var second = new MemoryStream();
        LearnerState.Write(learner, first);
        LearnerState.Write(learner, second);
        Assert.Equal(first.ToArray(), second.ToArray());
    }

    [Fact]
    public void A_piece_that_is_missing_is_refused_by_name() => Refused(tensors => tensors.RemoveAll(t => t.Name == "head.bias"), "no tensor 'head.bias'");

    [Fact]
    public void A_piece_that_is_unknown_is_refused_by_name() => Refused(tensors => tensors.Add(SafetensorsTensor.F32("extra", [1], new float[1])), "a tensor 'extra'");

    [Fact]
    public void Another_shape_is_refused() =>
        Refused(tensors => tensors[tensors.FindIndex(t => t.Name == "head.bias")] = SafetensorsTensor.F32("head.bias", [2, 2], new float[4]), "found F32 [2, 2]; expected F32 [4]");

    [Fact]
    public void Another_type_is_refused() =>
        Refused(tensors => tensors[tensors.FindIndex(t => t.Name == "head.bias")] = SafetensorsTensor.I64("head.bias", [4], new long[4]), "found I64 [4]; expected F32 [4]");

    [Fact]
    public void A_file_that_is_cut_short_is_refused()
    {
        using var learner = Learner();
        Save(learner);
        using (var file = new FileStream(_file, FileMode.Open))
            file.SetLength(file.Length - 1);
        Assert.Throws<InputException>(() => LearnerState.Read(learner, _file));
    }

    /// <summary>Writes a state with a change; reading it must fail with the message and leave the learner as it was.</summary>
    private void Refused(Action<List<SafetensorsTensor>> change, string message)
    {
        using var learner = Learner();
        _stream.Train(learner);
        Save(learner);
        List<SafetensorsTensor> tensors = [];
        using (var file = SafetensorsFile.Open(_file))
            foreach (var entry in file.Tensors)
            {
                byte[] bytes = new byte[entry.ByteCount];
                file.Read(entry, bytes);
                tensors.Add(new(entry.Name, entry.Type, entry.Shape, to => to.Write(bytes)));
            }
        change(tensors);
        SafetensorsWriter.Write(_file, tensors);
        using var other = Learner();
        byte[] before = Protocol.Hash(other);

        var error = Assert.Throws<InputException>(() => LearnerState.Read(other, _file));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains(_file, error.Message, StringComparison.Ordinal);
        Assert.Equal(before, Protocol.Hash(other));
    }

    private void Save(IContinualLearner learner)
    {
        using var file = File.Create(_file);
        LearnerState.Write(learner, file);
    }

    private CheckedLearner Learner() => new ContinualArena().Create("er", [], _stream.Setup);
}
