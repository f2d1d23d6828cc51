/* data.c - datasets and loaders as Lua objects, in primitive form; what users
 * see is made of it in scripts/lunet/data.lua. */
#include "lua/binding.h"

static const char dataset_class[] = "lunet.dataset";
static const char loader_class[] = "lunet.loader";

/* ---- datasets ------------------------------------------------------------ */

static void release_dataset(void *dataset) {
  ln_dataset_release(dataset);
}

static ln_dataset **push_dataset(lua_State *L) {
  return (ln_dataset **)ln_lua_push_object(L, dataset_class, release_dataset);
}

static ln_dataset *check_dataset(lua_State *L, const char *what) {
  return ln_lua_check_object(L, 1, dataset_class, what);
}

/* core.dataset_tensors(x, labels) */
static int from_tensors(lua_State *L) {
  ln_tensor *x = ln_lua_check_tensor(L, 1, "data.tensors");
  ln_tensor *labels = ln_lua_check_tensor(L, 2, "data.tensors");
  ln_lua_check(L, ln_dataset_from_tensors(x, labels, push_dataset(L)));
  return 1;
}

static const uint8_t *check_bytes(lua_State *L, int index, const char *name,
                                  int64_t wanted) {
  static const char what[] = "core.dataset_bytes";
  size_t length = 0;
  ln_lua_check_text(L, index, what, name);
  const char *bytes = lua_tolstring(L, index, &length);
  if ((int64_t)length != wanted)
    ln_lua_fail(L, "%s: %s has %I bytes, but must have %I", what, name,
                (lua_Integer)length, (lua_Integer)wanted);
  return (const uint8_t *)bytes;
}

/* core.dataset_bytes(bytes, labels, item_shape, divisor): two strings, one
 * byte a value; there are as many items as bytes in `labels`. */
static int from_bytes(lua_State *L) {
  static const char what[] = "core.dataset_bytes";
  ln_lua_check_text(L, 2, what, "labels");
  const int64_t count = (int64_t)lua_rawlen(L, 2);
  ln_shape all = ln_lua_to_shape(L, 3, false, what);
  const ln_shape item = all;
  if (all.rank == LN_MAX_DIMS)
    ln_lua_fail(L, "%s: an item may have %d dims at most", what,
                LN_MAX_DIMS - 1);
  all.dim[all.rank++] = count;
  int64_t n_bytes = 0;
  ln_lua_check(L, ln_shape_count(&all, &n_bytes));
  const uint8_t *bytes = check_bytes(L, 1, "bytes", n_bytes);
  const uint8_t *labels = check_bytes(L, 2, "labels", count);
  const double divisor = ln_lua_check_number(L, 4, what, "divisor");
  ln_lua_check(L, ln_dataset_from_bytes(bytes, labels, count, &item,
                                        (float)divisor, push_dataset(L)));
  return 1;
}

/* core.dataset_idx(images, labels): two paths */
static int from_idx(lua_State *L) {
  static const char what[] = "core.dataset_idx";
  const char *images = ln_lua_check_text(L, 1, what, "images");
  const char *labels = ln_lua_check_text(L, 2, what, "labels");
  ln_lua_check(L, ln_dataset_read_idx(images, labels, push_dataset(L)));
  return 1;
}

/* core.dataset_npy(path, labels) */
static int from_npy(lua_State *L) {
  const char *path = ln_lua_check_text(L, 1, "data.npy", "x");
  ln_tensor *labels = ln_lua_check_tensor(L, 2, "data.npy");
  ln_lua_check(L, ln_dataset_stream_npy(path, labels, push_dataset(L)));
  return 1;
}

/* core.dataset_cifar10{ path, ... } */
static int from_cifar10(lua_State *L) {
  static const char what[] = "core.dataset_cifar10";
  ln_lua_check_table(L, 1, what, "the list of paths");
  const size_t n = lua_rawlen(L, 1);
  const char **paths = lua_newuserdatauv(L, (n + 1) * sizeof *paths, 0);
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, 1, (lua_Integer)i + 1);
    paths[i] = ln_lua_check_text(L, -1, what, "a path");
    lua_pop(L, 1); /* the list keeps it */
  }
  ln_lua_check(L, ln_dataset_read_cifar10(paths, (int64_t)n, push_dataset(L)));
  return 1;
}

