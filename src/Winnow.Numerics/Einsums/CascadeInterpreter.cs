namespace Winnow.Numerics.Einsums;

/// <summary>A tensor of doubles, row-major.</summary>
/// <param name="Shape">Sizes of its dimensions.</param>
/// <param name="Values">Its elements.</param>
public sealed record CascadeTensor(IReadOnlyList<int> Shape, double[] Values);

/// <summary>What a cascade made, and what it took.</summary>
/// <param name="Outputs">The tensors that no Einsum reads.</param>
/// <param name="Passes">How often it went over the rank.</param>
/// <param name="Multiplications">Products.</param>
/// <param name="Additions">Sums and differences, those of reductions among them.</param>
/// <param name="Maxima">Comparisons.</param>
/// <param name="Exponentials">Exponential functions.</param>
/// <param name="Divisions">Quotients.</param>
/// <param name="LiveBytes">The most memory that intermediate tensors and outputs took at once.</param>
public sealed record CascadeRun(IReadOnlyDictionary<string, CascadeTensor> Outputs, int Passes, long Multiplications, long Additions, long Maxima, long Exponentials, long Divisions, long LiveBytes);

/// <summary>
/// Executes any cascade, pass by pass: in a pass, all Einsums that belong to it go over the rank together, block by block where the cascade has
/// blocks. A tensor that is read only in the pass that makes it is kept for one block; one that a later pass reads, whole. What is
/// masked counts for nothing: −∞ − (−∞) is −∞, and 0 / 0 is 0. Made to be checked, not to be fast: time is the number of points times the size of the expressions.
/// </summary>
public sealed class CascadeInterpreter
{
    private readonly Cascade _cascade;
    private readonly CascadePasses _passes;
    private readonly string? _outer;

    /// <summary>Prepares a cascade.</summary>
    /// <param name="cascade">The cascade.</param>
    /// <param name="rank">The rank whose passes are run, by the letters it begins with.</param>
    public CascadeInterpreter(Cascade cascade, string rank)
    {
        _cascade = cascade;
        _passes = new(cascade, rank);
        // the rank that goes over blocks
        _outer = cascade.Einsums.SelectMany(s => s.Reads.Append(s.Output)).SelectMany(a => a.Indices)
            .FirstOrDefault(x => (x.Inner is not null || x.Offset == 1) && x.Rank.TrimEnd("0123456789").SequenceEqual(rank))?.Rank;
    }

    /// <summary>Runs the cascade.</summary>
    /// <param name="inputs">A tensor for each of <see cref="Cascade.Inputs"/>.</param>
    /// <param name="blocks">Sizes of the ranks inside blocks.</param>
    /// <param name="scratch">Where its tensors live.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="ArgumentException">An input is missing or its shape does not fit; the message names the tensor and the rank.</exception>
    public CascadeRun Run(IReadOnlyDictionary<string, CascadeTensor> inputs, IReadOnlyDictionary<string, int>? blocks, Scratch scratch, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(scratch);
        var sizes = Sizes(inputs, blocks ?? new Dictionary<string, int>());
        long before = scratch.PeakBytes;
        using var machine = new Machine(this, inputs, sizes, scratch);
        for (int level = 0; level <= _passes.Count; level++)
        {
            Einsum[] here = [.. _cascade.Einsums.Where(s => _passes.Level(s.Output.Tensor) == level)];
            machine.Make(here);
            Einsum[] together = [.. here.Where(_passes.Traverses)], blocked = _outer is null ? [] : [.. together.Where(s => s.Ranks.Contains(_outer))];
            foreach (var einsum in together.Except(blocked))
                machine.Run(einsum, null, cancellation);
            for (int block = 0; blocked.Length > 0 && block < sizes[_outer!]; block++)
                foreach (var einsum in blocked)
                    machine.Run(einsum, block, cancellation);
            foreach (var einsum in here.Except(together))
                machine.Run(einsum, null, cancellation);
            machine.Free(tensor => !_cascade.Outputs.Contains(tensor) && _cascade.Einsums.All(s => _passes.Level(s.Output.Tensor) <= level || s.Reads.All(a => a.Tensor != tensor)));
        }
        return machine.Finish(_cascade.Outputs, _passes.Count, Math.Max(0, scratch.PeakBytes - before));
    }

