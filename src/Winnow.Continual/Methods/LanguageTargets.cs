using Winnow.Core;
using static TorchSharp.torch;

namespace Winnow.Continual;

/// <summary>What the head of <see cref="LanguageGuided"/> compares features with.</summary>
public enum TargetKind
{
    /// <summary>Vectors made from the class names: the paper's.</summary>
    Semantic,

    /// <summary>The same vectors, each given to another class: control for what language adds.</summary>
    Shuffled,

    /// <summary>Random orthogonal vectors: control for what freezing adds.</summary>
    Orthogonal,

    /// <summary>A simplex: equal, largest angles between classes.</summary>
    Simplex,

    /// <summary>No targets: the trainable linear head.</summary>
    Linear,
}

/// <summary>Makes and checks the frozen target vectors of classes.</summary>
public static class LanguageTargets
{
    /// <summary>Two targets with a larger cosine are the same for every purpose.</summary>
    internal const double Same = 0.9999;

    /// <summary>A target of length 1 for each class, float32 [classes, width]; the current dispose scope owns it.</summary>
    /// <param name="names">A name a class; not looked at for targets that do not come from language.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="options">Kind, prompt and width.</param>
    /// <param name="embedding">Vectors of names; not used for targets that do not come from language.</param>
    /// <param name="random">Random targets and assignments.</param>
    /// <exception cref="InputException">A name is missing or empty, has no vector, or has the vector of another.</exception>
    public static Tensor Of(IReadOnlyList<string> names, int classes, LanguageGuidedOptions options, IClassNameEmbedding embedding, SeededRandom random)
    {
        using var scope = NewDisposeScope();
        switch (options.Targets)
        {
            case TargetKind.Orthogonal:
                return SimplexEtf.Orthonormal(Math.Max(options.Width, classes), classes, random).t().contiguous().MoveToOuterDisposeScope();
            case TargetKind.Simplex:
                return SimplexEtf.Random(Math.Max(options.Width, classes), classes, random).t().contiguous().MoveToOuterDisposeScope();
        }
        if (names.Count != classes)
            throw InputException.At("class names", $"{names.Count} names", $"one for each of the {classes} classes", "Name the classes of the set-up (LabelNames), or choose targets=orthogonal.");
        if (names.Index().FirstOrDefault(n => string.IsNullOrWhiteSpace(n.Item)) is { Item: not null } empty)
            throw InputException.At($"class {empty.Index}", "an empty name", "a name to make a target from", "Name the class, or choose targets=orthogonal.");
        var vectors = embedding.Embed([.. names.Select(n => options.Prompt.Replace("{name}", n, StringComparison.Ordinal))]);
        var targets = Unit(vectors, names);
        return (options.Targets == TargetKind.Shuffled ? targets.index_select(0, tensor(Derangement(classes, random))) : targets).MoveToOuterDisposeScope();
    }

    /// <summary>Vectors at length 1 [C, d].</summary>
    /// <exception cref="InputException">Different widths, values that are not finite, a vector of zeros, or two vectors in the same direction.</exception>
    public static Tensor Unit(IReadOnlyList<float[]> vectors, IReadOnlyList<string> names)
    {
        using var scope = NewDisposeScope();
        for (int i = 0; i < vectors.Count; i++)
        {
            if (vectors[i].Length != vectors[0].Length)
                throw Bad(i, $"a vector of {vectors[i].Length} values", $"{vectors[0].Length}, as for '{names[0]}'");
            if (!vectors[i].All(float.IsFinite) || vectors[i].All(v => v == 0))
                throw Bad(i, vectors[i].All(v => v == 0) ? "a vector of zeros" : "a vector with NaN or infinite values", "a finite vector with a direction");
        }
        var rows = tensor([.. vectors.SelectMany(v => v)]).reshape(vectors.Count, -1).to_type(ScalarType.Float64);
        var unit = rows / rows.norm(1, keepdim: true);
        double[] cosines = unit.mm(unit.t()).data<double>().ToArray();
        for (int i = 0; i < vectors.Count; i++)
            for (int j = 0; j < i; j++)
                if (cosines[i * vectors.Count + j] > Same)
                    throw Bad(i, $"the same direction as '{names[j]}'", "another one: the classes could not be told apart");
        return unit.to_type(ScalarType.Float32).MoveToOuterDisposeScope();

        InputException Bad(int i, string found, string expected) => InputException.At($"class name '{names[i]}'", found, expected, "Rename the class, use other vectors, or choose targets=orthogonal.");
    }

    /// <summary>A random order in which no class keeps its place.</summary>
    private static long[] Derangement(int classes, SeededRandom random)
    {
        long[] cycle = [.. Enumerable.Range(0, classes).Select(i => (long)i)];
        random.Shuffle(cycle);
        var target = new long[classes];
        for (int i = 0; i < classes; i++)
            target[cycle[i]] = cycle[(i + 1) % classes];
        return target;
    }
}
