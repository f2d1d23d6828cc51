-- loss_text.lua - a loss as people read it: "0.059", or NaN and infinity by
-- their names.

return function(loss, format)
  if loss ~= loss then return "NaN" end
  if loss - loss ~= 0 then return loss > 0 and "infinite" or "-infinite" end
  return format:format(loss)
end
