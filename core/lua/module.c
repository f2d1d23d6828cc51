/* module.c - the module `lunet_core`, as Lua's require finds it. It is the
 * primitive half; scripts/lunet/init.lua makes the library of it. */
#include "lua/binding.h"

int luaopen_lunet_core(lua_State *L) {
  static void (*const parts[])(lua_State * L) = {
    ln_lua_open_object,    ln_lua_open_error,       ln_lua_open_session,
    ln_lua_open_tensor,    ln_lua_open_tensor_make, ln_lua_open_tensor_math,
    ln_lua_open_files,     ln_lua_open_json,        ln_lua_open_optim,
    ln_lua_open_data,      ln_lua_open_system,      ln_lua_open_layer,
    ln_lua_open_net,       ln_lua_open_measure,     ln_lua_open_about,
    ln_lua_open_histogram, ln_lua_open_checking,
  };
  luaL_checkversion(L);
  lua_newtable(L);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) parts[i](L);
  return 1;
}
