/* system.c - what the Lua half needs of the system beyond Lua's own library:
 * a clock, files and folders, where the program lies, and whether a terminal
 * listens. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "lua/binding.h"

/* core.clock() -> seconds, since an open moment; never set back. */
static int read_clock(lua_State *L) {
  lua_pushnumber(L, ln_seconds());
  return 1;
}

/* core.is_terminal(): does standard output go to one? */
static int is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty(STDOUT_FILENO));
  return 1;
}

/* core.file_stamp(path) -> a text that is another one once the file has been
 * written to or replaced; nil: there is no such file */
static int file_stamp(lua_State *L) {
  struct stat s;
  if (stat(ln_lua_check_text(L, 1, "core.file_stamp", "path"), &s)) return 0;
  lua_pushfstring(L, "%I.%I %I %I", (lua_Integer)s.st_mtim.tv_sec,
                  (lua_Integer)s.st_mtim.tv_nsec, (lua_Integer)s.st_size,
                  (lua_Integer)s.st_ino);
  return 1;
}

/* core.program() -> the path of the running program; nil: unknown. */
static int program(lua_State *L) {
  char path[PATH_MAX];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  if (n < 0) return 0;
  lua_pushlstring(L, path, (size_t)n);
  return 1;
}

static void close_folder(void *folder) {
  closedir(folder);
}

/* Pushes a list of the names, without the hidden ones. */
static void push_names(lua_State *L, DIR *folder) {
  lua_newtable(L);
  lua_Integer n = 0;
  const struct dirent *entry;
  while ((entry = readdir(folder))) {
    if (entry->d_name[0] == '.') continue;
    lua_pushstring(L, entry->d_name);
    lua_rawseti(L, -2, ++n);
  }
}

static int compare_texts(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Pushes the list on the top once more, sorted. */
static void push_sorted(lua_State *L) {
  const size_t n = lua_rawlen(L, -1);
  const char **texts = lua_newuserdatauv(L, (n + 1) * sizeof *texts, 0);
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, -2, (lua_Integer)i + 1);
    texts[i] = lua_tostring(L, -1);
    lua_pop(L, 1); /* the list keeps it */
  }
  qsort(texts, n, sizeof *texts, compare_texts);
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    lua_pushstring(L, texts[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

/* core.list_folder(path) -> the names in it, sorted; nil and the reason where
 * there is no such folder. */
static int list_folder(lua_State *L) {
  const char *path = ln_lua_check_text(L, 1, "core.list_folder", "path");
  void **folder = ln_lua_guard(L, close_folder);
  *folder = opendir(path);
  if (!*folder) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, strerror(errno));
    return 2;
  }
  push_names(L, *folder);
  push_sorted(L);
  return 1;
}

void ln_lua_open_system(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "clock", read_clock },        { "is_terminal", is_terminal },
    { "program", program },         { "file_stamp", file_stamp },
    { "list_folder", list_folder }, { NULL, NULL }
  };
  luaL_setfuncs(L, functions, 0);
}
