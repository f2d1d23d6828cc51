/* optim.c - the optimizer as a Lua object, in primitive form; optim.sgd{...}
 * and the like are made of it in scripts/lunet/optim.lua. */
#include "lua/binding.h"

static const char class[] = "lunet.optimizer";

static void release(void *optimizer) {
  ln_optimizer_free(optimizer);
}

static ln_optimizer *check(lua_State *L, const char *what) {
  return ln_lua_check_object(L, 1, class, what);
}

/* core.optimizer(rule, values, grads, options) */
static int new_optimizer(lua_State *L) {
  lua_settop(L, 4);
  const char *rule = ln_lua_check_text(L, 1, "core.optimizer", "rule");
  lua_pushfstring(L, "optim.%s", rule);
  const char *what = lua_tostring(L, -1);
  int64_t n = 0, n_grads = 0, n_options = 0;
  ln_tensor **values = ln_lua_to_tensors(L, 2, what, &n);
  ln_tensor **grads = ln_lua_to_tensors(L, 3, what, &n_grads);
  if (n != n_grads)
    ln_lua_fail(L, "%s: %I values, but %I gradients", what, (lua_Integer)n,
                (lua_Integer)n_grads);
  const ln_named_value *options = ln_lua_to_options(L, 4, what, &n_options);
  ln_optimizer **out = (ln_optimizer **)ln_lua_push_object(L, class, release);
  ln_lua_check(
      L, ln_optimizer_new(rule, values, grads, n, options, n_options, out));
  return 1;
}

static int step(lua_State *L) {
  ln_lua_check(L, ln_optimizer_step(check(L, "optimizer:step")));
  return 0;
}

static int zero_grad(lua_State *L) {
  ln_optimizer_zero_grad(check(L, "optimizer:zero_grad"));
  return 0;
}

static int get_lr(lua_State *L) {
  lua_pushnumber(L, ln_optimizer_lr(check(L, "optimizer:get_lr")));
  return 1;
}

static int set_lr(lua_State *L) {
  ln_optimizer *o = check(L, "optimizer:set_lr");
  const double lr = ln_lua_check_number(L, 2, "optimizer", "lr");
  ln_lua_check(L, ln_optimizer_set_lr(o, lr));
  return 0;
}

static int get_steps(lua_State *L) {
  lua_pushinteger(L, ln_optimizer_steps(check(L, "optimizer:get_steps")));
  return 1;
}

static int set_steps(lua_State *L) {
  ln_optimizer *o = check(L, "optimizer:set_steps");
  ln_optimizer_set_steps(o, ln_lua_check_integer(L, 2, "optimizer", "steps"));
  return 0;
}

/* optimizer:buffer(p, s) -> name, tensor: what the rule remembers for
 * parameter p, the s-th of it, both from 1; nothing where there is no more. */
static int buffer(lua_State *L) {
  static const char what[] = "optimizer:buffer";
  const ln_optimizer *o = check(L, what);
  const int64_t p = ln_lua_check_integer(L, 2, what, "p");
  const int64_t s = ln_lua_check_integer(L, 3, what, "s");
  const char *name = NULL;
  ln_tensor *t =
      p < 1 || s < 1 ? NULL : ln_optimizer_buffer(o, p - 1, s - 1, &name);
  if (!t) return 0;
  lua_pushstring(L, name);
  ln_lua_push_tensor(L, ln_tensor_retain(t));
  return 2;
}

/* core.clip_grad_norm(grads, max_norm) -> the norm before */
static int clip_grad_norm(lua_State *L) {
  static const char what[] = "optim.clip_grad_norm";
  int64_t n = 0;
  double norm = 0;
  ln_tensor **grads = ln_lua_to_tensors(L, 1, what, &n);
  const double max_norm = ln_lua_check_number(L, 2, what, "max_norm");
  ln_lua_check(L, ln_clip_grad_norm(grads, n, max_norm, &norm));
  lua_pushnumber(L, norm);
  return 1;
}

void ln_lua_open_optim(lua_State *L) {
  static const luaL_Reg functions[] = { { "optimizer", new_optimizer },
                                        { "clip_grad_norm", clip_grad_norm },
                                        { NULL, NULL } };
  static const luaL_Reg methods[] = {
    { "step", step },           { "zero_grad", zero_grad },
    { "get_lr", get_lr },       { "set_lr", set_lr },
    { "get_steps", get_steps }, { "set_steps", set_steps },
    { "buffer", buffer },       { NULL, NULL },
  };
  static const luaL_Reg none[] = { { NULL, NULL } };
  ln_lua_new_class(L, class, methods, none);
  luaL_setfuncs(L, functions, 0);
}
