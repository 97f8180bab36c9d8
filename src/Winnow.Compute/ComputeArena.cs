using System.Text.Json.Nodes;
using Winnow.Core;
using Winnow.Learning;
using Winnow.Numerics.Sparse;

namespace Winnow.Compute;

/// <summary>The catalogue: problems, methods, baselines and metrics at a glance.</summary>
public sealed class ComputeArena : Arena<ComputeSetup, IComputeMethod>
{
    private readonly TimeProvider _clock;

    /// <summary>The arena, timed by the system's clock.</summary>
    public ComputeArena() : this(TimeProvider.System)
    {
    }

    /// <summary>The arena.</summary>
    /// <param name="clock">What methods are timed by.</param>
    public ComputeArena(TimeProvider clock)
    {
        _clock = clock;

        Baseline<NoOptions>("dense-logits", "Full logits", "Paszke et al., PyTorch: an imperative style, high-performance deep learning library, NeurIPS 2019, arXiv 1912.01703", 2019,
            "Makes the whole matrix of logits and differentiates the library's cross-entropy: what one calls otherwise.", (_, _) => new DenseLogits(), LossHeadKind.Offer);
        Baseline<RowChunksOptions>("row-chunks", "Row-chunked loss", "Hsu et al., Liger kernel: efficient Triton kernels for LLM training, arXiv 2410.10989", 2024,
            "Makes the logits of some rows at a time and their gradients at once.", (_, o) => new RowChunks(o), LossHeadKind.Offer);
        Baseline<NoOptions>("dense-similarities", "Full similarities", "Radford et al., Learning transferable visual models from natural language supervision, ICML, arXiv 2103.00020", 2021,
            "Makes the whole matrix of similarities and differentiates the library's cross-entropy in both directions.", (_, _) => new DenseSimilarities(), ContrastiveKind.Offer);
        Baseline<NoOptions>("dense-attention", "Full attention matrix", "Vaswani et al., Attention is all you need, NeurIPS, arXiv 1706.03762", 2017,
            "Makes the whole matrix of logits, its softmax, and multiplies it with the values.", (_, _) => new DenseAttention(), AttentionKind.Offer);
        Baseline<NoOptions>("sdpa", "Library attention", "Dao et al., FlashAttention: fast and memory-efficient exact attention with IO-awareness, NeurIPS, arXiv 2205.14135", 2022,
            "Calls the tensor library's own fused attention.", (_, _) => new LibraryAttention(), AttentionKind.Offer);
        Baseline<RowAttentionOptions>("row-attention", "Attention in three passes, by rows", "Milakov and Gimelshein, Online normalizer calculation for softmax, arXiv 1805.02867", 2018,
            "Holds the logits of a chunk of queries and goes over them three times.", (_, o) => new RowAttention(o), AttentionKind.Offer);
        Baseline<AdaptiveProductOptions>("adaptive-product", "A kernel for each row", "Nagasaka et al., Performance optimization, modeling and analysis of sparse matrix-matrix products on multi-core and many-core processors, Parallel Computing 90", 2019,
            "Multiplies each row by a dense accumulator, a hash table or a sort, whichever is fastest for it.", (_, o) => new AdaptiveProduct(o), SparseProductKind.Offer);
        Baseline<NoOptions>("gustavson", "Dense accumulator", "Gustavson, Two fast algorithms for sparse matrices, ACM TOMS 4", 1978,
            "Adds the partial products of a row in a dense row.", (_, _) => new TextbookProduct(SparseProducts.Gustavson), SparseProductKind.Offer);
        Baseline<NoOptions>("heap-product", "Heap merge", "Azad et al., Exploiting multiple levels of parallelism in sparse matrix-matrix multiplication, SIAM J. Sci. Comput. 38", 2016,
            "Merges the rows of the right matrix by a heap.", (_, _) => new TextbookProduct(SparseProducts.Heap), SparseProductKind.Offer);
        Baseline<NoOptions>("expand-sort-compress", "Expand, sort, compress", "Bell, Dalton and Olson, Exposing fine-grained parallelism in algebraic multigrid methods, SIAM J. Sci. Comput. 34", 2012,
            "Writes all partial products, sorts them and adds up.", (_, _) => new TextbookProduct(SparseProducts.ExpandSortCompress), SparseProductKind.Offer);
        Baseline<NoOptions>("inner-product", "Inner products", "Golub and Van Loan, Matrix computations, Johns Hopkins University Press", 2013,
            "Intersects each row with each column.", (_, _) => new TextbookProduct(SparseProducts.Inner), SparseProductKind.Offer);
        Baseline<NoOptions>("outer-product", "Outer products with a merge", "Pal et al., OuterSPACE: an outer product based sparse matrix multiplication accelerator, HPCA", 2018,
            "Multiplies columns with rows and merges the partial products.", (_, _) => new TextbookProduct(SparseProducts.Outer), SparseProductKind.Offer);
        Baseline<KrylovMethodOptions>("gmres", "Restarted GMRES", "Saad and Schultz, GMRES: a generalized minimal residual algorithm for solving nonsymmetric linear systems, SIAM J. Sci. Stat. Comput. 7", 1986,
            "Solves each system by itself, forgetting everything at each restart.", (_, o) => Skr.Gmres(o), SystemSequenceKind.Offer);
        Baseline<GcroDrOptions>("gcro-dr", "GCRO-DR, not recycled", "Parks, de Sturler, Mackey, Johnson and Maiti, Recycling Krylov subspaces for sequences of linear systems, SIAM J. Sci. Comput. 28", 2006,
            "Deflates across the restarts of a system and forgets after it.", (_, o) => Skr.Forgetting(o), SystemSequenceKind.Offer);
        Baseline<GcroDrOptions>("recycled-unsorted", "GCRO-DR, recycled as given", "Parks, de Sturler, Mackey, Johnson and Maiti, Recycling Krylov subspaces for sequences of linear systems, SIAM J. Sci. Comput. 28", 2006,
            "Hands the subspace from each system to the next, in the order given.", (_, o) => Skr.Unordered(o), SystemSequenceKind.Offer);
        Baseline<NoOptions>("banded-lu", "Elimination", "Golub and Van Loan, Matrix computations, Johns Hopkins University Press", 2013,
            "Factors each matrix within its band.", (_, _) => new DirectSolver(), SystemSequenceKind.Offer);

        Baseline<NoOptions>("mean-cost", "Mean of the training costs", "Hastie, Tibshirani and Friedman, The elements of statistical learning, Springer", 2009,
            "Predicts the mean for every function.", (_, _) => new MeanCost(), CostModelKind.Offer);
        Baseline<LinearCostOptions>("linear-counts", "Linear in the counts of operations", "Hoerl and Kennard, Ridge regression: biased estimation for nonorthogonal problems, Technometrics 12", 1970,
            "Ridge regression on how often each operation occurs.", (_, o) => new LinearCost(o, counts: true), CostModelKind.Offer);
        Baseline<LinearCostOptions>("linear-features", "Linear in features made by hand", "Hoerl and Kennard, Ridge regression: biased estimation for nonorthogonal problems, Technometrics 12", 1970,
            "Ridge regression on counts and on logarithms of operations, bytes and sizes.", (_, o) => new LinearCost(o, counts: false), CostModelKind.Offer);
        Baseline<BoostedTreesOptions>("boosted-trees", "Boosted trees on features made by hand", "Friedman, Greedy function approximation: a gradient boosting machine, Annals of Statistics 29", 2001,
            "Adds regression trees, each fitted to what is left of the error.", (_, o) => new BoostedTreesCost(o), CostModelKind.Offer);
        Baseline<TokenModelOptions>("bag-of-tokens", "Mean of token embeddings", "Iyyer et al., Deep unordered composition rivals syntactic methods for text classification, ACL", 2015,
            "Averages the embeddings of a function's tokens, whatever their order.", (s, o) => new BagOfTokensCost(o, s.Random("cost-model")), CostModelKind.Offer);
        Baseline<TokenModelOptions>("lstm-cost", "LSTM over tokens", "Hochreiter and Schmidhuber, Long short-term memory, Neural Computation 9", 1997,
            "Reads a function's tokens one after the other.", (s, o) => new LstmCost(o, s.Random("cost-model")), CostModelKind.Offer);

        Seed<CceOptions>("cce", "Cut Cross-Entropy", "Wijmans, Huval, Hertzberg, Koltun and Krähenbühl, Cut Your Losses in Large-Vocabulary Language Models, ICLR 2025, arXiv 2411.09009", 2024,
            "Computes loss and gradients of a large vocabulary tile by tile, so that its logits are never all there.", (_, o) => new Cce(o), Cce.Claims, LossHeadKind.Offer);
        Seed<InfClOptions>("inf-cl", "Inf-CL", "Cheng, Zhang, Li, Leng, Hu, Wu, Zhao, Li and Bing, Breaking the Memory Barrier: Near Infinite Batch Size Scaling for Contrastive Loss, arXiv 2410.17243", 2024,
            "Computes the contrastive loss of a batch of any size tile by tile, on one worker or around a ring.", (_, o) => new InfCl(o), InfCl.Claims, ContrastiveKind.Offer);
        Seed<FusemaxOptions>("fusemax", "FuseMax", "Nayak, Wu, Odemuyiwa, Pellauer, Emer and Fletcher, FuseMax: Leveraging Extended Einsums to Optimize Attention Accelerator Design, MICRO, arXiv 2406.10491", 2024,
            "Goes over the keys once, correcting what was summed by a running maximum.", (_, o) => new Fusemax(o), Fusemax.Claims, AttentionKind.Offer);
        Seed<SmashMethodOptions>("smash", "SMASH", "Shivdikar, SMASH: Sparse Matrix Atomic Scratchpad Hashing, MSc thesis, Northeastern University, arXiv 2105.14156", 2021,
            "Adds partial products as they come in a hash table the size of a scratchpad.", (_, o) => new SmashMethod(o), SmashMethod.Claims, SparseProductKind.Offer);
        Seed<SkrOptions>("skr", "Sorting and Krylov recycling", "Wang et al., Accelerating Data Generation for Neural Operators via Krylov Subspace Recycling, ICLR, arXiv 2401.09516", 2024,
            "Orders similar systems and hands a subspace from each to the next.", (_, o) => Skr.Ordered(o), Skr.Claims, SystemSequenceKind.Offer);
        Seed<MlirCostModelOptions>("mlir-cost-model", "Cost model for MLIR", "Das and Mannarswamy, ML-driven Hardware Cost Model for MLIR, arXiv 2302.11405", 2023,
            "Reads a compiler's intermediate representation as text: convolutions along its tokens, a maximum, a cost.", (s, o) => new MlirCostModel(o, s.Random("cost-model")), MlirCostModel.Claims, CostModelKind.Offer);
    }

