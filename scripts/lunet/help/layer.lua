-- layer.lua - help for a layer: what its plugin's descriptor says of it.

local core = require "lunet_core"

local layer = {}

local width = 80

-- A text broken into lines that begin with `indent`.
local function wrapped(text, indent)
  local lines, line = {}, indent
  for word in text:gmatch "%S+" do
    if #line > #indent and utf8.len(line .. " " .. word) > width then
      lines[#lines + 1] = line
      line = indent
    end
    line = line .. (#line > #indent and " " or "") .. word
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

-- "0.900000" -> "0.9", and a number stays what it says.
local function default_text(option)
  local number = tonumber(option.default)
  return number and ("%.10g"):format(number) or option.default
end

local function option_lines(about)
  local lines, column = {}, 12
  for _, option in ipairs(about.options) do
    column = math.max(column, #(option.name or "") + 4)
  end
  local indent = (" "):rep(column)
  for _, option in ipairs(about.options) do
    if option.name then
      local default = default_text(option)
      local kind = option.kind
      if default == "must be given" then
        kind = kind .. "; must be given"
      elseif default and default ~= "" then
        kind = kind .. "; default: " .. default
      end
      local text = wrapped(kind, indent)
      local name = "  " .. option.name
      lines[#lines + 1] = name .. text:sub(#name + 1)
      lines[#lines + 1] = wrapped(option.help or "", indent)
    else
      lines[#lines + 1] = "  " .. option.kind
    end
  end
  if #lines == 0 then return "  none" end
  return table.concat(lines, "\n")
end

-- "winograd, im2col, textbook": two rows may share a method's name.
local function method_names(about)
  local list, seen = {}, {}
  for _, name in ipairs(about.methods) do
    if not seen[name] then list[#list + 1] = name end
    seen[name] = true
  end
  return table.concat(list, ", ") .. ", textbook"
end

-- The path of the page, seen from here if it is there.
local function page_of(word)
  local path = ("docs/layers/%s.md"):format(word)
  local whole = ("%s/../../%s"):format(core.folder, path)
  local file = io.open(whole)
  if not file then return path end
  file:close()
  return path
end

-- The file or folder of the plugin's source; nil: only the binary is here.
function layer.source(word)
  local folder = core.folder .. "/../../plugins/"
  for _, name in ipairs { word .. ".c", word .. "/" .. word .. ".c" } do
    local file = io.open(folder .. name)
    if file then
      file:close()
      return folder .. name, "plugins/" .. name
    end
  end
end

-- The whole text for a layer's word.
function layer.text(word)
  local about = core.layer_about(word)
  local lines = {
    ("nn.%s - %s"):format(word, about.brief or ""), "",
    wrapped(about.formula or "", "  "),
    ("  %s -> %s"):format(about.inputs, about.outputs), "",
    "options", option_lines(about), "",
  }
  if #about.methods > 0 then
    lines[#lines + 1] = "methods   " .. method_names(about)
  end
  lines[#lines + 1] = "example   " .. (about.example or "")
  lines[#lines + 1] = "page      " .. page_of(word)
  local _, source = layer.source(word)
  lines[#lines + 1] = ("plugin    %s %s, %s"):format(about.plugin,
    about.version, source or about.path)
  return table.concat(lines, "\n")
end

layer.wrapped = wrapped

return layer
