using TorchSharp;
using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual.Tests;

public sealed class QuadraticPenaltyTests : IDisposable
{
    private const double Strength = 3;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Network _network = ByHand.Setup().Network();
    private readonly QuadraticPenalty _penalty;

    public QuadraticPenaltyTests()
    {
        _penalty = new(_network.ParameterValues.Length);
        var values = TestData.Rows(2, width: _network.ParameterValues.Length);
        _penalty.Anchor.copy_(values.X[0]);
        _penalty.Importance.copy_(values.X[1].abs());
    }

    public void Dispose()
    {
        _penalty.Dispose();
        _network.Dispose();
        _scope.Dispose();
    }

    [Fact]
    public void Without_a_step_size_it_adds_the_derivative_of_its_value()
    {
        // A quadratic: the central difference is exact up to rounding, whatever its width.
        const float H = 0.125f;
        _network.ZeroGradient();
        _penalty.Apply(_network, Strength, learningRate: 0);
        for (int i = 0; i < _network.ParameterValues.Length; i++)
        {
            float at = _network.ParameterValues[i];
            _network.ParameterValues[i] = at + H;
            double above = _penalty.Value(_network, Strength);
            _network.ParameterValues[i] = at - H;
            double below = _penalty.Value(_network, Strength);
            _network.ParameterValues[i] = at;
            Assert.Equal((above - below) / (2 * H), _network.GradientValues[i], 1e-3);
        }
    }

    [Theory, InlineData(1e-3), InlineData(1), InlineData(1e6)]
    public void A_step_equals_the_proximal_step_in_double_precision(double strength)
    {
        const double Eta = 0.1;
        _network.Gradient.copy_(TestData.Rows(1, width: _network.ParameterValues.Length, seed: 4).X[0]);
        double[] expected = [.. Enumerable.Range(0, _network.ParameterValues.Length).Select(i =>
        {
            double pull = Eta * strength * _penalty.Importance.Values<float>()[i];
            return (_network.ParameterValues[i] - Eta * _network.GradientValues[i] + pull * _penalty.Anchor.Values<float>()[i]) / (1 + pull);
        })];
        _penalty.Apply(_network, strength, Eta);
        new Sgd(_network, Eta).Step();
        ByHand.Close(tensor(expected), _network.Parameters, 1e-5, 1e-5);
    }

    [Theory, InlineData(1), InlineData(1e3), InlineData(1e6)]
    public void Under_a_constant_gradient_steps_of_any_strength_end_at_the_shifted_minimum(double strength)
    {
        // argmin g·θ + (λ/2) Ω (θ − θ*)² = θ* − g / (λ Ω)
        const double Eta = 0.1;
        _penalty.Importance.clamp_min_(0.5);
        var g = TestData.Rows(1, width: _network.ParameterValues.Length, seed: 4).X[0];
        var sgd = new Sgd(_network, Eta);
        for (int i = 0; i < 400; i++)
        {
            _network.Gradient.copy_(g);
            _penalty.Apply(_network, strength, Eta);
            sgd.Step();
        }
        ByHand.Close(_penalty.Anchor - g / (strength * _penalty.Importance), _network.Parameters, 1e-4, 1e-5);
    }

    [Fact]
    public void Weights_without_importance_feel_nothing()
    {
        _penalty.Importance.zero_();
        var g = TestData.Rows(1, width: _network.ParameterValues.Length, seed: 4).X[0];
        _network.Gradient.copy_(g);
        _penalty.Apply(_network, 1e9, 0.1);
        ByHand.Same(g, _network.Gradient);
    }
}
