using Winnow.Learning;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>Beginning a task from what is most similar among what is known.</summary>
internal static class ForwardTransfer
{
    /// <summary>
    /// Each class of task t begins as a copy of the old class that the network takes its rows for, and the units of t as copies of those of the
    /// task of most of these; nothing leads from the new units yet. Then the logit of a new class equals that of its model.
    /// </summary>
    public static void Copy(Network network, UnitTags tags, long task, IReadOnlyList<int> classes, Batch train)
    {
        int[] old = [.. Enumerable.Range(0, tags.Classes.Length).Where(c => tags.Classes[c] is var t && t != UnitTags.Free && t < task)];
        int[] present = [.. classes.Where(c => train.Y.eq(c).any().item<bool>())];
        if (old.Length == 0 || present.Length == 0)
            return;
        int[] models = Similar(network, train, present, old);
        long from = models.Select(m => tags.Classes[m]).GroupBy(t => t).OrderByDescending(g => g.Count()).ThenByDescending(g => g.Key).First().Key;
        var weights = network.ParameterValues;
        for (int l = 0; l < tags.HiddenLayers; l++)
        {
            long[] owners = tags.Hidden(l).ToArray();
            int[] mine = [.. Enumerable.Range(0, owners.Length).Where(u => owners[u] == task)], its = [.. Enumerable.Range(0, owners.Length).Where(u => owners[u] == from)];
            for (int i = 0; i < mine.Length && its.Length > 0; i++)
            {
                int model = its[i % its.Length];
                foreach (var ((offset, length), (source, _)) in tags.Incoming(network, l, mine[i]).Zip(tags.Incoming(network, l, model)))
                    weights.Slice(source, length).CopyTo(weights[offset..]);
                foreach (var (module, layer) in UnitTags.Norms(network))
                    if (layer == l)
                        foreach (var buffer in module.Buffers)
                            network.BufferValues[buffer.Offset + mine[i]] = network.BufferValues[buffer.Offset + model];
            }
        }
        foreach (var (c, model) in present.Zip(models))
        {
            var (offset, length) = tags.RowOf(c);
            weights.Slice(tags.RowOf(model).Offset, length).CopyTo(weights[offset..]);
            weights[tags.BiasOf(c)] = weights[tags.BiasOf(model)];
        }
        foreach (var link in tags.Links(network))
            if (link.From == task && link.To == task && Between(link))
                weights.Slice(link.Offset, link.Length).Clear();

        // Weights between units; inputs, biases and normalisations have their destination as source too.
        bool Between(Link link) => link.Layer > 0 && tags.Incoming(network, link.Layer, link.Unit).First() is var (start, length) && link.Offset >= start && link.Offset < start + length;
    }

    /// <summary>For each new class the old one with the largest mean probability on its rows.</summary>
    internal static int[] Similar(Network network, Batch rows, IReadOnlyList<int> classes, int[] old)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        network.Training = false;
        var p = network.Forward(rows.X).index_select(1, tensor(Array.ConvertAll(old, c => (long)c))).softmax(1);
        return [.. classes.Select(c => old[p.index_select(0, rows.Y.eq(c).nonzero().flatten()).mean([0L]).argmax().item<long>()])];
    }
}
