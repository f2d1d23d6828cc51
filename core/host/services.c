/* services.c - the functions behind the table ln_host that callbacks get. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "base/threads.h"
#include "host/activity.h"
#include "host/running.h"
#include "tensor/matmul.h"

static ln_instance *owner(const ln_host *host) {
  return host->private_;
}

/* ---- at any time ---- */

static ln_status fail(const ln_host *host, const char *format, ...) {
  char text[2000];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  ln_instance *i = owner(host);
  pthread_mutex_lock(&i->lock);
  if (!i->failure.length) ln_text_add(&i->failure, "%s", text);
  pthread_mutex_unlock(&i->lock);
  return LN_FAILED;
}

static void write_log(const ln_host *host, const char *format, ...) {
  if (!getenv("LUNET_LOG")) return;
  char text[2000];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  fprintf(stderr, "lunet: %s: %s\n", host->layer, text);
}

static int32_t cancelled(const ln_host *host) {
  (void)host;
  return ln_is_cancelled();
}

static const void *extension(const ln_host *host, const char *id) {
  (void)host, (void)id;
  return NULL;
}

/* ---- in create ---- */

static void *allocate(const ln_host *host, size_t bytes) {
  ln_instance *i = owner(host);
  ln_owned_memory *o = ln_alloc(sizeof *o);
  void *data = o ? ln_alloc_zero(bytes) : NULL;
  if (!data) {
    ln_free(o);
    return NULL;
  }
  *o = (ln_owned_memory){ i->owned, data };
  i->owned = o;
  return data;
}

/* ---- in infer ---- */

static void notice(ln_infer *io, const char *format, ...) {
  char text[2000];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  ln_text *t = &((ln_inferring *)io)->result->notice;
  ln_text_add(t, "%s%s", t->length ? "\n" : "", text);
}

/* ---- while computing ---- */

typedef struct loop {
  const ln_running *running;
  int64_t n, grain;
  ln_body body;
  void *arg;
} loop;

static void run_chunk(void *arg, int64_t index, int slot) {
  const loop *l = arg;
  const ln_running *r = l->running;
  int64_t begin = index * l->grain, end = begin + l->grain;
  ln_chunk chunk = { (uint32_t)sizeof chunk,  0,     begin,
                     end < l->n ? end : l->n, index, NULL };
  if (r->scratch_bytes) chunk.scratch = r->scratch + slot * r->scratch_bytes;
  ln_activity activity = *r->activity;
  ln_activity_begin(&activity);
  l->body(l->arg, &chunk);
  ln_activity_end(&activity);
}

static ln_status parallel_for(const ln_call *c, int64_t n, int64_t grain,
                              ln_body body, void *arg) {
  if (n <= 0) return LN_OK;
  if (grain < 1) grain = 1;
  loop l = { (const ln_running *)c, n, grain, body, arg };
  int64_t chunks = (n - 1) / grain + 1;
  return ln_parallel(chunks, run_chunk, &l) ? LN_OK : LN_CANCELLED;
}

static void matmul(const ln_call *c, int32_t transpose_a, int32_t transpose_b,
                   int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                   const float *b, int64_t ldb, float beta, float *out,
                   int64_t ldc) {
  (void)c;
  ln_matmul(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, beta, out, ldc);
}

static ln_random random_of(const ln_call *c, int32_t stream) {
  const ln_instance *i = owner(c->host);
  /* the first streams belong to the initial values of the parameters */
  return ln_random_stream(i->random_user, 256u + (uint32_t)stream, c->step);
}

static void uniform(const ln_call *c, int32_t stream, int64_t first, int64_t n,
                    float *out) {
  ln_random_uniform(random_of(c, stream), (uint64_t)first, n, out);
}

static void normal(const ln_call *c, int32_t stream, int64_t first, int64_t n,
                   float *out) {
  ln_random_normal(random_of(c, stream), (uint64_t)first, n, out);
}

static uint64_t weights_version(const ln_instance *i) {
  uint64_t sum = 0;
  for (int64_t k = 0; k < i->n_parameters; k++)
    if (i->parameters[k].role == LN_WEIGHT)
      sum += ln_tensor_version(i->parameters[k].value);
  return sum;
}

static ln_status pack_again(ln_packed_weights *p, const ln_call *c,
                            int64_t bytes, ln_pack pack) {
  const ln_instance *i = owner(c->host);
  if (p->bytes != bytes) {
    ln_free(p->data);
    p->bytes = 0;
    if (!(p->data = ln_alloc((size_t)bytes))) return LN_FAILED;
    p->bytes = bytes;
  }
  p->pack = NULL;
  if (pack(i->self, c, p->data)) return LN_FAILED;
  p->version = weights_version(i);
  p->pack = pack;
  return LN_OK;
}

static const void *packed(const ln_call *c, int32_t slot, ln_pack pack) {
  ln_instance *i = owner(c->host);
  if (slot < 0 || slot >= LN_PACKED_SLOTS) {
    fail(c->host, "packed slot %d does not exist; slots are 0 to %d", slot,
         LN_PACKED_SLOTS - 1);
    return NULL;
  }
  int64_t bytes = ((const ln_running *)c)->inference->packed[slot];
  ln_packed_weights *p = &i->packed[slot];
  pthread_mutex_lock(&i->lock);
  bool good =
      p->pack == pack && p->bytes == bytes && p->version == weights_version(i);
  if (!good) good = !pack_again(p, c, bytes, pack);
  const void *data = good ? p->data : NULL;
  pthread_mutex_unlock(&i->lock);
  return data;
}

ln_host ln_host_services(void) {
  return (ln_host){
    .struct_size = sizeof(ln_host),
    .abi_minor = LN_ABI_MINOR,
    .version = LN_VERSION,
    .cpu = ln_cpu_features(),
    .fail = fail,
    .log = write_log,
    .cancelled = cancelled,
    .extension = extension,
    .alloc = allocate,
    .window = ln_window_service,
    .notice = notice,
    .parallel_for = parallel_for,
    .matmul = matmul,
    .uniform = uniform,
    .normal = normal,
    .packed = packed,
  };
}
