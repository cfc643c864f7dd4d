-- Starts a project over in the epoch ARGV[3].
--
-- Returns  whether there is such a project.

local held = meta()
if not held then return false end
-- Above the old version: pages hold that one, and would take a smaller one for a step back.
start_epoch(FRESH, held[2])
wake('edited', NEWS)
return true
