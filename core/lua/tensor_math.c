/* tensor_math.c - computing with tensors: operators, functions of each
 * element, reductions, the matrix product. Operations of one form share one C
 * function, whose upvalues say which it is and what it is called. */
#include "lua/binding.h"

typedef struct operation {
  const char *name; /* of the method, or the metamethod */
  int op;
  const char *title; /* in messages; NULL: "tensor:name" */
} operation;

/* Adds a function an operation to the table on the top; its upvalues are the
 * operation and its title. */
static void add_operations(lua_State *L, const operation *operations,
                           lua_CFunction function) {
  for (const operation *o = operations; o->name; o++) {
    lua_pushinteger(L, o->op);
    lua_pushfstring(L, "%s%s",
                    o->title ? "" : "tensor:", o->title ? o->title : o->name);
    lua_pushcclosure(L, function, 2);
    lua_setfield(L, -2, o->name);
  }
}

static int which(lua_State *L) {
  return (int)lua_tointeger(L, lua_upvalueindex(1));
}

static const char *title(lua_State *L) {
  return lua_tostring(L, lua_upvalueindex(2));
}

/* ---- two operands -------------------------------------------------------- */

/* The operand at `index`; a number becomes a tensor without dims, which is
 * pushed. */
static ln_tensor *to_operand(lua_State *L, int index) {
  ln_tensor *t = ln_lua_test_tensor(L, index);
  if (t) return t;
  if (lua_type(L, index) != LUA_TNUMBER)
    ln_lua_fail(L, "%s: both sides must be tensors or numbers, got %s",
                title(L), ln_lua_kind(L, index));
  const ln_shape no_dims = { .rank = 0 };
  ln_lua_check(L, ln_tensor_full(&no_dims, (float)lua_tonumber(L, index), &t));
  ln_lua_push_tensor(L, t);
  return t;
}

static int binary(lua_State *L) {
  lua_settop(L, 2);
  const ln_tensor *a = to_operand(L, 1), *b = to_operand(L, 2);
  ln_tensor *out = NULL;
  ln_lua_check(L, ln_tensor_binary((ln_binary_op)which(L), a, b, &out));
  return ln_lua_push_tensor(L, out);
}

static int matmul(lua_State *L) {
  const ln_tensor *a = ln_lua_check_tensor(L, 1, "tensor:matmul");
  const ln_tensor *b = ln_lua_check_tensor(L, 2, "tensor:matmul");
  ln_tensor *out = NULL;
  ln_lua_check(L, ln_tensor_matmul(a, b, &out));
  return ln_lua_push_tensor(L, out);
}

/* ---- one operand --------------------------------------------------------- */

static int unary(lua_State *L) {
  const ln_tensor *t = ln_lua_check_tensor(L, 1, title(L));
  ln_tensor *out = NULL;
  ln_lua_check(L, ln_tensor_unary((ln_unary_op)which(L), t, &out));
  return ln_lua_push_tensor(L, out);
}

/* ---- reductions ---------------------------------------------------------- */

static int push_reduced_all(lua_State *L, const ln_tensor *t, ln_reduce_op op) {
  double out = 0;
  ln_lua_check(L, ln_tensor_reduce_all(op, t, &out));
  if (op == LN_OP_ARGMAX || op == LN_OP_ARGMIN)
    lua_pushinteger(L, (lua_Integer)out + 1);
  else
    lua_pushnumber(L, out);
  return 1;
}

/* Places count from 1 in Lua. */
static void count_from_one(ln_tensor *places) {
  for (int64_t i = 0; i < places->count; i++) places->data[i] += 1;
  ln_tensor_touch(places);
}

/* t:sum() gives a number, t:sum(dim) a tensor without that dim. */
static int reduce(lua_State *L) {
  const ln_tensor *t = ln_lua_check_tensor(L, 1, title(L));
  const ln_reduce_op op = (ln_reduce_op)which(L);
  if (lua_isnoneornil(L, 2)) return push_reduced_all(L, t, op);
  const int dim = ln_lua_check_dim(L, 2, t, title(L));
  ln_tensor *out = NULL;
  ln_lua_check(L, ln_tensor_reduce(op, t, dim, &out));
  if (op == LN_OP_ARGMAX || op == LN_OP_ARGMIN) count_from_one(out);
  return ln_lua_push_tensor(L, out);
}

/* ---- the names ----------------------------------------------------------- */

static const operation binary_operators[] = {
  { "__add", LN_OP_ADD, "tensor + tensor" },
  { "__sub", LN_OP_SUB, "tensor - tensor" },
  { "__mul", LN_OP_MUL, "tensor * tensor" },
  { "__div", LN_OP_DIV, "tensor / tensor" },
  { "__pow", LN_OP_POW, "tensor ^ tensor" },
  { NULL, 0, NULL },
};
static const operation binary_methods[] = {
  { "maximum", LN_OP_MAXIMUM, NULL },
  { "minimum", LN_OP_MINIMUM, NULL },
  { "eq", LN_OP_EQ, NULL },
  { "ne", LN_OP_NE, NULL },
  { "lt", LN_OP_LT, NULL },
  { "le", LN_OP_LE, NULL },
  { "gt", LN_OP_GT, NULL },
  { "ge", LN_OP_GE, NULL },
  { NULL, 0, NULL },
};
static const operation unary_operators[] = {
  { "__unm", LN_OP_NEG, "-tensor" },
  { NULL, 0, NULL },
};
static const operation unary_methods[] = {
  { "abs", LN_OP_ABS, NULL },     { "exp", LN_OP_EXP, NULL },
  { "log", LN_OP_LOG, NULL },     { "sqrt", LN_OP_SQRT, NULL },
  { "sin", LN_OP_SIN, NULL },     { "cos", LN_OP_COS, NULL },
  { "tanh", LN_OP_TANH, NULL },   { "sigmoid", LN_OP_SIGMOID, NULL },
  { "sign", LN_OP_SIGN, NULL },   { "floor", LN_OP_FLOOR, NULL },
  { "round", LN_OP_ROUND, NULL }, { NULL, 0, NULL },
};
static const operation reductions[] = {
  { "sum", LN_OP_SUM, NULL },
  { "mean", LN_OP_MEAN, NULL },
  { "max", LN_OP_MAX, NULL },
  { "min", LN_OP_MIN, NULL },
  { "argmax", LN_OP_ARGMAX, NULL },
  { "argmin", LN_OP_ARGMIN, NULL },
  { NULL, 0, NULL },
};

void ln_lua_open_tensor_math(lua_State *L) {
  lua_getfield(L, -1, "tensor_methods");
  add_operations(L, binary_methods, binary);
  add_operations(L, unary_methods, unary);
  add_operations(L, reductions, reduce);
  lua_pushcfunction(L, matmul);
  lua_setfield(L, -2, "matmul");
  lua_pop(L, 1);
  luaL_getmetatable(L, ln_lua_tensor_class);
  add_operations(L, binary_operators, binary);
  add_operations(L, unary_operators, unary);
  lua_pop(L, 1);
}
