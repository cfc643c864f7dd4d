<?php
// MIT License. Part of Firstlight. Copy this file into your project; it needs nothing but PHP 7.4 or newer.
/**
 * Tells a Firstlight server that your application runs, and how its Sentry SDK is set up.
 *
 *     require __DIR__ . '/firstlight_heartbeat.php';
 *     Firstlight\start();      // after Sentry\init([…])
 *     Firstlight\start($dsn);  // without an SDK
 *
 * PHP has no background thread. On the web every request is a start: of those, one in `interval` seconds (30) sends,
 * when the page has been sent. A command-line program sends each time it starts; what cannot be sent at once is sent
 * when it ends, so a worker that runs for long should take its time: `Firstlight\start($dsn, ['wait' => 1.0])`.
 *
 * It never throws, and prints nothing unless `debug` is set.
 */

namespace Firstlight;

const VERSION = '0.1.0';
const TIMEOUT = 5.0; // seconds, after the page was sent
const EXIT_WAIT = 0.05; // seconds, where somebody waits for the end
const START_WAIT = 0.003;
const MAX_BACKOFF = 300;
const RATE_LIMITED = 60; // what SDKs wait after a 429 without Retry-After
const REFUSED = 3600; // after an answer that will not change until somebody changes the DSN
const DSN = '~^(https?)://(\w+)(?::\w*)?@([\w.-]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?((?:/[\w.\~%-]+)*)/([1-9]\d{0,18})/?$~D';

/**
 * Sends one heartbeat. Returns at once.
 *
 * @param string|null $dsn     default: that of the Sentry SDK, else the environment's SENTRY_DSN
 * @param array       $options release, environment, debug; interval (seconds, on the web); wait (seconds, elsewhere)
 */
function start(?string $dsn = null, array $options = []): void
{
    static $started = [];
    $debug = (bool) ($options['debug'] ?? false);
    set_error_handler(static fn () => true); // a warning is not the application's business
    try {
        $sdk = sdk();
        $debug = (bool) ($options['debug'] ?? $sdk['config']['debug'] ?? false);
        if (!preg_match(DSN, trim($dsn ?: $sdk['dsn'] ?: (string) getenv('SENTRY_DSN')), $parts)) {
            say($debug, 'no heartbeat: there is no valid DSN');
            return;
        }
        if (isset($started[$parts[0] . getmypid()])) {
            return;
        }
        $started[$parts[0] . getmypid()] = true;
        $body = array_filter([
            'type' => 'heartbeat',
            'sdk' => $sdk['sdk'],
            'release' => text($options['release'] ?? $sdk['release'] ?: getenv('SENTRY_RELEASE')),
            'environment' => text($options['environment'] ?? $sdk['environment'] ?: getenv('SENTRY_ENVIRONMENT')),
            'runtime' => ['name' => 'php', 'version' => PHP_VERSION],
            'config' => $sdk['config'],
        ]);
        $onWeb = !in_array(PHP_SAPI, ['cli', 'phpdbg', 'embed'], true);
        $interval = max(1, min(3600, (int) ($options['interval'] ?? 30)));
        $stamp = $onWeb ? new Stamp($parts[0], $interval) : null;
        if ($stamp && !$stamp->isDue()) {
            return;
        }
        $isSdks = $sdk['dsn'] !== '' && trim($sdk['dsn']) === $parts[0];
        $beat = $isSdks ? throughSdk($sdk['options'], $parts, $body, $debug) : null;
        $beat = $beat ?? new Direct($parts, $body, $debug);
        if (!$onWeb) {
            $beat->work((float) ($options['wait'] ?? START_WAIT), isset($options['wait']));
        }
        $end = $started[$parts[0] . getmypid()] = new AtEnd($beat, $stamp);
        register_shutdown_function([$end, 'finish']);
    } catch (\Throwable $error) {
        say($debug, 'no heartbeat: ' . $error->getMessage());
    } finally {
        restore_error_handler();
    }
}

/** At the end of the program, or of the request: with the page sent, there is time. */
final class AtEnd
{
    private ?Beat $beat;
    private ?Stamp $stamp;
    private int $pid;

    public function __construct(Beat $beat, ?Stamp $stamp)
    {
        $this->beat = $beat;
        $this->stamp = $stamp;
        $this->pid = getmypid();
    }

    /** Where another shutdown function exits, PHP calls none after it; but destructors. */
    public function __destruct()
    {
        $this->finish();
    }