    /// <inheritdoc/>
    public override string Id => "compute";

    /// <inheritdoc/>
    public override string Question => "How few bytes, passes and iterations give the same result?";

    /// <inheritdoc/>
    public override IReadOnlyList<TaskCard> Tasks { get; } = [.. ProblemKinds.All.Select(k => k.Task)];

    /// <inheritdoc/>
    public override IReadOnlyList<MetricCard> Metrics => Protocol.Cards;

    /// <inheritdoc/>
    public override IReadOnlyList<FigureCard> Figures { get; } =
    [
        new("tradeoff", FigureKind.Plane, "Memory and time", "seconds", "scratch memory: leaner to the right", "time of a run: faster upwards", "A method that pays for speed with memory stands at the upper left; rows of one method with other tile sizes make its trade-off.") { Across = "scratch_bytes" },
        new("roofline", FigureKind.Plane, "On the roofline of this machine", "gflops", "operations a byte of traffic", "Gflop/s", "The line is the least of what memory and arithmetic allow, measured in the same processes; a point far below it leaves speed on the table.") { Across = "intensity", Roof = "roof" },
    ];

    /// <inheritdoc/>
    public override DataSummary Inspect(string? source, TaskCard task, object taskOptions, DataReading reading, CancellationToken cancellation) =>
        ProblemKinds.Of(task.Id).Inspect(source, (ProblemOptions)taskOptions, reading, cancellation);

