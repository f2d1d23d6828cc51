/* read_file.c - a whole file into memory, unpacked if it is gzip. */
#include "files/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* gzip says how much it holds only at its end, and only modulo 2^32: what
 * unpacks to more than this is taken for a trap. */
#define MOST_UNPACKED ((size_t)4 << 30)

static ln_status cannot(const char *what, const char *path) {
  const char *reason = strerror(errno);
  if (errno == EINTR) {
    ln_set_error("%s: interrupted", path);
    return LN_CANCELLED;
  }
  if (errno != ENOENT)
    return ln_set_error("%s: cannot %s the file: %s\n"
                        "  try `ls -l` on it: who may read it?",
                        path, what, reason);
  char *here = getcwd(NULL, 0);
  ln_set_error("%s: cannot %s the file: %s\n"
               "  try its full name; others are looked for in %s",
               path, what, reason, here ? here : "the current folder");
  free(here);
  return LN_FAILED;
}

/* O_NONBLOCK: a named pipe is refused instead of waited for. */
ln_status ln_file_open(const char *path, int *file, size_t *size) {
  ln_clear_cancel();
  int f = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (f < 0) return cannot("open", path);
  struct stat about;
  if (fstat(f, &about) != 0) {
    cannot("examine", path);
    close(f);
    return LN_FAILED;
  }
  if (!S_ISREG(about.st_mode)) {
    close(f);
    return ln_set_error("%s: expected a file, got %s\n"
                        "  try the name of a file inside it or beside it",
                        path, S_ISDIR(about.st_mode) ? "a folder" : "a device");
  }
  *file = f;
  *size = (size_t)about.st_size;
  return LN_OK;
}

/* Bytes read; fewer than `size` only at the end of the file; -1: an error,
 * which is EINTR after Ctrl-C. */
static ssize_t read_fully(int file, uint8_t *bytes, size_t size) {
  size_t done = 0;
  while (done < size) {
    const size_t left = size - done;
    if (ln_is_cancelled()) {
      errno = EINTR;
      return -1;
    }
    ssize_t n =
        read(file, bytes + done, left < LN_FILE_PIECE ? left : LN_FILE_PIECE);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    done += (size_t)n;
  }
  return (ssize_t)done;
}

static ln_status read_plain(int file, const char *path, size_t size,
                            uint8_t **bytes) {
  uint8_t *all = malloc(size > 0 ? size : 1);
  if (all == NULL)
    return ln_set_error("%s: no memory for its %zu bytes\n"
                        "  try to close other programs",
                        path, size);
  ssize_t got = read_fully(file, all, size);
  if (got == (ssize_t)size) {
    *bytes = all;
    return LN_OK;
  }
  const int error = errno;
  free(all);
  errno = error;
  if (got < 0) return cannot("read", path);
  return ln_set_error("%s, offset %zd: expected %zu bytes, got the end: the "
                      "file shrank while it was read\n"
                      "  try again once nobody writes it",
                      path, got, size);
}

ln_status ln_file_read_raw(const char *path, uint8_t **bytes, size_t *size) {
  int file;
  size_t all;
  if (ln_file_open(path, &file, &all) != LN_OK) return LN_FAILED;
  ln_status status = read_plain(file, path, all, bytes);
  close(file);
  if (status == LN_OK) *size = all;
  return status;
}

static bool is_gzip(int file) {
  uint8_t magic[2];
  return pread(file, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
}

ln_status ln_file_read_first(const char *path, size_t most, uint8_t **bytes,
                             size_t *size) {
  int file;
  size_t all;
  if (ln_file_open(path, &file, &all) != LN_OK) return LN_FAILED;
  ln_status status;
  if (is_gzip(file)) {
    status = ln_gunzip(file, path, most, bytes, size);
  } else {
    size_t wanted = all < most ? all : most;
    status = read_plain(file, path, wanted, bytes);
    if (status == LN_OK) *size = wanted;
  }
  close(file);
  return status;
}

ln_status ln_file_read(const char *path, uint8_t **bytes, size_t *size) {
  int file;
  size_t all;
  if (ln_file_open(path, &file, &all) != LN_OK) return LN_FAILED;
  bool packed = is_gzip(file);
  close(file);
  if (!packed) return ln_file_read_raw(path, bytes, size);
  uint8_t *unpacked;
  if (ln_file_read_first(path, MOST_UNPACKED, &unpacked, &all) != LN_OK)
    return LN_FAILED;
  if (all == MOST_UNPACKED) {
    free(unpacked);
    return ln_set_error("%s: expected to unpack less than %zu bytes, got more\n"
                        "  try `gzip -d` and read the file it gives",
                        path, MOST_UNPACKED);
  }
  *bytes = unpacked;
  *size = all;
  return LN_OK;
}
