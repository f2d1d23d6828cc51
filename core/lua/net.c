/* net.c - a graph of layers as a Lua object, in primitive form: values are
 * numbers; scripts/lunet/module.lua and its fellows make nets of it. */
#include <stdlib.h>

#include "lua/binding.h"

static const char class[] = "lunet.net";
static const char tap_class[] = "lunet.tap";

/* The net, and what a hook needs that is called in the midst of backward. */
typedef struct lua_net {
  ln_net *net;
  lua_State *L;     /* that runs backward now */
  bool hook_failed; /* its error lies on top of the stack of L */
} lua_net;

static void release_net(void *object) {
  lua_net *n = object;
  ln_net_free(n->net);
  free(n);
}

static lua_net *check(lua_State *L) {
  return ln_lua_check_object(L, 1, class, "net");
}

static ln_net *self(lua_State *L) {
  return check(L)->net;
}

/* core.net() */
static int new_net(lua_State *L) {
  void **out = ln_lua_push_object(L, class, release_net);
  lua_newtable(L); /* functions of the taps */
  lua_setiuservalue(L, -2, 1);
  lua_net *n = calloc(1, sizeof *n);
  if (!n) return ln_lua_fail(L, "out of memory");
  *out = n;
  ln_lua_check(L, ln_net_new(&n->net));
  return 1;
}

/* ---- the graph ----------------------------------------------------------- */

static int add_input(lua_State *L) {
  int64_t value;
  ln_lua_check(L, ln_net_add_input(self(L), &value));
  lua_pushinteger(L, value);
  return 1;
}

/* A list of values as an array; pushes one value, which keeps it alive. */
static int64_t *to_values(lua_State *L, int index, int64_t *n) {
  ln_lua_check_table(L, index, "net", "the list of values");
  *n = (int64_t)lua_rawlen(L, index);
  int64_t *values = lua_newuserdatauv(L, ((size_t)*n + 1) * sizeof *values, 0);
  for (int64_t i = 0; i < *n; i++) {
    lua_rawgeti(L, index, i + 1);
    values[i] = ln_lua_check_integer(L, -1, "net", "a value");
    lua_pop(L, 1);
  }
  return values;
}

/* net:add_layer(layer, label, { values }) -> its first output, and how many
 * outputs it has */
static int add_layer(lua_State *L) {
  ln_net *net = self(L);
  ln_instance *layer = ln_lua_check_layer(L, 2, "net:add_layer");
  const char *label = ln_lua_check_text(L, 3, "net:add_layer", "label");
  int64_t n, first;
  const int64_t *values = to_values(L, 4, &n);
  ln_lua_check(L, ln_net_add_layer(net, layer, label, values, n, &first));
  lua_pushinteger(L, first);
  lua_pushinteger(L, ln_instance_n_outputs(layer));
  return 2;
}

static int set_outputs(lua_State *L) {
  ln_net *net = self(L);
  int64_t n;
  const int64_t *values = to_values(L, 2, &n);
  ln_lua_check(L, ln_net_set_outputs(net, values, n));
  return 0;
}

static int requires_grad(lua_State *L) {
  ln_net_requires_grad(self(L), lua_toboolean(L, 2));
  return 0;
}

/* net:retain_graph(on) */
static int retain_graph(lua_State *L) {
  ln_net_retain_graph(self(L), lua_toboolean(L, 2));
  return 0;
}

/* ---- shapes -------------------------------------------------------------- */

/* net:build{ shape, ... }, with the batch */
static int build(lua_State *L) {
  ln_net *net = self(L);
  ln_lua_check_table(L, 2, "net:build", "the list of shapes");
  const size_t n = lua_rawlen(L, 2);
  ln_shape *shapes = lua_newuserdatauv(L, (n + 1) * sizeof *shapes, 0);
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    shapes[i] = ln_lua_to_shape(L, lua_gettop(L), false, "net:build");
    lua_pop(L, 1);
  }
  ln_lua_check(L, ln_net_build(net, shapes, (int64_t)n));
  return 0;
}

