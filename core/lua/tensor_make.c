/* tensor_make.c - new tensors: from nested tables, filled, or random. */
#include "lua/binding.h"

/* ---- lunet.tensor{ {1, 2}, {3, 4} } -------------------------------------- */

typedef struct reader {
  lua_State *L;
  ln_shape shape;
  int64_t place[LN_MAX_DIMS]; /* of the entry being read, from 1 */
  float *next;                /* where its number goes */
} reader;

/* The shape that the first entries have, the first entry's first, and so on. */
static ln_shape shape_of_first(lua_State *L, int index) {
  ln_shape shape = { .rank = 0 };
  lua_pushvalue(L, index);
  while (lua_type(L, -1) == LUA_TTABLE) {
    if (shape.rank == LN_MAX_DIMS)
      ln_lua_fail(L, "lunet.tensor: the table is nested deeper than %d levels",
                  LN_MAX_DIMS);
    const int64_t size = (int64_t)lua_rawlen(L, -1);
    shape.dim[shape.rank++] = size;
    if (size == 0) break;
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
  }
  lua_pop(L, 1);
  return shape;
}

/* "entry [2][3]", where `depth` indices are known. */
static const char *push_place(const reader *r, int depth) {
  lua_pushliteral(r->L, "entry ");
  for (int i = 0; i < depth; i++) {
    lua_pushfstring(r->L, "[%I]", (lua_Integer)r->place[i]);
    lua_concat(r->L, 2);
  }
  return lua_tostring(r->L, -1);
}

static void read_number(reader *r, int depth) {
  lua_State *L = r->L;
  if (lua_type(L, -1) != LUA_TNUMBER) {
    const char *kind = ln_lua_kind(L, -1), *place = push_place(r, depth);
    ln_lua_fail(L, "lunet.tensor: %s is %s, but must be a number", place, kind);
  }
  *r->next++ = (float)lua_tonumber(L, -1);
}

static void check_row(const reader *r, int depth) {
  lua_State *L = r->L;
  const lua_Integer wanted = r->shape.dim[depth];
  if (lua_type(L, -1) != LUA_TTABLE) {
    const char *kind = ln_lua_kind(L, -1), *place = push_place(r, depth);
    ln_lua_fail(L,
                "lunet.tensor: %s is %s, but must be a table of %I like "
                "the entries before it",
                place, kind, wanted);
  }
  const lua_Integer size = (lua_Integer)lua_rawlen(L, -1);
  if (size != wanted)
    ln_lua_fail(L,
                "lunet.tensor: %s has size %I, but the entries before it "
                "have size %I; all rows must be equally long",
                push_place(r, depth), size, wanted);
}

/* Reads the entry on the top of the stack, which lies `depth` tables deep. */
static void read_entry(reader *r, int depth) {
  if (depth == r->shape.rank) {
    read_number(r, depth);
    return;
  }
  check_row(r, depth);
  for (int64_t i = 1; i <= r->shape.dim[depth]; i++) {
    r->place[depth] = i;
    lua_rawgeti(r->L, -1, i);
    read_entry(r, depth + 1);
    lua_pop(r->L, 1);
  }
}

static int from_table(lua_State *L) {
  reader r = { .L = L, .shape = shape_of_first(L, 1) };
  ln_tensor *t = NULL;
  ln_lua_check(L, ln_tensor_new(&r.shape, &t));
  ln_lua_push_tensor(L, t);
  r.next = t->data;
  luaL_checkstack(L, LN_MAX_DIMS + 8, NULL);
  lua_pushvalue(L, 1);
  read_entry(&r, 0);
  lua_pop(L, 1);
  return 1;
}

static int tensor(lua_State *L) {
  if (lua_type(L, 1) == LUA_TTABLE) return from_table(L);
  if (lua_type(L, 1) != LUA_TNUMBER)
    return ln_lua_fail(L,
                       "lunet.tensor: expected numbers in nested tables, "
                       "such as {{1, 2}, {3, 4}}, got %s",
                       ln_lua_kind(L, 1));
  ln_tensor *t = NULL;
  const ln_shape no_dims = { .rank = 0 };
  const float value = (float)lua_tonumber(L, 1);
  ln_lua_check(L, ln_tensor_full(&no_dims, value, &t));
  return ln_lua_push_tensor(L, t);
}

/* ---- filled and random --------------------------------------------------- */

static int push_full(lua_State *L, double value, const char *what) {
  const ln_shape shape = ln_lua_to_shape(L, 1, false, what);
  ln_tensor *t = NULL;
  ln_lua_check(L, ln_tensor_full(&shape, (float)value, &t));
  return ln_lua_push_tensor(L, t);
}

static int zeros(lua_State *L) {
  return push_full(L, 0, "lunet.zeros");
}

static int ones(lua_State *L) {
  return push_full(L, 1, "lunet.ones");
}

static int full(lua_State *L) {
  return push_full(L, ln_lua_check_number(L, 2, "lunet.full", "value"),
                   "lunet.full");
}

/* lunet.arange(n): 0, 1, ... n-1 */
static int arange(lua_State *L) {
  const int64_t n = ln_lua_check_integer(L, 1, "lunet.arange", "n");
  if (n < 0)
    ln_lua_fail(L, "lunet.arange: n is %I, but must be >= 0", (lua_Integer)n);
  const ln_shape shape = LN_SHAPE(n);
  ln_tensor *t = NULL;
  ln_lua_check(L, ln_tensor_new(&shape, &t));
  for (int64_t i = 0; i < n; i++) t->data[i] = (float)i;
  return ln_lua_push_tensor(L, t);
}

typedef ln_status (*drawing)(const ln_shape *shape, ln_tensor **out);

static int push_drawn(lua_State *L, drawing draw, const char *what) {
  const ln_shape shape = ln_lua_to_shape(L, 1, false, what);
  ln_tensor *t = NULL;
  ln_lua_check(L, draw(&shape, &t));
  return ln_lua_push_tensor(L, t);
}

static int rand_(lua_State *L) {
  return push_drawn(L, ln_tensor_rand, "lunet.rand");
}

static int randn(lua_State *L) {
  return push_drawn(L, ln_tensor_randn, "lunet.randn");
}

void ln_lua_open_tensor_make(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "tensor", tensor }, { "zeros", zeros }, { "ones", ones },
    { "full", full },     { "rand", rand_ },  { "randn", randn },
    { "arange", arange }, { NULL, NULL },
  };
  luaL_setfuncs(L, functions, 0);
}
