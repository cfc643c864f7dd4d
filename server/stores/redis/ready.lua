-- Tries whether the server takes what is needed, a script that writes and publishes. Nobody acts on an empty wake-up.
--
-- KEYS[1]  a key that means nothing.
-- ARGV[1]  a channel for wake-ups.

redis.call('SET', KEYS[1], 1, 'PX', 60000)
redis.call('PUBLISH', ARGV[1], '')
return true
