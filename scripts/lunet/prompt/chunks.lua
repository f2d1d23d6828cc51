-- chunks.lua - from what was typed or pasted to functions that can be called.

local chunks = { prompt = "lunet> ", more_prompt = "  ...> " }

-- Does the message of load say that the chunk only wants to go on?
local function wants_more(message) return message:match("<eof>$") ~= nil end

-- The text as a function that returns true and its values; nil, a message and
-- whether more lines could mend it. The `true` keeps an expression from being
-- a tail call, which would hide its line from errors. `= x` is `x`.
function chunks.compile(text)
  local body = text:gsub("^%s*=", "")
  local expression, why = load("return true, " .. body, "=stdin")
  if expression then return expression end
  local statements, message = load(text, "=stdin")
  if not statements then
    if wants_more(why) then message = why end
    return nil, message, wants_more(message)
  end
  return function() return true, statements() end
end

-- A semicolon at the end: the results are not to be shown.
function chunks.is_silent(text) return text:match(";%s*$") ~= nil end

-- ---- transcripts ----------------------------------------------------------

-- What stands behind a prompt, and which of the two it is; nil: no prompt.
function chunks.without_prompt(line)
  local rest = line:match("^%s*lunet> ?(.*)$")
  if rest then return rest, chunks.prompt end
  rest = line:match("^%s*%.%.%.> ?(.*)$")
  if rest then return rest, chunks.more_prompt end
end

-- The inputs of a copied dialogue; nil where the text is none. Lines without a
-- prompt are what was printed.
function chunks.inputs_of_transcript(text)
  local list
  for line in text:gmatch("[^\n]+") do
    local rest, prompt = chunks.without_prompt(line)
    if prompt == chunks.prompt then
      list = list or {}
      list[#list + 1] = rest
    elseif prompt and list then
      list[#list] = list[#list] .. "\n" .. rest
    end
  end
  return list
end

-- ---- pasted texts ---------------------------------------------------------

-- The shortest beginnings that are whole, one after another.
local function split_by_lines(text)
  local list, open = {}, nil
  for line in (text .. "\n"):gmatch("(.-)\n") do
    open = open and open .. "\n" .. line or line
    local chunk, _, more = chunks.compile(open)
    if chunk or not more then
      if open:find "%S" then list[#list + 1] = open end
      open = nil
    end
  end
  if open and open:find "%S" then list[#list + 1] = open end
  return list
end

-- The texts to run, one after another: of a transcript its inputs; what is one
-- chunk of Lua stays one; lines that only make sense each alone are split.
function chunks.split(text)
  local inputs = chunks.inputs_of_transcript(text)
  if inputs then return inputs end
  if not text:find "\n" or chunks.compile(text) then return { text } end
  return split_by_lines(text)
end

return chunks
