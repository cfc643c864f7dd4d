-- Returns what is stored, see view.lua; nil if there is no such project.

-- No read-only script: where the state has expired, reading starts its next epoch, and all readers must agree on it.
if not meta() then return false end
return view()
