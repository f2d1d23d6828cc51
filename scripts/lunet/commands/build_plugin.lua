-- build_plugin.lua - the command `lunet build-plugin`: compiles the source of a
-- plugin.

local compile = require "lunet.compile"

local usage = [[
usage: lunet build-plugin FILE.c [-o FILE.so] [-- arguments of the compiler]

Compiles a plugin in C (.c) or C++ (.cpp, .cc, .cxx). The compiler is $CC
($CXX), else the first there is of cc, gcc, clang (c++, g++, clang++); it also
gets $CFLAGS ($CXXFLAGS). Further sources and libraries follow after --.
]]

-- { source, plugin, more }, or nil and what is not understood.
local function read_arguments(arguments)
  local wanted, i = {}, 1
  while i <= #arguments do
    local word = arguments[i]
    if word == "--" then
      local more = {}
      for k = i + 1, #arguments do more[#more + 1] = arguments[k] end
      for k, argument in ipairs(more) do more[k] = compile.quote(argument) end
      wanted.more, i = table.concat(more, " "), #arguments
    elseif word == "-o" then
      i = i + 1
      wanted.plugin = arguments[i]
      if not wanted.plugin then return nil, "-o needs a file" end
    elseif word:find("^%-") or wanted.source then
      return nil, ("unexpected '%s'"):format(word)
    else
      wanted.source = word
    end
    i = i + 1
  end
  if not wanted.source then return nil, "a FILE is missing" end
  wanted.plugin = wanted.plugin or compile.plugin_of(wanted.source)
  return wanted
end

local function main(...)
  local arguments = { ... }
  if arguments[1] == "--help" then
    io.write(usage)
    return true
  end
  local wanted, problem = read_arguments(arguments)
  if not wanted then
    io.stderr:write("lunet build-plugin: ", problem, "\n", usage)
    return false
  end
  local built
  built, problem = compile.build(wanted.source, wanted.plugin, wanted.more)
  if not built then
    io.stderr:write("lunet build-plugin: ", problem, "\n")
    return false
  end
  return true
end

return { main = main }