/* net:shape(value) -> sizes, nil before a build */
static int shape(lua_State *L) {
  ln_net *net = self(L);
  const ln_shape *s =
      ln_net_value_shape(net, ln_lua_check_integer(L, 2, "net:shape", "value"));
  if (s)
    ln_lua_push_shape(L, s);
  else
    lua_pushnil(L);
  return 1;
}

static void set_number(lua_State *L, const char *field, double v) {
  lua_pushnumber(L, v);
  lua_setfield(L, -2, field);
}

static void set_integer(lua_State *L, const char *field, int64_t v) {
  lua_pushinteger(L, v);
  lua_setfield(L, -2, field);
}

/* { { kernel, stride, pad_before, dilation }, ... }, one an axis */
static void push_window(lua_State *L, const ln_node_info *info) {
  lua_createtable(L, info->window_dims, 0);
  for (int i = 0; i < info->window_dims; i++) {
    const ln_axis *a = &info->window[i];
    lua_createtable(L, 0, 4);
    set_integer(L, "kernel", a->kernel);
    set_integer(L, "stride", a->stride);
    set_integer(L, "pad_before", a->pad_before);
    set_integer(L, "dilation", a->dilation);
    lua_rawseti(L, -2, i + 1);
  }
}

/* net:node_info(i), nodes from 1 */
static int node_info(lua_State *L) {
  ln_net *net = self(L);
  ln_node_info info;
  const int64_t i = ln_lua_check_integer(L, 2, "net:node_info", "node");
  ln_lua_check(L, ln_net_node_info(net, i - 1, &info));
  lua_createtable(L, 0, 9);
  ln_lua_push_shape(L, info.y);
  lua_setfield(L, -2, "shape");
  set_number(L, "flops", info.flops);
  set_number(L, "flops_backward", info.flops_backward);
  set_integer(L, "activation_bytes", info.activation_bytes);
  set_integer(L, "saved_bytes", info.saved_bytes);
  set_integer(L, "workspace_bytes", info.workspace_bytes);
  lua_pushstring(L, info.method);
  lua_setfield(L, -2, "method");
  if (info.window_dims) {
    push_window(L, &info);
    lua_setfield(L, -2, "window");
  }
  if (info.notice) {
    lua_pushstring(L, info.notice);
    lua_setfield(L, -2, "notice");
  }
  return 1;
}

static void add_notice(void *arg, const char *label, const char *notice) {
  lua_State *L = arg;
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_newtable(L);
  }
  lua_pushfstring(L, "%s: %s", label, notice);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

/* net:notices() -> list of "label: notice" not told before; nil: none */
static int notices(lua_State *L) {
  ln_net *net = self(L);
  lua_pushnil(L);
  ln_net_tell_notices(net, add_notice, L);
  return 1;
}

/* ---- passes -------------------------------------------------------------- */

/* Most nets have few inputs and outputs: a list of them needs no memory of
 * Lua's. */
typedef struct tensor_list {
  ln_tensor *few[8];
} tensor_list;

static ln_tensor **room_for(lua_State *L, int64_t n, tensor_list *list) {
  const int64_t few = (int64_t)(sizeof list->few / sizeof *list->few);
  if (n <= few) return list->few;
  return lua_newuserdatauv(L, (size_t)n * sizeof(ln_tensor *), 0);
}

/* The tensors from argument `first` on. nil: NULL, where that is allowed. */
static ln_tensor **arguments(lua_State *L, int first, bool nil_allowed,
                             const char *what, tensor_list *list, int64_t *n) {
  const int top = lua_gettop(L);
  *n = top - first + 1;
  ln_tensor **t = room_for(L, *n, list);
  for (int i = first; i <= top; i++) {
    t[i - first] = ln_lua_test_tensor(L, i);
    if (!t[i - first] && !(nil_allowed && lua_isnil(L, i)))
      ln_lua_fail(L, "%s: input %d must be a tensor, got %s", what,
                  i - first + 1, ln_lua_kind(L, i));
  }
  return t;
}