    /// <inheritdoc/>
    public override TrialResult Run(Trial trial, TrialContext context) =>
        ProblemKinds.Of(trial.Task).Run(Create(trial, new(context.Random)), trial, (ProblemOptions)this.Task(trial.Task).Options.Bind(trial.TaskOptions, "task"), context, _clock);

    /// <inheritdoc/>
    public override string Program(Trial trial, string version)
    {
        ArgumentNullException.ThrowIfNull(trial);
        var kind = ProblemKinds.Of(trial.Task);
        return $$""""
            // dotnet run -c Release Use.cs
            #:package Winnow.Compute@{{version}}
            #:package {{NativeTorch.Package.Id}}@{{NativeTorch.Package.Version}}
            #:property PublishAot=false
            using System.Text.Json.Nodes;
            using Winnow.Compute;
            using Winnow.Numerics;

            var options = (JsonObject)JsonNode.Parse("""{{trial.Options.ToJsonString()}}""")!;
            var method = ({{kind.Interface}})new ComputeArena().Create("{{trial.Method}}", options);
            var context = new ComputeContext(Threads: {{trial.Threads}}, new Scratch());
            {{kind.Use}}

            """";
    }

    /// <summary>Builds a method of the catalogue.</summary>
    /// <param name="method">Its id.</param>
    /// <param name="options">Its options; the others have their defaults.</param>
    /// <param name="seed">Seed of its random streams, if it has any.</param>
    /// <returns>An <see cref="IComputeMethod{TProblem, TAnswer}"/> of the problem it solves.</returns>
    /// <exception cref="InputException">No such method or option.</exception>
    public IComputeMethod Create(string method, JsonObject options, ulong seed = 0)
    {
        var card = (MethodCard<ComputeSetup, IComputeMethod>)this.Method(method);
        return card.Create(new(purpose => new SeededRandom(seed, purpose)), card.Options.Bind(options, method));
    }

    private void Baseline<TOptions>(string id, string title, string paper, int year, string summary, Func<ComputeSetup, TOptions, IComputeMethod> create, string problem) where TOptions : class, new() =>
        Add(MethodKind.Baseline, id, title, paper, year, summary, create, null, [problem]);

    private void Seed<TOptions>(string id, string title, string paper, int year, string summary, Func<ComputeSetup, TOptions, IComputeMethod> create, IReadOnlyList<Claim> claims, string problem) where TOptions : class, new() =>
        Add(MethodKind.Seed, id, title, paper, year, summary, create, claims, [problem]);
}

/// <summary>The kinds of problem, in the order of the tasks.</summary>
internal static class ProblemKinds
{
    public static IReadOnlyList<IProblemKind> All { get; } = [LossHeadKind.Kind, ContrastiveKind.Kind, AttentionKind.Kind, SparseProductKind.Kind, SystemSequenceKind.Kind, new CostModelKind()];

    public static IProblemKind Of(string task) => All.Single(k => k.Task.Id == task);
}

/// <summary>Options of a method that has none.</summary>
public sealed record NoOptions;
