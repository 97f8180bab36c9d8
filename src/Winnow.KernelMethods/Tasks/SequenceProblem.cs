using Winnow.Core;
using Winnow.Data;

namespace Winnow.KernelMethods;

/// <summary>Aligned sequences whose classes are known.</summary>
internal static class SequenceProblem
{
    private const int Most = 20_000, Letters = 20;
    private const string AminoAcids = "ACDEFGHIKLMNPQRSTVWY";

    /// <summary>Reads a user's sequences; loads no tensor library.</summary>
    /// <exception cref="InputException">Not aligned, without classes or with one, or too few or many.</exception>
    public static NamedSequences Read(string path, DataReading reading)
    {
        var file = FastaFile.Read(path, reading.Label);
        file.RequireAligned();
        int bare = file.Labels is null ? 1 : 0;
        if (bare > 0)
            throw InputException.At(path, "sequences without a class", "the class of every one", "Write it after the last | of a header (>name|class), or in a table's column 'label' (--label NAME for another).");
        if (file.Names.Count is < 4 or > Most || file.Labels!.Distinct().Count() < 2)
            throw InputException.At(path, $"{file.Names.Count:N0} sequences of {file.Labels!.Distinct().Count()} classes", $"4 to {Most:N0} of at least 2 classes", "Give others.");
        return file;
    }

    /// <summary>A user's sequences.</summary>
    public static Problem Of(DataRef data, SequenceOptions o, Func<string, SeededRandom> random)
    {
        var file = Read(data.Source, data.Reading);
        data.Require(DataRef.HashOf(string.Join('\n', file.Residues.Zip(file.Labels!, (r, l) => $"{l}\t{r}"))));
        return Split(file.Residues, file.Labels!, o, random);
    }

    /// <summary>Sequences at the leaves of a random tree, a family below each of its first branches.</summary>
    public static Problem Of(SequenceOptions o, Func<string, SeededRandom> random)
    {
        var source = random("tree");
        int[] root = [.. Enumerable.Range(0, o.Sites).Select(_ => source.Next(Letters))];
        var (residues, labels) = (new List<string>(), new List<string>());
        double all = o.Between + o.Within, lost = o.Gaps == 0 ? 0 : -Math.Log(1 - o.Gaps) / Math.Max(all, 1e-9);
        Evolution.Tree(root, o.Families, o.Between, o.Early, lost, source, first =>
        {
            string family = $"family {labels.Distinct().Count() + 1}";
            Evolution.Tree(first, o.Members, o.Within, o.Early, lost, source, leaf =>
            {
                residues.Add(string.Concat(leaf.Select(c => c == Sequences.Gap ? '-' : AminoAcids[c])));
                labels.Add(family);
            });
        });
        return Split(residues, labels, o, random);
    }

    private static Problem Split(IReadOnlyList<string> residues, IReadOnlyList<string> labels, SequenceOptions o, Func<string, SeededRandom> random)
    {
        int[] order = [.. Enumerable.Range(0, residues.Count)];
        random("split").Shuffle(order);
        int test = Math.Clamp((int)Math.Round(o.Test * order.Length), 1, order.Length - 2);
        string[] names = [.. labels.Distinct()];
        int[] Labels(int[] rows) => [.. rows.Select(i => Array.IndexOf(names, labels[i]))];
        string[] Residues(int[] rows) => [.. rows.Select(i => residues[i])];
        var asked = Sequences.Codes(Residues(order[..test]));
        int[] own = Labels(order[test..]);
        if (own.Distinct().Count() < 2)
            throw InputException.At("sequences", "one class among those to learn from", "at least two", "Test on a smaller share (task.test), or give more of the other classes.");
        return new(new(Sequences.Codes(Residues(order[test..])), own, names.Length) { Unlabelled = asked }, asked, Labels(order[..test]), names);
    }
}

/// <summary>Sequences that change along a tree: substitutions come at each site as a Poisson process of rate 1, each to another of 20 residues, all as likely; lost sites stay lost.</summary>
internal static class Evolution
{
    private const int Letters = 20;

    /// <summary>Evolves a sequence along a tree that parts at random times into random shares, and hands out its leaves.</summary>
    /// <param name="sequence">The root.</param>
    /// <param name="leaves">How many.</param>
    /// <param name="time">From the root to each leaf.</param>
    /// <param name="early">A branch parts after the time left times a uniform number to this power.</param>
    /// <param name="lost">Rate at which sites are lost.</param>
    /// <param name="random">The draw.</param>
    /// <param name="leaf">Takes a leaf.</param>
    public static void Tree(int[] sequence, int leaves, double time, double early, double lost, SeededRandom random, Action<int[]> leaf)
    {
        double until = leaves == 1 ? time : time * Math.Pow(random.NextDouble(), early);
        int[] here = Along(sequence, until, lost, random);
        if (leaves == 1)
        {
            leaf(here);
            return;
        }
        int left = 1 + random.Next(leaves - 1);
        Tree(here, left, time - until, early, lost, random, leaf);
        Tree(here, leaves - left, time - until, early, lost, random, leaf);
    }

    /// <summary>What a sequence is after a time.</summary>
    public static int[] Along(int[] sequence, double time, double lost, SeededRandom random)
    {
        int[] after = [.. sequence];
        for (int site = 0; site < after.Length; site++)
        {
            if (after[site] == Sequences.Gap)
                continue;
            for (double at = Wait(); at < time; at += Wait())
                after[site] = (after[site] + 1 + random.Next(Letters - 1)) % Letters;
            if (lost > 0 && Wait() / lost < time)
                after[site] = Sequences.Gap;
        }
        return after;

        double Wait() => -Math.Log(1 - random.NextDouble());
    }
}