/* Reads { 3, 1, 2 }, places from 1, and pushes them as an array from 0. */
static int64_t *push_order(lua_State *L, int index, const ln_dataset *dataset,
                           const char *what, int64_t *n) {
  ln_lua_check_table(L, index, what, "the list of places");
  const int64_t count = ln_dataset_count(dataset);
  *n = (int64_t)lua_rawlen(L, index);
  int64_t *order = lua_newuserdatauv(L, ((size_t)*n + 1) * sizeof *order, 0);
  for (int64_t i = 0; i < *n; i++) {
    lua_rawgeti(L, index, i + 1);
    order[i] = ln_lua_check_integer(L, -1, what, "a place") - 1;
    if (order[i] < 0 || order[i] >= count)
      ln_lua_fail(L, "%s: there is no item %I; the dataset has %I (1..%I)",
                  what, (lua_Integer)order[i] + 1, (lua_Integer)count,
                  (lua_Integer)count);
    lua_pop(L, 1);
  }
  return order;
}

static int count(lua_State *L) {
  lua_pushinteger(L, ln_dataset_count(check_dataset(L, "dataset:count")));
  return 1;
}

static int item_shape(lua_State *L) {
  const ln_dataset *dataset = check_dataset(L, "dataset:item_shape");
  ln_lua_push_shape(L, ln_dataset_item_shape(dataset));
  return 1;
}

static int push_batch(lua_State *L, ln_tensor *x, ln_tensor *labels) {
  ln_lua_push_tensor(L, x);
  ln_lua_push_tensor(L, labels);
  return 2;
}

/* dataset:gather{ 3, 1, 2 } -> x, labels */
static int gather(lua_State *L) {
  static const char what[] = "dataset:gather";
  const ln_dataset *dataset = check_dataset(L, what);
  int64_t n = 0;
  const int64_t *order = push_order(L, 2, dataset, what, &n);
  ln_tensor *x = NULL, *labels = NULL;
  ln_lua_check(L, ln_dataset_gather(dataset, order, n, &x, &labels));
  return push_batch(L, x, labels);
}

/* dataset:labels{ 3, 1, 2 } -> labels */
static int labels_of(lua_State *L) {
  static const char what[] = "dataset:labels";
  const ln_dataset *dataset = check_dataset(L, what);
  int64_t n = 0;
  const int64_t *order = push_order(L, 2, dataset, what, &n);
  ln_tensor *labels = NULL;
  ln_lua_check(L, ln_dataset_labels(dataset, order, n, &labels));
  ln_lua_push_tensor(L, labels);
  return 1;
}

/* ---- loaders ------------------------------------------------------------- */

static void free_loader(void *loader) {
  ln_loader_free(loader);
}

/* core.loader(dataset, order, batch_size, drop_last) */
static int new_loader(lua_State *L) {
  static const char what[] = "core.loader";
  ln_dataset *dataset = check_dataset(L, what);
  int64_t n = 0;
  const int64_t *order = push_order(L, 2, dataset, what, &n);
  const int64_t size = ln_lua_check_integer(L, 3, what, "batch_size");
  ln_loader **out =
      (ln_loader **)ln_lua_push_object(L, loader_class, free_loader);
  lua_pushvalue(L, 1); /* the loader keeps its dataset alive */
  lua_setiuservalue(L, -2, 1);
  ln_lua_check(
      L, ln_loader_new(dataset, order, n, size, lua_toboolean(L, 4), out));
  return 1;
}

/* loader:next() -> x, labels; nil at the end */
static int next(lua_State *L) {
  ln_loader *loader = ln_lua_check_object(L, 1, loader_class, "loader:next");
  ln_tensor *x = NULL, *labels = NULL;
  ln_lua_check(L, ln_loader_next(loader, &x, &labels));
  if (x) return push_batch(L, x, labels);
  lua_pushnil(L);
  return 1;
}

void ln_lua_open_data(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "dataset_tensors", from_tensors },
    { "dataset_bytes", from_bytes },
    { "dataset_idx", from_idx },
    { "dataset_cifar10", from_cifar10 },
    { "dataset_npy", from_npy },
    { "loader", new_loader },
    { NULL, NULL },
  };
  static const luaL_Reg dataset_methods[] = { { "count", count },
                                              { "item_shape", item_shape },
                                              { "gather", gather },
                                              { "labels", labels_of },
                                              { NULL, NULL } };
  static const luaL_Reg loader_methods[] = { { "next", next }, { NULL, NULL } };
  static const luaL_Reg none[] = { { NULL, NULL } };
  ln_lua_new_class(L, dataset_class, dataset_methods, none);
  ln_lua_new_class(L, loader_class, loader_methods, none);
  luaL_setfuncs(L, functions, 0);
}
