-- Starts a project over in the epoch ARGV[3].
--
-- Returns  whether there is such a project.

local held = meta()
if not held then return false end
start_epoch(FRESH, held[2])
wake('edited', NEWS)
return true
