using System.Text;
using Winnow.Core;
using Winnow.FakeTrials;

// trial: serves one trial. study FOLDER SEEDS SECONDS: runs a small study, as the command-line program does.
switch (args)
{
    case ["trial"]:
        using (var input = new StreamReader(Console.OpenStandardInput(), Encoding.UTF8))
        using (var output = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false)))
            return TrialProcess.Serve(input, output, _ => new FakeArena(), _ => { });
    case ["study", var folder, var seeds, var seconds]:
        var trials = Study.ParseSeeds(seeds).SelectMany(seed => ((string[])["ok", "artefact"]).Select(m => FakeArena.Trial(m, seed, new() { ["seconds"] = seconds }))).ToArray();
        using (await StudyLock.TakeAsync(folder, () => { }, default))
        using (var store = Store.Open(folder))
        {
            store.SavePlan("{}", trials);
            await new Runner(store, folder, TimeProvider.System).RunAsync(trials, new(new(Environment.ProcessPath!, ["trial"]), new(), 2), new Silent(), default);
        }
        return 0;
    default:
        return 2;
}

internal sealed class Silent : IRunObserver
{
    public void Started(Trial trial) { }

    public void Told(Trial trial, TrialEvent what) { }

    public void Ended(Trial trial, TrialOutcome outcome) { }
}
