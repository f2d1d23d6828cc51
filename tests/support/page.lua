-- page.lua - pages in a browser, where one is installed: chromium, headless.
local core = require "lunet_core"
local shell = require "support.shell"

local page = {}

local names = { "chromium", "chromium-browser", "google-chrome" }

-- The browser's program; nil: there is none.
function page.browser()
  for _, name in ipairs(names) do
    if shell.has(name) then return name end
  end
end

local watcher = [[<head><script>
  window.onerror = m => document.documentElement.dataset.error = m;
</script>]]

-- %s: the script. Its answer goes to the page around this one.
local asker = [[<script>{
  const root = document.documentElement;
  const answer = root.dataset.error ? "error: " + root.dataset.error
                                    : (() => { %s })();
  parent.postMessage([self.name, answer], "*");
}</script>]]

-- Keeps the answers of the pages within it. A script that throws has none.
local around = [==[<!DOCTYPE html><script>
  const answers = {};
  onmessage = event => {
    answers[event.data[0]] = event.data[1] + "";
    document.documentElement.dataset.answers =
      encodeURIComponent(JSON.stringify(answers));
  };
</script>]==]

local command = "cd '%s' && HOME='%s' timeout 100 %s --headless --no-sandbox "
  .. "--disable-gpu --virtual-time-budget=2000 --dump-dom around.html "
  .. "2>/dev/null"

local function decoded(text)
  return (text:gsub("%%(%x%x)", function(code)
    return string.char(tonumber(code, 16))
  end))
end

-- Opens pages side by side. questions: a list of { text = of the page, script =
-- that returns a text, width = in pixels }. Gives the list of the answers.
function page.ask_all(questions)
  local folder, frames = shell.temporary_folder(), {}
  for i, q in ipairs(questions) do
    local text = q.text:gsub("<head>", function() return watcher end)
    shell.write(("%s/%d.html"):format(folder, i), text ..
                asker:format(q.script))
    frames[i] = ('<iframe name="%d" src="%d.html" width="%d" height="900">'
                 .. '</iframe>'):format(i, i, q.width or 1200)
  end
  shell.write(folder .. "/around.html", around .. table.concat(frames))
  local _, dom = shell.run(command, folder, folder, page.browser())
  shell.remove(folder)
  local found = dom:match 'data%-answers="([^"]*)"'
  local byname = found and core.json_decode(decoded(found)) or {}
  local answers = {}
  for i in ipairs(questions) do
    answers[i] = byname[tostring(i)] or "no answer"
  end
  return answers
end

function page.ask(text, script, width)
  return page.ask_all { { text = text, script = script, width = width } }[1]
end

return page
