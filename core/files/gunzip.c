/* gunzip.c - unpack a gzip file piece by piece, all its members in a row (as
 * `cat a.gz b.gz` makes them). Checksums are zlib's to check. */
#include "files/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define PIECE     65536
#define GZIP_ONLY (16 + MAX_WBITS) /* zlib's way to say: no other format */

typedef struct gunzip {
  z_stream z;
  int file;
  const char *path;
  size_t taken; /* bytes read from the file */
  uint8_t *output;
  size_t size, room, most; /* of the output */
  uint8_t input[PIECE];
} gunzip;

/* Where in the packed file the unpacking stands. */
static size_t offset(const gunzip *g) {
  return g->taken - g->z.avail_in;
}

/* Sees to it that there is input, unless the file is at its end. */
static ln_status refill(gunzip *g) {
  if (g->z.avail_in > 0) return LN_OK;
  ssize_t n;
  do n = pread(g->file, g->input, PIECE, (off_t)g->taken);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    return ln_set_error("%s, offset %zu: cannot read the file: %s\n"
                        "  try to copy it to another disk",
                        g->path, g->taken, strerror(errno));
  g->z.next_in = g->input;
  g->z.avail_in = (uInt)n;
  g->taken += (size_t)n;
  return LN_OK;
}

/* Twice the room, but never more than is wanted. */
static ln_status grow(gunzip *g) {
  if (g->size < g->room) return LN_OK;
  size_t room = g->room == 0 ? PIECE : g->room * 2;
  if (room > g->most) room = g->most;
  uint8_t *output = realloc(g->output, room > 0 ? room : 1);
  if (output == NULL)
    return ln_set_error("%s: no memory for the %zu bytes it unpacks to\n"
                        "  try to close other programs",
                        g->path, room);
  g->output = output;
  g->room = room;
  return LN_OK;
}

static ln_status refuse(const gunzip *g, int code) {
  if (code == Z_MEM_ERROR)
    return ln_set_error("%s: no memory to unpack it\n"
                        "  try to close other programs",
                        g->path);
  return ln_set_error(
      "%s, offset %zu: expected gzip data, got %s" LN_TRY_NEW_COPY, g->path,
      offset(g), g->z.msg ? g->z.msg : "other bytes");
}

static ln_status inflate_some(gunzip *g, int *code) {
  size_t room = g->room - g->size;
  uInt piece = room < PIECE ? (uInt)room : PIECE;
  g->z.next_out = g->output + g->size;
  g->z.avail_out = piece;
  *code = inflate(&g->z, Z_NO_FLUSH);
  g->size += piece - g->z.avail_out;
  if (*code == Z_OK || *code == Z_STREAM_END || *code == Z_BUF_ERROR)
    return LN_OK;
  return refuse(g, *code);
}

/* After the end of a member: *more tells whether another one follows. */
static ln_status next_member(gunzip *g, bool *more) {
  if (refill(g) != LN_OK) return LN_FAILED;
  *more = g->z.avail_in > 0;
  if (*more) inflateReset(&g->z);
  return LN_OK;
}

static ln_status unpack(gunzip *g) {
  for (bool more = true; more && g->size < g->most;) {
    if (refill(g) != LN_OK || grow(g) != LN_OK) return LN_FAILED;
    if (g->z.avail_in == 0)
      return ln_set_error(
          "%s, offset %zu: expected more gzip data, got the "
          "end of the file after %zu unpacked bytes" LN_TRY_NEW_COPY,
          g->path, g->taken, g->size);
    int code;
    if (inflate_some(g, &code) != LN_OK) return LN_FAILED;
    if (code == Z_STREAM_END && next_member(g, &more) != LN_OK)
      return LN_FAILED;
  }
  return g->output ? LN_OK : grow(g); /* a pointer for 0 bytes, too */
}

ln_status ln_gunzip(int file, const char *path, size_t most, uint8_t **bytes,
                    size_t *size) {
  gunzip *g = calloc(1, sizeof *g);
  if (g == NULL) return ln_set_error("%s: no memory to unpack it", path);
  g->file = file;
  g->path = path;
  g->most = most;
  int code = inflateInit2(&g->z, GZIP_ONLY);
  ln_status status = code == Z_OK ? unpack(g) : refuse(g, code);
  inflateEnd(&g->z);
  if (status == LN_OK) {
    *bytes = g->output;
    *size = g->size;
  } else {
    free(g->output);
  }
  free(g);
  return status;
}
