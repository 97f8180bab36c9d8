using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Data;
using Winnow.Learning;

namespace Winnow.Continual;

/// <summary>From declared options to learners: what is checked before a classifier exists.</summary>
internal sealed record ClassifierPlan(string Method, JsonObject MethodOptions, bool NeedsBoundaries, LearnerSetup Setup)
{
    public CheckedLearner Create() => new ContinualArena().Create(Method, MethodOptions, Setup);

    /// <exception cref="InputException">An option cannot be.</exception>
    public static ClassifierPlan Of(ContinualClassifierOptions options, Standardiser? standardiser, Network? encoder, CancellationToken cancellation)
    {
        Validate(options);
        var arena = new ContinualArena();
        var choice = Study.ParseMethods(options.Method) is [var one] ? one : throw InputException.At("method", $"'{options.Method}'", "one method with its options", "For instance er:buffer-size=500.");
        var card = arena.Method(choice.Id);
        if (card.Refusal(ServiceTask(encoder is not null), choice.Options) is { } refusal)
            throw new InputException($"{refusal}. Choose another method, or give the classifier an encoder.");
        int width = options.Shape.Aggregate(1, (a, b) => checked(a * b));
        if (standardiser is not null && standardiser.Width != width)
            throw InputException.At("standardiser", $"one fitted on rows of {standardiser.Width} values", $"rows of {width}", "Fit it on rows of the same shape.");
        if (encoder is not null && (encoder.Architecture.Inputs != width || encoder.Architecture.Outputs != options.MaxClasses))
            throw InputException.At("encoder", $"a network from {encoder.Architecture.Inputs} values to {encoder.Architecture.Outputs} classes", $"one from {width} to {options.MaxClasses}", "Train it with a head of max-classes outputs.");
        var stream = new StreamOptions { Model = options.Model, Hidden = options.Hidden, BatchNorm = options.BatchNorm };
        bool needsBoundaries = card.Refusal(ServiceTask(encoder is not null, boundaries: false), choice.Options) is not null;
        return new(card.Id, choice.Options, needsBoundaries, new LearnerSetup
        {
            Boundaries = needsBoundaries,
            Shape = options.Shape,
            Network = () => encoder?.Clone() ?? StreamFactory.Network(options.Shape, options.MaxClasses, stream, new SeededRandom(options.Seed, "weights")),
            Pretrained = encoder is not null,
            Width = width,
            Classes = options.MaxClasses,
            Training = new(options.LearningRate, options.Momentum, options.BatchSize, options.Epochs, options.MaxTasks, options.PlannedUpdates, options.PlannedUpdates * options.BatchSize),
            Random = purpose => new SeededRandom(options.Seed, $"method/{purpose}"),
            Cancellation = cancellation,
        });
    }

    /// <summary>What a service gives to a method.</summary>
    private static TaskCard ServiceTask(bool encoder, bool boundaries = true) =>
        new("service", "A service", "Updates as they come.", OptionsSchema.Of<NoOptions>(), ContinualArena.ServiceOffers(encoder, boundaries));

    private static void Validate(ContinualClassifierOptions options)
    {
        if (options.Shape is not ({ Count: 1 } or { Count: 3 }) || options.Shape.Any(s => s < 1))
            throw InputException.At("shape", $"[{string.Join(", ", options.Shape ?? [])}]", "the width of a row, or channels, height and width of an image", "For instance [64] or [1, 28, 28].");
        if (options.Model == ModelKind.Cnn && options.Shape.Count != 3)
            throw InputException.At("model", "cnn for rows that are no images", "mlp", "Give the shape as channels, height and width.");
        var problems = new List<ValidationResult>();
        if (!Validator.TryValidateObject(options, new ValidationContext(options), problems, validateAllProperties: true))
            throw new InputException($"The options of the classifier cannot be: {problems[0].ErrorMessage}");
    }
}