/* Pushes tensors that are now ours; NULL becomes nil. */
static int push_tensors(lua_State *L, ln_tensor **t, int64_t n) {
  luaL_checkstack(L, (int)n + 1, "too many tensors");
  for (int64_t i = 0; i < n; i++) {
    if (t[i])
      ln_lua_push_tensor(L, t[i]);
    else
      lua_pushnil(L);
  }
  return (int)n;
}

typedef ln_status (*upwards)(ln_net *, ln_tensor *const *, int64_t,
                             ln_tensor **);

static int pass_upwards(lua_State *L, upwards pass, const char *what) {
  ln_net *net = self(L);
  int64_t n;
  tensor_list inputs, outputs;
  const int64_t n_outputs = ln_net_n_outputs(net);
  ln_tensor **x = arguments(L, 2, false, what, &inputs, &n);
  ln_tensor **y = room_for(L, n_outputs, &outputs);
  ln_lua_check(L, pass(net, x, n, y));
  return push_tensors(L, y, n_outputs);
}

static int forward(lua_State *L) {
  return pass_upwards(L, ln_net_forward, "forward");
}

static int predict(lua_State *L) {
  return pass_upwards(L, ln_net_predict, "predict");
}

/* net:backward(dy, ...) -> dx, ..., nil where no gradient was asked for */
static int backward(lua_State *L) {
  lua_net *n = check(L);
  int64_t n_dy;
  tensor_list outputs, inputs;
  const int64_t n_dx = ln_net_n_inputs(n->net);
  ln_tensor **dy = arguments(L, 2, true, "backward", &outputs, &n_dy);
  ln_tensor **dx = room_for(L, n_dx, &inputs);
  n->L = L;
  n->hook_failed = false;
  const ln_status status = ln_net_backward(n->net, dy, n_dy, dx);
  if (n->hook_failed) return lua_error(L);
  ln_lua_check(L, status);
  return push_tensors(L, dx, n_dx);
}

/* net:find_nonfinite({ x, ... }, { dy, ... } or nil) -> node from 1 and
 * "forward" or "backward"; nil where all is finite */
static int find_nonfinite(lua_State *L) {
  lua_settop(L, 3);
  lua_net *n = check(L);
  int64_t n_x = 0, n_dy = 0, node = -1;
  bool in_backward = false;
  ln_tensor **x = ln_lua_to_tensors(L, 2, "net:find_nonfinite", &n_x);
  ln_tensor **dy = lua_isnil(L, 3)
                       ? NULL
                       : ln_lua_to_tensors(L, 3, "net:find_nonfinite", &n_dy);
  n->L = L;
  n->hook_failed = false;
  const ln_status status =
      ln_net_find_nonfinite(n->net, x, n_x, dy, n_dy, &node, &in_backward);
  if (n->hook_failed) return lua_error(L);
  ln_lua_check(L, status);
  if (node < 0) return 0;
  lua_pushinteger(L, node + 1);
  lua_pushstring(L, in_backward ? "backward" : "forward");
  return 2;
}

/* ---- taps ---------------------------------------------------------------- */

typedef struct lua_tap {
  lua_net *owner;
  ln_tap *tap;
} lua_tap;

static void free_tap(void *object) {
  free(object); /* the engine's tap lives on with its net until removed */
}

/* What the function returned: nothing, or a gradient of the same shape. */
static ln_status take_changed(lua_State *L, ln_tensor *dy) {
  char got[200], wanted[200];
  if (lua_isnil(L, -1)) return LN_OK;
  ln_tensor *changed = ln_lua_test_tensor(L, -1);
  if (!changed)
    return ln_set_error("a tap's function must return a tensor or nothing, "
                        "got a %s",
                        luaL_typename(L, -1));
  if (!ln_shape_equal(&changed->shape, &dy->shape))
    return ln_set_error("a tap's function returned shape %s, but the gradient "
                        "is %s",
                        ln_shape_text(&changed->shape, got),
                        ln_shape_text(&dy->shape, wanted));
  return changed == dy ? LN_OK : ln_tensor_copy(dy, changed);
}

