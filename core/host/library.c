/* library.c - opening plugin files and checking them; see library.h. */
#include "host/library.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/temporary.h"
#include "base/text.h"
#include "host/elf.h"

/* The fields without which a struct means nothing. */
#define LEAST_PLUGIN (offsetof(ln_plugin, n_layers) + sizeof(uint32_t))
#define LEAST_LAYER                                                            \
  (offsetof(ln_layer, forward) + sizeof(((ln_layer *)0)->forward))
#define LEAST_OPTION (offsetof(ln_option, size) + sizeof(uint32_t))
#define LEAST_KERNEL                                                           \
  (offsetof(ln_kernel, backward) + sizeof(((ln_kernel *)0)->backward))

/* Copies n elements of `size` bytes into elements of this host's size. */
static void *copy_rows(const ln_array *a, size_t own_size) {
  char *rows = ln_alloc_zero(a->count * own_size);
  if (!rows) return NULL;
  size_t n = a->size < own_size ? a->size : own_size;
  for (uint32_t i = 0; i < a->count; i++)
    memcpy(rows + i * own_size, (const char *)a->at + (size_t)i * a->size, n);
  return rows;
}

/* ---- checks, each with its reason ---- */

static bool is_word(const char *s) {
  if (!s || !islower((unsigned char)*s)) return false;
  for (; *s; s++)
    if (!islower((unsigned char)*s) && !isdigit((unsigned char)*s) && *s != '_')
      return false;
  return true;
}

static ln_status check_plugin(const ln_plugin *p) {
  if (p->magic != LN_MAGIC)
    return ln_set_error("lunet_plugin_v1 begins with 0x%08" PRIX32
                        ", not with the magic 0x%08" PRIX32
                        "; end the file with LN_PLUGIN(...)",
                        p->magic, (uint32_t)LN_MAGIC);
  if (p->struct_size < LEAST_PLUGIN)
    return ln_set_error("lunet_plugin_v1 says it has %" PRIu32
                        " bytes, but needs at least %zu",
                        p->struct_size, LEAST_PLUGIN);
  if (p->pointer_size != sizeof(void *))
    return ln_set_error("it was built for pointers of %" PRIu32
                        " bytes, this program's have %zu",
                        p->pointer_size, sizeof(void *));
  if (!p->name || !p->version || !p->layers || !p->n_layers)
    return ln_set_error("lunet_plugin_v1 lacks %s", !p->name      ? "a name"
                                                    : !p->version ? "a version"
                                                                  : "layers");
  return LN_OK;
}

static ln_status check_option(const ln_layer *l, const ln_option *o) {
  if (o->type < LN_T_INT || o->type > LN_T_ONE_OF)
    return ln_set_error("layer %s: option %s has type %d, which needs a newer "
                        "Lunet than " LN_VERSION,
                        l->name, o->name ? o->name : "?", o->type);
  if (o->type == LN_T_ONE_OF) return LN_OK;
  if (!is_word(o->name) || !o->help)
    return ln_set_error("layer %s: an option lacks a name in lower_snake_case "
                        "or a help text",
                        l->name);
  if ((size_t)o->offset + o->size > l->self_size)
    return ln_set_error("layer %s: option %s lies outside its struct of %zu "
                        "bytes (offset %" PRIu32 ", size %" PRIu32 ")",
                        l->name, o->name, l->self_size, o->offset, o->size);
  if (o->type == LN_T_CHOICE && (!o->words || !o->text))
    return ln_set_error("layer %s: option %s is a choice without words or "
                        "default",
                        l->name, o->name);
  return LN_OK;
}

static ln_status check_layer(const ln_layer *l) {
  if (!is_word(l->name))
    return ln_set_error("a layer's name is %s%s%s, but must be in "
                        "lower_snake_case",
                        l->name ? "'" : "", l->name ? l->name : "missing",
                        l->name ? "'" : "");
  if (l->needs)
    return ln_set_error("layer %s needs a newer Lunet than " LN_VERSION
                        " (needs = 0x%" PRIx32 ")",
                        l->name, l->needs);
  if (l->kind != LN_PLAIN && l->kind != LN_LOSS)
    return ln_set_error("layer %s is of kind %d, which needs a newer Lunet "
                        "than " LN_VERSION,
                        l->name, l->kind);
  if (!l->forward)
    return ln_set_error("layer %s has no forward function", l->name);
  if (l->options.count && l->options.size < LEAST_OPTION)
    return ln_set_error("layer %s: its options have %" PRIu32
                        " bytes each, but need at least %zu",
                        l->name, l->options.size, LEAST_OPTION);
  if (l->kernels.count && l->kernels.size < LEAST_KERNEL)
    return ln_set_error("layer %s: its kernels have %" PRIu32
                        " bytes each, but need at least %zu",
                        l->name, l->kernels.size, LEAST_KERNEL);
  return LN_OK;
}

