-- cut_text.lua - a text that is too wide for its place, cut, with ".." behind
-- what is left of it.

-- most: the width in dots of the page.
return function(text, most, page)
  if page.text_size(text, page.scale) <= most then return text end
  local short = ""
  for _, code in utf8.codes(text, true) do
    local longer = short .. utf8.char(code)
    if page.text_size(longer .. "..", page.scale) > most then break end
    short = longer
  end
  return short .. ".."
end
