/* error.c - the sentence that a failure leaves behind, one for each thread. */
#include <lunet/lunet.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ROOM = 8192 };

static _Thread_local char sentence[ROOM];

const char *ln_error(void) {
  return sentence;
}

/* The arguments may point into the old sentence, so the new one is written
 * beside it. */
ln_status ln_set_error(const char *format, ...) {
  char text[ROOM];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  memcpy(sentence, text, strlen(text) + 1);
  return LN_FAILED;
}

ln_status ln_prefix_error(const char *format, ...) {
  char text[ROOM];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  size_t used = strlen(text);
  snprintf(text + used, sizeof text - used, "%s", sentence);
  memcpy(sentence, text, strlen(text) + 1);
  return LN_FAILED;
}
