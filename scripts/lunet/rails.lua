-- rails.lua - a graph as text: one row a node, in order, and to its left the
-- values on their way down, each in a lane of its own.
--
--   ○      x
--   ├─╮
--   │ ●    conv        x is read here and once more below
--   ├─╯
--   ●      add
--
-- A node takes over the leftmost lane that ends in it; where all its inputs are
-- still needed below, a new one.

local rails = {}

-- A picture of lanes: their values, and how often each is still to be read.
local function new(uses)
  return { lanes = {}, uses = uses, rows = {} }
end

local function first_free(lanes)
  for i = 1, #lanes do
    if not lanes[i] then return i end
  end
  return #lanes + 1
end

local function trim(lanes)
  while #lanes > 0 and not lanes[#lanes] do lanes[#lanes] = nil end
end

-- ---- rows -----------------------------------------------------------------

-- A row of the signs of all lanes, with `mark` in lane `at`.
local function node_row(lanes, at, mark)
  local signs = {}
  for i = 1, math.max(#lanes, at) do
    signs[i] = i == at and mark or lanes[i] and "│" or " "
  end
  return (table.concat(signs, " "):gsub(" +$", ""))
end

-- Which sign: arms to above, below, left and right.
local signs = {
  ["ab"] = "│", ["abr"] = "├", ["abl"] = "┤", ["ablr"] = "┼", ["lr"] = "─",
  ["ar"] = "╰", ["al"] = "╯", ["br"] = "╭", ["bl"] = "╮", ["alr"] = "┴",
  ["blr"] = "┬", [""] = " ",
}

-- The row that leads the lanes `from` to lane `to`. `ends`: those of `from`
-- that go no further down.
local function joining_row(lanes, from, to, ends)
  local first, last, enters = to, to, {}
  for _, lane in ipairs(from) do
    first, last = math.min(first, lane), math.max(last, lane)
    enters[lane] = true
  end
  local row = {}
  for i = 1, math.max(#lanes, to) do
    local between = i > first and i < last
    local touches = enters[i] or i == to
    local above = lanes[i] and true or false
    local below = i == to or above and not ends[i]
    local left = i > first and i <= last and (touches or between)
    local right = i >= first and i < last and (touches or between)
    row[#row + 1] = signs[(above and "a" or "") .. (below and "b" or "") ..
                          (left and "l" or "") .. (right and "r" or "")]
    row[#row + 1] = right and "─" or " "
  end
  return (table.concat(row):gsub(" +$", ""))
end

-- ---- nodes ----------------------------------------------------------------

local function lane_of(lanes, value)
  for i = 1, #lanes do
    if lanes[i] == value then return i end
  end
end

local function add_input(picture, value, item)
  local at = first_free(picture.lanes)
  picture.lanes[at] = value
  table.insert(picture.rows, { node_row(picture.lanes, at, "○"), item })
end

-- The lanes of the inputs, which of them end here, and the lane of the result.
local function places(picture, node)
  local from, ends, to = {}, {}, nil
  for _, value in ipairs(node.inputs) do
    picture.uses[value] = picture.uses[value] - 1
  end
  for _, value in ipairs(node.inputs) do
    local lane = lane_of(picture.lanes, value)
    from[#from + 1] = lane
    if picture.uses[value] == 0 then
      ends[lane] = true
      to = math.min(to or lane, lane)
    end
  end
  return from, ends, to or first_free(picture.lanes)
end

local function add_node(picture, node)
  local lanes = picture.lanes
  local from, ends, to = places(picture, node)
  local is_straight = true
  for _, lane in ipairs(from) do is_straight = is_straight and lane == to end
  if not is_straight then
    table.insert(picture.rows, { joining_row(lanes, from, to, ends) })
  end
  for lane in pairs(ends) do lanes[lane] = false end
  for i = #lanes + 1, to do lanes[i] = false end
  lanes[to] = node.outputs[1]
  table.insert(picture.rows, { node_row(lanes, to, "●"), node.item })
  for i, value in ipairs(node.outputs) do
    if (picture.uses[value] or 0) == 0 then
      if i == 1 then lanes[to] = false end
    elseif i > 1 then
      lanes[first_free(lanes)] = value
    end
  end
  trim(lanes)
end

-- inputs: { { value =, item = }, … }; nodes: { { inputs = values, outputs =
-- values, item = }, … } in an order in which inputs come first. Gives a list of
-- { rails, item }; a row that only joins lanes has no item.
function rails.rows(inputs, nodes)
  local uses = {}
  for _, node in ipairs(nodes) do
    for _, value in ipairs(node.inputs) do
      uses[value] = (uses[value] or 0) + 1
    end
  end
  local picture = new(uses)
  for _, input in ipairs(inputs) do
    if uses[input.value] then
      add_input(picture, input.value, input.item)
    end
  end
  for _, node in ipairs(nodes) do add_node(picture, node) end
  return picture.rows
end

return rails