/* ---- copies ---- */

static void free_layer(ln_known_layer *k) {
  ln_free(k->options);
  ln_free(k->kernels);
}

/* Passes in parts have all four parts, and slices. */
static ln_status check_kernel(const ln_layer *l, const ln_kernel *k) {
  int parts = (k->forward_partial != NULL) + (k->forward_reduce != NULL) +
              (k->backward_partial != NULL) + (k->backward_reduce != NULL);
  if (parts == 0 || (parts == 4 && k->per_sample)) return LN_OK;
  return ln_set_error("layer %s: the method %s has %d of the 4 functions of "
                      "passes in parts%s; give it all four and per_sample = "
                      "1, or none",
                      l->name, k->method ? k->method : "(without a name)",
                      parts, k->per_sample ? "" : ", but not per_sample");
}

static ln_status copy_tables(ln_known_layer *k) {
  ln_layer *l = &k->layer;
  k->n_options = l->options.count;
  k->n_kernels = l->kernels.count;
  k->options = copy_rows(&l->options, sizeof(ln_option));
  k->kernels = copy_rows(&l->kernels, sizeof(ln_kernel));
  if (!k->options || !k->kernels) return LN_FAILED;
  l->options.at = k->options;
  l->options.size = sizeof(ln_option);
  l->kernels.at = k->kernels;
  l->kernels.size = sizeof(ln_kernel);
  for (int64_t i = 0; i < k->n_options; i++)
    if (check_option(l, &k->options[i])) return LN_FAILED;
  for (int64_t i = 0; i < k->n_kernels; i++)
    if (check_kernel(l, &k->kernels[i])) return LN_FAILED;
  return LN_OK;
}

static ln_status read_signatures(ln_known_layer *k) {
  ln_layer *l = &k->layer;
  if (!l->inputs) l->inputs = "x(...)";
  if (!l->outputs) l->outputs = "y(...)";
  if (ln_signature_parse(l->inputs, k->options, k->n_options, &k->inputs) ||
      ln_signature_parse(l->outputs, k->options, k->n_options, &k->outputs))
    return ln_prefix_error("layer %s: ", l->name);
  return LN_OK;
}

static ln_status copy_layer(const ln_layer *from, ln_known_layer *k) {
  *k = (ln_known_layer){ 0 };
  if (!from || from->struct_size < LEAST_LAYER)
    return ln_set_error("a layer's table has %" PRIu32
                        " bytes, but needs at least %zu; begin it with "
                        "LN_LAYER",
                        from ? from->struct_size : 0, LEAST_LAYER);
  size_t n = from->struct_size < sizeof(ln_layer) ? from->struct_size
                                                  : sizeof(ln_layer);
  memcpy(&k->layer, from, n);
  if (check_layer(&k->layer)) return LN_FAILED;
  return copy_tables(k) ? LN_FAILED : read_signatures(k);
}

static ln_status check_duplicate(const ln_library *lib, const char *name) {
  for (int64_t i = 0; i < lib->n_layers; i++)
    if (!strcmp(lib->layers[i].layer.name, name))
      return ln_set_error("two of its layers are called %s", name);
  return LN_OK;
}

/* A layer of a newer ABI is left out, and its reason kept; the others work. */
static ln_status copy_layers(ln_library *lib) {
  ln_text refused = { 0 };
  lib->layers = ln_alloc_zero(lib->plugin.n_layers * sizeof(ln_known_layer));
  if (!lib->layers) return LN_FAILED;
  for (uint32_t i = 0; i < lib->plugin.n_layers; i++) {
    ln_known_layer *k = &lib->layers[lib->n_layers];
    bool good = !copy_layer(lib->plugin.layers[i], k) &&
                !check_duplicate(lib, k->layer.name);
    if (good) {
      k->library = lib;
      lib->n_layers++;
    } else {
      ln_text_add(&refused, "%s%s", refused.length ? "; " : "", ln_error());
      free_layer(k);
      *k = (ln_known_layer){ 0 };
    }
  }
  if (refused.length) lib->refused = ln_copy_text(ln_text_get(&refused));
  ln_text_free(&refused);
  return lib->n_layers ? LN_OK : ln_set_error("%s", lib->refused);
}

