/* session.c - what holds for the whole session: seed, threads, method, and
 * the shuffling of indices. */
#include "lua/binding.h"

static int manual_seed(lua_State *L) {
  ln_manual_seed(
      (uint64_t)ln_lua_check_integer(L, 1, "lunet.manual_seed", "seed"));
  return 0;
}

/* core.seed() -> what the random numbers began from */
static int get_seed(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)ln_seed());
  return 1;
}

static int set_num_threads(lua_State *L) {
  int64_t n = ln_lua_check_integer(L, 1, "lunet.set_num_threads", "n");
  if (n < 0 || n > 1 << 30) n = 0; /* refused by the engine, like 0 */
  ln_lua_check(L, ln_set_num_threads((int)n));
  return 0;
}

static int num_threads(lua_State *L) {
  lua_pushinteger(L, ln_num_threads());
  return 1;
}

/* How often the engine has asked the system for memory. */
static int allocations(lua_State *L) {
  lua_pushinteger(L, ln_allocations());
  return 1;
}

static int set_method(lua_State *L) {
  ln_lua_check(
      L, ln_set_method(ln_lua_check_text(L, 1, "lunet.set_method", "method")));
  return 0;
}

/* lunet.guard([on]), lunet.check_numerics([on]) */
static int set_guard(lua_State *L) {
  ln_set_guard(lua_isnone(L, 1) || lua_toboolean(L, 1));
  return 0;
}

static int set_check_numerics(lua_State *L) {
  ln_set_check_numerics(lua_isnone(L, 1) || lua_toboolean(L, 1));
  return 0;
}

/* core.permutation(n): the numbers 1 .. n shuffled, as a table. */
static int permutation(lua_State *L) {
  const int64_t n = ln_lua_check_integer(L, 1, "core.permutation", "n");
  if (n < 0 || n > INT32_MAX)
    ln_lua_fail(L, "core.permutation: n is %I, but must be in 0..%d",
                (lua_Integer)n, INT32_MAX);
  int64_t *order = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *order, 0);
  ln_lua_check(L, ln_permutation(n, order));
  lua_createtable(L, (int)n, 0);
  for (int64_t i = 0; i < n; i++) {
    lua_pushinteger(L, order[i] + 1);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

void ln_lua_open_session(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "manual_seed", manual_seed },
    { "seed", get_seed },
    { "set_num_threads", set_num_threads },
    { "num_threads", num_threads },
    { "set_method", set_method },
    { "allocations", allocations },
    { "permutation", permutation },
    { "guard", set_guard },
    { "check_numerics", set_check_numerics },
    { NULL, NULL },
  };
  luaL_setfuncs(L, functions, 0);
  lua_pushliteral(L, LN_VERSION);
  lua_setfield(L, -2, "version");
}
