-- sanitizer.lua - does AddressSanitizer watch this process? Freed memory then
-- stays a while, and plain programs cannot load what is watched.
return function()
  for line in io.lines("/proc/self/maps") do
    if line:find("libasan", 1, true) then return true end
  end
  return false
end
