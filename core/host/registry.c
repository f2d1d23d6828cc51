/* registry.c - loaded layers by word, and the search for plugin files.
 *
 * Folders, in this order: LUNET_PLUGIN_PATH (several, with : between); the
 * folder `plugins` beside this program or module (the build tree); the user's
 * ~/.local/lib/lunet/plugins; the system's. A word is first looked for as
 * word.so; only when that fails are the folders scanned. */
#include "host/registry.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"

#define MAX_FOLDERS 64

static ln_library **libraries;
static int64_t n_libraries;
static ln_library *replaced; /* the first of all */
static uint64_t generation = 1;

uint64_t ln_host_generation(void) {
  return generation;
}

void ln_host_bump_generation(void) {
  generation++;
}

/* ---- what is loaded ---- */

static const ln_known_layer *find_loaded(const char *word) {
  for (int64_t i = 0; i < n_libraries; i++)
    for (int64_t k = 0; k < libraries[i]->n_layers; k++)
      if (!strcmp(libraries[i]->layers[k].layer.name, word))
        return &libraries[i]->layers[k];
  return NULL;
}

static const ln_library *find_path(const char *path) {
  char *whole = realpath(path, NULL);
  const ln_library *found = NULL;
  for (int64_t i = 0; whole && i < n_libraries; i++)
    if (!strcmp(libraries[i]->path, whole)) found = libraries[i];
  free(whole);
  return found;
}

static ln_status check_words_free(const ln_library *lib) {
  for (int64_t i = 0; i < lib->n_layers; i++) {
    const char *name = lib->layers[i].layer.name;
    const ln_known_layer *other = find_loaded(name);
    if (other)
      return ln_set_error("its layer %s is already there, from %s", name,
                          other->library->path);
  }
  return LN_OK;
}

static ln_status keep_library(ln_library *lib) {
  ln_library **more = ln_alloc((size_t)(n_libraries + 1) * sizeof *more);
  if (!more || check_words_free(lib)) {
    ln_free(more);
    ln_library_free(lib);
    return LN_FAILED;
  }
  if (n_libraries) memcpy(more, libraries, (size_t)n_libraries * sizeof *more);
  more[n_libraries++] = lib;
  ln_free(libraries);
  libraries = more;
  return LN_OK;
}

/* ---- other code for the same words ---- */

bool ln_registry_replaces(const ln_library *lib, const ln_library *old) {
  if (!strcmp(lib->path, old->path)) return true;
  for (int64_t i = 0; i < lib->n_layers; i++)
    for (int64_t k = 0; k < old->n_layers; k++)
      if (!strcmp(lib->layers[i].layer.name, old->layers[k].layer.name))
        return true;
  return false;
}

ln_status ln_registry_replace(ln_library *lib) {
  ln_library **more = ln_alloc((size_t)(n_libraries + 1) * sizeof *more);
  int64_t n = 0;
  if (!more) return LN_FAILED;
  for (int64_t i = 0; i < n_libraries; i++) {
    if (!ln_registry_replaces(lib, libraries[i])) {
      more[n++] = libraries[i];
      continue;
    }
    libraries[i]->next = replaced;
    replaced = libraries[i];
  }
  more[n++] = lib;
  ln_free(libraries);
  libraries = more;
  n_libraries = n;
  generation++;
  return LN_OK;
}

static ln_status load(const char *path, const ln_library **out) {
  const ln_library *known = find_path(path);
  ln_library *lib = NULL;
  if (!known && (ln_library_open(path, &lib) || keep_library(lib)))
    return LN_FAILED;
  *out = known ? known : lib;
  return LN_OK;
}

ln_status ln_plugins_load(const char *path, const ln_plugin **out) {
  const ln_library *lib;
  if (load(path, &lib)) return ln_prefix_error("plugin %s refused: ", path);
  *out = &lib->plugin;
  return LN_OK;
}

/* ---- folders ---- */

typedef struct folders {
  int count;
  char *path[MAX_FOLDERS];
} folders;

static void add_folder(folders *f, const char *folder, const char *rest) {
  ln_text t = { 0 };
  ln_text_add(&t, "%s%s", folder, rest);
  char *copy = f->count < MAX_FOLDERS ? ln_copy_text(ln_text_get(&t)) : NULL;
  if (copy) f->path[f->count++] = copy;
  ln_text_free(&t);
}

static void add_environment(folders *f) {
  const char *list = getenv("LUNET_PLUGIN_PATH");
  char *copy = list ? ln_copy_text(list) : NULL, *rest = copy, *one;
  while (rest && (one = strsep(&rest, ":")))
    if (*one) add_folder(f, one, "");
  ln_free(copy);
}

/* The program or the Lua module that holds this very function. */
static void add_beside_program(folders *f) {
  Dl_info info;
  if (!dladdr((void *)(uintptr_t)&ln_host_generation, &info)) return;
  char *whole = realpath(info.dli_fname, NULL);
  char *slash = whole ? strrchr(whole, '/') : NULL;
  if (slash) {
    *slash = 0;
    add_folder(f, whole, "/plugins");
  }
  free(whole);
}

static void find_folders(folders *f) {
  f->count = 0;
  add_environment(f);
  add_beside_program(f);
  const char *home = getenv("HOME");
  if (home && *home) add_folder(f, home, "/.local/lib/lunet/plugins");
  add_folder(f, LN_PLUGIN_FOLDER, "");
}

