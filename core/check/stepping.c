/* stepping.c - see stepping.h.
 *
 * With the trap flag set, the processor raises SIGTRAP after each instruction.
 * The first byte of the next one tells enough: in 64-bit code, C4 and C5 begin
 * the VEX encoding (AVX, AVX2, FMA), 62 begins EVEX (AVX-512). */
#include "check/stepping.h"

#include <lunet/plugin.h>

#if defined(__x86_64__)

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <ucontext.h>

enum { TRAP_FLAG = 1 << 8, MOST_STEPS = 1000 };

static const uint8_t *code_begin, *code_end;
static volatile int steps_left;
static volatile uint64_t needed;

static int find_code(struct dl_phdr_info *info, size_t size, void *base) {
  (void)size;
  if (info->dlpi_addr != *(ElfW(Addr) *)base) return 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    if (p->p_type != PT_LOAD || !(p->p_flags & PF_X)) continue;
    code_begin = (const uint8_t *)(info->dlpi_addr + p->p_vaddr);
    code_end = code_begin + p->p_memsz;
  }
  return 1;
}

static bool is_prefix(uint8_t byte) {
  return byte == 0x64 || byte == 0x65 || byte == 0x67;
}

static void look_at(const uint8_t *instruction) {
  if (instruction < code_begin || instruction >= code_end) return;
  while (is_prefix(*instruction)) instruction++;
  if (*instruction == 0xC4 || *instruction == 0xC5) needed |= LN_CPU_AVX2_FMA;
  if (*instruction == 0x62) needed |= LN_CPU_AVX512;
}

static void on_step(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  look_at((const uint8_t *)registers[REG_RIP]);
  if (steps_left-- > 0)
    registers[REG_EFL] |= TRAP_FLAG;
  else
    registers[REG_EFL] &= ~(greg_t)TRAP_FLAG;
}

bool ln_steps_watch(void *handle) {
  struct link_map *map;
  struct sigaction step = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO };
  needed = 0;
  code_begin = code_end = NULL;
  if (!handle || dlinfo(handle, RTLD_DI_LINKMAP, &map)) return false;
  dl_iterate_phdr(find_code, &map->l_addr);
  return code_begin && !sigaction(SIGTRAP, &step, NULL);
}

void ln_steps_begin(void) {
  steps_left = MOST_STEPS;
  raise(SIGTRAP); /* the handler sets the flag where it returns to */
}

void ln_steps_end(void) {
  steps_left = 0; /* the next step is the last */
}

uint64_t ln_steps_needed(void) {
  return needed;
}

#else

bool ln_steps_watch(void *handle) {
  (void)handle;
  return false;
}

void ln_steps_begin(void) {}

void ln_steps_end(void) {}

uint64_t ln_steps_needed(void) {
  return 0;
}

#endif
