-- faulty.lua - the faulty plugins of tests/fixtures/faulty: building them, and
-- asking check-plugin about them. Each names in its head the check that is
-- meant to find its fault.
local shell = require "support.shell"

local faulty = {}

local build = os.getenv("LUNET_BUILD") or "build"
local sources = "tests/fixtures/faulty"
local folder = build .. "/faulty"
local compiler = os.getenv("CC") or "cc"

-- The names of all of them, without the right ones.
function faulty.names()
  local names = {}
  for _, path in ipairs(shell.lines("ls %s/*.c", sources)) do
    local name = path:match("([%w_]+)%.c$")
    if not name:find("^right_") then names[#names + 1] = name end
  end
  return names
end

function faulty.right_names()
  local names = {}
  for _, path in ipairs(shell.lines("ls %s/right_*.c", sources)) do
    names[#names + 1] = path:match("([%w_]+)%.c$")
  end
  return names
end

-- The check that its head names.
function faulty.meant_for(name)
  local head = shell.read(("%s/%s.c"):format(sources, name)):match("/%*(.-)%*/")
  return head:gsub("%s*\n %* ", " "):match("for the check ([%w_.]+):")
end

-- Builds it, unless what is there is newer than all sources.
function faulty.build(name)
  local path = ("%s/%s.so"):format(folder, name)
  local fresh = shell.run("test -e %s && test -z \"$(find %s -newer %s "
    .. "\\( -name '*.h' -o -name '%s.c' \\))\"", path, sources, path, name)
  if not fresh then
    local ok, said = shell.run("mkdir -p %s && %s -shared -fPIC -O1 "
      .. "-Icore/include %s/%s.c -o %s -lm", folder, compiler, sources, name,
      path)
    assert(ok, said)
  end
  return path
end

-- The checks that report a fault, as a set, and all that was said.
function faulty.check(name, options)
  local path = faulty.build(name)
  local _, said = shell.run("%s/lunet check-plugin %s %s", build,
    path, options or "")
  local found, is_fault = {}, false
  for line in said:gmatch("[^\n]+") do
    if line:find("^%S+ fault: ") then is_fault = true end
    if line:find("^%S+ remark: ") then is_fault = false end
    local check = line:match("^  check     ([%w_.]+),")
    if check and is_fault then found[check] = true end
  end
  return found, said
end

return faulty
