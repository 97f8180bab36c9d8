namespace Winnow.Compute;

/// <summary>Makes a <see cref="TensorFunction"/> line by line; values are handles until it is built, so that arguments may come at any time.</summary>
internal sealed class FunctionBuilder
{
    private readonly List<int[]> _shapes = [];
    private readonly List<TensorOperation?> _operations = []; // null for an argument

    public IReadOnlyList<int> Shape(int value) => _shapes[value];

    public int Argument(params int[] shape)
    {
        _shapes.Add(shape);
        _operations.Add(null);
        return _shapes.Count - 1;
    }

    public int Add(TensorOperation operation)
    {
        _shapes.Add(ShapeInference.Of(operation, [.. operation.Operands.Select(o => _shapes[o])], operation.Op.ToString()));
        _operations.Add(operation);
        return _shapes.Count - 1;
    }

    public int Add(TensorOp op, params int[] operands) => Add(new TensorOperation(op, operands));

    /// <summary>x·W + b with a new W and b.</summary>
    public int Linear(int x, int outputs, bool bias = true)
    {
        int y = Add(TensorOp.Matmul, x, _shapes[x].Length == 3 ? Argument(_shapes[x][0], _shapes[x][^1], outputs) : Argument(_shapes[x][^1], outputs));
        return bias ? Add(TensorOp.Add, y, Argument(outputs)) : y;
    }

    public int Convolution(int x, int outputs, int kernel, int stride = 1) =>
        Add(new TensorOperation(TensorOp.Conv2d, [x, Argument(outputs, _shapes[x][1], kernel, kernel)]) { Stride = stride, Padding = kernel / 2 });

    public int Reduce(int x, int axis, bool maximum = false) => Add(new TensorOperation(TensorOp.Reduce, [x]) { Axis = axis, Maximum = maximum });

    /// <summary>eˣ over its sum along the last axis.</summary>
    public int Softmax(int x)
    {
        int e = Add(TensorOp.Exp, x);
        return Add(TensorOp.Div, e, Reduce(e, _shapes[e].Length - 1));
    }

    /// <summary>The function that returns some values, with what they do not need left out.</summary>
    public TensorFunction Build(string name, params int[] results)
    {
        var needed = new bool[_shapes.Count];
        foreach (int r in results)
            needed[r] = true;
        for (int v = _shapes.Count - 1; v >= 0; v--)
            if (needed[v] && _operations[v] is { } operation)
                foreach (int o in operation.Operands)
                    needed[o] = true;
        var place = new int[_shapes.Count];
        int[] arguments = [.. Enumerable.Range(0, _shapes.Count).Where(v => needed[v] && _operations[v] is null)];
        int[] lines = [.. Enumerable.Range(0, _shapes.Count).Where(v => needed[v] && _operations[v] is not null)];
        foreach (var (v, i) in arguments.Concat(lines).Select((v, i) => (v, i)))
            place[v] = i;
        return new(name, [.. arguments.Select(a => _shapes[a])], [.. lines.Select(v => _operations[v]! with { Operands = [.. _operations[v]!.Operands.Select(o => place[o])] })], [.. results.Select(r => place[r])]);
    }
}
