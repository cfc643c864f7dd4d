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

    public function getHttpClient(): ?HttpClient\HttpClientInterface
    {
        return null;
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
