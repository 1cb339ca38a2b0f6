#ifndef CARAVIS_H
#define CARAVIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// GigE Vision cameras through Aravis 0.8, which is loaded when it is first needed: neither its headers nor the library
// are needed to build or start. Calls for one camera come from one thread at a time.

#define CARAVIS_TEXT 256

typedef struct CAravisCamera CAravisCamera;

// Why a call failed.
typedef struct {
    // Aravis' ArvDeviceError, -1 where the error is of another kind.
    int code;
    char text[CARAVIS_TEXT];
} CAravisError;

// ArvDeviceError of Aravis 0.8: the feature is of another kind; no answer in time.
enum {
    CARAVIS_ERROR_WRONG_FEATURE = 0,
    CARAVIS_ERROR_TIMEOUT = 5,
};

// ArvBufferStatus of Aravis 0.8; NO_FRAME is our own: a packet that Aravis cannot read.
enum {
    CARAVIS_STATUS_NO_FRAME = -2,
    CARAVIS_STATUS_SUCCESS = 0,
    CARAVIS_STATUS_CLEARED = 1,
    CARAVIS_STATUS_TIMEOUT = 2,
    CARAVIS_STATUS_MISSING_PACKETS = 3,
    CARAVIS_STATUS_WRONG_PACKET_ID = 4,
    CARAVIS_STATUS_SIZE_MISMATCH = 5,
    CARAVIS_STATUS_ABORTED = 7,
};

// One frame; `data` is valid until `caravis_push` gives its buffer back.
typedef struct {
    void *buffer;
    int status;
    // All three are 0 where the leader packet did not come: the block's id, the camera's clock (0 where it has none) and
    // the host's at the leader, nanoseconds.
    uint64_t frame_id;
    uint64_t device_ns;
    uint64_t host_ns;
    // Payload type and pixel format of GigE Vision and PFNC.
    int payload_type;
    uint32_t pixel_format;
    int width;
    int height;
    // Bytes after each row.
    int row_padding;
    const uint8_t *data;
    size_t size;
} CAravisFrame;

// Loads the library; false with the loader's reason where it is not there or too old.
bool caravis_load(CAravisError *error);

// Looks for cameras on all networks (about a second); returns how many.
unsigned caravis_find(void);
// Text about the found camera `index`: "id", "model", "serial", "vendor" or "address".
void caravis_found(unsigned index, const char *what, char text[CARAVIS_TEXT]);

// Opens the camera of that name or address and tries to take control of it; NULL with the reason where that fails.
CAravisCamera *caravis_open(const char *name, CAravisError *error);
// Whether it has control of the camera: another program may have it.
bool caravis_is_controller(CAravisCamera *camera);
// Stops the stream and gives the camera back. `answers`: the camera is there, so it is told to stop first.
void caravis_close(CAravisCamera *camera, bool answers);

// GenICam features by name. All but `has` return false with the reason.
bool caravis_has(CAravisCamera *camera, const char *feature);
bool caravis_get_text(CAravisCamera *camera, const char *feature, char text[CARAVIS_TEXT], CAravisError *error);
bool caravis_set_text(CAravisCamera *camera, const char *feature, const char *text, CAravisError *error);
bool caravis_get_integer(CAravisCamera *camera, const char *feature, int64_t *value, CAravisError *error);
bool caravis_set_integer(CAravisCamera *camera, const char *feature, int64_t value, CAravisError *error);
bool caravis_get_float(CAravisCamera *camera, const char *feature, double *value, CAravisError *error);
bool caravis_set_float(CAravisCamera *camera, const char *feature, double value, CAravisError *error);
bool caravis_set_boolean(CAravisCamera *camera, const char *feature, bool value, CAravisError *error);

// What GenICam names differently from maker to maker; Aravis knows them.
bool caravis_set_region(CAravisCamera *camera, int x, int y, int width, int height, CAravisError *error);
bool caravis_set_exposure_us(CAravisCamera *camera, double value, CAravisError *error);
bool caravis_get_exposure_us(CAravisCamera *camera, double *value, CAravisError *error);
bool caravis_set_gain(CAravisCamera *camera, double value, CAravisError *error);
bool caravis_get_gain(CAravisCamera *camera, double *value, CAravisError *error);
bool caravis_set_frame_rate(CAravisCamera *camera, double value, CAravisError *error);
bool caravis_get_frame_rate(CAravisCamera *camera, double *value, CAravisError *error);
// `source`: "Software", "Line1" ...; NULL for free run.
bool caravis_set_trigger(CAravisCamera *camera, const char *source, CAravisError *error);
bool caravis_fire(CAravisCamera *camera, CAravisError *error);
// Bytes of a stream packet, 0 to find the largest that gets through.
bool caravis_set_packet_size(CAravisCamera *camera, int bytes, CAravisError *error);
// Asks for that chunk, for example "FrameID"; where the camera does not have it chunk data are switched off.
bool caravis_set_chunk(CAravisCamera *camera, const char *chunk, CAravisError *error);
// An integer from the chunk data of a frame.
bool caravis_chunk_integer(CAravisCamera *camera, void *buffer, const char *chunk, int64_t *value);

// Bytes that the host is asked to keep of what came and was not taken yet; net.core.rmem_max is its limit.
enum { CARAVIS_SOCKET_BYTES = 32 << 20 };

// Starts streaming into `buffers` buffers of the camera's payload size.
bool caravis_start(CAravisCamera *camera, unsigned buffers, CAravisError *error);
// The next frame; false where none came within `wait_us`. Its buffer goes back by `caravis_push`.
bool caravis_pop(CAravisCamera *camera, uint64_t wait_us, CAravisFrame *frame);
void caravis_push(CAravisCamera *camera, void *buffer);
// Whether Aravis lost control of the camera: no answer to its heartbeat, or another program took over.
bool caravis_lost(const CAravisCamera *camera);
// Counted since `caravis_start`.
void caravis_statistics(CAravisCamera *camera, uint64_t *resent_packets, uint64_t *missing_packets);

#endif
