/* npy_header.c - what a .npy file says about its numbers.
 *
 *   93 'N' 'U' 'M' 'P' 'Y'  major  minor  length of the text  the text
 *
 * The length has 2 bytes in version 1 and 4 in versions 2 and 3. The text is
 * a Python dict, such as
 *   {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
 * padded with spaces and a newline so that the numbers begin at a multiple
 * of 64. */
#include "files/npy.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "files/bytes.h"
#include "files/file.h"

#define MAGIC      "\x93NUMPY"
#define MAGIC_SIZE 6

/* The text and how far it has been read. */
typedef struct text {
  const char *where;
  const uint8_t *bytes;
  size_t at, end;
} text;

static ln_status expected(const text *t, const char *what) {
  if (t->at >= t->end)
    return ln_set_error("%s, offset %zu: expected %s, got the end of the "
                        "header" LN_TRY_NEW_COPY,
                        t->where, t->at, what);
  unsigned char got = t->bytes[t->at];
  if (got >= ' ' && got < 127)
    return ln_set_error("%s, offset %zu: expected %s, got '%c'" LN_TRY_NEW_COPY,
                        t->where, t->at, what, got);
  return ln_set_error(
      "%s, offset %zu: expected %s, got byte %d" LN_TRY_NEW_COPY, t->where,
      t->at, what, got);
}

static void skip_spaces(text *t) {
  while (t->at < t->end && memchr(" \t\r\n", t->bytes[t->at], 4)) t->at++;
}

/* Takes c, if that is what comes next. */
static bool take(text *t, char c) {
  skip_spaces(t);
  if (t->at >= t->end || t->bytes[t->at] != (uint8_t)c) return false;
  t->at++;
  return true;
}

static bool take_word(text *t, const char *word) {
  skip_spaces(t);
  size_t n = strlen(word);
  if (t->end - t->at < n || memcmp(t->bytes + t->at, word, n) != 0)
    return false;
  t->at += n;
  return true;
}

/* A text in single or double quotes; none that belongs here is long. */
static ln_status read_quoted(text *t, const char *what, char *out,
                             size_t room) {
  char quote = '\'';
  if (!take(t, quote)) {
    quote = '"';
    if (!take(t, quote)) return expected(t, what);
  }
  for (size_t n = 0; t->at < t->end && n < room; t->at++) {
    out[n] = (char)t->bytes[t->at];
    if (out[n] == quote) {
      out[n] = 0;
      t->at++;
      return LN_OK;
    }
    n++;
  }
  return expected(t, "a shorter text");
}

/* Digits, with the L that Python 2 put behind long ones. */
static ln_status read_size(text *t, int64_t *out) {
  skip_spaces(t);
  size_t first = t->at;
  int64_t n = 0;
  for (; t->at < t->end && isdigit(t->bytes[t->at]); t->at++) {
    int digit = t->bytes[t->at] - '0';
    if (__builtin_mul_overflow(n, 10, &n) ||
        __builtin_add_overflow(n, digit, &n))
      return expected(t, "a size below 2^63");
  }
  if (t->at == first) return expected(t, "a size or ')'");
  take(t, 'L');
  *out = n;
  return LN_OK;
}

static ln_status read_shape(text *t, ln_shape *out) {
  *out = (ln_shape){ 0 };
  if (!take(t, '(')) return expected(t, "'('");
  while (!take(t, ')')) {
    if (out->rank == LN_MAX_DIMS)
      return ln_set_error("%s, offset %zu: expected at most %d dims, got more"
                          "\n  try numpy's reshape before saving",
                          t->where, t->at, LN_MAX_DIMS);
    if (read_size(t, &out->dim[out->rank]) != LN_OK) return LN_FAILED;
    out->rank++;
    if (take(t, ',')) continue;
    if (!take(t, ')')) return expected(t, "',' or ')'");
    break;
  }
  return LN_OK;
}

static ln_status refuse_type(const text *t, size_t at, const char *type) {
  return ln_set_error("%s, offset %zu: expected float, integer or boolean "
                      "numbers of up to 8 bytes, got %s\n"
                      "  try numpy.save(name, x.astype('float32'))",
                      t->where, at, type);
}

/* '<f4': byte order and type. */
static ln_status read_type(text *t, ln_npy_header *out) {
  skip_spaces(t);
  size_t at = t->at;
  if (take(t, '[')) return refuse_type(t, at, "a structured type");
  char type[32], message[64];
  if (read_quoted(t, "a type such as '<f4'", type, sizeof type) != LN_OK)
    return LN_FAILED;
  if (strchr(type, 'O')) return refuse_type(t, at, "Python objects");
  const ln_element *e = type[0] ? ln_element_of_npy(type + 1) : NULL;
  bool order = type[0] == '<' || type[0] == '>' ||
               (type[0] == '|' && e != NULL && e->size == 1);
  if (e == NULL || !order) {
    snprintf(message, sizeof message, "type '%s'", type);
    return refuse_type(t, at, message);
  }
  out->element = e;
  out->big_endian = type[0] == '>';
  return LN_OK;
}

