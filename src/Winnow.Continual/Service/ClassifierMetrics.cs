using System.Diagnostics.Metrics;

namespace Winnow.Continual;

/// <summary>The instruments of one classifier, in the meter <c>Winnow.Continual</c>.</summary>
internal sealed class ClassifierMetrics : IDisposable
{
    private readonly Meter _meter;
    private readonly bool _owned;
    private readonly Counter<long> _rows, _predicted, _boundaries;
    private readonly Histogram<double> _learning, _predicting;

    public ClassifierMetrics(IMeterFactory? factory, Func<long> bytes, Func<int> classes, Func<double> accuracy)
    {
        _owned = factory is null;
        _meter = factory?.Create(new MeterOptions(ContinualClassifier.MeterName)) ?? new Meter(ContinualClassifier.MeterName);
        _rows = _meter.CreateCounter<long>("winnow.continual.rows_learned", "{row}", "rows learned");
        _predicted = _meter.CreateCounter<long>("winnow.continual.rows_predicted", "{row}", "rows predicted");
        _boundaries = _meter.CreateCounter<long>("winnow.continual.boundaries", "{boundary}", "boundaries found in the stream");
        _learning = _meter.CreateHistogram<double>("winnow.continual.learn.duration", "s", "duration of a call that learns");
        _predicting = _meter.CreateHistogram<double>("winnow.continual.predict.duration", "s", "duration of a call that predicts");
        _meter.CreateObservableGauge("winnow.continual.memory", bytes, "By", "everything the learner remembers");
        _meter.CreateObservableGauge("winnow.continual.classes", classes, "{class}", "classes seen");
        _meter.CreateObservableGauge("winnow.continual.accuracy", accuracy, "1", "share of rows predicted rightly just before they were learned, over about the last thousand");
    }

    public void Learned(int rows, TimeSpan elapsed)
    {
        _rows.Add(rows);
        _learning.Record(elapsed.TotalSeconds);
    }

    public void Predicted(int rows, TimeSpan elapsed)
    {
        _predicted.Add(rows);
        _predicting.Record(elapsed.TotalSeconds);
    }

    public void Boundary(BoundaryKind kind) => _boundaries.Add(1, new KeyValuePair<string, object?>("kind", kind == BoundaryKind.NewClass ? "new-class" : "loss-jump"));

    public void Dispose()
    {
        if (_owned)
            _meter.Dispose();
    }
}
