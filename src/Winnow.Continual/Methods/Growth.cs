using Winnow.Learning;

namespace Winnow.Continual;

/// <summary>Recruiting units of a network that was made at full size: what leads out of a unit not yet recruited is 0.</summary>
internal static class Growth
{
    /// <summary>
    /// Gives free units of every hidden layer to task t, and when there are too few those of the oldest tasks; weights into them are fresh from
    /// units recruited so far, weights from them to older units and classes are 0, so that older outputs do not change.
    /// </summary>
    /// <param name="network">The network.</param>
    /// <param name="tags">The tasks of its units and classes; those of task t are already told.</param>
    /// <param name="task">t.</param>
    /// <param name="perLayer">Units in each hidden layer; null for an even share.</param>
    /// <param name="setup">Makes the fresh weights.</param>
    public static void Recruit(Network network, UnitTags tags, long task, int? perLayer, LearnerSetup setup)
    {
        for (int l = 0; l < tags.HiddenLayers; l++)
        {
            long[] owners = tags.Hidden(l).ToArray();
            long all = setup.Training.Tasks;
            int share = task < all ? (int)(owners.Length * (task + 1) / all - owners.Length * task / all) : owners.Length / (int)all;
            // Free units first (their tag is the smallest), then those of the oldest task; never all of a layer but by wish.
            foreach (int unit in Enumerable.Range(0, owners.Length).OrderBy(u => owners[u]).Take(perLayer ?? Math.Max(1, share)))
                tags.Hidden(l)[unit] = task;
        }
        using var fresh = setup.Network();
        foreach (var link in tags.Links(network))
        {
            var weights = network.ParameterValues.Slice(link.Offset, link.Length);
            if (link.From != link.To && (link.From == task || link.From == UnitTags.Free))
                weights.Clear();
            else if (link.To == task)
                fresh.ParameterValues.Slice(link.Offset, link.Length).CopyTo(weights);
        }
    }
}
