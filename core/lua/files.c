/* files.c - tensors to and from files. The suffix of the name says which
 * format; what the formats are is the business of core/files. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "files/file.h"
#include "lua/binding.h"

/* ---- tables of tensors --------------------------------------------------- */

static void free_table(void *table) {
  ln_tensor_table_free(table);
  free(table);
}

/* Pushes a guard that holds an empty table. */
static ln_tensor_table *push_empty(lua_State *L) {
  void **guard = ln_lua_guard(L, free_table);
  *guard = calloc(1, sizeof(ln_tensor_table));
  if (!*guard) ln_lua_fail(L, "out of memory");
  return *guard;
}

static void push_tensor_table(lua_State *L, const ln_tensor_table *table) {
  lua_createtable(L, 0, (int)table->count);
  for (int64_t i = 0; i < table->count; i++) {
    ln_lua_push_tensor(L, ln_tensor_retain(table->tensors[i]));
    lua_setfield(L, -2, table->names[i]);
  }
}

/* The number of entries of { name = tensor, ... }, all of which are that. */
static size_t count_tensors(lua_State *L, int index, const char *what) {
  size_t n = 0;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING)
      ln_lua_fail(L, "%s: expected a table name -> tensor, but a name is %s",
                  what, ln_lua_kind(L, -2));
    const char *name = lua_tostring(L, -2);
    if (!ln_lua_test_tensor(L, -1))
      ln_lua_fail(L, "%s: '%s' must be a tensor, got %s", what, name,
                  ln_lua_kind(L, -1));
    n++;
  }
  return n;
}

/* The table at `index`; its names and tensors stay Lua's. Pushes a value that
 * keeps the arrays alive. */
static ln_tensor_table to_tensor_table(lua_State *L, int index,
                                       const char *what) {
  ln_lua_check_table(L, index, what, "x");
  const size_t n = count_tensors(L, index, what);
  char **names = lua_newuserdatauv(L, (n + 1) * 2 * sizeof(char *), 0);
  ln_tensor **tensors = (ln_tensor **)(void *)(names + n + 1);
  ln_tensor_table table = { 0, names, tensors };
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    names[table.count] = (char *)(uintptr_t)lua_tostring(L, -2);
    tensors[table.count++] = ln_lua_test_tensor(L, -1);
  }
  return table;
}

/* ---- safetensors, with metadata ------------------------------------------ */

/* Pushes the table and the metadata text (nil: none). */
static void push_safetensors(lua_State *L, const char *path) {
  ln_tensor_table *table = push_empty(L);
  void **guard = ln_lua_guard(L, free);
  char *metadata = NULL;
  ln_lua_check(L, ln_safetensors_read(path, table, &metadata));
  *guard = metadata;
  push_tensor_table(L, table);
  lua_pushstring(L, metadata);
}

/* core.load_safetensors(path) -> table, metadata text or nil */
static int load_safetensors(lua_State *L) {
  static const char what[] = "core.load_safetensors";
  push_safetensors(L, ln_lua_check_text(L, 1, what, "path"));
  return 2;
}

/* core.save_safetensors(path, table [, metadata text]) */
static int save_safetensors(lua_State *L) {
  static const char what[] = "core.save_safetensors";
  const char *path = ln_lua_check_text(L, 1, what, "path");
  const char *metadata =
      lua_isnoneornil(L, 3) ? NULL : ln_lua_check_text(L, 3, what, "metadata");
  const ln_tensor_table table = to_tensor_table(L, 2, what);
  ln_lua_check(L, ln_safetensors_write(path, &table, metadata));
  return 0;
}

/* ---- lunet.load and lunet.save ------------------------------------------- */

static void load_npy(lua_State *L, const char *path) {
  ln_tensor *t = NULL;
  ln_lua_check(L, ln_npy_read(path, &t));
  ln_lua_push_tensor(L, t);
}

static void save_npy(lua_State *L, const char *path) {
  ln_lua_check(L, ln_npy_write(path, ln_lua_check_tensor(L, 2, "lunet.save")));
}

static void load_npz(lua_State *L, const char *path) {
  ln_tensor_table *table = push_empty(L);
  ln_lua_check(L, ln_npz_read(path, table));
  push_tensor_table(L, table);
}

static void save_npz(lua_State *L, const char *path) {
  const ln_tensor_table table = to_tensor_table(L, 2, "lunet.save");
  ln_lua_check(L, ln_npz_write(path, &table));
}

static void load_tensors(lua_State *L, const char *path) {
  push_safetensors(L, path);
  lua_pop(L, 1);
}

static void save_tensors(lua_State *L, const char *path) {
  const ln_tensor_table table = to_tensor_table(L, 2, "lunet.save");
  ln_lua_check(L, ln_safetensors_write(path, &table, NULL));
}

static void load_png(lua_State *L, const char *path) {
  ln_tensor *t = NULL;
  ln_lua_check(L, ln_png_read(path, &t));
  ln_lua_push_tensor(L, t);
}

static void save_png(lua_State *L, const char *path) {
  ln_lua_check(L, ln_png_write(path, ln_lua_check_tensor(L, 2, "lunet.save")));
}

typedef struct format {
  const char *suffix;
  void (*load)(lua_State *L, const char *path); /* pushes what was read */
  void (*save)(lua_State *L, const char *path); /* the value at 2 */
} format;

static const format formats[] = {
  { ".npy", load_npy, save_npy },
  { ".npz", load_npz, save_npz },
  { ".safetensors", load_tensors, save_tensors },
  { ".png", load_png, save_png },
};

static const format *find_format(lua_State *L, const char *path,
                                 const char *what) {
  const char *dot = strrchr(path, '.');
  for (size_t i = 0; dot && i < sizeof formats / sizeof *formats; i++)
    if (strcasecmp(dot, formats[i].suffix) == 0) return &formats[i];
  ln_lua_fail(L,
              "%s: '%s' has none of the known suffixes: .npy (a tensor), "
              ".npz and .safetensors (a table name -> tensor), .png (an "
              "image (C,H,W))",
              what, path);
  return NULL;
}

/* core.load(path) -> a tensor, or a table name -> tensor */
static int load(lua_State *L) {
  const char *path = ln_lua_check_text(L, 1, "lunet.load", "path");
  find_format(L, path, "lunet.load")->load(L, path);
  return 1;
}

/* core.save(path, x) */
static int save(lua_State *L) {
  lua_settop(L, 2);
  const char *path = ln_lua_check_text(L, 1, "lunet.save", "path");
  find_format(L, path, "lunet.save")->save(L, path);
  return 0;
}

/* core.save_text(path, text): the file takes its name once it is whole */
static int save_text(lua_State *L) {
  static const char what[] = "core.save_text";
  size_t size = 0;
  ln_lua_check_text(L, 2, what, "text");
  const char *text = lua_tolstring(L, 2, &size);
  ln_new_file file;
  ln_new_file_open(&file, ln_lua_check_text(L, 1, what, "path"));
  ln_new_file_write(&file, text, size);
  ln_lua_check(L, ln_new_file_commit(&file));
  return 0;
}

void ln_lua_open_files(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "load", load },
    { "save", save },
    { "load_safetensors", load_safetensors },
    { "save_safetensors", save_safetensors },
    { "save_text", save_text },
    { NULL, NULL },
  };
  luaL_setfuncs(L, functions, 0);
}
