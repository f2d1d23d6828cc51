/* values.c - shapes, options and lists of tensors: from Lua's tables to the
 * engine's structs, and back. */
#include <stdlib.h>
#include <string.h>

#include "lua/binding.h"

/* ---- shapes -------------------------------------------------------------- */

static int64_t check_size(lua_State *L, int index, int place, bool open,
                          const char *what) {
  int whole = 0;
  const lua_Integer size = lua_tointegerx(L, index, &whole);
  if (lua_type(L, index) == LUA_TNUMBER && whole &&
      (size >= 0 || (open && size == -1)))
    return size;
  const bool number = lua_type(L, index) == LUA_TNUMBER;
  ln_lua_fail(L,
              "%s: size %d of the shape is %s; sizes are whole numbers "
              ">= 0%s",
              what, place,
              number ? luaL_tolstring(L, index, NULL) : ln_lua_kind(L, index),
              open ? ", and one may be -1: what is left" : "");
  return 0;
}

ln_shape ln_lua_to_shape(lua_State *L, int index, bool open, const char *what) {
  if (lua_type(L, index) != LUA_TTABLE)
    ln_lua_fail(L,
                "%s: the shape must be a table of sizes such as {2, 3}, "
                "got %s",
                what, ln_lua_kind(L, index));
  const size_t rank = lua_rawlen(L, index);
  if (rank > LN_MAX_DIMS)
    ln_lua_fail(L,
                "%s: the shape has %d sizes, but a tensor has at most %d "
                "dims",
                what, (int)rank, LN_MAX_DIMS);
  ln_shape shape = { .rank = (int32_t)rank };
  for (int i = 0; i < shape.rank; i++) {
    lua_rawgeti(L, index, i + 1);
    shape.dim[i] = check_size(L, -1, i + 1, open, what);
    lua_pop(L, 1);
  }
  return shape;
}

