-- console.lua - the prompt: read an entry, run it, show what it gives. An
-- error is shown and never ends it; Ctrl-C goes back to the prompt, Ctrl-D
-- ends. docs/student/prompt.md is its manual.
--
-- Its parts are the files of the folder prompt/, read when they are needed.

local chunks = require "lunet.prompt.chunks"
local core = require "lunet_core"
local globals = require "lunet.prompt.globals"

local console = {}

-- For `lunet -e`: lunet, nn, optim and data are there.
function console.add_globals() globals.add(false) end

-- ---- reading --------------------------------------------------------------

-- Plain lines. Where they come from a file and the first one begins with a
-- prompt, they are a dialogue that was copied: only the lines with prompts
-- count, and are shown.
local function plain_reader(read_line)
  if core.is_typed() then return read_line end
  local first, is_transcript = true, false
  local function next_input()
    local line = read_line ""
    while line and not chunks.without_prompt(line) do line = read_line "" end
    if not line then return line end
    local rest, prompt = chunks.without_prompt(line)
    io.write(prompt, rest, "\n")
    return rest
  end
  return function(prompt)
    if is_transcript then return next_input() end
    local line = read_line(prompt)
    local rest = first and line and chunks.without_prompt(line)
    first = false
    if not rest then return line end
    is_transcript = true
    io.write(rest, "\n")
    return rest
  end
end

