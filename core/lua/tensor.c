/* tensor.c - the tensor as a Lua value: its life, its memory, its entries and
 * its views. How tensors are made is in tensor_make.c, how one computes with
 * them in tensor_math.c; how they are printed, in scripts/lunet/tensor.lua. */
#include "base/text.h"
#include "lua/binding.h"

const char ln_lua_tensor_class[] = "lunet.tensor";

/* ---- memory -------------------------------------------------------------- */

/* 0 where the user stopped the collector, less than 0 in a finalizer. */
static bool is_collecting(lua_State *L) {
  return lua_gc(L, LUA_GCISRUNNING) == 1;
}

/* Lua's collector sees a few bytes where a tensor holds megabytes. So we
 * watch the bytes ourselves, and have Lua collect once they have grown by half
 * of what was alive after the last collection, and by 32 MB at least. */
static void feel_weight(lua_State *L) {
  static int64_t alive_after_collection = 0;
  const int64_t alive = ln_tensor_bytes_alive(), least = 32 << 20;
  if (alive < alive_after_collection) alive_after_collection = alive;
  const int64_t half = alive_after_collection / 2;
  if (alive - alive_after_collection < (half > least ? half : least)) return;
  if (!is_collecting(L)) return;
  lua_gc(L, LUA_GCCOLLECT);
  alive_after_collection = ln_tensor_bytes_alive();
}

/* A step of the collector for a few tensors at a time: what died young goes
 * back to the pool while it is in the caches, and the next ones take it. */
static void feel_number(lua_State *L) {
  enum { FEW = 64 };
  static int made = 0;
  if (++made < FEW) return;
  made = 0;
  if (is_collecting(L)) lua_gc(L, LUA_GCSTEP, 0);
}

static void release(void *t) {
  ln_tensor_release(t);
}

int ln_lua_push_tensor(lua_State *L, ln_tensor *t) {
  *ln_lua_push_object(L, ln_lua_tensor_class, release) = t;
  feel_number(L);
  feel_weight(L);
  return 1;
}

ln_tensor *ln_lua_test_tensor(lua_State *L, int index) {
  return ln_lua_test_object(L, index, ln_lua_tensor_class);
}

/* ---- entries: t[i], t[i] = v, #t ----------------------------------------- */

/* Counted from 1 by the user, from 0 in the engine, which refuses what is out
 * of range. */
static int64_t from_one(int64_t i) {
  return i > INT64_MIN ? i - 1 : i;
}

/* The entry at the index at stack place 2, for t[i] and t[i] = v. */
static ln_tensor *select_entry(lua_State *L, ln_tensor *t) {
  const int64_t i = ln_lua_check_integer(L, 2, "tensor[i]", "i");
  ln_tensor *entry = NULL;
  ln_lua_check(L, ln_tensor_select(t, from_one(i), &entry));
  return entry;
}

static int get_entry(lua_State *L, ln_tensor *t) {
  ln_tensor *entry = select_entry(L, t);
  if (entry->shape.rank > 0) return ln_lua_push_tensor(L, entry);
  lua_pushnumber(L, (lua_Number)entry->data[0]);
  ln_tensor_release(entry);
  return 1;
}

static int unknown_method(lua_State *L, int methods) {
  const char **names = lua_newuserdatauv(L, 256 * sizeof *names, 0);
  int64_t n = 0;
  lua_pushnil(L);
  for (; n < 256 && lua_next(L, methods); lua_pop(L, 1))
    names[n++] = lua_tostring(L, -2);
  const char *name = lua_tostring(L, 2);
  const char *meant = ln_nearest_word(name, names, n);
  return ln_lua_fail(L, "a tensor has no method '%s'%s%s%s", name,
                     meant ? "; did you mean '" : "", meant ? meant : "",
                     meant ? "'?" : "");
}

/* t[i] and t.method share this; the upvalue is the table of methods. */
static int index_tensor(lua_State *L) {
  if (lua_type(L, 2) != LUA_TSTRING)
    return get_entry(L, ln_lua_check_tensor(L, 1, "tensor[i]"));
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  return unknown_method(L, lua_upvalueindex(1));
}

static ln_status set_to_number(ln_tensor *entry, double number) {
  if (entry->shape.rank > 0) return ln_tensor_fill(entry, (float)number);
  entry->data[0] = (float)number;
  ln_tensor_touch(entry);
  return LN_OK;
}

static int set_entry(lua_State *L) {
  ln_tensor *t = ln_lua_check_tensor(L, 1, "tensor[i] = v");
  if (lua_type(L, 2) == LUA_TSTRING)
    ln_lua_fail(L, "a tensor has no fields to be set, such as '%s'",
                lua_tostring(L, 2));
  const ln_tensor *value = ln_lua_test_tensor(L, 3);
  if (!value && lua_type(L, 3) != LUA_TNUMBER)
    ln_lua_fail(L, "tensor[i] = v: v must be a number or a tensor, got %s",
                ln_lua_kind(L, 3));
  ln_tensor *entry = select_entry(L, t);
  const ln_status status = value ? ln_tensor_copy(entry, value)
                                 : set_to_number(entry, lua_tonumber(L, 3));
  ln_tensor_release(entry);
  ln_lua_check(L, status);
  return 0;
}

static int length(lua_State *L) {
  const ln_tensor *t = ln_lua_check_tensor(L, 1, "#tensor");
  if (t->shape.rank == 0) ln_lua_fail(L, "#tensor: the tensor has no dims");
  lua_pushinteger(L, t->shape.dim[0]);
  return 1;
}

/* ---- what a tensor is ---------------------------------------------------- */

static int shape(lua_State *L) {
  ln_lua_push_shape(L, &ln_lua_check_tensor(L, 1, "tensor:shape")->shape);
  return 1;
}

