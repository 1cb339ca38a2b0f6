#include "CNeural.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset;
} functions[] = {
#define NEURAL_ENTRY(result, name, parameters) {#name, offsetof(NeuralApi, name)},
    NEURAL_FUNCTIONS(NEURAL_ENTRY){"ov_core_compile_model", offsetof(NeuralApi, ov_core_compile_model)},
};

const NeuralApi *neural_open(const char *path, char *message, size_t capacity) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        snprintf(message, capacity, "%s", dlerror());
        return NULL;
    }
    NeuralApi *api = malloc(sizeof *api);
    if (api == NULL) {
        snprintf(message, capacity, "out of memory");
        dlclose(library);
        return NULL;
    }
    for (size_t index = 0; index < sizeof functions / sizeof *functions; index++) {
        void *function = dlsym(library, functions[index].name);
        if (function == NULL) {
            snprintf(message, capacity, "%s: no function %s", path, functions[index].name);
            free(api);
            dlclose(library);
            return NULL;
        }
        memcpy((char *)api + functions[index].offset, &function, sizeof function);
    }
    return api;
}

int32_t neural_compile(const NeuralApi *api, const ov_core_t *core, const ov_model_t *model,
                       ov_compiled_model_t **out) {
    // Keys and values: https://docs.openvino.ai/2026/openvino-workflow/running-inference/inference-devices-and-modes.
    const size_t arguments = 12;
    return api->ov_core_compile_model(core, model, "CPU", arguments, out, "INFERENCE_PRECISION_HINT", "f32",
                                      "EXECUTION_MODE_HINT", "ACCURACY", "PERFORMANCE_HINT", "LATENCY", "NUM_STREAMS",
                                      "1", "INFERENCE_NUM_THREADS", "1", "ENABLE_CPU_PINNING", "NO");
}
