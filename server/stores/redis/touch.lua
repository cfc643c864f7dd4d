-- Raises the version of a project beyond ARGV[6], unless it is, or the epoch is not ARGV[5].

local held = meta()
if held and held[1] == ARGV[5] and tonumber(held[2]) <= tonumber(ARGV[6]) then
  raise_version(ARGV[6])
  wake('changed', NEWS)
end
