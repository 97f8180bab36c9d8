namespace Winnow.Numerics;

/// <summary>Runs the same work on a stated number of threads, the caller's among them.</summary>
internal static class Workers
{
    /// <summary>Calls <paramref name="work"/> with 0 to threads − 1 at once and waits for all; the first error is thrown as it was.</summary>
    public static void Run(int threads, Action<int> work)
    {
        if (threads == 1)
        {
            work(0);
            return;
        }
        var others = new Task[threads - 1];
        for (int t = 1; t < threads; t++)
        {
            int worker = t;
            others[t - 1] = Task.Run(() => work(worker));
        }
        Exception? own = null;
        try
        {
            work(0);
        }
        catch (Exception e) when (others.Length > 0)
        {
            own = e;
        }
        try
        {
            Task.WaitAll(others);
        }
        catch (AggregateException e)
        {
            own ??= e.InnerExceptions[0];
        }
        if (own is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(own);
    }

    /// <summary>The part of <paramref name="count"/> things that belongs to a worker: contiguous, and equal to within one.</summary>
    public static (int Start, int End) Part(int count, int worker, int threads) =>
        ((int)((long)count * worker / threads), (int)((long)count * (worker + 1) / threads));
}