    public function finish(): void
    {
        $beat = $this->beat;
        $this->beat = null;
        if (!$beat || $this->pid !== getmypid()) { // a child that was forked meanwhile
            return;
        }
        set_error_handler(static fn () => true);
        try {
            $isAlone = $this->stamp && function_exists('fastcgi_finish_request') && fastcgi_finish_request();
            $beat->work($isAlone ? TIMEOUT : EXIT_WAIT, $this->stamp !== null);
            if ($this->stamp) {
                $this->stamp->note($beat->status, $beat->retryAfter);
            }
        } catch (\Throwable $error) {
            return;
        } finally {
            restore_error_handler();
        }
    }
}

/** As the SDK would send it: by the application's HTTP client, or by cURL with the SDK's options. */
function throughSdk(object $options, array $parts, array $body, bool $debug): ?Beat
{
    $client = method_exists($options, 'getHttpClient') ? $options->getHttpClient() : null;
    if ($client) {
        return new ByClient($client, $options, $parts, $body, $debug);
    }
    return extension_loaded('curl') ? new ByCurl($options, $parts, $body, $debug) : null;
}

function json(array $value): string
{
    return json_encode($value, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES);
}

/** One request, and what it was answered. */
abstract class Beat
{
    public int $status = 0;
    public string $retryAfter = '';

    /** Goes on for some seconds at most, until the request is written; or answered, if wanted. */
    abstract public function work(float $seconds, bool $wantsAnswer): void;
}

/** An envelope by the application's own client for the SDK, which can only do it at once: so it is asked at the end. */
final class ByClient extends Beat
{
    private object $client;
    private object $options;
    private string $envelope;
    private bool $debug;
    private bool $isDone = false;

    public function __construct(object $client, object $options, array $parts, array $body, bool $debug)
    {
        $this->client = $client;
        $this->options = clone $options;
        $lines = [['dsn' => $parts[0], 'sdk' => $body['sdk']], ['type' => 'heartbeat'], $body];
        $this->envelope = implode("\n", array_map(__NAMESPACE__ . '\json', $lines));
        $this->debug = $debug;
    }

    public function work(float $seconds, bool $wantsAnswer): void
    {
        if ($this->isDone || $seconds < EXIT_WAIT) {
            return;
        }
        $this->isDone = true;
        $this->options->setHttpConnectTimeout(min($seconds, $this->options->getHttpConnectTimeout()));
        $this->options->setHttpTimeout(min($seconds, $this->options->getHttpTimeout()));
        $request = new \Sentry\HttpClient\Request();
        $request->setStringBody($this->envelope);
        $response = $this->client->sendRequest($request, $this->options);
        $this->status = $response->getStatusCode();
        $this->retryAfter = $response->getHeaderLine('Retry-After');
        say($this->debug, "answered {$this->status}");
    }
}

/** One request by cURL, set up as the SDK does it, but without its waiting. */
final class ByCurl extends Beat
{
    /** @var resource|\CurlHandle */
    private $curl;
    /** @var resource|\CurlMultiHandle */
    private $multi;
    private int $size;
    private bool $debug;
    private bool $isDone = false;

    public function __construct(object $options, array $parts, array $body, bool $debug)
    {
        [, $scheme, $key, $host, $port, $prefix, $project] = $parts;
        $read = static fn (string $getter) => method_exists($options, $getter) ? $options->$getter() : null;
        $data = json($body);
        $this->size = strlen($data);
        $this->debug = $debug;
        $this->curl = curl_init("$scheme://$host$port$prefix/api/$project/heartbeat/");
        $auth = "X-Sentry-Auth: Sentry sentry_version=7, sentry_key=$key";
        curl_setopt_array($this->curl, [
            CURLOPT_POSTFIELDS => $data,
            CURLOPT_HTTPHEADER => ['Content-Type: application/json', $auth, 'Expect:'],
            CURLOPT_USERAGENT => 'firstlight.php/' . VERSION,
            CURLOPT_HTTP_VERSION => CURL_HTTP_VERSION_1_1,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_HEADERFUNCTION => function ($curl, string $line): int {
                if (preg_match('~^retry-after:\s*(\d+)\s*$~i', $line, $found)) {
                    $this->retryAfter = $found[1];
                }
                return strlen($line);
            },
            CURLOPT_SSL_VERIFYPEER => $read('getHttpSslVerifyPeer') ?? true,
        ]);
        $hasNativeCa = $read('getHttpSslNativeCa') && defined('CURLSSLOPT_NATIVE_CA');
        $given = [
            CURLOPT_SSL_OPTIONS => $hasNativeCa ? CURLSSLOPT_NATIVE_CA : null,
            CURLOPT_PROXY => $read('getHttpProxy'),
            CURLOPT_HEADEROPT => $read('getHttpProxy') ? CURLHEADER_SEPARATE : null,
            CURLOPT_PROXYUSERPWD => $read('getHttpProxyAuthentication'),
        ];
        curl_setopt_array($this->curl, array_filter($given, static fn ($value) => $value !== null));
        $this->multi = curl_multi_init();
        curl_multi_add_handle($this->multi, $this->curl);
    }

