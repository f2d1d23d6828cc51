/* check.c - arguments of the right kind, or a sentence that says which. */
#include <string.h>

#include "lua/binding.h"

const char *ln_lua_kind(lua_State *L, int index) {
  switch (lua_type(L, index)) {
  case LUA_TNONE: return "nothing";
  case LUA_TNIL: return "nil";
  case LUA_TUSERDATA: break;
  default: return lua_pushfstring(L, "a %s", luaL_typename(L, index));
  }
  if (luaL_getmetafield(L, index, "__name") != LUA_TSTRING) return "a userdata";
  const char *class = lua_tostring(L, -1), *dot = strchr(class, '.');
  return lua_pushfstring(L, "a %s", dot ? dot + 1 : class);
}

static void refuse(lua_State *L, int index, const char *what, const char *name,
                   const char *wanted) {
  ln_lua_fail(L, "%s: %s must be %s, got %s", what, name, wanted,
              ln_lua_kind(L, index));
}

ln_tensor *ln_lua_check_tensor(lua_State *L, int index, const char *what) {
  ln_tensor *t = ln_lua_test_tensor(L, index);
  if (t) return t;
  const bool method = strncmp(what, "tensor:", 7) == 0;
  if (luaL_testudata(L, index, ln_lua_tensor_class))
    ln_lua_fail(L, "%s: the tensor has been closed", what);
  if (method && index == 1)
    ln_lua_fail(L,
                "%s: called on %s, not on a tensor; write t:%s(...), with "
                "a colon",
                what, ln_lua_kind(L, index), what + 7);
  ln_lua_fail(L, "%s: argument %d must be a tensor, got %s", what,
              method ? index - 1 : index, ln_lua_kind(L, index));
  return NULL;
}

int64_t ln_lua_check_integer(lua_State *L, int index, const char *what,
                             const char *name) {
  int whole = 0;
  const lua_Integer i = lua_tointegerx(L, index, &whole);
  if (lua_type(L, index) != LUA_TNUMBER)
    refuse(L, index, what, name, "a whole number");
  if (!whole)
    ln_lua_fail(L, "%s: %s must be a whole number, got %f", what, name,
                lua_tonumber(L, index));
  return i;
}

double ln_lua_check_number(lua_State *L, int index, const char *what,
                           const char *name) {
  if (lua_type(L, index) != LUA_TNUMBER)
    refuse(L, index, what, name, "a number");
  return lua_tonumber(L, index);
}

const char *ln_lua_check_text(lua_State *L, int index, const char *what,
                              const char *name) {
  if (lua_type(L, index) != LUA_TSTRING)
    refuse(L, index, what, name, "a string");
  return lua_tostring(L, index);
}

void ln_lua_check_table(lua_State *L, int index, const char *what,
                        const char *name) {
  if (lua_type(L, index) != LUA_TTABLE) refuse(L, index, what, name, "a table");
}

int ln_lua_check_dim(lua_State *L, int index, const ln_tensor *t,
                     const char *what) {
  const int64_t dim = ln_lua_check_integer(L, index, what, "dim");
  const int rank = t->shape.rank;
  if (rank == 0)
    ln_lua_fail(L, "%s: dim is %I, but the tensor has no dims", what,
                (lua_Integer)dim);
  if (dim < 1 || dim > rank)
    ln_lua_fail(L, "%s: dim is %I, but the tensor has %d dims (1..%d)", what,
                (lua_Integer)dim, rank, rank);
  return (int)dim - 1;
}
