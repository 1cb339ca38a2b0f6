#include "CAravis.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// GLib's error as its ABI has it: glib/gerror.h.
typedef struct {
    uint32_t domain;
    int code;
    char *message;
} GError;

// Functions of Aravis 0.8 and GLib: result, name, parameters.
#define FUNCTIONS(F) \
    F(void, arv_update_device_list, (void)) \
    F(unsigned, arv_get_n_devices, (void)) \
    F(const char *, arv_get_device_id, (unsigned)) \
    F(const char *, arv_get_device_model, (unsigned)) \
    F(const char *, arv_get_device_serial_nbr, (unsigned)) \
    F(const char *, arv_get_device_vendor, (unsigned)) \
    F(const char *, arv_get_device_address, (unsigned)) \
    F(uint32_t, arv_device_error_quark, (void)) \
    F(void *, arv_camera_new, (const char *, GError **)) \
    F(void *, arv_camera_get_device, (void *)) \
    F(int, arv_camera_is_gv_device, (void *)) \
    F(int, arv_gv_device_is_controller, (void *)) \
    F(void *, arv_camera_create_stream, (void *, void *, void *, GError **)) \
    F(unsigned, arv_camera_get_payload, (void *, GError **)) \
    F(void, arv_camera_start_acquisition, (void *, GError **)) \
    F(void, arv_camera_stop_acquisition, (void *, GError **)) \
    F(void, arv_camera_set_region, (void *, int, int, int, int, GError **)) \
    F(void, arv_camera_set_exposure_time, (void *, double, GError **)) \
    F(double, arv_camera_get_exposure_time, (void *, GError **)) \
    F(void, arv_camera_set_gain, (void *, double, GError **)) \
    F(double, arv_camera_get_gain, (void *, GError **)) \
    F(void, arv_camera_set_frame_rate, (void *, double, GError **)) \
    F(double, arv_camera_get_frame_rate, (void *, GError **)) \
    F(void, arv_camera_set_trigger, (void *, const char *, GError **)) \
    F(void, arv_camera_clear_triggers, (void *, GError **)) \
    F(void, arv_camera_software_trigger, (void *, GError **)) \
    F(void, arv_camera_gv_set_packet_size, (void *, int, GError **)) \
    F(unsigned, arv_camera_gv_auto_packet_size, (void *, GError **)) \
    F(void, arv_camera_gv_set_stream_options, (void *, int)) \
    F(void, arv_camera_set_chunk_mode, (void *, int, GError **)) \
    F(void, arv_camera_set_chunk_state, (void *, const char *, int, GError **)) \
    F(void *, arv_camera_create_chunk_parser, (void *)) \
    F(int64_t, arv_chunk_parser_get_integer_value, (void *, void *, const char *, GError **)) \
    F(int, arv_device_is_feature_available, (void *, const char *, GError **)) \
    F(const char *, arv_device_get_string_feature_value, (void *, const char *, GError **)) \
    F(void, arv_device_set_string_feature_value, (void *, const char *, const char *, GError **)) \
    F(int64_t, arv_device_get_integer_feature_value, (void *, const char *, GError **)) \
    F(void, arv_device_set_integer_feature_value, (void *, const char *, int64_t, GError **)) \
    F(double, arv_device_get_float_feature_value, (void *, const char *, GError **)) \
    F(void, arv_device_set_float_feature_value, (void *, const char *, double, GError **)) \
    F(void, arv_device_set_boolean_feature_value, (void *, const char *, int, GError **)) \
    F(void *, arv_buffer_new_allocate, (size_t)) \
    F(int, arv_buffer_get_status, (void *)) \
    F(int, arv_buffer_has_chunks, (void *)) \
    F(int, arv_buffer_get_payload_type, (void *)) \
    F(uint64_t, arv_buffer_get_timestamp, (void *)) \
    F(uint64_t, arv_buffer_get_system_timestamp, (void *)) \
    F(uint64_t, arv_buffer_get_frame_id, (void *)) \
    F(void, arv_buffer_set_timestamp, (void *, uint64_t)) \
    F(void, arv_buffer_set_system_timestamp, (void *, uint64_t)) \
    F(void, arv_buffer_set_frame_id, (void *, uint64_t)) \
    F(const void *, arv_buffer_get_data, (void *, size_t *)) \
    F(const void *, arv_buffer_get_image_data, (void *, size_t *)) \
    F(uint32_t, arv_buffer_get_image_pixel_format, (void *)) \
    F(int, arv_buffer_get_image_width, (void *)) \
    F(int, arv_buffer_get_image_height, (void *)) \
    F(void, arv_buffer_get_image_padding, (void *, int *, int *)) \
    F(void, arv_stream_push_buffer, (void *, void *)) \
    F(void *, arv_stream_timeout_pop_buffer, (void *, uint64_t)) \
    F(void, arv_gv_stream_get_statistics, (void *, uint64_t *, uint64_t *)) \
    F(unsigned long, g_signal_connect_data, (void *, const char *, void (*)(void), void *, void *, int)) \
    F(void, g_object_set, (void *, const char *, ...)) \
    F(void, g_object_unref, (void *)) \
    F(void, g_error_free, (GError *))

