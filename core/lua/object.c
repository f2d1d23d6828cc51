/* object.c - engine objects as userdata: a pointer, given back once, when Lua
 * collects or closes its holder.
 *
 * The metatable of a class stands in the registry under its name, and under the
 * name's address as well: so it is found without a look at the letters. */
#include "lua/binding.h"

typedef struct holder {
  void *object; /* NULL: given back, or not there yet */
  void (*release)(void *);
} holder;

static const char guard_class[] = "lunet.guard";

static int give_back(lua_State *L) {
  holder *h = lua_touserdata(L, 1);
  if (h && h->object) h->release(h->object);
  if (h) h->object = NULL;
  return 0;
}

void ln_lua_new_class(lua_State *L, const char *class, const luaL_Reg *methods,
                      const luaL_Reg *metamethods) {
  luaL_newmetatable(L, class);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, class);
  lua_pushcfunction(L, give_back);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, give_back);
  lua_setfield(L, -2, "__close");
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  luaL_setfuncs(L, metamethods, 0);
  lua_pop(L, 1);
}

void **ln_lua_push_object(lua_State *L, const char *class,
                          void (*release)(void *)) {
  holder *h = lua_newuserdatauv(L, sizeof *h, 1);
  *h = (holder){ NULL, release };
  lua_rawgetp(L, LUA_REGISTRYINDEX, class);
  lua_setmetatable(L, -2);
  return &h->object;
}

void **ln_lua_guard(lua_State *L, void (*release)(void *)) {
  return ln_lua_push_object(L, guard_class, release);
}

static holder *find(lua_State *L, int index, const char *class) {
  holder *h = lua_touserdata(L, index);
  if (!h || !lua_getmetatable(L, index)) return NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, class);
  const bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same ? h : NULL;
}

void *ln_lua_test_object(lua_State *L, int index, const char *class) {
  const holder *h = find(L, index, class);
  return h ? h->object : NULL;
}

void *ln_lua_check_object(lua_State *L, int index, const char *class,
                          const char *what) {
  const holder *h = find(L, index, class);
  if (!h)
    ln_lua_fail(L, "%s: expected a %s, got %s (call methods with a colon)",
                what, class, ln_lua_kind(L, index));
  if (!h->object) ln_lua_fail(L, "%s: this %s has been closed", what, class);
  return h->object;
}

void ln_lua_open_object(lua_State *L) {
  static const luaL_Reg none[] = { { NULL, NULL } };
  ln_lua_new_class(L, guard_class, none, none);
}