static void free_folders(folders *f) {
  for (int i = 0; i < f->count; i++) ln_free(f->path[i]);
}

static bool ends_with_so(const char *name) {
  size_t n = strlen(name);
  return n > 3 && !strcmp(name + n - 3, ".so");
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

/* Calls `each` with the path of every .so of every folder, in order. */
static void scan(const folders *f, void (*each)(void *arg, const char *path),
                 void *arg) {
  for (int i = 0; i < f->count; i++) {
    struct dirent **names;
    int n = scandir(f->path[i], &names, NULL, by_name);
    for (int k = 0; k < n; k++) {
      if (ends_with_so(names[k]->d_name)) {
        ln_text path = { 0 };
        ln_text_add(&path, "%s/%s", f->path[i], names[k]->d_name);
        each(arg, ln_text_get(&path));
        ln_text_free(&path);
      }
      free(names[k]);
    }
    if (n >= 0) free(names);
  }
}

/* ---- the search for a word ---- */

typedef struct search {
  ln_text refused;
  int n_refused;
} search;

static void try_file(void *arg, const char *path) {
  search *s = arg;
  const ln_library *lib;
  if (find_path(path) || !load(path, &lib)) return;
  ln_text_add(&s->refused, "\n    %s: %s", path, ln_error());
  s->n_refused++;
}

static void try_own_file(const folders *f, const char *word, search *s) {
  for (int i = 0; i < f->count && !find_loaded(word); i++) {
    ln_text path = { 0 };
    ln_text_add(&path, "%s/%s.so", f->path[i], word);
    if (!access(ln_text_get(&path), F_OK)) try_file(s, ln_text_get(&path));
    ln_text_free(&path);
  }
}

#define MOST_WORDS 1024

static int by_word(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The words of all loaded layers, in order. */
static int64_t loaded_words(const char **words) {
  int64_t n = 0;
  for (int64_t i = 0; i < n_libraries; i++)
    for (int64_t k = 0; k < libraries[i]->n_layers && n < MOST_WORDS; k++)
      words[n++] = libraries[i]->layers[k].layer.name;
  qsort(words, (size_t)n, sizeof *words, by_word);
  return n;
}

static ln_status unknown_word(const char *word, const folders *f,
                              const search *s) {
  ln_text t = { 0 };
  ln_text_add(&t, "unknown layer '%.60s'", word);
  const char *words[MOST_WORDS];
  int64_t n = loaded_words(words);
  const char *near = ln_nearest_word(word, words, n);
  if (near) ln_text_add(&t, "; did you mean '%s'?", near);
  if (n) ln_text_add(&t, "\n  layers: ");
  for (int64_t i = 0; i < n; i++)
    ln_text_add(&t, "%s%s", i ? ", " : "", words[i]);
  ln_text_add(&t, "\n  searched in:");
  for (int i = 0; i < f->count; i++) ln_text_add(&t, "\n    %s", f->path[i]);
  if (s->n_refused) ln_text_add(&t, "\n  refused:%s", ln_text_get(&s->refused));
  ln_set_error("%s", ln_text_get(&t));
  ln_text_free(&t);
  return LN_FAILED;
}

ln_status ln_registry_find(const char *word, const ln_known_layer **out) {
  if ((*out = find_loaded(word))) return LN_OK;
  folders f;
  search s = { 0 };
  find_folders(&f);
  try_own_file(&f, word, &s);
  if (!find_loaded(word)) {
    ln_text_free(&s.refused);
    s = (search){ 0 };
    scan(&f, try_file, &s);
  }
  *out = find_loaded(word);
  ln_status status = *out ? LN_OK : unknown_word(word, &f, &s);
  ln_text_free(&s.refused);
  free_folders(&f);
  return status;
}

ln_status ln_plugins_find(const char *word, const ln_layer **out) {
  const ln_known_layer *k;
  if (ln_registry_find(word, &k)) return LN_FAILED;
  *out = &k->layer;
  return LN_OK;
}

const char *ln_plugins_path(const char *word) {
  const ln_known_layer *k = find_loaded(word);
  return k ? k->library->path : NULL;
}

/* ---- the list of all ---- */

typedef struct listing {
  void (*each)(void *, const char *, const ln_plugin *, const ln_layer *,
               const char *);
  void *arg;
} listing;

static void list_library(const listing *l, const ln_library *lib) {
  for (int64_t i = 0; i < lib->n_layers; i++)
    l->each(l->arg, lib->path, &lib->plugin, &lib->layers[i].layer, NULL);
  if (lib->refused)
    l->each(l->arg, lib->path, &lib->plugin, NULL, lib->refused);
}

static void list_refused(void *arg, const char *path) {
  const listing *l = arg;
  const ln_library *lib;
  if (!find_path(path) && load(path, &lib))
    l->each(l->arg, path, NULL, NULL, ln_error());
}

ln_status ln_plugins_list(void (*each)(void *arg, const char *path,
                                       const ln_plugin *plugin,
                                       const ln_layer *layer,
                                       const char *refused),
                          void *arg) {
  folders f;
  listing l = { each, arg };
  find_folders(&f);
  scan(&f, list_refused, &l);
  for (int64_t i = 0; i < n_libraries; i++) list_library(&l, libraries[i]);
  free_folders(&f);
  return LN_OK;
}
