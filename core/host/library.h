/* library.h - plugin files: opening one, checking what it offers, and copying
 * its tables into the host's own structs, so that no other code has to ask
 * how new a plugin is. */
#ifndef LUNET_HOST_LIBRARY_H
#define LUNET_HOST_LIBRARY_H

#include <lunet/lunet.h>

#include "host/signature.h"

typedef struct ln_library ln_library;

/* A layer as the host knows it: the descriptor cut or filled with zeros to
 * this host's size, its arrays copied likewise. */
typedef struct ln_known_layer {
  ln_layer layer; /* .options and .kernels point to the two below */
  ln_option *options;
  int64_t n_options;
  ln_kernel *kernels;
  int64_t n_kernels;
  ln_signature inputs, outputs;
  const ln_library *library;
} ln_known_layer;

struct ln_library {
  char *path;
  ln_plugin plugin; /* the host's copy */
  ln_known_layer *layers;
  int64_t n_layers;
  char *refused; /* layers of a good file that were refused, or NULL */
  void *handle;  /* never closed: code may still be in use */
  struct ln_library *next; /* of those that have been replaced */
};

/* Opens the file. A refusal is a sentence that names the reason. */
ln_status ln_library_open(const char *path, ln_library **out);
/* The same of a private copy of the file, which is gone from the disk again
 * when this returns; so a file that is open already, or that a compiler writes
 * to, is read anew. `origin` is to be its path. */
ln_status ln_library_open_copy(const char *file, const char *origin,
                               ln_library **out);
void ln_library_free(ln_library *);

#endif