static ln_status read_order(text *t, ln_npy_header *out) {
  out->fortran_order = take_word(t, "True");
  if (out->fortran_order || take_word(t, "False")) return LN_OK;
  return expected(t, "True or False");
}

/* One `'key': value`; *seen has a bit for each key. */
static ln_status read_entry(text *t, ln_npy_header *out, int *seen) {
  static const char *const keys[] = { "descr", "fortran_order", "shape" };
  char key[32];
  skip_spaces(t);
  size_t at = t->at;
  if (read_quoted(t, "a key in quotes or '}'", key, sizeof key) != LN_OK)
    return LN_FAILED;
  int k = 0;
  while (k < 3 && strcmp(key, keys[k]) != 0) k++;
  if (k == 3 || (*seen & 1 << k)) {
    t->at = at;
    return expected(t, "'descr', 'fortran_order' and 'shape' once each");
  }
  *seen |= 1 << k;
  if (!take(t, ':')) return expected(t, "':'");
  if (k == 0) return read_type(t, out);
  if (k == 1) return read_order(t, out);
  return read_shape(t, &out->shape);
}

static ln_status read_dict(text *t, ln_npy_header *out) {
  int seen = 0;
  if (!take(t, '{')) return expected(t, "'{'");
  while (!take(t, '}')) {
    if (read_entry(t, out, &seen) != LN_OK) return LN_FAILED;
    if (take(t, ',')) continue;
    if (!take(t, '}')) return expected(t, "',' or '}'");
    break;
  }
  if (seen != 7)
    return expected(t, "'descr', 'fortran_order' and 'shape', all three");
  skip_spaces(t);
  return t->at == t->end ? LN_OK : expected(t, "spaces up to the numbers");
}

ln_status ln_npy_read_header(const char *where, const uint8_t *bytes,
                             size_t size, ln_npy_header *out) {
  if (size < MAGIC_SIZE + 2 || memcmp(bytes, MAGIC, MAGIC_SIZE) != 0)
    return ln_set_error("%s, offset 0: expected \\x93NUMPY and a version, got "
                        "%s\n  try a file made by lunet.save or numpy.save",
                        where, size < 8 ? "a shorter file" : "other bytes");
  int major = bytes[MAGIC_SIZE], minor = bytes[MAGIC_SIZE + 1];
  if (major < 1 || major > 3 || minor != 0)
    return ln_set_error("%s, offset %d: expected version 1.0, 2.0 or 3.0, got "
                        "%d.%d" LN_TRY_NEW_COPY,
                        where, MAGIC_SIZE, major, minor);
  size_t width = major == 1 ? 2 : 4, begin = MAGIC_SIZE + 2 + width;
  uint64_t length = 0;
  if (size >= begin) length = ln_bytes_little(bytes + begin - width, width);
  if (size < begin || size - begin < length)
    return ln_set_error("%s, offset %zu: expected a header of %llu bytes, got "
                        "a file of %zu" LN_TRY_NEW_COPY,
                        where, begin - width, (unsigned long long)length, size);
  text t = { where, bytes, begin, begin + (size_t)length };
  if (read_dict(&t, out) != LN_OK) return LN_FAILED;
  out->data = t.end;
  return LN_OK;
}

size_t ln_npy_write_header(const ln_shape *shape,
                           uint8_t out[LN_NPY_MOST_HEADER]) {
  enum { BEGIN = MAGIC_SIZE + 4 };
  char sizes[LN_MAX_DIMS * 22 + 1] = "";
  size_t n = 0;
  for (int i = 0; i < shape->rank; i++)
    n += (size_t)snprintf(sizes + n, sizeof sizes - n, "%s%" PRId64,
                          i > 0 ? ", " : "", shape->dim[i]);
  int length = snprintf((char *)out + BEGIN, LN_NPY_MOST_HEADER - BEGIN,
                        "{'descr': '<f4', 'fortran_order': False, "
                        "'shape': (%s%s), }",
                        sizes, shape->rank == 1 ? "," : "");
  size_t end = BEGIN + (size_t)length;
  size_t data = (end + 1 + 63) / 64 * 64; /* with the newline */
  memset(out + end, ' ', data - end);
  out[data - 1] = '\n';
  memcpy(out, MAGIC "\1\0", MAGIC_SIZE + 2);
  ln_bytes_put(out + MAGIC_SIZE + 2, 2, data - BEGIN);
  return data;
}
