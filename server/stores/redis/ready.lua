-- Tries whether the server takes what is needed, a script that writes and publishes. Nobody acts on an empty wake-up.
--
-- KEYS[1]  a key that means nothing.
-- ARGV[1]  how and where to wake, as in common.lua.

redis.call('SET', KEYS[1], 1, 'PX', 60000)
local publish, channel = string.match(ARGV[1], '(%u+) (.+)')
redis.call(publish, channel, '')
return true
