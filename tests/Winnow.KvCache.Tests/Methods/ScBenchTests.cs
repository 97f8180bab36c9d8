using Winnow.Core;

namespace Winnow.KvCache.Tests.Methods;

public sealed class ScBenchTests
{
    [Fact]
    public void A_method_that_returns_the_label_has_every_score_of_one_and_an_empty_answer_none()
    {
        string label = "B";
        Func<string, double>[] scorers = [p => ScBench.Retrieval(p, label), p => ScBench.AllOf(p, [label]), p => ScBench.AnyOf(p, [label]), p => ScBench.Choice(p, [label]), p => ScBench.TokenF1(p, [label]), p => ScBench.Choice(p, [label], corrected: true)];
        Assert.All(scorers, s => Assert.Equal((1.0, 0.0), (s(label), s(""))));
        Assert.Equal((1.0, 0.0), (ScBench.PassKey("0417", "0417"), ScBench.PassKey("", "0417")));
        Assert.Equal((1.0, 0.0), (ScBench.Number("17", 17, whole: true), ScBench.Number("", 17, whole: true)));
    }

    [Fact]
    public void Released_numbers_have_no_sign_and_stop_at_thousands()
    {
        Assert.Equal((1.0, 0.0), (ScBench.Number("it is -12", 12, whole: true), ScBench.Number("it is -12", 12, whole: true, corrected: true)));
        Assert.Equal((0.0, 1.0), (ScBench.Number("1,204 in all", 1204, whole: true), ScBench.Number("1,204 in all", 1204, whole: true, corrected: true)));
        Assert.Equal(1, ScBench.Number("17.9", 17, whole: true));
        Assert.Equal(0, ScBench.Number("17.9", 17, whole: false));
    }

    [Fact]
    public void Released_choices_take_the_first_letter_of_any_word()
    {
        Assert.Equal((0.0, 1.0), (ScBench.Choice("Answer: C", ["C"]), ScBench.Choice("Answer: C", ["C"], corrected: true)));
        Assert.Equal((1.0, 0.0), (ScBench.Choice("Because", ["B"]), ScBench.Choice("Because", ["B"], corrected: true)));
        Assert.Equal((1.0, 1.0), (ScBench.Choice("I think the answer is D", ["D"]), ScBench.Choice("I think the answer is D", ["D"], corrected: true)));
        Assert.Equal(0, ScBench.Choice("the answer is", ["D"]));
    }

    [Fact] // Jaccard-free: 2·same / (words of both)
    public void The_f1_of_words_takes_the_best_label_and_no_articles()
    {
        Assert.Equal(1, ScBench.TokenF1("The cat, sat!", ["cat sat"]));
        Assert.Equal(2.0 * 1 / (2 + 1), ScBench.TokenF1("cat sat", ["dog", "cat"]), 1e-12);
        Assert.Equal(2.0 * 1 / (3 + 1), ScBench.TokenF1("cat cat cat", ["cat"]), 1e-12);
    }

    [Fact]
    public void Empty_labels_are_refused()
    {
        Assert.Throws<InputException>(() => ScBench.Retrieval("x", ""));
        Assert.Throws<InputException>(() => ScBench.AllOf("x", []));
        Assert.Throws<InputException>(() => ScBench.TokenF1("x", [""]));
        Assert.Throws<InputException>(() => ScBench.PassKey("x", ""));
    }
}