void ln_lua_push_shape(lua_State *L, const ln_shape *shape) {
  lua_createtable(L, shape->rank, 0);
  for (int i = 0; i < shape->rank; i++) {
    lua_pushinteger(L, shape->dim[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

/* ---- values of options --------------------------------------------------- */

static ln_value to_value(lua_State *L, int index, int anchor);

/* A table whose only keys are 1 .. n. */
static bool is_list(lua_State *L, int index) {
  size_t entries = 0;
  lua_pushnil(L);
  while (lua_next(L, index)) {
    lua_pop(L, 1);
    entries++;
  }
  return entries == lua_rawlen(L, index);
}

static ln_value other_value(const char *type) {
  return (ln_value){ .kind = LN_VALUE_OTHER, .text = type };
}

/* No option is a list of lists; a table within one may even hold itself. */
static ln_value list_value(lua_State *L, int index, int anchor) {
  if (!is_list(L, index)) return other_value("table with names");
  const size_t n = lua_rawlen(L, index);
  ln_value *items = lua_newuserdatauv(L, (n + 1) * sizeof *items, 0);
  lua_rawseti(L, anchor, (lua_Integer)lua_rawlen(L, anchor) + 1);
  luaL_checkstack(L, 4, "an option nested too deeply");
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, index, (lua_Integer)i + 1);
    items[i] = lua_istable(L, -1) ? other_value("table")
                                  : to_value(L, lua_gettop(L), anchor);
    lua_pop(L, 1);
  }
  return (
      ln_value){ .kind = LN_VALUE_LIST, .items = items, .count = (int64_t)n };
}

/* `anchor`: the place of a table that keeps the lists alive. */
static ln_value to_value(lua_State *L, int index, int anchor) {
  switch (lua_type(L, index)) {
  case LUA_TNONE:
  case LUA_TNIL: return (ln_value){ .kind = LN_VALUE_NIL };
  case LUA_TBOOLEAN:
    return (ln_value){ .kind = LN_VALUE_BOOL,
                       .truth = lua_toboolean(L, index) };
  case LUA_TNUMBER:
    return (ln_value){ .kind = LN_VALUE_NUMBER,
                       .number = lua_tonumber(L, index) };
  case LUA_TSTRING:
    return (ln_value){ .kind = LN_VALUE_TEXT, .text = lua_tostring(L, index) };
  case LUA_TTABLE: return list_value(L, index, anchor);
  default:
    return other_value(ln_lua_test_tensor(L, index) ? "tensor"
                                                    : luaL_typename(L, index));
  }
}

ln_value ln_lua_to_value(lua_State *L, int index) {
  const int at = lua_absindex(L, index);
  lua_newtable(L);
  return to_value(L, at, lua_gettop(L));
}

/* ---- options ------------------------------------------------------------- */

static int by_name(const void *a, const void *b) {
  const ln_named_value *x = a, *y = b;
  return strcmp(x->name, y->name);
}

static int64_t count_options(lua_State *L, int index, const char *what) {
  int64_t n = 0;
  lua_pushnil(L);
  while (lua_next(L, index)) {
    if (lua_type(L, -2) != LUA_TSTRING)
      ln_lua_fail(L,
                  "%s: options are given by name, such as { bias = false }; "
                  "found %s without a name",
                  what, ln_lua_kind(L, -1));
    lua_pop(L, 1);
    n++;
  }
  return n;
}

const ln_named_value *ln_lua_to_options(lua_State *L, int index,
                                        const char *what, int64_t *n) {
  const int at = lua_absindex(L, index);
  lua_newtable(L);
  const int anchor = lua_gettop(L);
  *n = 0;
  if (lua_isnoneornil(L, at)) return NULL;
  ln_lua_check_table(L, at, what, "the options");
  const size_t count = (size_t)count_options(L, at, what);
  ln_named_value *options =
      lua_newuserdatauv(L, (count + 1) * sizeof *options, 0);
  lua_rawseti(L, anchor, 1);
  lua_pushnil(L);
  while (lua_next(L, at)) {
    options[*n].name = lua_tostring(L, -2);
    options[(*n)++].value = to_value(L, lua_gettop(L), anchor);
    lua_pop(L, 1);
  }
  qsort(options, count, sizeof *options, by_name);
  return options;
}

/* Whole numbers become Lua's integers, so that they print as 3, not 3.0. */
static void push_number(lua_State *L, double number) {
  lua_Integer whole = 0;
  if (lua_numbertointeger(number, &whole) && (double)whole == number)
    lua_pushinteger(L, whole);
  else
    lua_pushnumber(L, number);
}

void ln_lua_push_value(lua_State *L, const ln_value *value) {
  luaL_checkstack(L, 4, "an option nested too deeply");
  switch (value->kind) {
  case LN_VALUE_BOOL: lua_pushboolean(L, value->truth); return;
  case LN_VALUE_NUMBER: push_number(L, value->number); return;
  case LN_VALUE_TEXT: lua_pushstring(L, value->text); return;
  case LN_VALUE_LIST: break;
  default: lua_pushnil(L); return;
  }
  lua_createtable(L, (int)value->count, 0);
  for (int64_t i = 0; i < value->count; i++) {
    ln_lua_push_value(L, &value->items[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

/* ---- lists of tensors ---------------------------------------------------- */

ln_tensor **ln_lua_to_tensors(lua_State *L, int index, const char *what,
                              int64_t *n) {
  const int at = lua_absindex(L, index);
  ln_lua_check_table(L, at, what, "the list of tensors");
  const size_t count = lua_rawlen(L, at);
  ln_tensor **tensors =
      lua_newuserdatauv(L, (count + 1) * sizeof(ln_tensor *), 0);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, at, (lua_Integer)i + 1);
    tensors[i] = ln_lua_test_tensor(L, -1);
    if (!tensors[i])
      ln_lua_fail(L, "%s: entry %d of the list must be a tensor, got %s", what,
                  (int)i + 1, ln_lua_kind(L, -1));
    lua_pop(L, 1);
  }
  *n = (int64_t)count;
  return tensors;
}