    private Dictionary<string, int> Sizes(IReadOnlyDictionary<string, CascadeTensor> inputs, IReadOnlyDictionary<string, int> blocks)
    {
        var sizes = new Dictionary<string, int>(blocks);
        foreach (var read in _cascade.Einsums.SelectMany(s => s.Reads).Where(a => _cascade.Inputs.Contains(a.Tensor)))
        {
            if (!inputs.TryGetValue(read.Tensor, out var tensor))
                throw new ArgumentException($"no tensor '{read.Tensor}' is given; the inputs are {string.Join(", ", _cascade.Inputs)}", nameof(inputs));
            if (tensor.Shape.Count != read.Indices.Count || tensor.Shape.Aggregate(1L, (a, b) => a * b) != tensor.Values.LongLength)
                throw new ArgumentException($"'{read.Tensor}' has {tensor.Shape.Count} dimensions and {tensor.Values.LongLength} elements; expected {read} and the product of the dimensions", nameof(inputs));
            for (int d = 0; d < tensor.Shape.Count; d++)
            {
                var index = read.Indices[d];
                int size = tensor.Shape[d];
                if (index.Inner is { } inner)
                {
                    if (!sizes.TryGetValue(inner, out int block) || block < 1 || size % block != 0)
                        throw new ArgumentException($"dimension {d} of '{read.Tensor}' has {size} places, which blocks of {inner} = {(sizes.TryGetValue(inner, out int b) ? b : "nothing")} do not fill; expected a divisor", nameof(blocks));
                    size /= block;
                }
                if (!sizes.TryAdd(index.Rank, size) && sizes[index.Rank] != size)
                    throw new ArgumentException($"rank '{index.Rank}' has {sizes[index.Rank]} places elsewhere and {size} in '{read.Tensor}'; expected the same", nameof(inputs));
            }
        }
        return sizes;
    }

    /// <summary>The tensors of one run.</summary>
    private sealed unsafe class Machine(CascadeInterpreter owner, IReadOnlyDictionary<string, CascadeTensor> inputs, Dictionary<string, int> sizes, Scratch scratch) : IDisposable
    {
        private readonly Dictionary<string, int> _rank = sizes.Keys.Select((r, i) => (r, i)).ToDictionary(x => x.r, x => x.i);
        private readonly Dictionary<string, (int[] Shape, Scratch.Block<double> Block)> _made = [];
        private readonly Dictionary<Einsum, Func<int[], double>> _compiled = [];
        private long _multiplications, _additions, _maxima, _exponentials, _divisions;

        public void Make(IEnumerable<Einsum> einsums)
        {
            foreach (var einsum in einsums)
            {
                int[] shape = [.. einsum.Output.Indices.Select(x => Places(einsum, x))];
                var block = scratch.Take<double>(shape.Aggregate(1L, (a, b) => a * b));
                _made[einsum.Output.Tensor] = (shape, block);
                new Span<double>(block.Data, (int)block.Length).Fill(einsum.Reduction == EinsumReduction.Max ? double.NegativeInfinity : 0);
                if (owner._cascade.Starts.FirstOrDefault(s => s.Output.Tensor == einsum.Output.Tensor) is { } start)
                {
                    var value = ((EinsumConstant)start.Body).Value;
                    var address = Address(start.Output);
                    Each([.. start.Output.Indices.SelectMany(x => x.Ranks)], new int[_rank.Count], at => block.Data[address(at)] = value);
                }
            }
        }

        /// <summary>How much of a dimension is kept: one block where nothing later reads it, two steps of a recurrence.</summary>
        private int Places(Einsum maker, EinsumIndex index)
        {
            if (index.Rank != owner._outer)
                return index.Inner is null ? sizes[index.Rank] : sizes[index.Rank] * sizes[index.Inner];
            int level = owner._passes.Level(maker.Output.Tensor);
            bool once = owner._cascade.Einsums.Where(s => owner._passes.Level(s.Output.Tensor) != level).SelectMany(s => s.Reads)
                .All(a => a.Tensor != maker.Output.Tensor || a.Indices.Any(x => x.IsLast));
            return once && !owner._cascade.Outputs.Contains(maker.Output.Tensor) ? 1 + index.Offset : sizes[index.Rank] + index.Offset;
        }

        public void Run(Einsum einsum, int? block, CancellationToken cancellation)
        {
            cancellation.ThrowIfCancellationRequested();
            var target = _made[einsum.Output.Tensor].Block;
            var address = Address(einsum.Output);
            var body = _compiled.TryGetValue(einsum, out var known) ? known : _compiled[einsum] = Compile(einsum.Body);
            var at = new int[_rank.Count];
            if (block is { } b)
                at[_rank[owner._outer!]] = b;
            string[] free = [.. einsum.Ranks.Where(r => block is null || r != owner._outer)];
            bool goesOn = einsum.Reduced.Contains(owner._outer ?? "");
            if (einsum.Reduction is not null && !goesOn) // the place may hold an earlier block
                Each([.. free.Except(einsum.Reduced)], at, x => target.Data[address(x)] = einsum.Reduction == EinsumReduction.Max ? double.NegativeInfinity : 0);
            long points = Each(free, at, einsum.Reduction switch
            {
                EinsumReduction.Sum => x => target.Data[address(x)] += body(x),
                EinsumReduction.Max => x => target.Data[address(x)] = Math.Max(target.Data[address(x)], body(x)),
                _ => x => target.Data[address(x)] = body(x),
            });
            Count(einsum.Body, points);
            if (einsum.Reduction == EinsumReduction.Sum)
                _additions += points;
            if (einsum.Reduction == EinsumReduction.Max)
                _maxima += points;
        }

