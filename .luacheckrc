-- Rules for luacheck: Lua 5.4, no globals, 80 columns.
std = "lua54"
max_line_length = 80
self = false
-- `not (error <= limit)` is not `error > limit`: NaN must fail, too.
ignore = { "581" }
exclude_files = { "build*", "out" }
-- LuaUnit finds tests by their global names.
files["tests/**/test_*.lua"] = { allow_defined_top = true }
