using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Networks that write the weights of another: for each of n tasks S chunks of c numbers, [n, S, c].</summary>
public static class WeightGenerators
{
    /// <summary>
    /// An LSTM that writes one chunk a step, so that a chunk depends on those before it: <c>h_s, c_s = LSTM([e; l_s], h_{s−1}, c_{s−1})</c> from
    /// h_0 = c_0 = 0 with gates in the order i, f, g, o, and <c>w_s = W_o h_s + b_o</c>. Cost: O(n·S·(h² + h(e + l) + h·c)), S steps after one another.
    /// </summary>
    /// <param name="tasks">Task embeddings e [n, e].</param>
    /// <param name="chunks">Chunk embeddings l [S, l].</param>
    /// <param name="inputWeight">W_ih [4h, e + l].</param>
    /// <param name="hiddenWeight">W_hh [4h, h].</param>
    /// <param name="inputBias">b_ih [4h].</param>
    /// <param name="hiddenBias">b_hh [4h].</param>
    /// <param name="outputWeight">W_o [c, h].</param>
    /// <param name="outputBias">b_o [c].</param>
    /// <exception cref="ArgumentException">Widths that do not fit.</exception>
    public static Tensor Lstm(Tensor tasks, Tensor chunks, Tensor inputWeight, Tensor hiddenWeight, Tensor inputBias, Tensor hiddenBias, Tensor outputWeight, Tensor outputBias)
    {
        Require(tasks, chunks, inputWeight);
        using var scope = NewDisposeScope();
        long n = tasks.shape[0], steps = chunks.shape[0], width = hiddenWeight.shape[1];
        var gates = Inputs(tasks, chunks).matmul(inputWeight.t()) + (inputBias + hiddenBias); // what does not depend on h, for all steps at once
        var transition = hiddenWeight.t();
        var h = zeros(n, width, dtype: tasks.dtype);
        var c = zeros_like(h);
        var states = new Tensor[steps];
        foreach (var (step, input) in gates.unbind(1).Index())
        {
            var gate = input.addmm(h, transition).chunk(4, 1);
            c = gate[1].sigmoid() * c + gate[0].sigmoid() * gate[2].tanh();
            states[step] = h = gate[3].sigmoid() * c.tanh();
        }
        return (stack(states, 1).matmul(outputWeight.t()) + outputBias).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The chunked feed-forward hypernetwork (von Oswald et al., Continual learning with hypernetworks, ICLR 2020), whose chunks do not depend on
    /// each other: <c>w_s = W_o relu(W_2 relu(W_1 [e; l_s] + b_1) + b_2) + b_o</c>.
    /// </summary>
    /// <param name="tasks">Task embeddings e [n, e].</param>
    /// <param name="chunks">Chunk embeddings l [S, l].</param>
    /// <param name="layers">Weight [out, in] and bias [out] of each layer, first to last.</param>
    public static Tensor FeedForward(Tensor tasks, Tensor chunks, params IReadOnlyList<(Tensor Weight, Tensor Bias)> layers)
    {
        Require(tasks, chunks, layers[0].Weight);
        using var scope = NewDisposeScope();
        var h = Inputs(tasks, chunks);
        foreach (var (i, layer) in layers.Index())
            h = (i == 0 ? h : h.relu()).matmul(layer.Weight.t()) + layer.Bias;
        return h.MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The output regulariser <c>1/n Σ_j Σ_i I_ji (h_i(e_j; φ*) − h_i(e_j; φ))²</c> over n earlier tasks, a scalar.
    /// </summary>
    /// <param name="targets">What was generated before, h(e_j; φ*) [n, ...].</param>
    /// <param name="generated">What is generated now, of the same shape.</param>
    /// <param name="importance">I, of the same shape, not negative; null for ones.</param>
    /// <exception cref="ArgumentException">Shapes differ, or an importance is negative.</exception>
    public static Tensor OutputRegulariser(Tensor targets, Tensor generated, Tensor? importance = null)
    {
        if (!targets.shape.AsSpan().SequenceEqual(generated.shape) || (importance is not null && !importance.shape.AsSpan().SequenceEqual(targets.shape)))
            throw new ArgumentException($"targets, generated weights and importance have the shapes [{string.Join(", ", targets.shape)}], [{string.Join(", ", generated.shape)}] and [{string.Join(", ", importance?.shape ?? [])}]; expected equal ones", nameof(targets));
        using var scope = NewDisposeScope();
        if (importance is not null && importance.less(0).any().item<bool>())
            throw new ArgumentException("an importance is negative; expected 0 or more: the regulariser would reward forgetting", nameof(importance));
        var change = (targets - generated).square();
        return ((importance is null ? change : importance * change).sum() / targets.shape[0]).MoveToOuterDisposeScope();
    }

    /// <summary>[e_j; l_s] for every task and chunk: [n, S, e + l].</summary>
    private static Tensor Inputs(Tensor tasks, Tensor chunks) =>
        cat([tasks.unsqueeze(1).expand(-1, chunks.shape[0], -1), chunks.unsqueeze(0).expand(tasks.shape[0], -1, -1)], 2);

    private static void Require(Tensor tasks, Tensor chunks, Tensor inputWeight)
    {
        if (tasks.shape[1] + chunks.shape[1] != inputWeight.shape[1])
            throw new ArgumentException($"task embeddings of {tasks.shape[1]} and chunk embeddings of {chunks.shape[1]} numbers make {tasks.shape[1] + chunks.shape[1]} inputs; the generator expects {inputWeight.shape[1]}", nameof(tasks));
    }
}
