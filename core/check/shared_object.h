/* shared_object.h - what a .so shows and wants, read from the file. */
#ifndef LUNET_CHECK_SHARED_OBJECT_H
#define LUNET_CHECK_SHARED_OBJECT_H

#include <lunet/lunet.h>

typedef struct ln_shared_object {
  void (*shows)(void *arg, const char *symbol);
  void (*links)(void *arg, const char *library);
  void *arg;
  bool executable_stack, relocates_code;
} ln_shared_object;

/* Calls back for each name, and sets the rest. false: not readable. */
bool ln_shared_object_read(const char *path, ln_shared_object *);
/* Does the library come with every C and C++ compiler? */
bool ln_is_usual_library(const char *library);

#endif