-- The lines of an entry, until they make a whole chunk, as one text; nil at
-- the end of the input, false after Ctrl-C. session.lines holds them so far.
local function read_entry(session)
  local paint = require "lunet.colour"
  local lines = {}
  session.lines = lines
  local line = session.read(session.marked(chunks.prompt, paint))
  while line do
    local is_paste = line:find "\n"
    lines[#lines + 1] = not is_paste and chunks.without_prompt(line) or line
    local text = table.concat(lines, "\n")
    if text:find "^%s*[?$]" then return text end
    local _, _, more = chunks.compile(text)
    if not more or #chunks.split(text) > 1 then return text end
    line = session.read(session.marked(chunks.more_prompt, paint))
  end
  return line
end

-- ---- showing --------------------------------------------------------------

-- What was raised, as a text: who calls error{} gives no sentence.
local function message_text(raised)
  local class = getmetatable(raised)
  local has_text = type(raised) == "string" or type(raised) == "number" or
                   type(class) == "table" and rawget(class, "__tostring")
  if has_text then return tostring(raised) end
  return ("the error is a %s, not a sentence"):format(type(raised))
end

local function show_error(message)
  local paint = require "lunet.colour"
  io.stdout:flush()
  local text = require("lunet.prompt.advice").added(message)
  io.stderr:write(paint(text, "red"), "\n")
end

local function show_values(first, ...)
  local values = require "lunet.prompt.values"
  local texts = { values.text(first) }
  for i = 1, select("#", ...) do
    texts[i + 1] = values.text((select(i, ...)))
  end
  print(table.concat(texts, "\t"))
end

-- ---- running --------------------------------------------------------------

-- What call gave of a chunk: true (of call), true (of the chunk), its values;
-- or false and a message.
local function show_results(session, silent, done, fine, ...)
  if not done then
    session.last_error = message_text(fine)
    show_error(session.last_error)
  elseif select("#", ...) > 0 then
    rawset(_G, "_", (...))
    if not silent then show_values(...) end
  end
end

local function run_chunk(session, text)
  local command = require("lunet.prompt.commands").of(text, session)
  local chunk, message = command, nil
  if not command then chunk, message = chunks.compile(text) end
  if not chunk then
    session.last_error = message
    return show_error(message)
  end
  local silent = chunks.is_silent(text)
  local results = table.pack(session.call(chunk))
  local changed = globals.restore()
  globals.note_locals(text)
  local shown, problem = session.call(function()
    show_results(session, silent, table.unpack(results, 1, results.n))
  end)
  if not shown then show_error(message_text(problem)) end
  if changed then
    show_error(("'%s' is Lua's own, and needed: it is as it was\n"
      .. "  try another name, such as my_%s"):format(changed, changed))
  end
end

local function run_entry(session, entry)
  for _, text in ipairs(chunks.inputs_of_transcript(entry) or { entry }) do
    if text:find "%S" then session.remember(text) end
  end
  for _, text in ipairs(chunks.split(entry)) do run_chunk(session, text) end
end

-- ---- the session ----------------------------------------------------------

-- With a line editor: history, completion, $EDITOR.
local function add_editor(session, editor)
  local history = require "lunet.prompt.history"
  history.read(editor.remember)
  function session.remember(entry)
    entry = entry:gsub("%s+$", "")
    if entry == session.last_entry then return end
    session.last_entry = entry
    editor.remember(entry)
    history.append(entry)
  end
  session.read = editor.read
  local function before() return table.concat(session.lines, "\n") end
  function editor.complete(line)
    local complete = require "lunet.prompt.complete"
    return complete(#session.lines > 0 and before() .. "\n" .. line or line)
  end
  function editor.edit(line)
    local text = #session.lines > 0 and before() .. "\n" .. line or line
    local changed = require("lunet.prompt.edit")(text)
    session.lines[1] = nil
    for i in pairs(session.lines) do session.lines[i] = nil end
    return changed
  end
  -- Invisible bytes of a prompt stand between \1 and \2; libedit loses those
  -- at the end.
  function session.marked(prompt, paint)
    if editor.name ~= "readline" then return prompt end
    return (paint(prompt, "blue"):gsub("\27%[%d+m", "\1%0\2"))
  end
end

local function new_session(read_line, call, editor)
  local session = { call = call, lines = {}, read = plain_reader(read_line),
                    marked = function(prompt) return prompt end }
  function session.remember(entry) session.last_entry = entry end
  if editor then add_editor(session, editor) end
  return session
end

-- edit() [or edit(text)]: the last entry in $EDITOR; the result is run.
local function add_edit(session)
  local earlier
  rawset(_G, "edit", function(text)
    session.next_entry = require("lunet.prompt.edit")(text or earlier or "")
  end)
  return function(entry)
    if not entry:find "^%s*edit%s*%(" then earlier = entry end
  end
end

-- The entry that edit() left, or the next that is typed.
local function next_entry(session)
  local entry = session.next_entry
  session.next_entry = nil
  if not entry then return read_entry(session) end
  print(chunks.prompt .. entry:gsub("\n", "\n" .. chunks.more_prompt))
  return entry
end

-- Reads an entry and runs it; true at the end of the input.
local function take_turn(session)
  local entry = next_entry(session)
  if core.between_steps then core.between_steps() end
  if not entry then
    io.write "\n"
    return entry == nil
  end
  session.keep_entry(entry)
  run_entry(session, entry)
end

local most_failures = 10 -- of the prompt itself, one after another

-- What goes wrong here is nothing of the entry's: mostly, no memory is left.
-- Where nothing goes right any more, the program ends.
local function take_turns(session)
  local failures = 0
  while true do
    local fine, ended = pcall(take_turn, session)
    if fine and ended then return end
    failures = fine and 0 or failures + 1
    if failures > most_failures then error(ended, 0) end
    if not fine then pcall(show_error, ended) end
  end
end

-- read_line(prompt) gives a line, false after Ctrl-C, nil at the end; call(f)
-- is a pcall that Ctrl-C can stop; editor: see line_editor.h, may be nil.
function console.run(read_line, call, editor)
  globals.add(true)
  local session = new_session(read_line, call, editor)
  session.keep_entry = add_edit(session)
  print("Lunet " .. require("lunet").version
        .. "   ?x explains x, Tab completes, Ctrl-D ends")
  take_turns(session)
end

return console