/* ---- opening ---- */

static ln_status no_symbol(void *handle) {
  if (dlsym(handle, "lunet_plugin_v2"))
    return ln_set_error("it was built for layer ABI 2, this is 1.%d",
                        LN_ABI_MINOR);
  return ln_set_error("it has no symbol lunet_plugin_v1, so it is no plugin; "
                      "end the file with LN_PLUGIN(...)");
}

/* dlopen's own reason begins with the path, which the caller names anyway. */
static ln_status open_failed(const char *path) {
  const char *reason = dlerror();
  size_t n = strlen(path);
  if (reason && !strncmp(reason, path, n) && reason[n] == ':') reason += n + 2;
  return ln_set_error("it cannot be opened: %s", reason ? reason : "?");
}

static ln_status fill_library(ln_library *lib) {
  const ln_plugin *p = dlsym(lib->handle, "lunet_plugin_v1");
  if (!p) return no_symbol(lib->handle);
  if (check_plugin(p)) return LN_FAILED;
  memcpy(&lib->plugin, p,
         p->struct_size < sizeof *p ? p->struct_size : sizeof *p);
  return copy_layers(lib);
}

ln_status ln_library_open(const char *path, ln_library **out) {
  if (ln_elf_check(path)) return LN_FAILED;
  ln_library *lib = ln_alloc_zero(sizeof *lib);
  if (!lib || !(lib->path = realpath(path, NULL))) {
    ln_free(lib);
    return ln_set_error("its path cannot be resolved");
  }
  lib->handle = dlopen(lib->path, RTLD_NOW | RTLD_LOCAL);
  if (!lib->handle ? open_failed(lib->path) : fill_library(lib)) {
    ln_library_free(lib);
    return LN_FAILED;
  }
  *out = lib;
  return LN_OK;
}

/* ---- private copies ---- */

static bool copy_bytes(FILE *from, FILE *to) {
  char buffer[1 << 16];
  size_t n;
  while ((n = fread(buffer, 1, sizeof buffer, from)) > 0)
    if (fwrite(buffer, 1, n, to) != n) return false;
  return !ferror(from);
}

static ln_status copy_file(const char *file, const char *copy) {
  FILE *from = fopen(file, "rb"), *to = fopen(copy, "wb");
  bool done = from && to && copy_bytes(from, to);
  if (from) fclose(from);
  if (to && fclose(to)) done = false;
  return done ? LN_OK
              : ln_set_error("it cannot be copied to %s, where it would be "
                             "opened; TMPDIR names another folder",
                             copy);
}

/* The loader takes a name that it knows for the library that it knows: so no
 * name is used twice. */
ln_status ln_library_open_copy(const char *file, const char *origin,
                               ln_library **out) {
  static int copies;
  ln_text folder = { 0 }, copy = { 0 };
  ln_text_add(&folder, "%s/lunet-XXXXXX", ln_temporary_place());
  if (!folder.s || !mkdtemp(folder.s)) {
    ln_text_free(&folder);
    return ln_set_error("no folder for a private copy of it can be made");
  }
  ln_text_add(&copy, "%s/copy-%d.so", folder.s, ++copies);
  ln_status s = copy_file(file, ln_text_get(&copy));
  if (!s) s = ln_library_open(ln_text_get(&copy), out);
  unlink(ln_text_get(&copy));
  rmdir(folder.s);
  ln_text_free(&copy);
  ln_text_free(&folder);
  if (s) return s;
  free((*out)->path);
  (*out)->path = realpath(origin, NULL);
  if ((*out)->path) return LN_OK;
  ln_library_free(*out);
  return ln_set_error("its path cannot be resolved");
}

/* Frees the host's copies; the code itself stays mapped. */
void ln_library_free(ln_library *lib) {
  if (!lib) return;
  for (int64_t i = 0; i < lib->n_layers; i++) free_layer(&lib->layers[i]);
  ln_free(lib->layers);
  ln_free(lib->refused);
  free(lib->path);
  ln_free(lib);
}
