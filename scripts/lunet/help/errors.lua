-- errors.lua - what lies behind an error: the rule, and where to read on.
--
-- The first pattern that an error's sentence matches is explained; then the
-- layers that it names.

local layer_help = require "lunet.help.layer"

local errors = {}

local causes = {
  { "interrupted!",
    "Ctrl-C stopped it. The net and the data can be used; a training step "
    .. "that was cut off has changed no weight. lunet.last_run() is the run of "
    .. "a training, up to there." },
  { "no option '", "An option's name is not known. The table of the layer says "
    .. "what there is; at the prompt, Tab behind nn.word{ lists it." },
  { "must be at least 1",
    "A window slides over the padded input: size = floor((input + 2*padding - "
    .. "dilation*(kernel - 1) - 1) / stride) + 1. The kernel is larger than "
    .. "what it slides over; pad more, or take a smaller kernel." },
  { "is unfinished", "Some sizes come from the first input. net:build{ shape "
    .. "of one item } tells them; a parameter does not exist before." },
  { "backward",
    "backward belongs to the latest forward: it needs what that one kept. "
    .. "predict keeps nothing; another forward, a reload or other shapes "
    .. "begin anew." },
  { "loss is NaN", "A number grew beyond all bounds. Mostly the learning rate "
    .. "is too large; sometimes the data hold NaN, or a logarithm saw 0." },
  { "loss is %-?inf", "A number grew beyond all bounds. Mostly the learning "
    .. "rate is too large." },
  { "attempt to index a nil value",
    "Something before the dot or bracket does not exist: nil. Look at each "
    .. "part of the expression alone; is a name misspelt?" },
  { "attempt to call a nil value",
    "What stands before the parentheses does not exist: nil. Is the name "
    .. "misspelt, or a : a . instead? Methods are called with a colon." },
  { "attempt to perform arithmetic on",
    "One side of + - * / is no number and no tensor. Print both sides." },
  { "attempt to compare",
    "< and > compare numbers with numbers. t:lt(u) compares tensors." },
  { "attempt to concatenate",
    ".. joins texts and numbers. tostring(x) makes a text of anything." },
  { "unexpected symbol", "The line is no Lua up to the place that is named. Is "
    .. "a comma, a parenthesis or a quote missing before it?" },
  { "<eof>", "The text ends before it is complete: an end, a bracket or a "
    .. "quote is missing." },
  { "there is no variable", "Nothing has been assigned to this name. who() "
    .. "lists your variables." },
  { "stack overflow", "A function calls itself, and never comes to an end. "
    .. "Which case should end it?" },
  { "not enough memory", "Lua found no memory left. Let go of what is large: "
    .. "who() lists your variables; x = nil frees one." },
  { "shape", "The sizes do not fit. t:shape() tells those of a tensor, "
    .. "net:summary{…} those behind each layer." },
}

local function cause_of(message)
  for _, cause in ipairs(causes) do
    if message:find(cause[1]) then return cause[2] end
  end
end

-- The words of layers in the sentence, each once.
local function layers_in(message)
  local core, list, seen = require "lunet_core", {}, {}
  for word in message:gmatch "%f[%w_][%a][%w_]*" do
    local is_suspect = message:find("%(" .. word .. "[ %)]") or
                       message:find("nn." .. word, 1, true) or
                       message:find("^" .. word .. "[ :]") or
                       message:find(": " .. word .. "[ :]")
    if is_suspect and not seen[word] then
      seen[word] = true
      local fine = pcall(core.layer_about, word)
      if fine then list[#list + 1] = word end
    end
  end
  return list
end

-- The sentence, what is behind it, and the layers that it names; nil where
-- nothing is known of it.
function errors.text(message)
  local cause, layers = cause_of(message), layers_in(message)
  if not cause and #layers == 0 then return nil end
  local parts = { message }
  if cause then parts[#parts + 1] = layer_help.wrapped(cause, "  ") end
  for _, word in ipairs(layers) do parts[#parts + 1] = layer_help.text(word) end
  return table.concat(parts, "\n\n")
end

return errors
