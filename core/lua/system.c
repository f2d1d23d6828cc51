/* system.c - what the Lua half needs of the system beyond Lua's own library:
 * a clock, files and folders, where the program lies, and whether a terminal
 * listens, of what size. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

/* core.is_typed(): does standard input come from a terminal? */
static int is_typed(lua_State *L) {
  lua_pushboolean(L, isatty(STDIN_FILENO));
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

/* core.terminal_size() -> columns and rows of the terminal that standard
 * output goes to; 80 and 24 where there is none, or it does not say. And how
 * many pixels wide it is, 0: it does not say. */
static int terminal_size(lua_State *L) {
  struct winsize size;
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
                     size.ws_col > 0 && size.ws_row > 0;
  lua_pushinteger(L, known ? size.ws_col : 80);
  lua_pushinteger(L, known ? size.ws_row : 24);
  lua_pushinteger(L, known ? size.ws_xpixel : 0);
  return 3;
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

/* core.make_folder(path): with all folders above it, for this user alone;
 * true, or nil and the reason. */
static int make_folder(lua_State *L) {
  char path[PATH_MAX];
  const char *given = ln_lua_check_text(L, 1, "core.make_folder", "path");
  if (strlen(given) >= sizeof path)
    return ln_lua_fail(L, "core.make_folder: the path is too long");
  strcpy(path, given);
  for (char *end = path; end;) {
    end = strchr(end + 1, '/');
    if (end) *end = 0;
    if (mkdir(path, 0700) && errno != EEXIST) {
      lua_pushnil(L);
      lua_pushfstring(L, "%s: %s", path, strerror(errno));
      return 2;
    }
    if (end) *end = '/';
  }
  lua_pushboolean(L, true);
  return 1;
}

/* core.is_folder(path) */
static int is_folder(lua_State *L) {
  struct stat about;
  const char *path = ln_lua_check_text(L, 1, "core.is_folder", "path");
  lua_pushboolean(L, stat(path, &about) == 0 && S_ISDIR(about.st_mode));
  return 1;
}

void ln_lua_open_system(lua_State *L) {
  static const luaL_Reg functions[] = { { "clock", read_clock },
                                        { "is_terminal", is_terminal },
                                        { "is_typed", is_typed },
                                        { "terminal_size", terminal_size },
                                        { "program", program },
                                        { "file_stamp", file_stamp },
                                        { "list_folder", list_folder },
                                        { "make_folder", make_folder },
                                        { "is_folder", is_folder },
                                        { NULL, NULL } };
  luaL_setfuncs(L, functions, 0);
}
