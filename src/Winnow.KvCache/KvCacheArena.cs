using System.Text.Json.Nodes;
using Winnow.Core;

namespace Winnow.KvCache;

/// <summary>The catalogue: tasks, methods, baselines and metrics at a glance.</summary>
public sealed class KvCacheArena : Arena<KvSetup, KvPolicy>
{
    private readonly TimeProvider _clock;
    private readonly RecallModels? _recall;

    /// <summary>The arena, timed by the system's clock.</summary>
    public KvCacheArena() : this(TimeProvider.System)
    {
    }

    /// <summary>The arena.</summary>
    /// <param name="clock">What decoding is timed by.</param>
    /// <param name="recall">Where the model of the tasks <c>recall</c> and <c>needle</c> is; null where these tasks are not run, or with a model that is given.</param>
    public KvCacheArena(TimeProvider clock, RecallModels? recall = null)
    {
        (_clock, _recall) = (clock, recall);

        Baseline<NoKvOptions>("full", "Full cache", "Vaswani et al., Attention is all you need, NeurIPS, arXiv 1706.03762", 2017,
            "Keeps every key and value in half precision.", (_, _) => [], "upper-bound");
        Baseline<KeepOptions>("random-tokens", "Random tokens", "Knuth, The art of computer programming, volume 2, Addison-Wesley", 1969,
            "Keeps tokens at random.", (s, o) => [new RandomTokens(s, o)], "select");
        Baseline<StreamingLlmOptions>("streaming-llm", "StreamingLLM", "Xiao, Tian, Chen, Han and Lewis, Efficient streaming language models with attention sinks, ICLR, arXiv 2309.17453", 2023,
            "Keeps the first tokens and the last ones.", (_, o) => [new StreamingLlm(o)], "select");
        Baseline<KeepOptions>("knorm", "Short keys", "Devoto, Zhao, Scardapane and Minervini, A simple and effective L2 norm-based strategy for KV cache compression, EMNLP, arXiv 2406.11430", 2024,
            "Keeps the tokens whose keys are short.", (_, o) => [new KeyNorm(o)], "select");
        Baseline<HeavyHitterOptions>("h2o", "H2O", "Zhang et al., H2O: heavy-hitter oracle for efficient generative inference of large language models, NeurIPS, arXiv 2306.14048", 2023,
            "Keeps the tokens that got most attention so far, and the last ones.", (_, o) => [new HeavyHitters(o)], "select");
        Baseline<SnapKvOptions>("snapkv", "SnapKV", "Li et al., SnapKV: LLM knows what you are looking for before generation, NeurIPS, arXiv 2404.14469", 2024,
            "Keeps the tokens to which the last queries attend.", (_, o) => [new SnapKv(o)], "select");
        Baseline<KeepOptions>("tova", "TOVA", "Oren, Hassid, Yarden, Adi and Schwartz, Transformers are multi-state RNNs, EMNLP, arXiv 2401.06104", 2024,
            "Keeps the tokens to which the last query attends.", (_, o) => [new Tova(o)], "select");
        Baseline<SnapKvOptions>("pyramidkv", "PyramidKV", "Cai et al., PyramidKV: dynamic KV cache compression based on pyramidal information funneling, arXiv 2406.02069", 2024,
            "SnapKV with more tokens for early layers than for late ones.", (_, o) => [new SnapKv(o.Taper > 1 ? o : o with { Taper = 4 })], "select");
        Baseline<ExpectedAttentionOptions>("expected-attention", "Expected attention", "Devoto, Jeblick and Jégou, Expected attention: KV cache compression by estimating attention from future queries distribution, arXiv 2510.00636", 2025,
            "Keeps the tokens that queries to come should attend to if they are normal.", (_, o) => [new ExpectedAttention(o)], "select");
        Baseline<RoundToNearestOptions>("rtn", "Round to nearest", "Jacob et al., Quantization and training of neural networks for efficient integer-arithmetic-only inference, CVPR, arXiv 1712.05877", 2018,
            "Rounds each token's keys and values to whole multiples of one step.", (_, o) => [new RoundToNearest(o)], "encode");
        Baseline<NoKvOptions>("q8_0", "Blocks of 32 in 8 bits", "Gerganov et al., llama.cpp, github.com/ggml-org/llama.cpp", 2023,
            "One step for each 32 numbers, 8.5 bits a number.", (_, _) => [new BlockQuantised(8)], "encode");
        Baseline<NoKvOptions>("q4_0", "Blocks of 32 in 4 bits", "Gerganov et al., llama.cpp, github.com/ggml-org/llama.cpp", 2023,
            "One step for each 32 numbers, 4.5 bits a number.", (_, _) => [new BlockQuantised(4)], "encode");
        Baseline<NoKvOptions>("fp8", "Eight-bit floating point", "Micikevicius et al., FP8 formats for deep learning, arXiv 2209.05433", 2022,
            "Four bits of exponent, three of fraction, no scale.", (_, _) => [new Float8()], "encode");
        Baseline<ThinKOptions>("think", "ThinK", "Xu et al., ThinK: thinner key cache by query-driven pruning, ICLR, arXiv 2407.21018", 2024,
            "Drops the channels of keys that matter least to the last queries.", (_, o) => [new ThinK(o)], "project");
        Baseline<LayerSvdOptions>("layer-svd", "Truncated decomposition of each layer", "Eckart and Young, The approximation of one matrix by another of lower rank, Psychometrika 1", 1936,
            "xKV with a basis for each layer alone.", (_, o) => [new Xkv(new() { Layers = 1, Keep = o.Keep })], "project");

        Seed<KiviOptions>("kivi", "KIVI", "Liu, Yuan, Jin, Zhong, Xu, Braverman, Chen and Hu, KIVI: a tuning-free asymmetric 2bit quantization for KV cache, ICML, arXiv 2402.02750", 2024,
            "Stores keys by channel and values by token in two or four bits, and the last tokens exactly.", (_, o) => [new Kivi(o)], KvClaims.Kivi, "encode");
        Seed<MustafarOptions>("mustafar", "Mustafar", "Joo, Hosseini, Hadidi and Asgari, Mustafar: promoting unstructured sparsity for KV cache pruning in LLM inference, NeurIPS, arXiv 2505.22913", 2025,
            "Zeroes the smallest numbers of every key and value and keeps the rest behind bitmaps.", (_, o) => [new Mustafar(o)], KvClaims.Mustafar, "encode");
        Seed<XkvOptions>("xkv", "xKV", "Chang, Lin, Akhauri, Lin, Wu, Ceze and Abdelfattah, xKV: cross-layer SVD for KV-cache compression, arXiv 2503.18893", 2025,
            "Gives neighbouring layers one low-rank basis of the tokens.", (_, o) => [new Xkv(o)], KvClaims.Xkv, "project");
        Seed<CskvOptions>("cskv", "CSKV", "Wang, Yang, Ning, Xu, Zhang, Liu and Wang, CSKV: training-efficient channel shrinking for KV cache in long-context scenarios, arXiv 2409.10593", 2024,
            "Keeps a narrow projection of each layer's input, trained to give keys and values back, and a window of exact ones.", (s, o) => [new Cskv(s, o)], KvClaims.Cskv, "project");
        Seed<WindowKvOptions>("windowkv", "WindowKV", "Zuo, Huang, Xu, Xu, Yin, Sun, Zeng and Liu, WindowKV: task-adaptive group-wise KV cache window selection for efficient LLM inference, arXiv 2503.17922", 2025,
            "Keeps whole windows of tokens, chosen once for several layers.", (_, o) => [new WindowKv(o)], KvClaims.WindowKv, "select");
        Seed<PrefixKvOptions>("prefixkv", "PrefixKV", "Wang, Lin, Sun, Li, Wang, Chen, Han and Ding, PrefixKV: adaptive prefix KV cache is what vision instruction-following models need for efficient generation, arXiv 2412.03409", 2024,
            "Gives each layer the budget at which all keep the same share of their attention.", (_, o) => [new PrefixKv(o)], KvClaims.PrefixKv, "select");
        Seed<KvMergerOptions>("kvmerger", "KVMerger", "Wang, Jin, Li and Zhang, Model tells you where to merge: adaptive KV cache merging for LLMs on long-context tasks, arXiv 2407.08454", 2024,
            "Merges neighbouring tokens whose keys point the same way.", (s, o) => [new KvMerger(s, o)], KvClaims.KvMerger, "merge");
        Seed<ScBenchOptions>("scbench", "SCBench's query-aware eviction", "Li, Jiang, Wu, Luo, Ahn, Zhang, Abdi, Li, Gao, Yang and Qiu, SCBench: a KV cache-centric analysis of long-context methods, ICLR, arXiv 2412.10319", 2024,
            "SnapKV as the benchmark sets it: what a cache chosen for the first question is worth for the next. Its protocol is the task 'turns', its scorers are ScBench.", (_, o) => [new ScBench(o)], KvClaims.ScBench, "select");
    }