#define DECLARE(result, name, parameters) result (*name) parameters;
static struct {
    FUNCTIONS(DECLARE)
} arv;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char load_failure[CARAVIS_TEXT];
// Opening and searching share Aravis' list of devices.
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;

struct CAravisCamera {
    void *camera;
    void *device;
    void *stream;
    void *chunks;
    unsigned payload;
    bool is_gige;
    atomic_bool lost;
};

static void load(void) {
    void *library = dlopen("libaravis-0.8.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(load_failure, sizeof load_failure, "%s", dlerror());
        return;
    }
#define LOOK_UP(result, name, parameters) \
    if (!(arv.name = (result (*) parameters)dlsym(library, #name))) { \
        snprintf(load_failure, sizeof load_failure, "libaravis-0.8.so.0 has no %s", #name); \
        return; \
    }
    FUNCTIONS(LOOK_UP)
}

bool caravis_load(CAravisError *error) {
    pthread_once(&once, load);
    if (!load_failure[0]) return true;
    error->code = -1;
    snprintf(error->text, sizeof error->text, "%s", load_failure);
    return false;
}

// Whether the call went well; takes over the error.
static bool succeeded(GError *failure, CAravisError *error) {
    if (!failure) return true;
    error->code = failure->domain == arv.arv_device_error_quark() ? failure->code : -1;
    snprintf(error->text, sizeof error->text, "%s", failure->message);
    arv.g_error_free(failure);
    return false;
}

static void drop(GError *failure) {
    if (failure) arv.g_error_free(failure);
}

static void copy(char text[CARAVIS_TEXT], const char *from) {
    snprintf(text, CARAVIS_TEXT, "%s", from ? from : "");
}

unsigned caravis_find(void) {
    pthread_mutex_lock(&list_lock);
    arv.arv_update_device_list();
    unsigned count = arv.arv_get_n_devices();
    pthread_mutex_unlock(&list_lock);
    return count;
}

void caravis_found(unsigned index, const char *what, char text[CARAVIS_TEXT]) {
    pthread_mutex_lock(&list_lock);
    const char *found = NULL;
    if (!strcmp(what, "id")) found = arv.arv_get_device_id(index);
    if (!strcmp(what, "model")) found = arv.arv_get_device_model(index);
    if (!strcmp(what, "serial")) found = arv.arv_get_device_serial_nbr(index);
    if (!strcmp(what, "vendor")) found = arv.arv_get_device_vendor(index);
    if (!strcmp(what, "address")) found = arv.arv_get_device_address(index);
    copy(text, found);
    pthread_mutex_unlock(&list_lock);
}

// Handler of ArvDevice::control-lost, called on Aravis' heartbeat thread.
static void control_lost(void *device, void *camera) {
    (void)device;
    atomic_store(&((CAravisCamera *)camera)->lost, true);
}

CAravisCamera *caravis_open(const char *name, CAravisError *error) {
    CAravisCamera *camera = calloc(1, sizeof *camera);
    if (!camera) {
        *error = (CAravisError){.code = -1, .text = "no memory"};
        return NULL;
    }
    GError *failure = NULL;
    pthread_mutex_lock(&list_lock);
    camera->camera = arv.arv_camera_new(name, &failure);
    pthread_mutex_unlock(&list_lock);
    if (!succeeded(failure, error) || !camera->camera) {
        if (!failure) *error = (CAravisError){.code = -1, .text = "no camera of that name"};
        free(camera);
        return NULL;
    }
    camera->device = arv.arv_camera_get_device(camera->camera);
    camera->is_gige = arv.arv_camera_is_gv_device(camera->camera);
    arv.g_signal_connect_data(camera->device, "control-lost", (void (*)(void))control_lost, camera, NULL, 0);
    return camera;
}

bool caravis_is_controller(CAravisCamera *camera) {
    return !camera->is_gige || arv.arv_gv_device_is_controller(camera->device);
}

void caravis_close(CAravisCamera *camera, bool answers) {
    if (camera->stream && answers) {
        GError *failure = NULL;
        arv.arv_camera_stop_acquisition(camera->camera, &failure);
        drop(failure);
    }
    if (camera->chunks) arv.g_object_unref(camera->chunks);
    if (camera->stream) arv.g_object_unref(camera->stream);
    arv.g_object_unref(camera->camera);
    free(camera);
}

bool caravis_has(CAravisCamera *camera, const char *feature) {
    GError *failure = NULL;
    bool has = arv.arv_device_is_feature_available(camera->device, feature, &failure);
    drop(failure);
    return has;
}

bool caravis_get_text(CAravisCamera *camera, const char *feature, char text[CARAVIS_TEXT], CAravisError *error) {
    GError *failure = NULL;
    copy(text, arv.arv_device_get_string_feature_value(camera->device, feature, &failure));
    return succeeded(failure, error);
}

bool caravis_set_text(CAravisCamera *camera, const char *feature, const char *text, CAravisError *error) {
    GError *failure = NULL;
    arv.arv_device_set_string_feature_value(camera->device, feature, text, &failure);
    return succeeded(failure, error);
}

bool caravis_get_integer(CAravisCamera *camera, const char *feature, int64_t *value, CAravisError *error) {
    GError *failure = NULL;
    *value = arv.arv_device_get_integer_feature_value(camera->device, feature, &failure);
    return succeeded(failure, error);
}

bool caravis_set_integer(CAravisCamera *camera, const char *feature, int64_t value, CAravisError *error) {
    GError *failure = NULL;
    arv.arv_device_set_integer_feature_value(camera->device, feature, value, &failure);
    return succeeded(failure, error);
}

bool caravis_get_float(CAravisCamera *camera, const char *feature, double *value, CAravisError *error) {
    GError *failure = NULL;
    *value = arv.arv_device_get_float_feature_value(camera->device, feature, &failure);
    return succeeded(failure, error);
}

bool caravis_set_float(CAravisCamera *camera, const char *feature, double value, CAravisError *error) {
    GError *failure = NULL;
    arv.arv_device_set_float_feature_value(camera->device, feature, value, &failure);
    return succeeded(failure, error);
}

bool caravis_set_boolean(CAravisCamera *camera, const char *feature, bool value, CAravisError *error) {
    GError *failure = NULL;
    arv.arv_device_set_boolean_feature_value(camera->device, feature, value, &failure);
    return succeeded(failure, error);
}

bool caravis_set_region(CAravisCamera *camera, int x, int y, int width, int height, CAravisError *error) {
    GError *failure = NULL;
    arv.arv_camera_set_region(camera->camera, x, y, width, height, &failure);
    return succeeded(failure, error);
}

#define DOUBLE_SETTING(name, setting) \
    bool caravis_set_##name(CAravisCamera *camera, double value, CAravisError *error) { \
        GError *failure = NULL; \
        arv.arv_camera_set_##setting(camera->camera, value, &failure); \
        return succeeded(failure, error); \
    } \
    bool caravis_get_##name(CAravisCamera *camera, double *value, CAravisError *error) { \
        GError *failure = NULL; \
        *value = arv.arv_camera_get_##setting(camera->camera, &failure); \
        return succeeded(failure, error); \
    }

DOUBLE_SETTING(exposure_us, exposure_time)
DOUBLE_SETTING(gain, gain)
DOUBLE_SETTING(frame_rate, frame_rate)

bool caravis_set_trigger(CAravisCamera *camera, const char *source, CAravisError *error) {
    GError *failure = NULL;
    if (source) {
        arv.arv_camera_set_trigger(camera->camera, source, &failure);
    } else {
        arv.arv_camera_clear_triggers(camera->camera, &failure);
    }
    return succeeded(failure, error);
}

bool caravis_fire(CAravisCamera *camera, CAravisError *error) {
    GError *failure = NULL;
    arv.arv_camera_software_trigger(camera->camera, &failure);
    return succeeded(failure, error);
}

bool caravis_set_packet_size(CAravisCamera *camera, int bytes, CAravisError *error) {
    if (!camera->is_gige) return true;
    GError *failure = NULL;
    if (bytes > 0) {
        arv.arv_camera_gv_set_packet_size(camera->camera, bytes, &failure);
    } else {
        arv.arv_camera_gv_auto_packet_size(camera->camera, &failure);
    }
    return succeeded(failure, error);
}

bool caravis_set_chunk(CAravisCamera *camera, const char *chunk, CAravisError *error) {
    // Not arv_camera_set_chunks: it switches all others off, and some cameras refuse that for their image.
    GError *failure = NULL;
    arv.arv_camera_set_chunk_mode(camera->camera, true, &failure);
    if (!succeeded(failure, error)) return false;
    arv.arv_camera_set_chunk_state(camera->camera, chunk, true, &failure);
    if (!succeeded(failure, error)) {
        failure = NULL;
        arv.arv_camera_set_chunk_mode(camera->camera, false, &failure);
        drop(failure);
        return false;
    }
    if (!camera->chunks) camera->chunks = arv.arv_camera_create_chunk_parser(camera->camera);
    return camera->chunks != NULL;
}

bool caravis_chunk_integer(CAravisCamera *camera, void *buffer, const char *chunk, int64_t *value) {
    if (!camera->chunks || !arv.arv_buffer_has_chunks(buffer)) return false;
    GError *failure = NULL;
    *value = arv.arv_chunk_parser_get_integer_value(camera->chunks, buffer, chunk, &failure);
    if (!failure) return true;
    arv.g_error_free(failure);
    return false;
}

// ARV_GV_STREAM_OPTION_PACKET_SOCKET_DISABLED.
enum { NO_PACKET_SOCKET = 1 };
// ARV_GV_STREAM_SOCKET_BUFFER_FIXED.
enum { FIXED = 0 };

bool caravis_start(CAravisCamera *camera, unsigned buffers, CAravisError *error) {
    GError *failure = NULL;
    // Aravis' packet socket takes whatever passes on any network until its filter is set, and makes frames of it.
    if (camera->is_gige) arv.arv_camera_gv_set_stream_options(camera->camera, NO_PACKET_SOCKET);
    camera->payload = arv.arv_camera_get_payload(camera->camera, &failure);
    if (!succeeded(failure, error)) return false;
    camera->stream = arv.arv_camera_create_stream(camera->camera, NULL, NULL, &failure);
    if (!succeeded(failure, error)) return false;
    if (camera->is_gige) {
        arv.g_object_set(
            camera->stream, "socket-buffer", FIXED, "socket-buffer-size", CARAVIS_SOCKET_BYTES, (const char *)NULL
        );
    }
    for (unsigned index = 0; index < buffers; index++) {
        arv.arv_stream_push_buffer(camera->stream, arv.arv_buffer_new_allocate(camera->payload));
    }
    arv.arv_camera_start_acquisition(camera->camera, &failure);
    return succeeded(failure, error);
}

// Of ArvBufferPayloadType: those with an image.
enum { IMAGE = 1, EXTENDED_CHUNKS = 5, MULTIPART = 10 };

bool caravis_pop(CAravisCamera *camera, uint64_t wait_us, CAravisFrame *frame) {
    void *buffer = arv.arv_stream_timeout_pop_buffer(camera->stream, wait_us);
    if (!buffer) return false;
    *frame = (CAravisFrame){
        .buffer = buffer,
        .status = arv.arv_buffer_get_status(buffer),
        .frame_id = arv.arv_buffer_get_frame_id(buffer),
        .device_ns = arv.arv_buffer_get_timestamp(buffer),
        .host_ns = arv.arv_buffer_get_system_timestamp(buffer),
        .payload_type = arv.arv_buffer_get_payload_type(buffer),
    };
    // A camera without clock: Aravis gives the host's.
    if (frame->device_ns == frame->host_ns) frame->device_ns = 0;
    // Aravis hands a buffer back untouched for a packet that it cannot read; its status is then that of `caravis_push`.
    bool is_untouched = frame->status == CARAVIS_STATUS_SUCCESS || frame->status == CARAVIS_STATUS_CLEARED;
    if (is_untouched && frame->host_ns == 0) frame->status = CARAVIS_STATUS_NO_FRAME;
    // The calls about the image demand that there is one.
    if (frame->status != CARAVIS_STATUS_SUCCESS) return true;
    if (frame->payload_type != IMAGE && frame->payload_type != EXTENDED_CHUNKS && frame->payload_type != MULTIPART) {
        frame->data = arv.arv_buffer_get_data(buffer, &frame->size);
        return true;
    }
    int rows = 0;
    frame->pixel_format = arv.arv_buffer_get_image_pixel_format(buffer);
    frame->width = arv.arv_buffer_get_image_width(buffer);
    frame->height = arv.arv_buffer_get_image_height(buffer);
    arv.arv_buffer_get_image_padding(buffer, &frame->row_padding, &rows);
    frame->data = arv.arv_buffer_get_image_data(buffer, &frame->size);
    return true;
}

void caravis_push(CAravisCamera *camera, void *buffer) {
    // Nothing resets a status, and a failure must not be taken for the next frame's.
    if (arv.arv_buffer_get_status(buffer) != CARAVIS_STATUS_SUCCESS) {
        arv.g_object_unref(buffer);
        buffer = arv.arv_buffer_new_allocate(camera->payload);
    }
    // Aravis sets them from the leader packet alone: without one they would still be the last frame's.
    arv.arv_buffer_set_frame_id(buffer, 0);
    arv.arv_buffer_set_timestamp(buffer, 0);
    arv.arv_buffer_set_system_timestamp(buffer, 0);
    arv.arv_stream_push_buffer(camera->stream, buffer);
}

bool caravis_lost(const CAravisCamera *camera) {
    return atomic_load(&camera->lost);
}

void caravis_statistics(CAravisCamera *camera, uint64_t *resent_packets, uint64_t *missing_packets) {
    *resent_packets = 0;
    *missing_packets = 0;
    if (camera->stream && camera->is_gige) {
        arv.arv_gv_stream_get_statistics(camera->stream, resent_packets, missing_packets);
    }
}
