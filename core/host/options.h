/* options.h - from what a script says to the fields of a struct, by a table
 * of ln_option rows: the one place that knows types, ranges and defaults of
 * options. Layers and optimizers use it. */
#ifndef LUNET_HOST_OPTIONS_H
#define LUNET_HOST_OPTIONS_H

#include <lunet/lunet.h>

/* Keeps the texts of LN_TEXT options alive as long as the struct. */
typedef struct ln_kept_texts {
  char **texts;
  int64_t count;
} ln_kept_texts;
/* The copy that is kept; NULL: no memory. */
const char *ln_keep_text(ln_kept_texts *, const char *s);
void ln_kept_texts_free(ln_kept_texts *);

/* Writes all fields of `self` (whose other bytes stay as they are): the values
 * given, and the defaults of the rest. An unknown name, a wrong type, a value
 * out of range: an error that begins with `where`, such as "conv2d". `extra`
 * (may be NULL): a NULL-ended list of further names that are let through
 * because somebody else handles them, such as "name" and "method". */
ln_status ln_options_parse(const ln_option *rows, int64_t n_rows,
                           const char *where, const char *const *extra,
                           const ln_named_value *values, int64_t n_values,
                           void *self, ln_kept_texts *kept);
/* The value of a row in `self`, for checkpoints and help; lists point into
 * `room` (LN_MAX_DIMS values). */
ln_value ln_options_value(const ln_option *row, const void *self,
                          ln_value *room);
/* "a number >= 0", "a whole number or a list of 2", one line for help. */
char *ln_options_describe(const ln_option *row, char *buffer, size_t room);
/* Is the value "not known yet" (LN_FROM_INPUT and still 0)? */
bool ln_option_is_open(const ln_option *row, const void *self);
/* Was it left out, and has no default? Then there is no value to give back. */
bool ln_option_is_unset(const ln_option *row, const void *self);

#endif
