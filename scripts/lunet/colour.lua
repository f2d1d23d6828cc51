-- colour.lua - coloured text where it is wanted: on a terminal that is not
-- dumb, unless NO_COLOR is set to anything (see no-color.org).

local core = require "lunet_core"

local codes = { red = 31, green = 32, yellow = 33, blue = 34, bold = 1,
                faint = 2 }

local function is_wanted()
  local no_color = os.getenv "NO_COLOR"
  return (no_color == nil or no_color == "") and
         os.getenv "TERM" ~= "dumb" and core.is_terminal()
end

-- colour(text, "red"): the text, painted or as it is.
return function(text, name)
  if text == "" or not is_wanted() then return text end
  return ("\27[%dm%s\27[0m"):format(codes[name], text)
end
