-- compile.lua - from the source of a plugin to the plugin: finds a compiler and
-- the header.
--
-- One call makes the whole file. A layer that wants its loops for several
-- instruction sets includes lunet/kernels/each_isa.h, which does it within the
-- one file.

local core = require "lunet_core"
require "lunet" -- which knows its folder

local compile = {}

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

-- A word as the shell takes it for one.
local function quote(word) return "'" .. word:gsub("'", [['\'']]) .. "'" end

local function is_program(word)
  return os.execute(("command -v %s >/dev/null 2>&1"):format(
    quote(word:match("%S+") or ""))) == true
end

local languages = {
  c = { name = "C", variable = "CC", flags = "CFLAGS",
        compilers = { "cc", "gcc", "clang" }, standard = "-std=gnu11" },
  cpp = { name = "C++", variable = "CXX", flags = "CXXFLAGS",
          compilers = { "c++", "g++", "clang++" }, standard = "-std=c++20" },
}

local by_suffix = { c = languages.c, cpp = languages.cpp, cc = languages.cpp,
                    cxx = languages.cpp }

local function compiler_of(language)
  local wish = os.getenv(language.variable)
  if wish and wish ~= "" then
    if is_program(wish) then return wish end
    return nil, ("$%s is '%s', but there is no such program"):format(
      language.variable, wish)
  end
  for _, word in ipairs(language.compilers) do
    if is_program(word) then return word end
  end
  return nil, ("no %s compiler was found: neither $%s nor %s"):format(
    language.name, language.variable, table.concat(language.compilers, ", "))
end

-- The folder that holds lunet/plugin.h: that of the source tree, the installed
-- one beside the scripts, or the one that pkg-config knows.
local function include_folder()
  for _, folder in ipairs { core.folder .. "/../../core/include",
                            core.folder .. "/../../../include" } do
    if exists(folder .. "/lunet/plugin.h") then return folder end
  end
  local pipe = io.popen("pkg-config --variable=includedir lunet-plugin "
                        .. "2>/dev/null")
  local folder = pipe and pipe:read("l") or ""
  if pipe then pipe:close() end
  if exists(folder .. "/lunet/plugin.h") then return folder end
  return nil, "lunet/plugin.h was not found: neither beside Lunet's scripts in "
              .. core.folder .. " nor by pkg-config lunet-plugin"
end

-- What stock layers are built with. $CFLAGS ($CXXFLAGS) and `more` come last,
-- so they win.
local function command(compiler, language, include, source, plugin, more)
  return table.concat({
    compiler, language.standard, "-O3 -g -Wall -Wextra -shared -fPIC",
    "-fvisibility=hidden -ffp-contract=fast -fno-trapping-math",
    "-fno-math-errno -Wno-missing-field-initializers",
    "-I" .. quote(include),
    "-Wl,--version-script=" .. quote(include .. "/lunet/plugin.map"),
    quote(source), "-o", quote(plugin), os.getenv(language.flags) or "",
    more or "", "-lm",
  }, " ")
end

-- Is the name that of a source?
function compile.is_source(path)
  return by_suffix[path:match("%.(%w+)$")] ~= nil
end

-- swish.so for swish.c
function compile.plugin_of(source) return (source:gsub("%.%w+$", ".so")) end

-- Builds the source to `plugin`, with `more` arguments for the compiler (text
-- for the shell). What the compiler says goes where its output goes. Returns
-- true; false and a sentence.
function compile.build(source, plugin, more)
  local language = by_suffix[source:match("%.(%w+)$")]
  if not language then
    return false, source .. " is no source in C (.c) or C++ (.cpp, .cc, .cxx)"
  end
  if not exists(source) then return false, source .. " cannot be read" end
  local compiler, include, problem
  compiler, problem = compiler_of(language)
  if not compiler then return false, problem end
  include, problem = include_folder()
  if not include then return false, problem end
  local done = os.execute(command(compiler, language, include, source, plugin,
                                  more))
  if done then return true end
  return false, ("%s does not compile"):format(source)
end

compile.quote = quote

return compile
