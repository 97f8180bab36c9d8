namespace Winnow.Continual;

/// <summary>A scenario of lifelong learning for language models.</summary>
/// <param name="Name">Short name.</param>
/// <param name="Knowledge">Where the knowledge is kept: in the weights (internal) or beside them (external).</param>
/// <param name="Stage">What is learned.</param>
/// <param name="Example">A stream of this kind.</param>
public sealed record LifelongScenario(string Name, string Knowledge, string Stage, string Example);

/// <summary>A group of techniques, and the tags of the catalogue that belong to it.</summary>
/// <param name="Name">Short name.</param>
/// <param name="Idea">What its techniques have in common.</param>
/// <param name="Tags">Tags of methods.</param>
public sealed record TechniqueGroup(string Name, string Idea, IReadOnlyList<string> Tags);

/// <summary>The map of the field that the survey by Zheng et al. (arXiv 2406.06391) draws, in our words: scenarios, and groups of techniques that recur in them.</summary>
public static class LifelongTaxonomy
{
    private const string Internal = "internal", External = "external", Pretraining = "continual pre-training", Specific = "fine-tuning, task-specific", Agnostic = "fine-tuning, task-agnostic", Outside = "knowledge beside the model";

    /// <summary>The twelve scenarios.</summary>
    public static IReadOnlyList<LifelongScenario> Scenarios { get; } =
    [
        new("vertical domain", Internal, Pretraining, "law, then medicine, then finance"),
        new("language domain", Internal, Pretraining, "another natural or programming language"),
        new("temporal domain", Internal, Pretraining, "news year by year"),
        new("text classification", Internal, Specific, "new topics or intents"),
        new("named entity recognition", Internal, Specific, "new kinds of entities"),
        new("relation extraction", Internal, Specific, "new relations"),
        new("machine translation", Internal, Specific, "new language pairs or domains"),
        new("instruction tuning", Internal, Agnostic, "new kinds of instructions"),
        new("knowledge editing", Internal, Agnostic, "facts corrected one after another"),
        new("alignment", Internal, Agnostic, "preferences that change"),
        new("retrieval-based", External, Outside, "documents added to a store"),
        new("tool-based", External, Outside, "new tools to call"),
    ];

    /// <summary>The groups of techniques.</summary>
    public static IReadOnlyList<TechniqueGroup> Groups { get; } =
    [
        new("replay", "old rows, stored or generated, are learned again", ["replay", "generated replay", "generative"]),
        new("regularisation", "old weights or answers are held", ["regularisation", "distillation", "gradient projection", "freezing"]),
        new("architecture", "tasks have parameters of their own", ["architecture", "adapters", "expansion", "masks", "hypernetwork", "experts"]),
        new("retrieval", "knowledge is kept beside the model and looked up", ["retrieval", "prototypes"]),
        new("data selection", "what is learned is chosen", ["data selection"]),
        new("representation", "features or answers are trained towards something that lasts", ["contrastive", "fixed head", "recurring"]),
        new("repair", "the model is mended after or between tasks", ["repair", "pre-trained"]),
        new("bounds", "what others are measured against", ["lower-bound", "upper-bound"]),
    ];

    /// <summary>The groups that a method's tags belong to.</summary>
    public static IEnumerable<TechniqueGroup> GroupsOf(Core.MethodCard method) => Groups.Where(g => g.Tags.Any(method.Tags.Contains));
}