    public function work(float $seconds, bool $wantsAnswer): void
    {
        $last = microtime(true) + max(1, $seconds);
        $naps = $seconds * 1e3; // of a millisecond; counted, so that on a busy machine what is ready has its turn, too
        while (!$this->isDone && ($wantsAnswer || !$this->isWritten())) {
            curl_multi_exec($this->multi, $running);
            if (!$running) {
                $this->end();
            } elseif ($naps-- <= 0 || microtime(true) > $last) {
                return;
            } elseif (curl_multi_select($this->multi, 1e-3) > 0) {
                $naps++;
            } else {
                usleep(100); // a name is being looked up, and there is nothing to wait for
            }
        }
    }

    private function isWritten(): bool
    {
        return curl_getinfo($this->curl, CURLINFO_SIZE_UPLOAD) >= $this->size;
    }

    private function end(): void
    {
        $this->isDone = true;
        $this->status = (int) curl_getinfo($this->curl, CURLINFO_HTTP_CODE);
        say($this->debug, "answered {$this->status} " . curl_error($this->curl));
    }
}

/** One request on a stream that never blocks. */
final class Direct extends Beat
{
    private string $host;
    private string $address;
    private bool $isSecure;
    private bool $debug;
    private string $unsent;
    private string $answer = '';
    private string $phase = 'new';
    /** @var resource|null */
    private $stream;

    public function __construct(array $parts, array $body, bool $debug)
    {
        [, $scheme, $key, $this->host, $port, $prefix, $project] = $parts;
        $this->isSecure = $scheme === 'https';
        $this->debug = $debug;
        $this->address = 'tcp://' . $this->host . ($port ?: ($this->isSecure ? ':443' : ':80'));
        $data = json($body);
        $this->unsent = implode("\r\n", [
            "POST $prefix/api/$project/heartbeat/ HTTP/1.1",
            "Host: {$this->host}$port",
            'Connection: close',
            'Content-Type: application/json',
            'Content-Length: ' . strlen($data),
            'User-Agent: firstlight.php/' . VERSION,
            "X-Sentry-Auth: Sentry sentry_version=7, sentry_key=$key",
            '',
            $data,
        ]);
    }

    public function work(float $seconds, bool $wantsAnswer): void
    {
        $last = microtime(true) + max(1, $seconds);
        $naps = $seconds * 1e3;
        while ($this->phase !== 'done' && !($this->phase === 'written' && !$wantsAnswer)) {
            if ((!$this->step() && !$this->wait(1e-3) && $naps-- <= 0) || microtime(true) > $last) {
                return;
            }
        }
    }

    /** Does what can be done without waiting; false: wait. */
    private function step(): bool
    {
        switch ($this->phase) {
            case 'new':
                return $this->connect();
            case 'connecting':
                if (stream_socket_get_name($this->stream, true) === false) {
                    return $this->end('not connected');
                }
                $this->phase = $this->isSecure ? 'securing' : 'writing';
                return true;
            case 'securing':
                $done = stream_socket_enable_crypto($this->stream, true, STREAM_CRYPTO_METHOD_TLS_CLIENT);
                $this->phase = $done ? 'writing' : $this->phase;
                return $done === false ? $this->end('no secure connection') : (bool) $done;
            case 'writing':
                $count = fwrite($this->stream, $this->unsent);
                if ($count === false) {
                    return $this->end('the connection broke');
                }
                $this->unsent = substr($this->unsent, $count);
                $this->phase = $this->unsent === '' ? 'written' : $this->phase;
                return $this->unsent === '';
            default:
                return $this->read();
        }
    }

    private function connect(): bool
    {
        $context = stream_context_create(['ssl' => ['peer_name' => trim($this->host, '[]')]]);
        $flags = STREAM_CLIENT_CONNECT | STREAM_CLIENT_ASYNC_CONNECT;
        $stream = stream_socket_client($this->address, $number, $message, TIMEOUT, $flags, $context);
        if (!$stream) {
            return $this->end((string) $message);
        }
        stream_set_blocking($stream, false);
        $this->stream = $stream;
        $this->phase = 'connecting';
        return false;
    }

