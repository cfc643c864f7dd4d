-- Raises the version of a project beyond ARGV[6], unless it is, or the epoch is not ARGV[5]. Returns whether it did.

local held = meta()
-- Several processes notice the same silence at the same moment; the first one raises the version, and the others find
-- it raised.
if held and held[1] == ARGV[5] and tonumber(held[2]) <= tonumber(ARGV[6]) then
  raise_version(ARGV[6])
  wake('changed', NEWS, told())
  return true
end
return false