/* Calls the Lua function of a tap with its tensor, which it may return
 * changed or replaced. */
static ln_status call_hook(void *arg, ln_tensor *dy) {
  const lua_tap *t = arg;
  lua_State *L = t->owner->L;
  luaL_checkstack(L, 8, NULL);
  lua_pushvalue(L, 1);
  lua_getiuservalue(L, -1, 1);
  lua_rawgetp(L, -1, t);
  ln_lua_push_tensor(L, ln_tensor_retain(dy));
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
    t->owner->hook_failed = true;
    return ln_set_error("the tap's function failed");
  }
  const ln_status s = take_changed(L, dy);
  lua_pop(L, 3);
  return s;
}

/* net:add_tap(value [, function(dy) return dy end]) */
static int add_tap(lua_State *L) {
  lua_settop(L, 3);
  lua_net *n = check(L);
  const int64_t value = ln_lua_check_integer(L, 2, "net:tap", "value");
  void **out = ln_lua_push_object(L, tap_class, free_tap);
  lua_tap *t = calloc(1, sizeof *t);
  if (!t) return ln_lua_fail(L, "out of memory");
  *out = t;
  t->owner = n;
  lua_pushvalue(L, 1); /* the tap keeps its net alive */
  lua_setiuservalue(L, 4, 1);
  const bool hooked = !lua_isnil(L, 3);
  if (hooked) {
    lua_getiuservalue(L, 1, 1);
    lua_pushvalue(L, 3);
    lua_rawsetp(L, -2, t);
    lua_pushvalue(L, 4); /* and a hooked tap stays as long as its net */
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_pop(L, 1);
  }
  ln_lua_check(
      L, ln_net_add_tap(n->net, value, hooked ? call_hook : NULL, t, &t->tap));
  return 1;
}

static lua_tap *check_tap(lua_State *L) {
  return ln_lua_check_object(L, 1, tap_class, "tap");
}

static int push_tapped(lua_State *L, ln_tensor *t) {
  if (t) return ln_lua_push_tensor(L, ln_tensor_retain(t));
  lua_pushnil(L);
  return 1;
}

static int tap_output(lua_State *L) {
  const lua_tap *t = check_tap(L);
  return push_tapped(L, t->tap ? ln_tap_output(t->tap) : NULL);
}

static int tap_gradient(lua_State *L) {
  const lua_tap *t = check_tap(L);
  return push_tapped(L, t->tap ? ln_tap_gradient(t->tap) : NULL);
}

static int tap_remove(lua_State *L) {
  lua_tap *t = check_tap(L);
  if (t->tap) ln_net_remove_tap(t->owner->net, t->tap);
  t->tap = NULL;
  return 0;
}

void ln_lua_open_net(lua_State *L) {
  static const luaL_Reg functions[] = { { "net", new_net }, { NULL, NULL } };
  static const luaL_Reg methods[] = {
    { "add_input", add_input },
    { "add_layer", add_layer },
    { "set_outputs", set_outputs },
    { "requires_grad", requires_grad },
    { "retain_graph", retain_graph },
    { "build", build },
    { "shape", shape },
    { "node_info", node_info },
    { "notices", notices },
    { "forward", forward },
    { "predict", predict },
    { "backward", backward },
    { "add_tap", add_tap },
    { "find_nonfinite", find_nonfinite },
    { NULL, NULL },
  };
  static const luaL_Reg tap_methods[] = { { "output", tap_output },
                                          { "gradient", tap_gradient },
                                          { "remove", tap_remove },
                                          { NULL, NULL } };
  static const luaL_Reg none[] = { { NULL, NULL } };
  ln_lua_new_class(L, class, methods, none);
  ln_lua_new_class(L, tap_class, tap_methods, none);
  luaL_setfuncs(L, functions, 0);
}