    private function read(): bool
    {
        $this->answer .= fread($this->stream, 8192);
        [$head] = explode("\r\n\r\n", $this->answer, 2);
        if ($head === $this->answer && strlen($head) < 16384 && !feof($this->stream)) {
            return false;
        }
        $this->status = preg_match('~^HTTP/1\.[01] (\d{3})\b~', $head, $found) ? (int) $found[1] : 0;
        $this->retryAfter = preg_match('~\r\nretry-after:\s*(\d+)\s*(?:\r\n|$)~i', $head, $found) ? $found[1] : '';
        return $this->end("answered {$this->status}");
    }

    private function wait(float $seconds): bool
    {
        $read = in_array($this->phase, ['securing', 'written'], true) ? [$this->stream] : [];
        $write = in_array($this->phase, ['connecting', 'writing'], true) ? [$this->stream] : [];
        $except = [];
        return (bool) stream_select($read, $write, $except, (int) $seconds, (int) (fmod($seconds, 1) * 1e6));
    }

    private function end(string $how): bool
    {
        say($this->debug, "{$this->address} $how");
        $this->phase = 'done';
        return true;
    }
}

/** Remembers between requests when the next heartbeat is due: a file whose time lies in the future. */
final class Stamp
{
    private string $file;
    private int $interval;

    public function __construct(string $dsn, int $interval)
    {
        $this->interval = $interval;
        $this->file = sys_get_temp_dir() . '/firstlight-' . md5($dsn . '|' . getmyuid() . '|' . $interval);
    }

    /** Whether it is time; if so, other requests are told that this one sends. */
    public function isDue(): bool
    {
        clearstatcache(true, $this->file);
        if (is_link($this->file) || (is_file($this->file) && filemtime($this->file) > time())) {
            return false;
        }
        $this->next($this->interval, $this->failures());
        return true;
    }

    public function note(int $status, string $retryAfter): void
    {
        if ($status >= 200 && $status < 300) {
            $this->next($this->interval, 0);
        } elseif (in_array($status, [400, 401, 403, 404], true)) {
            $this->next(REFUSED, 0);
        } elseif (($status === 429 || $status === 503) && $retryAfter !== '') {
            $this->next(max(1, min(3600, (int) $retryAfter)) + 1, 0); // a file's time has whole seconds
        } elseif ($status === 429) {
            $this->next(RATE_LIMITED, 0);
        } else {
            $failures = min(10, $this->failures() + 1);
            $backoff = min(2 ** $failures, MAX_BACKOFF);
            $this->next(max($this->interval, random_int(intdiv($backoff, 2), $backoff)), $failures);
        }
    }

    private function failures(): int
    {
        return (int) file_get_contents($this->file);
    }

    private function next(int $seconds, int $failures): void
    {
        file_put_contents($this->file, (string) $failures);
        touch($this->file, time() + $seconds);
    }
}

/** What the Sentry SDK knows, if the application uses it. */
function sdk(): array
{
    $found = ['dsn' => '', 'release' => null, 'environment' => null, 'config' => []];
    $found['sdk'] = ['name' => 'firstlight.php', 'version' => VERSION];
    $client = class_exists('Sentry\SentrySdk', false) ? \Sentry\SentrySdk::getCurrentHub()->getClient() : null;
    if (!$client) {
        return $found;
    }
    $options = $found['options'] = $client->getOptions();
    $read = static fn (string $getter) => method_exists($options, $getter) ? $options->$getter() : null;
    $found['sdk'] = ['name' => \Sentry\Client::SDK_IDENTIFIER, 'version' => \Sentry\Client::SDK_VERSION];
    $found['dsn'] = (string) $read('getDsn');
    $found['release'] = $read('getRelease');
    $found['environment'] = $read('getEnvironment') ?? 'production'; // what the SDK puts into an event that has none
    $config = [
        'sample_rate' => $read('getSampleRate'),
        'traces_sample_rate' => $read('getTracesSampleRate'),
        'profiles_sample_rate' => $read('getProfilesSampleRate'),
        'enable_logs' => $read('getEnableLogs'),
        'enable_metrics' => $read('getEnableMetrics'),
        'send_default_pii' => $read('shouldSendDefaultPii'),
    ];
    $found['config'] = array_filter($config, static fn ($value) => is_bool($value)
        || ((is_float($value) || is_int($value)) && $value >= 0 && $value <= 1));
    return $found;
}

function text($value): ?string
{
    return is_scalar($value) && (string) $value !== '' ? substr((string) $value, 0, 200) : null;
}

function say(bool $debug, string $message): void
{
    if ($debug) {
        error_log("[firstlight] $message");
    }
}
