<?php

// What the heartbeat client reads of sentry/sentry 4, in the same shape.

namespace Sentry;

final class Client
{
    public const SDK_IDENTIFIER = 'sentry.php';
    public const SDK_VERSION = '4.29.0';

    public function getOptions(): Options
    {
        return new Options();
    }
}

final class Options
{
    private float $timeout = 5;

    public function getDsn(): Dsn
    {
        return new Dsn();
    }

    public function getRelease(): ?string
    {
        return 'shop@1.4.0';
    }

    public function getEnvironment(): ?string
    {
        return 'staging';
    }

    public function getSampleRate(): float
    {
        return 1.0;
    }

    public function getTracesSampleRate(): ?float
    {
        return 0.25;
    }

    public function getProfilesSampleRate(): ?float
    {
        return null;
    }

    public function getEnableLogs(): bool
    {
        return true;
    }

    public function getHttpProxy(): ?string
    {
        return getenv('PROXY') ?: null;
    }

    public function getHttpProxyAuthentication(): ?string
    {
        return null;
    }

    public function getHttpSslVerifyPeer(): bool
    {
        return true;
    }

    public function getHttpSslNativeCa(): bool
    {
        return false;
    }

    public function getHttpClient(): ?HttpClient\OwnClient
    {
        return getenv('OWN_CLIENT') ? new HttpClient\OwnClient() : null;
    }

    public function getHttpConnectTimeout(): float
    {
        return 2;
    }

    public function getHttpTimeout(): float
    {
        return $this->timeout;
    }

    public function setHttpConnectTimeout(float $seconds): void
    {
    }

    public function setHttpTimeout(float $seconds): void
    {
        $this->timeout = $seconds;
    }
}

final class Dsn
{
    public function __toString(): string
    {
        return $GLOBALS['argv'][2];
    }
}

final class SentrySdk
{
    public static function getCurrentHub(): self
    {
        return new self();
    }

    public function getClient(): Client
    {
        return new Client();
    }
}

namespace Sentry\HttpClient;

final class Request
{
    private string $body;

    public function getStringBody(): string
    {
        return $this->body;
    }

    public function setStringBody(string $body): void
    {
        $this->body = $body;
    }
}

final class Response
{
    private int $status;

    public function __construct(int $status)
    {
        $this->status = $status;
    }

    public function getStatusCode(): int
    {
        return $this->status;
    }

    public function getHeaderLine(string $name): string
    {
        return '';
    }
}

/** One that an application may give the SDK as `http_client`. */
final class OwnClient
{
    public function sendRequest(Request $request, \Sentry\Options $options): Response
    {
        $given = ['method' => 'POST', 'content' => $request->getStringBody(), 'timeout' => $options->getHttpTimeout()];
        $url = preg_replace('~^(https?://)\w+@(.*)/(\d+)$~', '$1$2/api/$3/envelope/', (string) $options->getDsn());
        file_get_contents($url, false, stream_context_create(['http' => $given]));
        return new Response(200);
    }
}
