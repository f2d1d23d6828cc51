/* checking.c - check-plugin for the Lua half, which knows how to compile. */
#include <stdlib.h>

#include "check/command.h"
#include "lua/binding.h"

/* compile(source, plugin, more) -> true; false and a sentence. The function is
 * at index 2. */
static ln_status compile(void *arg, const char *source, const char *plugin,
                         const char *more) {
  lua_State *L = arg;
  lua_pushvalue(L, 2);
  lua_pushstring(L, source);
  lua_pushstring(L, plugin);
  lua_pushstring(L, more);
  const bool returned = lua_pcall(L, 3, 2, 0) == LUA_OK;
  const bool built = returned && lua_toboolean(L, -2);
  if (!built) ln_set_error("%s", lua_tostring(L, -1));
  lua_settop(L, 3);
  return built ? LN_OK : LN_FAILED;
}

/* The words of the list at index 1, which keeps them; pushes their room. */
static char **push_words(lua_State *L, int n) {
  char **words = lua_newuserdatauv(L, (size_t)(n + 1) * sizeof *words, 0);
  words[0] = (char *)(uintptr_t) "check-plugin";
  for (int i = 1; i <= n; i++) {
    lua_rawgeti(L, 1, i);
    words[i] = (char *)(uintptr_t)lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  return words;
}

/* core.check_plugin(arguments, compile) -> the exit status */
static int check_plugin(lua_State *L) {
  lua_settop(L, 2);
  ln_lua_check_table(L, 1, "core.check_plugin", "arguments");
  const int n = (int)lua_rawlen(L, 1);
  char **words = push_words(L, n);
  lua_pushinteger(L, ln_check_command(n + 1, words, compile, L));
  return 1;
}

void ln_lua_open_checking(lua_State *L) {
  static const luaL_Reg functions[] = { { "check_plugin", check_plugin },
                                        { NULL, NULL } };
  luaL_setfuncs(L, functions, 0);
}
