/* json.c - JSON texts and Lua values.
 *
 * Numbers survive the way there and back: a number is written with as many
 * digits as it needs, and whole numbers come back as Lua's integers. A list
 * that was read carries the metatable core.list_class, so that an empty one is
 * written as [] again; an empty table without it is written as {}. null is
 * core.null. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/binding.h"

#define MAX_DEPTH 100

static const char list_class[] = "lunet.list";

/* ---- encode -------------------------------------------------------------- */

static void encode_into(lua_State *L, cJSON *parent, const char *key,
                        int depth);

/* Hangs the new node into its parent at once: what a Lua error leaves behind
 * is freed with the root. */
static cJSON *hang(lua_State *L, cJSON *parent, const char *key, cJSON *node) {
  const bool hung = node && (key ? cJSON_AddItemToObject(parent, key, node)
                                 : cJSON_AddItemToArray(parent, node));
  if (!hung) {
    cJSON_Delete(node);
    ln_lua_fail(L, "json: out of memory");
  }
  return node;
}

static bool is_list(lua_State *L) {
  if (lua_rawlen(L, -1) > 0) return true;
  if (!lua_getmetatable(L, -1)) return false;
  luaL_getmetatable(L, list_class);
  const bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

static void encode_list(lua_State *L, cJSON *list, int depth) {
  const lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, -1, i);
    encode_into(L, list, NULL, depth + 1);
    lua_pop(L, 1);
  }
}

static int compare_texts(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Pushes the keys of the table on the top, sorted. */
static const char **push_sorted_keys(lua_State *L, size_t *n) {
  *n = 0;
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING)
      ln_lua_fail(L, "json: the keys of an object must be strings, got %s",
                  ln_lua_kind(L, -2));
    (*n)++;
  }
  const char **keys = lua_newuserdatauv(L, (*n + 1) * sizeof *keys, 0);
  size_t i = 0;
  for (lua_pushnil(L); lua_next(L, -3); lua_pop(L, 1))
    keys[i++] = lua_tostring(L, -2);
  qsort(keys, *n, sizeof *keys, compare_texts);
  return keys;
}

