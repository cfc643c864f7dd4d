<?php

// An application with a heartbeat client: `php app.php MODE DSN`. Under a web server: SERVE_DSN, and every request is one.

[, $mode, $dsn] = $argv ?? [null, 'web', getenv('SERVE_DSN')];
if (getenv('SDK')) {
    require getenv('SDK');
    $dsn = null;
}
if ($mode === 'quit') {
    register_shutdown_function(static fn () => exit());
}
$computed = getrusage()['ru_utime.tv_usec'];
$started = hrtime(true);
if ($mode !== 'none') {
    require __DIR__ . '/../../../clients/php/firstlight_heartbeat.php';
    $wait = getenv('WAIT') ? ['wait' => (float) getenv('WAIT')] : [];
    Firstlight\start($dsn, $mode === 'web' ? ['interval' => (int) getenv('INTERVAL')] : $wait);
}
if ($mode === 'quit') { // in a shutdown function: PHP calls none after it
    exit;
}
if ($mode === 'time') {
    echo (getrusage()['ru_utime.tv_usec'] - $computed) / 1e3, ' ', (hrtime(true) - $started) / 1e6;
}
if ($mode === 'run') {
    fgets(STDIN);
}
