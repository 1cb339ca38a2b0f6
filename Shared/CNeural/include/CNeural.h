// What is used of OpenVINO's C API, as its documentation gives it for 2024.2 to 2026
// (https://docs.openvino.ai/2026/api/c_cpp_api/group__ov__c__api.html). The library is found at run time, so neither
// its headers nor the library itself are needed to build.
#ifndef CNEURAL_H
#define CNEURAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ov_core ov_core_t;
typedef struct ov_model ov_model_t;
typedef struct ov_compiled_model ov_compiled_model_t;
typedef struct ov_infer_request ov_infer_request_t;
typedef struct ov_tensor ov_tensor_t;
typedef struct ov_output_const_port ov_output_const_port_t;

typedef struct {
    const char *buildNumber;
    const char *description;
} ov_version_t;

typedef struct {
    int64_t rank;
    int64_t *dims;
} ov_shape_t;

typedef struct {
    int64_t min;
    // -1 where it has no bound.
    int64_t max;
} ov_dimension_t;

typedef struct {
    ov_dimension_t rank;
    ov_dimension_t *dims;
} ov_partial_shape_t;

// Every function used: result, name, parameters. A result of int32_t is ov_status_e, 0 when it went well.
#define NEURAL_FUNCTIONS(F)                                                                                           \
    F(const char *, ov_get_last_err_msg, (void))                                                                      \
    F(const char *, ov_get_error_info, (int32_t status))                                                              \
    F(void, ov_free, (const char *content))                                                                           \
    F(int32_t, ov_get_openvino_version, (ov_version_t * version))                                                     \
    F(void, ov_version_free, (ov_version_t * version))                                                                \
    F(int32_t, ov_core_create, (ov_core_t * *core))                                                                   \
    F(void, ov_core_free, (ov_core_t * core))                                                                         \
    F(int32_t, ov_core_read_model_from_memory_buffer,                                                                 \
      (const ov_core_t *core, const char *model, size_t length, const ov_tensor_t *weights, ov_model_t **out))        \
    F(void, ov_model_free, (ov_model_t * model))                                                                      \
    F(int32_t, ov_model_inputs_size, (const ov_model_t *model, size_t *size))                                         \
    F(int32_t, ov_model_outputs_size, (const ov_model_t *model, size_t *size))                                        \
    F(int32_t, ov_model_const_input_by_index, (const ov_model_t *model, size_t index, ov_output_const_port_t **out))  \
    F(int32_t, ov_model_const_output_by_index, (const ov_model_t *model, size_t index, ov_output_const_port_t **out)) \
    F(int32_t, ov_model_reshape_single_input, (const ov_model_t *model, ov_partial_shape_t shape))                    \
    F(void, ov_compiled_model_free, (ov_compiled_model_t * model))                                                    \
    F(int32_t, ov_compiled_model_create_infer_request,                                                                \
      (const ov_compiled_model_t *model, ov_infer_request_t **out))                                                   \
    F(int32_t, ov_infer_request_get_input_tensor_by_index,                                                            \
      (const ov_infer_request_t *request, size_t index, ov_tensor_t **out))                                           \
    F(int32_t, ov_infer_request_get_output_tensor_by_index,                                                           \
      (const ov_infer_request_t *request, size_t index, ov_tensor_t **out))                                           \
    F(int32_t, ov_infer_request_infer, (ov_infer_request_t * request))                                                \
    F(void, ov_infer_request_free, (ov_infer_request_t * request))                                                    \
    F(int32_t, ov_tensor_create, (int32_t type, ov_shape_t shape, ov_tensor_t * *out))                                \
    F(int32_t, ov_tensor_set_shape, (ov_tensor_t * tensor, ov_shape_t shape))                                         \
    F(int32_t, ov_tensor_get_shape, (const ov_tensor_t *tensor, ov_shape_t *shape))                                   \
    F(int32_t, ov_tensor_get_byte_size, (const ov_tensor_t *tensor, size_t *size))                                    \
    F(int32_t, ov_tensor_data, (const ov_tensor_t *tensor, void **data))                                              \
    F(void, ov_tensor_free, (ov_tensor_t * tensor))                                                                   \
    F(int32_t, ov_shape_free, (ov_shape_t * shape))                                                                   \
    F(int32_t, ov_partial_shape_create, (int64_t rank, const ov_dimension_t *dims, ov_partial_shape_t *out))          \
    F(void, ov_partial_shape_free, (ov_partial_shape_t * shape))                                                      \
    F(int32_t, ov_port_get_any_name, (const ov_output_const_port_t *port, char **name))                               \
    F(int32_t, ov_port_get_partial_shape, (const ov_output_const_port_t *port, ov_partial_shape_t *shape))            \
    F(int32_t, ov_port_get_element_type, (const ov_output_const_port_t *port, int32_t *type))                         \
    F(void, ov_output_const_port_free, (ov_output_const_port_t * port))

#define NEURAL_FIELD(result, name, parameters) result(*name) parameters;

typedef struct {
    NEURAL_FUNCTIONS(NEURAL_FIELD)
    int32_t (*ov_core_compile_model)(const ov_core_t *core, const ov_model_t *model, const char *device,
                                              size_t properties, ov_compiled_model_t **out, ...);
} NeuralApi;

// Loads the library at `path` and finds its functions. NULL where that fails; then `message` says why. What it
// returns stays for the life of the process, and so does the library.
const NeuralApi *neural_open(const char *path, char *message, size_t capacity);

// Compiles for the CPU with settings under which one picture gives the same bits every time: 32-bit floats, one
// stream of one thread, tied to no core.
int32_t neural_compile(const NeuralApi *api, const ov_core_t *core, const ov_model_t *model,
                       ov_compiled_model_t **out);

#endif