static void encode_object(lua_State *L, cJSON *object, int depth) {
  size_t n = 0;
  const char **keys = push_sorted_keys(L, &n);
  for (size_t i = 0; i < n; i++) {
    lua_getfield(L, -2, keys[i]);
    encode_into(L, object, keys[i], depth + 1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static void encode_table(lua_State *L, cJSON *parent, const char *key,
                         int depth) {
  if (depth > MAX_DEPTH)
    ln_lua_fail(L,
                "json: nested deeper than %d tables; does a table contain "
                "itself?",
                MAX_DEPTH);
  luaL_checkstack(L, 8, NULL);
  if (is_list(L))
    encode_list(L, hang(L, parent, key, cJSON_CreateArray()), depth);
  else
    encode_object(L, hang(L, parent, key, cJSON_CreateObject()), depth);
}

/* The shortest text that reads as the same number. */
static void write_number(double number, char *text, size_t room) {
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, room, "%.*g", digits, number);
    if (strtod(text, NULL) == number) return;
  }
}

static cJSON *number_node(lua_State *L) {
  char text[40];
  const double number = lua_tonumber(L, -1);
  if (!isfinite(number)) ln_lua_fail(L, "json: %f has no form in JSON", number);
  lua_Integer again = 0;
  if (lua_isinteger(L, -1) &&
      (!lua_numbertointeger(number, &again) || again != lua_tointeger(L, -1)))
    ln_lua_fail(L,
                "json: %I needs more than the 53 bits that a JSON number "
                "has; write it as a string",
                lua_tointeger(L, -1));
  write_number(number, text, sizeof text);
  return cJSON_CreateRaw(text);
}

static cJSON *text_node(lua_State *L) {
  size_t length = 0;
  const char *text = lua_tolstring(L, -1, &length);
  if (strlen(text) != length)
    ln_lua_fail(L, "json: a string with a zero byte has no form here");
  return cJSON_CreateString(text);
}

static cJSON *null_node(lua_State *L) {
  if (lua_touserdata(L, -1))
    ln_lua_fail(L, "json: a light userdata has no form in JSON");
  return cJSON_CreateNull();
}

/* The value on the top of the stack. */
static void encode_into(lua_State *L, cJSON *parent, const char *key,
                        int depth) {
  switch (lua_type(L, -1)) {
  case LUA_TTABLE: encode_table(L, parent, key, depth); return;
  case LUA_TNUMBER: hang(L, parent, key, number_node(L)); return;
  case LUA_TSTRING: hang(L, parent, key, text_node(L)); return;
  case LUA_TBOOLEAN:
    hang(L, parent, key, cJSON_CreateBool(lua_toboolean(L, -1)));
    return;
  case LUA_TLIGHTUSERDATA: hang(L, parent, key, null_node(L)); return;
  default: ln_lua_fail(L, "json: %s has no form in JSON", ln_lua_kind(L, -1));
  }
}

static void delete_node(void *node) {
  cJSON_Delete(node);
}

/* core.json_encode(value) -> text */
static int json_encode(lua_State *L) {
  lua_settop(L, 1);
  void **root = ln_lua_guard(L, delete_node);
  *root = cJSON_CreateArray(); /* a parent for the value */
  if (!*root) ln_lua_fail(L, "json: out of memory");
  lua_pushvalue(L, 1);
  encode_into(L, *root, NULL, 0);
  void **text = ln_lua_guard(L, cJSON_free);
  *text = cJSON_PrintUnformatted(cJSON_GetArrayItem(*root, 0));
  if (!*text) ln_lua_fail(L, "json: out of memory");
  lua_pushstring(L, *text);
  return 1;
}

/* ---- decode -------------------------------------------------------------- */

static void push_node(lua_State *L, const cJSON *node);

static void push_number_node(lua_State *L, double number) {
  lua_Integer whole = 0;
  if (lua_numbertointeger(number, &whole) && (double)whole == number)
    lua_pushinteger(L, whole);
  else
    lua_pushnumber(L, number);
}

static void push_list(lua_State *L, const cJSON *list) {
  lua_newtable(L);
  luaL_setmetatable(L, list_class);
  lua_Integer i = 0;
  for (const cJSON *entry = list->child; entry; entry = entry->next) {
    push_node(L, entry);
    lua_rawseti(L, -2, ++i);
  }
}

static void push_named(lua_State *L, const cJSON *object) {
  lua_newtable(L);
  for (const cJSON *entry = object->child; entry; entry = entry->next) {
    push_node(L, entry);
    lua_setfield(L, -2, entry->string);
  }
}

static void push_node(lua_State *L, const cJSON *node) {
  luaL_checkstack(L, 4, "json: nested too deeply");
  if (cJSON_IsArray(node))
    push_list(L, node);
  else if (cJSON_IsObject(node))
    push_named(L, node);
  else if (cJSON_IsNumber(node))
    push_number_node(L, node->valuedouble);
  else if (cJSON_IsString(node))
    lua_pushstring(L, node->valuestring);
  else if (cJSON_IsBool(node))
    lua_pushboolean(L, cJSON_IsTrue(node));
  else
    lua_pushlightuserdata(L, NULL);
}

/* core.json_decode(text) -> value */
static int json_decode(lua_State *L) {
  ln_lua_check_text(L, 1, "core.json_decode", "text");
  size_t length = 0;
  const char *text = lua_tolstring(L, 1, &length), *end = NULL;
  void **root = ln_lua_guard(L, delete_node);
  *root = cJSON_ParseWithLengthOpts(text, length + 1, &end, true);
  if (!*root)
    ln_lua_fail(L, "json: not understood from byte %I on: %s",
                (lua_Integer)(end - text) + 1,
                lua_pushlstring(L, end, strnlen(end, 20)));
  push_node(L, *root);
  return 1;
}

void ln_lua_open_json(lua_State *L) {
  static const luaL_Reg functions[] = { { "json_encode", json_encode },
                                        { "json_decode", json_decode },
                                        { NULL, NULL } };
  luaL_setfuncs(L, functions, 0);
  luaL_newmetatable(L, list_class);
  lua_setfield(L, -2, "list_class");
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
}
