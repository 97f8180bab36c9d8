using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class ClassSensitiveScanTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Identical_groups_are_separated_by_a_half_orthogonal_ones_by_nothing()
    {
        var novel = tensor((bool[])[false, true]);
        var row = TestData.Rows(1, width: 6).X.reshape(1, 1, 3, 2);
        Assert.Equal(0.5, ClassSensitiveScan.Separation(cat([row, row]), novel, 0, 1, 3)!.item<float>(), 1e-6);
        Assert.Equal(0.5, ClassSensitiveScan.Separation(cat([row, -2 * row]), novel, 0, 1, 3)!.item<float>(), 1e-6);
        var apart = tensor((float[])[1, 0, 0, 1]).reshape(2, 1, 2, 1);
        Assert.Equal(0, ClassSensitiveScan.Separation(apart, novel, 0, 1, 3)!.item<float>(), 1e-6);
    }

    [Fact]
    public void Suppression_is_the_norm_over_the_number_of_values_of_the_group()
    {
        var z = tensor((float[])[3, 4, 100, 100]).reshape(2, 2);
        Assert.Equal(100 * 5.0 / 2, ClassSensitiveScan.Suppression(z, tensor((bool[])[true, false]), 100)!.item<float>(), 1e-4);
    }

    [Fact]
    public void A_group_without_rows_gives_no_loss()
    {
        var p = TestData.Rows(3).X.reshape(3, 1, 4, 4);
        Assert.Null(ClassSensitiveScan.Separation(p, zeros(3, ScalarType.Bool), 0, 1, 3));
        Assert.Null(ClassSensitiveScan.Separation(p, ones(3, ScalarType.Bool), 0, 1, 3));
        Assert.Null(ClassSensitiveScan.Suppression(p, zeros(3, ScalarType.Bool), 1));
    }

    [Fact]
    public void At_zero_both_have_a_finite_gradient()
    {
        var p = zeros(2, 1, 3, 2).requires_grad_(true);
        var novel = tensor((bool[])[false, true]);
        foreach (var loss in (Tensor?[])[ClassSensitiveScan.Separation(p, novel, 0, 1, 3), ClassSensitiveScan.Suppression(p, novel, 100)])
            Assert.True(autograd.grad([loss!], [p])[0].isfinite().all().item<bool>());
    }
}
