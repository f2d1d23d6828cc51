-- shell.lua - runs commands for the tests that look at files from outside.
local shell = {}

-- Runs a command; returns whether it succeeded, and what it said on both
-- channels.
function shell.run(command, ...)
  if select("#", ...) > 0 then command = command:format(...) end
  local pipe = assert(io.popen("{ " .. command .. "\n} 2>&1", "r"))
  local output = pipe:read("a")
  return pipe:close() == true, output
end

-- The lines of a command that must succeed.
function shell.lines(command, ...)
  local ok, output = shell.run(command, ...)
  if not ok then error(command .. "\n" .. output, 2) end
  local lines = {}
  for line in output:gmatch("[^\n]+") do lines[#lines + 1] = line end
  return lines
end

function shell.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

function shell.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

-- A new folder for the time of the test run; it vanishes with `remove`.
function shell.temporary_folder()
  return shell.lines("mktemp -d")[1]
end

function shell.remove(folder)
  assert(shell.run("rm -rf '%s'", folder))
end

-- Is the program installed?
function shell.has(program)
  return (shell.run("command -v '%s'", program))
end

return shell
