using CsCheck;
using Winnow.Core;
using Winnow.Learning;

namespace Winnow.Continual.Tests.Methods;

public class ModuleDynamicsTests
{
    private static readonly TrainingPlan Plan = new(0.1, 0, BatchSize: 4, Epochs: 2, Tasks: 2, Steps: 8, Rows: 16);

    private static LearnerSetup Setup() => new()
    {
        Network = () => Network.Mlp(3, [4], 2, batchNorm: true, new SeededRandom(1, "weights")),
        Width = 3,
        Classes = 2,
        Training = Plan,
        Random = purpose => new SeededRandom(1, purpose),
    };

    [Fact]
    public void Shifting_every_parameter_by_delta_is_a_change_of_delta_whatever_the_size_of_the_module() =>
        Gen.Select(Gen.Double[-5, 5].Array[1, 200], Gen.Double[-2, 2]).Sample((before, delta) =>
            Assert.Equal(Math.Abs(delta), ModuleDynamics.Change<double>(before, Array.ConvertAll(before, v => v + delta)), 1e-12));

    [Fact]
    public void Ranking_is_descending_and_keeps_the_order_of_equals() => Assert.Equal([1, 3, 0, 2], ModuleDynamics.Ranking([1, 5, 1, 2]));

    [Theory]
    [InlineData(SensitivityReference.AllModules)]
    [InlineData(SensitivityReference.WithinTask)]
    public void Sensitivity_is_the_jump_at_a_new_task_relative_to_its_reference(SensitivityReference reference)
    {
        using var network = Setup().Network();
        using var dynamics = new ModuleDynamics(Setup(), reference: reference);
        var rows = TestData.Rows(8, width: 3, classes: 2);
        // Two steps an epoch, two epochs a task; the head moves by 1 a step inside the first task, linear1 by 0.5; at the boundary by 3 and 0.25.
        long step = 0;
        foreach (var (task, head, linear) in ((int, float, float)[])[(0, 1, 0.5f), (1, 3, 0.25f)])
        {
            dynamics.BeginTask(network, new(task, [0, 1]), rows);
            for (int i = 0; i < 4; i++)
            {
                bool inside = task == 1 && i >= 2;
                Move(network, "head", inside ? 1 : head);
                Move(network, "linear1", inside ? 0.5f : linear);
                dynamics.AfterStep(new Step { Network = network, New = rows, Index = step++ });
            }
        }
        Assert.Equal(4, dynamics.Checkpoints);
        // Changes per epoch of two steps: head 2 inside and 6 at the boundary, linear1 1 and 0.5, norm1 none.
        double[] expected = reference == SensitivityReference.AllModules ? [0.5 / (6.5 / 3), 0, 6 / (6.5 / 3)] : [0.5 / 1, 0, 6 / 2.0];
        Assert.Equal(["linear1", "norm1", "head"], network.Modules.Select(m => m.Name));
        Assert.All(dynamics.Sensitivity()!.Zip(expected), p => Assert.Equal(p.Second, p.First, 1e-5));
        Assert.Equal([2.0, 2.0, 6.0, 2.0], dynamics.Series.Where(s => s.Name == "change/head").Select(s => Math.Round(s.Value, 5)));
        Assert.Equal(["change/norm1.bias", "change/norm1.running_mean", "change/norm1.running_var", "change/norm1.weight"],
            dynamics.Series.Select(s => s.Name).Where(n => n.StartsWith("change/norm1.", StringComparison.Ordinal)).Distinct().Order());
    }

    [Fact]
    public void What_a_repair_changes_is_left_out()
    {
        using var network = Setup().Network();
        using var dynamics = new ModuleDynamics(Setup(), every: 1);
        var rows = TestData.Rows(4, width: 3, classes: 2);
        dynamics.BeginTask(network, new(0, [0, 1]), rows);
        dynamics.Exclude(network, () =>
        {
            Move(network, "head", 10);
            return StepReport.None;
        });
        Move(network, "head", 1);
        dynamics.AfterStep(new Step { Network = network, New = rows, Index = 0 });
        Assert.Equal(1, dynamics.Series.Single(s => s.Name == "change/head").Value, 1e-5);
    }

    [Fact]
    public void States_that_do_not_match_are_refused()
    {
        Assert.Throws<ArgumentException>(() => ModuleDynamics.Change<double>([1], [1, 2]));
        Assert.Throws<ArgumentException>(() => ModuleDynamics.Change<double>([], []));
        Assert.Throws<ArgumentException>(() => ModuleDynamics.Changes([1, 2, 3], checkpoints: 2));
    }

    private static void Move(Network network, string name, float by)
    {
        var module = network.Modules.Single(m => m.Name == name);
        foreach (ref float value in network.ParameterValues.Slice(module.Offset, module.Length))
            value += by;
    }
}
