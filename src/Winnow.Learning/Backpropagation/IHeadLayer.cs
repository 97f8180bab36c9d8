namespace Winnow.Learning;

/// <summary>The last layer: features to logits and back.</summary>
internal unsafe interface IHeadLayer
{
    /// <summary>Elements from one row of features to the next.</summary>
    int InputStride { get; }

    /// <summary>The derivatives by the logits.</summary>
    Rows Gradient { get; }

    /// <summary>Logits of a batch; the features' rows are padded.</summary>
    Rows Forward(float* features, int batch);

    /// <summary>Adds the gradients of the parameters; computes the features' unless <paramref name="dFeatures"/> is null.</summary>
    void Backward(float* features, float* dFeatures);

    /// <summary>The layer of a head module.</summary>
    static IHeadLayer Of(FlatVector parameters, FlatVector gradient, FlatVector buffers, NetworkModule module) =>
        module.Kind == ModuleKind.Cosine ? new CosineHeadLayer(parameters, gradient, buffers, module) : new Head(parameters, gradient, module);
}