    /// <inheritdoc/>
    public override string Id => "kv-cache";

    /// <inheritdoc/>
    public override string Question => "How small can the attention cache get before the answers change?";

    /// <inheritdoc/>
    public override IReadOnlyList<TaskCard> Tasks { get; } =
    [
        new("continuation", "Continued text", "A prompt is read exactly and then kept as the policy says; the text goes on, token by token, and at each the distribution of the next token is compared with the full cache's.", OptionsSchema.Of<ContinuationOptions>(), []) { Data = "FILE.txt" },
        new("turns", "One context, several turns", "One prompt is kept, and several stretches of text follow it: one after another, or each from a copy of the prompt's cache. Policies choose before they know what comes.", OptionsSchema.Of<TurnsOptions>(), []) { Data = "FILE.txt", Metrics = [.. KvProtocol.Cards, KvProtocol.Drop] },
        new("recall", "Questions about one context", "A context says values of keys and is kept once; then it is asked for some of them. Eviction that saw the first question is of little use for the next; so says SCBench, and this measures it.", OptionsSchema.Of<RecallOptions>(), []) { Data = null, Metrics = [KvProtocol.Accuracy, KvProtocol.Lost, .. KvProtocol.Cards] },
        new("needle", "A needle by depth and length", "A single pair of a key and its value among noise, at several depths of contexts of several lengths, kept before anyone asks.", OptionsSchema.Of<NeedleOptions>(), []) { Data = null, Metrics = [KvProtocol.Accuracy, .. KvProtocol.Cards] },
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<MetricCard> Metrics => KvProtocol.Cards;

    /// <inheritdoc/>
    public override IReadOnlyList<FigureCard> Figures { get; } =
    [
        new("pareto", FigureKind.Plane, "Bytes and divergence", "kl", "share of the full cache's bytes: leaner to the right", "divergence from the full cache in nats: better upwards", "What a policy pays for its bytes; rows of one method with other options make its curve.") { Across = "bytes" },
        new("found", FigureKind.Plane, "Bytes and right answers", "accuracy", "share of the full cache's bytes: leaner to the right", "share of right answers", "What a policy pays for its bytes, in answers.") { Across = "bytes" },
        new("by-turn", FigureKind.Lines, "Right answers by turn", "accuracy_turn", "question", "share of right answers", "The first question is part of the prompt that a policy sees, unless it is asked by request: the fall after it is what one question's cache is worth for the next."),
        new("needle", FigureKind.Heatmap, "Needles found", "found", "tokens of the context", "depth of the needle in percent", "Where a policy forgets."),
        new("ms-token", FigureKind.Lines, "Time of a token", "ms_token", "tokens of the context", "milliseconds", "What a step of decoding takes as the context grows: of short contexts it is the model, of long ones the cache."),
        new("turns", FigureKind.Lines, "Divergence over the text", "kl_token", "tokens after the prompt, in stretches", "divergence in nats", "A cache that was chosen for what the prompt ends with loses as the text moves on."),
        new("kinds", FigureKind.Bars, "What the bytes are", "share", "kind", "share of the full cache's bytes", "Scales, indices and windows are part of every policy's bill."),
        new("mass", FigureKind.Bars, "Attention kept by layer", "mass", "layer", "share of the prompt's attention that goes to entries kept", "Layers differ in how few entries they could do with."),
    ];

    /// <inheritdoc/>
    public override MethodCard? Composed(IReadOnlyList<string> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        MethodCard<KvSetup, KvPolicy>[] cards = [.. parts.Select(p => (MethodCard<KvSetup, KvPolicy>)this.Method(p))];
        if (cards.Select(c => c.Id).Distinct().Count() != cards.Length)
            throw InputException.At("methods", string.Join('+', parts), "each method once in a row", "Leave one of them out.");
        var made = new MethodCard<KvSetup, KvPolicy>
        {
            Kind = MethodKind.Baseline,
            Id = string.Join('+', parts),
            Title = string.Join(", then ", cards.Select(c => c.Title)),
            Paper = string.Join("; ", cards.Select(c => c.Paper)),
            Year = cards.Max(c => c.Year),
            Summary = string.Join(' ', cards.Select(c => c.Summary)),
            Tags = [.. cards.SelectMany(c => c.Tags).Distinct()],
            Options = OptionsSchema.InARow([.. cards.Select(c => (c.Id, c.Options))]),
            Create = (setup, options) =>
            {
                KvPolicy[] made = [.. cards.Zip((object[])options).Select(p => p.First.Create(setup, p.Second))];
                return new([.. made.SelectMany(p => p.Stages)]) { Budget = made.Select(p => p.Budget).Where(b => b > 0).DefaultIfEmpty(0).Min() };
            },
        };
        // stages that cannot stand together are refused before a trial runs
        made.Create(new(purpose => new SeededRandom(0, purpose)), made.Options.Bind([], made.Id));
        return made;
    }

    /// <inheritdoc/>
    public override DataSummary Inspect(string? source, TaskCard task, object taskOptions, DataReading reading, CancellationToken cancellation) => KvTexts.Inspect(source, (KvTaskOptions)taskOptions, reading, _recall, cancellation);

    /// <inheritdoc/>
    public override TrialResult Run(Trial trial, TrialContext context)
    {
        ArgumentNullException.ThrowIfNull(trial);
        ArgumentNullException.ThrowIfNull(context);
        var policy = Create(trial, new(context.Random));
        return KvProtocol.Run(policy, (KvTaskOptions)this.Task(trial.Task).Options.Bind(trial.TaskOptions, "task"), trial, context, _clock, _recall);
    }

    /// <summary>Builds a policy of the catalogue.</summary>
    /// <param name="method">A method, or several in a row such as <c>windowkv+kivi</c>.</param>
    /// <param name="options">Options by name, in a row by <c>method.name</c>; the others have their defaults.</param>
    /// <param name="seed">Seed of its random choices, if it makes any.</param>
    /// <exception cref="InputException">No such method or option.</exception>
    public KvPolicy Policy(string method, JsonObject? options = null, ulong seed = 0)
    {
        var card = (MethodCard<KvSetup, KvPolicy>)this.Method(method);
        return card.Create(new(purpose => new SeededRandom(seed, purpose)), card.Options.Bind(options ?? [], method));
    }

    /// <inheritdoc/>
    public override string Program(Trial trial, string version)
    {
        ArgumentNullException.ThrowIfNull(trial);
        string model = (string)trial.TaskOptions["model"]!;
        return $$""""
            // dotnet run -c Release Use.cs MODEL "a prompt"
            #:package Winnow.KvCache@{{version}}
            #:property PublishAot=false
            using System.Text.Json.Nodes;
            using Winnow.KvCache;
            using Winnow.Language;

            using var model = LanguageModel.Load(args.Length > 0 ? args[0] : "{{model}}");
            var policy = new KvCacheArena().Policy("{{trial.Method}}", (JsonObject)JsonNode.Parse("""{{trial.Options.ToJsonString()}}""")!);
            int[] tokens = [.. model.Tokenizer.Begin is { } begin ? [begin] : Array.Empty<int>(), .. model.Tokenizer.Encode(args.Length > 1 ? args[1] : "Once upon a time")];
            policy.Prepare(model.Weights, [tokens]);
            using var session = new LlamaSession(model.Weights, tokens.Length + 200);
            var prompt = Prompt.Read(session, model.Weights.Shape, tokens, new RotaryTable(model.Weights.Shape, tokens.Length + 200));
            {{(BudgetOf(trial.Options) > 0 ? "policy = policy.Fitted(prompt, model.Weights, [tokens]);\n" : "")}}var cache = policy.Prefill(prompt);
            using var text = Console.OpenStandardOutput();
            int token = tokens[^1], position = tokens.Length;
            session.Rewind(tokens.Length - 1);
            var logits = session.Read(tokens.AsSpan(tokens.Length - 1));
            for (int i = 0; i < 100; i++)
            {
                token = 0;
                for (int t = 1; t < logits.Length; t++)
                    token = logits[t] > logits[token] ? t : token;
                text.Write(model.Tokenizer.Bytes(token, false).Span);
                logits = session.Step(token, position++, cache);
            }
            Console.WriteLine($"\n{cache.Bytes.Total:N0} bytes of {cache.FullBytes:N0}");

            """";
    }

    private static double BudgetOf(JsonObject options) => options.Where(o => o.Key == "bytes" || o.Key.EndsWith(".bytes", StringComparison.Ordinal)).Select(o => (double?)o.Value ?? 0).DefaultIfEmpty(0).Max();

    private void Baseline<TOptions>(string id, string title, string paper, int year, string summary, Func<KvSetup, TOptions, IReadOnlyList<IKvStage>> create, string stage) where TOptions : class, new() =>
        Add<TOptions>(MethodKind.Baseline, id, title, paper, year, summary, (s, o) => new(create(s, o)) { Budget = (o as BudgetOptions)?.Bytes ?? 0 }, null, null, [stage]);

    private void Seed<TOptions>(string id, string title, string paper, int year, string summary, Func<KvSetup, TOptions, IReadOnlyList<IKvStage>> create, IReadOnlyList<Claim> claims, string stage) where TOptions : class, new() =>
        Add<TOptions>(MethodKind.Seed, id, title, paper, year, summary, (s, o) => new(create(s, o)) { Budget = (o as BudgetOptions)?.Bytes ?? 0 }, claims, null, [stage]);
}

/// <summary>Options of a method that has none.</summary>
public sealed record NoKvOptions;

/// <summary>Options of the decomposition of each layer.</summary>
public sealed record LayerSvdOptions : BudgetOptions
{
    /// <summary>Share of the numbers.</summary>
    [System.ComponentModel.DataAnnotations.Range(0.0, 1.0, MinimumIsExclusive = true), System.ComponentModel.Description("share of a layer's numbers that both factors together have")]
    public double Keep { get; init; } = 0.25;
}
