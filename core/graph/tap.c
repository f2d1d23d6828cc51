/* tap.c - watching what flows through a net. */
#include "base/memory.h"
#include "graph/net.h"

ln_status ln_net_add_tap(ln_net *net, int64_t value,
                         ln_status (*hook)(void *arg, ln_tensor *dy), void *arg,
                         ln_tap **out) {
  if (value < 0 || value >= net->n_values || net->values[value].node < 0)
    return ln_set_error("a tap watches the output of a layer");
  ln_tap *tap = ln_alloc_zero(sizeof *tap);
  if (!tap) return LN_FAILED;
  *tap =
      (ln_tap){ .value = value, .hook = hook, .arg = arg, .next = net->taps };
  net->taps = tap;
  net->taps_changed++;
  *out = tap;
  return LN_OK;
}

ln_tensor *ln_tap_output(const ln_tap *tap) {
  return tap->output;
}

ln_tensor *ln_tap_gradient(const ln_tap *tap) {
  return tap->gradient;
}

void ln_net_remove_tap(ln_net *net, ln_tap *tap) {
  for (ln_tap **at = &net->taps; *at; at = &(*at)->next) {
    if (*at != tap) continue;
    *at = tap->next;
    net->taps_changed++;
    ln_tensor_release(tap->output);
    ln_tensor_release(tap->gradient);
    ln_free(tap);
    return;
  }
}
