/* error.c - errors are raised at the user's line.
 *
 * The user's line is that of the innermost Lua function whose file does not
 * lie in Lunet's own folder of scripts; C functions are skipped. So a mistake
 * is reported where it was made, however deep in Lunet it was noticed. */
#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "lua/binding.h"

static const char own_folder_key[] = "lunet.own_folder";

/* "" before init.lua has told. */
static const char *own_folder(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, own_folder_key);
  const char *folder = lua_tostring(L, -1);
  lua_pop(L, 1); /* the registry keeps it */
  return folder ? folder : "";
}

static bool begins_with_own_folder(lua_State *L, const char *path) {
  const char *folder = own_folder(L);
  return folder[0] && strncmp(path, folder, strlen(folder)) == 0;
}

static bool is_users(lua_State *L, const lua_Debug *frame) {
  if (frame->currentline < 0) return false; /* a C function */
  return frame->source[0] != '@' ||
         !begins_with_own_folder(L, frame->source + 1);
}

void ln_lua_push_position(lua_State *L) {
  lua_Debug frame;
  for (int level = 0; lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "Sl", &frame);
    if (!is_users(L, &frame)) continue;
    lua_pushfstring(L, "%s:%d: ", frame.short_src, frame.currentline);
    return;
  }
  lua_pushliteral(L, "");
}

/* Raises the sentence on the top of the stack. */
static int raise_top(lua_State *L) {
  ln_lua_push_position(L);
  lua_insert(L, -2);
  lua_concat(L, 2);
  return lua_error(L);
}

int ln_lua_raise(lua_State *L) {
  lua_pushstring(L, ln_error());
  return raise_top(L);
}

int ln_lua_fail(lua_State *L, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  lua_pushvfstring(L, format, arguments);
  va_end(arguments);
  return raise_top(L);
}

void ln_lua_check(lua_State *L, ln_status status) {
  if (status == LN_OK) return;
  if (status != LN_CANCELLED) ln_lua_raise(L);
  lua_Hook stop = lua_gethook(L); /* Ctrl-C has been heard, see program.c */
  if (stop) lua_sethook(L, stop, LUA_MASKCOUNT, 1);
  ln_lua_fail(L, "interrupted!");
}

/* Adds "\n\tlab.lua:11: in function 'train'" for each frame of the user. */
static void add_users_frames(lua_State *L, luaL_Buffer *text) {
  lua_Debug frame;
  for (int level = 1; lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "Sln", &frame);
    if (!is_users(L, &frame)) continue;
    lua_pushfstring(L, "\n\t%s:%d: in ", frame.short_src, frame.currentline);
    luaL_addvalue(text);
    if (*frame.what == 'm')
      lua_pushliteral(L, "main chunk");
    else if (frame.name)
      lua_pushfstring(L, "%s '%s'", frame.namewhat, frame.name);
    else
      lua_pushfstring(L, "function <line %d>", frame.linedefined);
    luaL_addvalue(text);
  }
}

int ln_lua_traceback(lua_State *L) {
  const char *message = luaL_tolstring(L, 1, NULL);
  if (begins_with_own_folder(L, message)) { /* a bug of ours: show it all */
    luaL_traceback(L, L, message, 1);
    return 1;
  }
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  luaL_addstring(&text, message);
  luaL_addstring(&text, "\nstack traceback:");
  add_users_frames(L, &text);
  luaL_pushresult(&text);
  return 1;
}

/* ---- for the Lua half ---------------------------------------------------- */

/* core.raise(format, ...): formats as string.format, the upvalue, does. */
static int raise_formatted(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 1);
  return raise_top(L);
}

/* core.position() -> "lab.lua:11: ", the user's line */
static int position(lua_State *L) {
  ln_lua_push_position(L);
  return 1;
}

/* core.own_folder(path): files below it are not the user's. */
static int set_own_folder(lua_State *L) {
  luaL_checkstring(L, 1);
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, own_folder_key);
  return 0;
}

/* core.nearest(word, list): the word of the list that was meant, or nil. */
static int nearest(lua_State *L) {
  const char *word = ln_lua_check_text(L, 1, "core.nearest", "word");
  ln_lua_check_table(L, 2, "core.nearest", "list");
  const size_t n = lua_rawlen(L, 2);
  const char **words = lua_newuserdatauv(L, (n + 1) * sizeof *words, 0);
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    words[i] = ln_lua_check_text(L, -1, "core.nearest", "an entry of list");
    lua_pop(L, 1);
  }
  lua_pushstring(L, ln_nearest_word(word, words, (int64_t)n));
  return 1;
}

void ln_lua_open_error(lua_State *L) {
  static const luaL_Reg functions[] = { { "own_folder", set_own_folder },
                                        { "position", position },
                                        { "nearest", nearest },
                                        { "traceback", ln_lua_traceback },
                                        { NULL, NULL } };
  luaL_setfuncs(L, functions, 0);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, "string");
  lua_getfield(L, -1, "format");
  lua_pushcclosure(L, raise_formatted, 1);
  lua_setfield(L, -4, "raise");
  lua_pop(L, 2);
}