        /// <summary>Goes over all points of some ranks; the number of points.</summary>
        private long Each(string[] ranks, int[] at, Action<int[]> visit)
        {
            int[] ids = [.. ranks.Select(r => _rank[r])], ends = [.. ranks.Select(r => sizes[r])];
            if (ends.Any(e => e == 0))
                return 0;
            foreach (int id in ids)
                at[id] = 0;
            for (long points = 1; ; points++)
            {
                visit(at);
                int d = ids.Length - 1;
                while (d >= 0 && ++at[ids[d]] == ends[d])
                    at[ids[d--]] = 0;
                if (d < 0)
                    return points;
            }
        }

        private Func<int[], double> Compile(EinsumExpression expression)
        {
            switch (expression)
            {
                case EinsumConstant constant:
                    return _ => constant.Value;
                case EinsumExp exp:
                    var of = Compile(exp.Of);
                    return at => Math.Exp(of(at));
                case EinsumAccess access when inputs.TryGetValue(access.Tensor, out var input) && !_made.ContainsKey(access.Tensor):
                    var place = Address(access);
                    return at => input.Values[place(at)];
                case EinsumAccess access:
                    var made = _made[access.Tensor].Block;
                    var where = Address(access);
                    return at => made.Data[where(at)];
                case EinsumBinary(var op, var first, var second):
                    Func<int[], double> left = Compile(first), right = Compile(second);
                    return op switch
                    {
                        '+' => at => left(at) + right(at),
                        '-' => at => left(at) is var l && right(at) is var r && double.IsNegativeInfinity(l) && double.IsNegativeInfinity(r) ? double.NegativeInfinity : l - r,
                        '*' => at => left(at) * right(at),
                        '/' => at => left(at) is var l && right(at) is var r && l == 0 && r == 0 ? 0 : l / r,
                        _ => at => Math.Max(left(at), right(at)),
                    };
                default:
                    throw new ArgumentException($"an expression {expression.GetType().Name} cannot be executed", nameof(expression));
            }
        }

        /// <summary>Where an element is kept; along a dimension of which only some places are kept, the places are used in turn.</summary>
        private Func<int[], long> Address(EinsumAccess access)
        {
            int[] shape = _made.TryGetValue(access.Tensor, out var made) ? made.Shape : [.. inputs[access.Tensor].Shape];
            var parts = new Func<int[], long>[shape.Length];
            long stride = 1;
            for (int d = shape.Length - 1; d >= 0; d--)
            {
                var index = access.Indices[d];
                long step = stride;
                int kept = shape[d], rank = index.IsStart ? -1 : _rank[index.Rank];
                parts[d] = index switch
                {
                    { IsStart: true } => _ => 0,
                    { IsLast: true } => _ => step * (sizes[index.Rank] % kept),
                    { Inner: { } inner } => at => step * ((at[rank] * (long)sizes[inner] + at[_rank[inner]]) % kept),
                    _ => at => step * ((at[rank] + index.Offset) % kept),
                };
                stride *= shape[d];
            }
            return at =>
            {
                long sum = 0;
                foreach (var part in parts)
                    sum += part(at);
                return sum;
            };
        }

        private void Count(EinsumExpression expression, long points)
        {
            if (expression is EinsumExp exp)
            {
                _exponentials += points;
                Count(exp.Of, points);
            }
            else if (expression is EinsumBinary binary)
            {
                _ = binary.Operator switch
                {
                    '*' => _multiplications += points,
                    '/' => _divisions += points,
                    'm' => _maxima += points,
                    _ => _additions += points,
                };
                Count(binary.Left, points);
                Count(binary.Right, points);
            }
        }

        public void Free(Func<string, bool> unneeded)
        {
            foreach (string tensor in _made.Keys.Where(unneeded).ToList())
            {
                _made[tensor].Block.Dispose();
                _made.Remove(tensor);
            }
        }

        public CascadeRun Finish(IReadOnlyList<string> outputs, int passes, long bytes) =>
            new(outputs.ToDictionary(o => o, o => new CascadeTensor(_made[o].Shape, _made[o].Block.Span.ToArray())), passes, _multiplications, _additions, _maxima, _exponentials, _divisions, bytes);

        public void Dispose() => Free(_ => true);
    }
}
