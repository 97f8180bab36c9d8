using System.Diagnostics;
using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Winnow.Reports.Tests;

/// <summary>A headless Chromium with one page, driven over the DevTools protocol.</summary>
internal sealed class HeadlessChromium : IAsyncDisposable
{
    private readonly Process _process;
    private readonly string _profile;
    private readonly ClientWebSocket _socket = new();
    private int _id;

    private HeadlessChromium(Process process, string profile) => (_process, _profile) = (process, profile);

    /// <summary>Console errors, uncaught exceptions, failed or attempted requests, security violations.</summary>
    public List<string> Complaints { get; } = [];

    /// <summary>The browser on the PATH, or null.</summary>
    public static string? Find() =>
        ((string[])["chromium", "chromium-browser", "google-chrome"]).SelectMany(name => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(folder => Path.Combine(folder, name))).FirstOrDefault(File.Exists);

    public static async Task<HeadlessChromium> StartAsync(string program, CancellationToken cancellation)
    {
        string profile = Directory.CreateTempSubdirectory("winnow-browser").FullName;
        var start = new ProcessStartInfo(program, ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", $"--user-data-dir={profile}", "--remote-debugging-port=0", "--window-size=1280,900", "about:blank"])
        { RedirectStandardError = true, RedirectStandardOutput = true };
        var process = Process.Start(start)!;
        _ = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        var browser = new HeadlessChromium(process, profile);
        string port = "";
        while (await process.StandardError.ReadLineAsync(cancellation) is { } line)
            if (line.StartsWith("DevTools listening on ", StringComparison.Ordinal))
            {
                port = new Uri(line["DevTools listening on ".Length..]).Port.ToString(CultureInfo.InvariantCulture);
                break;
            }
        if (port.Length == 0)
        {
            await browser.DisposeAsync();
            throw new InvalidOperationException($"{program} ended before it listened.");
        }
        _ = process.StandardError.ReadToEndAsync(CancellationToken.None);
        using var http = new HttpClient(new HttpClientHandler { UseProxy = false });
        var pages = JsonNode.Parse(await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/json/list"), cancellation))!.AsArray();
        browser._socket.Options.Proxy = null;
        await browser._socket.ConnectAsync(new Uri((string)pages.First(p => (string)p!["type"]! == "page")!["webSocketDebuggerUrl"]!), cancellation);
        foreach (string domain in (string[])["Page", "Runtime", "Log", "Network"])
            await browser.SendAsync($"{domain}.enable", [], cancellation);
        return browser;
    }

    public async Task OpenAsync(string file, CancellationToken cancellation)
    {
        await SendAsync("Page.navigate", new() { ["url"] = new Uri(file).AbsoluteUri }, cancellation);
        while (await EvaluateAsync("document.readyState", cancellation) is not { } state || (string)state! != "complete" || (string)(await EvaluateAsync("location.protocol", cancellation))! != "file:")
            await Task.Delay(20, cancellation);
    }

    public Task ResizeAsync(int width, int height, CancellationToken cancellation) =>
        SendAsync("Emulation.setDeviceMetricsOverride", new() { ["width"] = width, ["height"] = height, ["deviceScaleFactor"] = width < 500 ? 2 : 1, ["mobile"] = width < 500 }, cancellation);

    public Task DarkAsync(bool dark, CancellationToken cancellation) =>
        SendAsync("Emulation.setEmulatedMedia", new() { ["media"] = "screen", ["features"] = new JsonArray(new JsonObject { ["name"] = "prefers-color-scheme", ["value"] = dark ? "dark" : "light" }) }, cancellation);

    public Task PrintAsync(bool print, CancellationToken cancellation) => SendAsync("Emulation.setEmulatedMedia", new() { ["media"] = print ? "print" : "screen" }, cancellation);

    /// <summary>The value of a JavaScript expression.</summary>
    public async Task<JsonNode?> EvaluateAsync(string expression, CancellationToken cancellation)
    {
        var answer = await SendAsync("Runtime.evaluate", new() { ["expression"] = expression, ["returnByValue"] = true, ["awaitPromise"] = true }, cancellation);
        return answer["exceptionDetails"] is { } failed ? throw new InvalidOperationException($"{expression}: {failed.ToJsonString()}") : answer["result"]!["value"];
    }

    public async Task ScreenshotAsync(string path, CancellationToken cancellation)
    {
        var picture = await SendAsync("Page.captureScreenshot", new() { ["captureBeyondViewport"] = true }, cancellation);
        await File.WriteAllBytesAsync(path, Convert.FromBase64String((string)picture["data"]!), cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        try
        {
            Directory.Delete(_profile, recursive: true);
        }
        catch (IOException)
        {
            // A helper process of the browser still writes; the system's temporary folder is cleaned by the system.
        }
    }

    private async Task<JsonNode> SendAsync(string method, JsonObject parameters, CancellationToken cancellation)
    {
        int id = ++_id;
        var message = new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters };
        await _socket.SendAsync(Encoding.UTF8.GetBytes(message.ToJsonString()), WebSocketMessageType.Text, true, cancellation);
        while (true)
        {
            var answer = await ReceiveAsync(cancellation);
            if ((int?)answer["id"] == id)
                return answer["error"] is { } error ? throw new InvalidOperationException($"{method}: {error.ToJsonString()}") : answer["result"]!;
            Note(answer);
        }
    }

    private void Note(JsonNode told)
    {
        var parameters = told["params"];
        string? complaint = (string?)told["method"] switch
        {
            "Runtime.exceptionThrown" => parameters!.ToJsonString(),
            "Runtime.consoleAPICalled" when (string?)parameters!["type"] is "error" or "warning" or "assert" => parameters.ToJsonString(),
            "Log.entryAdded" when (string?)parameters!["entry"]!["level"] is "error" or "warning" => parameters.ToJsonString(),
            "Network.requestWillBeSent" when !((string)parameters!["request"]!["url"]!).StartsWith("file:", StringComparison.Ordinal) => parameters.ToJsonString(),
            _ => null,
        };
        if (complaint is not null)
            Complaints.Add(complaint);
    }

    private async Task<JsonNode> ReceiveAsync(CancellationToken cancellation)
    {
        using var whole = new MemoryStream();
        byte[] buffer = new byte[1 << 16];
        WebSocketReceiveResult part;
        do
        {
            part = await _socket.ReceiveAsync(buffer, cancellation);
            whole.Write(buffer, 0, part.Count);
        }
        while (!part.EndOfMessage);
        return JsonNode.Parse(whole.ToArray())!;
    }
}
