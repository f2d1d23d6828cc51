/* layout.c - prints size and place of everything in plugin.h that a compiled
 * plugin relies on. tests/abi/golden-1.0.txt is what this printed for layer
 * ABI 1.0 on 64-bit machines; it never changes. */
#include <lunet/plugin.h>
#include <stdio.h>

#define STRUCT(T) printf("struct %s %zu\n", #T, sizeof(T))
#define FIELD(T, f)                                                            \
  printf("%s.%s %zu %zu\n", #T, #f, offsetof(T, f), sizeof(((T *)0)->f))
#define VALUE(v) printf("value %s %lld\n", #v, (long long)(v))

static void basics(void) {
  STRUCT(ln_array);
  FIELD(ln_array, at);
  FIELD(ln_array, count);
  FIELD(ln_array, size);
  STRUCT(ln_shape);
  FIELD(ln_shape, rank);
  FIELD(ln_shape, dtype);
  FIELD(ln_shape, layout);
  FIELD(ln_shape, reserved);
  FIELD(ln_shape, dim);
  STRUCT(ln_list);
  FIELD(ln_list, count);
  FIELD(ln_list, at);
  STRUCT(ln_tensor);
  FIELD(ln_tensor, struct_size);
  FIELD(ln_tensor, reserved);
  FIELD(ln_tensor, shape);
  FIELD(ln_tensor, count);
  FIELD(ln_tensor, data);
}

static void services(void) {
  STRUCT(ln_option);
  FIELD(ln_option, name);
  FIELD(ln_option, help);
  FIELD(ln_option, text);
  FIELD(ln_option, words);
  FIELD(ln_option, fallback);
  FIELD(ln_option, min);
  FIELD(ln_option, max);
  FIELD(ln_option, type);
  FIELD(ln_option, flags);
  FIELD(ln_option, offset);
  FIELD(ln_option, size);
  STRUCT(ln_chunk);
  FIELD(ln_chunk, struct_size);
  FIELD(ln_chunk, reserved);
  FIELD(ln_chunk, begin);
  FIELD(ln_chunk, end);
  FIELD(ln_chunk, index);
  FIELD(ln_chunk, scratch);
  STRUCT(ln_window);
  FIELD(ln_window, struct_size);
  FIELD(ln_window, dims);
  FIELD(ln_window, kernel);
  FIELD(ln_window, stride);
  FIELD(ln_window, dilation);
  FIELD(ln_window, pad_before);
  FIELD(ln_window, pad_after);
  FIELD(ln_window, ceil_mode);
  FIELD(ln_window, strict);
  STRUCT(ln_host);
  FIELD(ln_host, struct_size);
  FIELD(ln_host, abi_minor);
  FIELD(ln_host, version);
  FIELD(ln_host, layer);
  FIELD(ln_host, cpu);
  FIELD(ln_host, private_);
  FIELD(ln_host, fail);
  FIELD(ln_host, log);
  FIELD(ln_host, cancelled);
  FIELD(ln_host, extension);
  FIELD(ln_host, alloc);
  FIELD(ln_host, window);
  FIELD(ln_host, notice);
  FIELD(ln_host, parallel_for);
  FIELD(ln_host, matmul);
  FIELD(ln_host, uniform);
  FIELD(ln_host, normal);
  FIELD(ln_host, packed);
}

static void callbacks(void) {
  STRUCT(ln_declaration);
  FIELD(ln_declaration, struct_size);
  FIELD(ln_declaration, role);
  FIELD(ln_declaration, init);
  FIELD(ln_declaration, reserved);
  FIELD(ln_declaration, value);
  FIELD(ln_declaration, fan_in);
  FIELD(ln_declaration, fan_out);
  FIELD(ln_declaration, name);
  FIELD(ln_declaration, shape);
  STRUCT(ln_params);
  FIELD(ln_params, struct_size);
  FIELD(ln_params, reserved);
  FIELD(ln_params, host);
  FIELD(ln_params, declare);
  STRUCT(ln_infer);
  FIELD(ln_infer, struct_size);
  FIELD(ln_infer, n_x);
  FIELD(ln_infer, n_y);
  FIELD(ln_infer, reserved);
  FIELD(ln_infer, host);
  FIELD(ln_infer, x);
  FIELD(ln_infer, y);
  FIELD(ln_infer, saved);
  FIELD(ln_infer, workspace);
  FIELD(ln_infer, scratch);
  FIELD(ln_infer, partial);
  FIELD(ln_infer, shared);
  FIELD(ln_infer, packed);
  FIELD(ln_infer, flops);
  FIELD(ln_infer, flops_backward);
  STRUCT(ln_call);
  FIELD(ln_call, struct_size);
  FIELD(ln_call, training);
  FIELD(ln_call, host);
  FIELD(ln_call, step);
  FIELD(ln_call, first_item);
  FIELD(ln_call, batch_items);
  FIELD(ln_call, n_x);
  FIELD(ln_call, n_y);
  FIELD(ln_call, n_w);
  FIELD(ln_call, n_state);
  FIELD(ln_call, x);
  FIELD(ln_call, y);
  FIELD(ln_call, w);
  FIELD(ln_call, state);
  FIELD(ln_call, dx);
  FIELD(ln_call, dy);
  FIELD(ln_call, dw);
  FIELD(ln_call, saved);
  FIELD(ln_call, workspace);
  FIELD(ln_call, activation);
  FIELD(ln_call, partial);
  FIELD(ln_call, partial_bytes);
  FIELD(ln_call, n_partials);
  FIELD(ln_call, shared);
}

static void methods(void) {
  STRUCT(ln_kernel);
  FIELD(ln_kernel, method);
  FIELD(ln_kernel, isa);
  FIELD(ln_kernel, plan);
  FIELD(ln_kernel, forward);
  FIELD(ln_kernel, backward);
  FIELD(ln_kernel, backward_weights);
  FIELD(ln_kernel, per_sample);
  FIELD(ln_kernel, activations);
  FIELD(ln_kernel, forward_partial);
  FIELD(ln_kernel, forward_reduce);
  FIELD(ln_kernel, backward_partial);
  FIELD(ln_kernel, backward_reduce);
}

static void descriptors(void) {
  STRUCT(ln_layer);
  FIELD(ln_layer, struct_size);
  FIELD(ln_layer, kind);
  FIELD(ln_layer, name);
  FIELD(ln_layer, brief);
  FIELD(ln_layer, formula);
  FIELD(ln_layer, example);
  FIELD(ln_layer, inputs);
  FIELD(ln_layer, outputs);
  FIELD(ln_layer, options);
  FIELD(ln_layer, self_size);
  FIELD(ln_layer, traits);
  FIELD(ln_layer, needs);
  FIELD(ln_layer, is);
  FIELD(ln_layer, version);
  FIELD(ln_layer, create);
  FIELD(ln_layer, destroy);
  FIELD(ln_layer, params);
  FIELD(ln_layer, infer);
  FIELD(ln_layer, forward);
  FIELD(ln_layer, backward);
  FIELD(ln_layer, backward_weights);
  FIELD(ln_layer, kernels);
  STRUCT(ln_plugin);
  FIELD(ln_plugin, magic);
  FIELD(ln_plugin, struct_size);
  FIELD(ln_plugin, abi_minor);
  FIELD(ln_plugin, pointer_size);
  FIELD(ln_plugin, name);
  FIELD(ln_plugin, version);
  FIELD(ln_plugin, layers);
  FIELD(ln_plugin, n_layers);
  FIELD(ln_plugin, reserved);
}

static void values(void) {
  VALUE(LN_OK);
  VALUE(LN_FAILED);
  VALUE(LN_CANCELLED);
  VALUE(LN_UNSUITED);
  VALUE(LN_T_INT);
  VALUE(LN_T_REAL);
  VALUE(LN_T_BOOL);
  VALUE(LN_T_INTS);
  VALUE(LN_T_REALS);
  VALUE(LN_T_LIST);
  VALUE(LN_T_CHOICE);
  VALUE(LN_T_TEXT);
  VALUE(LN_T_ONE_OF);
  VALUE(LN_CPU_AVX2_FMA);
  VALUE(LN_CPU_AVX512);
  VALUE(LN_CPU_NEON);
  VALUE(LN_WEIGHT);
  VALUE(LN_STATE);
  VALUE(LN_FILL);
  VALUE(LN_NORMAL);
  VALUE(LN_FAN_IN);
  VALUE(LN_IS_OPAQUE);
  VALUE(LN_IS_RELU);
  VALUE(LN_PER_SAMPLE);
  VALUE(LN_IN_PLACE);
  VALUE(LN_FORGETS_X);
  VALUE(LN_FORGETS_Y);
  VALUE(LN_NONSMOOTH);
  VALUE(LN_LINEAR);
  VALUE(LN_RANDOM);
  VALUE(LN_RESHAPES);
  VALUE(LN_PLAIN);
  VALUE(LN_LOSS);
  VALUE(LN_MAGIC);
  VALUE(LN_MAX_DIMS);
  VALUE(LN_WORD(0));
  VALUE(LN_WORD(1));
  printf("value LN_REQUIRED %g\n", LN_REQUIRED);
  printf("value LN_UNSET %g\n", LN_UNSET);
  printf("value LN_FROM_INPUT %g\n", LN_FROM_INPUT);
  printf("value LN_ANY %g\n", LN_ANY);
}

int main(void) {
  basics();
  services();
  callbacks();
  methods();
  descriptors();
  values();
  return 0;
}