static int numel(lua_State *L) {
  lua_pushinteger(L, ln_lua_check_tensor(L, 1, "tensor:numel")->count);
  return 1;
}

static int dim(lua_State *L) {
  lua_pushinteger(L, ln_lua_check_tensor(L, 1, "tensor:dim")->shape.rank);
  return 1;
}

/* Pushes t, or a copy without gaps, so that its data is one array. */
static const ln_tensor *push_dense(lua_State *L, ln_tensor *t) {
  ln_tensor *dense = NULL;
  ln_lua_check(L, ln_tensor_dense(t, &dense));
  ln_lua_push_tensor(L, dense);
  return dense;
}

/* Pushes the entries from dim `depth` on, and returns what follows them. */
static const float *push_nested(lua_State *L, const ln_shape *s, int depth,
                                const float *next) {
  if (ln_is_cancelled()) ln_lua_check(L, LN_CANCELLED);
  if (depth == s->rank) {
    lua_pushnumber(L, (lua_Number)*next);
    return next + 1;
  }
  luaL_checkstack(L, 2, NULL);
  lua_createtable(L, (int)s->dim[depth], 0);
  for (int64_t i = 0; i < s->dim[depth]; i++) {
    next = push_nested(L, s, depth + 1, next);
    lua_rawseti(L, -2, i + 1);
  }
  return next;
}

static int tolist(lua_State *L) {
  ln_tensor *t = ln_lua_check_tensor(L, 1, "tensor:tolist");
  const ln_tensor *dense = push_dense(L, t);
  ln_clear_cancel();
  push_nested(L, &t->shape, 0, dense->data);
  return 1;
}

static int item(lua_State *L) {
  const ln_tensor *t = ln_lua_check_tensor(L, 1, "tensor:item");
  char text[200];
  if (t->count != 1)
    ln_lua_fail(L,
                "tensor:item: needs exactly one number, but shape %s holds "
                "%I; try t[i], or sum(), mean(), max()",
                ln_shape_text(&t->shape, text), (lua_Integer)t->count);
  lua_pushnumber(L, (lua_Number)t->data[0]);
  return 1;
}

/* ---- copies and views ---------------------------------------------------- */

static int clone(lua_State *L) {
  ln_tensor *copied = NULL;
  ln_lua_check(
      L, ln_tensor_clone(ln_lua_check_tensor(L, 1, "tensor:clone"), &copied));
  return ln_lua_push_tensor(L, copied);
}

static int copy(lua_State *L) {
  ln_tensor *t = ln_lua_check_tensor(L, 1, "tensor:copy");
  ln_lua_check(L, ln_tensor_copy(t, ln_lua_check_tensor(L, 2, "tensor:copy")));
  lua_settop(L, 1);
  return 1;
}

static int fill(lua_State *L) {
  ln_tensor *t = ln_lua_check_tensor(L, 1, "tensor:fill");
  const double value = ln_lua_check_number(L, 2, "tensor:fill", "value");
  ln_lua_check(L, ln_tensor_fill(t, (float)value));
  lua_settop(L, 1);
  return 1;
}

static int view(lua_State *L) {
  ln_tensor *t = ln_lua_check_tensor(L, 1, "tensor:view"), *viewed = NULL;
  const ln_shape wanted = ln_lua_to_shape(L, 2, true, "tensor:view");
  ln_lua_check(L, ln_tensor_view(t, &wanted, &viewed));
  return ln_lua_push_tensor(L, viewed);
}

static int narrow(lua_State *L) {
  static const char what[] = "tensor:narrow";
  ln_tensor *t = ln_lua_check_tensor(L, 1, what), *part = NULL;
  const int d = ln_lua_check_dim(L, 2, t, what);
  const int64_t start = ln_lua_check_integer(L, 3, what, "start");
  const int64_t count = ln_lua_check_integer(L, 4, what, "length");
  ln_lua_check(L, ln_tensor_narrow(t, d, from_one(start), count, &part));
  return ln_lua_push_tensor(L, part);
}

static int transpose(lua_State *L) {
  static const char what[] = "tensor:transpose";
  const ln_tensor *t = ln_lua_check_tensor(L, 1, what);
  const int a = ln_lua_check_dim(L, 2, t, what);
  const int b = ln_lua_check_dim(L, 3, t, what);
  ln_tensor *turned = NULL;
  ln_lua_check(L, ln_tensor_transpose(t, a, b, &turned));
  return ln_lua_push_tensor(L, turned);
}

/* core.is_tensor(x) */
static int is_tensor(lua_State *L) {
  lua_pushboolean(L, ln_lua_test_tensor(L, 1) != NULL);
  return 1;
}

/* core.tensor_methods: the Lua half may add to it. */
void ln_lua_open_tensor(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "shape", shape },   { "numel", numel },         { "dim", dim },
    { "tolist", tolist }, { "item", item },           { "clone", clone },
    { "copy", copy },     { "fill", fill },           { "view", view },
    { "narrow", narrow }, { "transpose", transpose }, { NULL, NULL },
  };
  static const luaL_Reg metamethods[] = { { "__newindex", set_entry },
                                          { "__len", length },
                                          { NULL, NULL } };
  ln_lua_new_class(L, ln_lua_tensor_class, methods, metamethods);
  luaL_getmetatable(L, ln_lua_tensor_class);
  lua_getfield(L, -1, "__index");
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, index_tensor, 1);
  lua_setfield(L, -3, "__index");
  lua_setfield(L, -3, "tensor_methods");
  lua_setfield(L, -2, "tensor_class");
  lua_pushcfunction(L, is_tensor);
  lua_setfield(L, -2, "is_tensor");
}
