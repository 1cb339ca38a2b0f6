#include "PlantRecord.h"

#include <pthread.h>
#include <string.h>

#include "PlantArena.h"

// A record is plainly encoded when what was read from it, written again, is exactly as long: a field that came twice,
// was merged, or was written longer than need be makes it shorter, and nothing makes it longer, since numbers that
// would be are refused. The lengths come from the descriptors, so that no field is named here.

typedef enum { TEXT, LENT, NUMBER64, NUMBER32, BOOLEAN, DOUBLE, FLOAT, FLOATS, MESSAGE, MESSAGES } Kind;

typedef struct Shape Shape;

typedef struct {
    Kind kind;
    uint32_t number;
    uint16_t offset;
    /// Where the count of a repeated field, or the case of a oneof, stands.
    uint16_t quantifier;
    uint8_t tag_size;
    bool is_choice;
    const Shape *shape;
} Field;

enum { FIELDS = 48, SHAPES = 32 };

struct Shape {
    const ProtobufCMessageDescriptor *descriptor;
    unsigned count;
    Field fields[FIELDS];
};

static Shape shapes[SHAPES];
static unsigned shape_count;
static const Shape *roots[PLANT_DECISIONS + 1];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static inline size_t varint_size(uint64_t value) {
    return (size_t)(64 - __builtin_clzll(value | 1) + 6) / 7;
}

static const Shape *shape_of(const ProtobufCMessageDescriptor *descriptor);

/// False for a kind of field that none of the messages has; its records are then left to the caller's other reader.
static bool describe(const ProtobufCFieldDescriptor *from, Field *field) {
    size_t const length = strlen(from->name);
    bool const is_lent = length > 8 && strcmp(from->name + length - 8, "_message") == 0;
    *field = (Field){
        .number = from->id,
        .offset = (uint16_t)from->offset,
        .quantifier = (uint16_t)from->quantifier_offset,
        .tag_size = (uint8_t)varint_size((uint64_t)from->id << 3),
        .is_choice = (from->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0,
    };
    bool const is_repeated = from->label == PROTOBUF_C_LABEL_REPEATED;
    if (is_repeated && from->type != PROTOBUF_C_TYPE_MESSAGE && from->type != PROTOBUF_C_TYPE_FLOAT) return false;
    switch (from->type) {
        case PROTOBUF_C_TYPE_BYTES: field->kind = is_lent ? LENT : TEXT; return true;
        case PROTOBUF_C_TYPE_INT64:
        case PROTOBUF_C_TYPE_UINT64: field->kind = NUMBER64; return true;
        case PROTOBUF_C_TYPE_ENUM:
        case PROTOBUF_C_TYPE_UINT32: field->kind = NUMBER32; return true;
        case PROTOBUF_C_TYPE_BOOL: field->kind = BOOLEAN; return true;
        case PROTOBUF_C_TYPE_DOUBLE: field->kind = DOUBLE; return true;
        case PROTOBUF_C_TYPE_FLOAT: field->kind = is_repeated ? FLOATS : FLOAT; return true;
        case PROTOBUF_C_TYPE_MESSAGE:
            field->kind = is_repeated ? MESSAGES : MESSAGE;
            field->shape = shape_of(from->descriptor);
            return field->shape != NULL;
        default: return false;
    }
}

static const Shape *shape_of(const ProtobufCMessageDescriptor *descriptor) {
    for (unsigned index = 0; index < shape_count; index++)
        if (shapes[index].descriptor == descriptor) return &shapes[index];
    if (shape_count == SHAPES || descriptor->n_fields > FIELDS) return NULL;
    Shape *shape = &shapes[shape_count++];
    shape->descriptor = descriptor;
    for (unsigned index = 0; index < descriptor->n_fields; index++)
        if (!describe(&descriptor->fields[index], &shape->fields[index])) return NULL;
    shape->count = descriptor->n_fields;
    return shape;
}

static void prepare(void) {
    roots[PLANT_FRAMES] = shape_of(&plant__frame_record__descriptor);
    roots[PLANT_INSPECTIONS] = shape_of(&plant__inspection_record__descriptor);
    roots[PLANT_PRODUCTION] = shape_of(&plant__production_record__descriptor);
    roots[PLANT_MATERIALS] = shape_of(&plant__material_record__descriptor);
    roots[PLANT_DELIVERIES] = shape_of(&plant__delivery_record__descriptor);
    roots[PLANT_ALARMS] = shape_of(&plant__alarm_record__descriptor);
    roots[PLANT_DECISIONS] = shape_of(&plant__decision_record__descriptor);
}

/// UTF-8 as The Unicode Standard, table 3-7, has it.
static bool is_utf8(const uint8_t *at, const uint8_t *end) {
    while (at < end) {
        uint8_t const first = *at++;
        if (first < 0x80) continue;
        int const more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
        if (first < 0xc2 || first > 0xf4 || end - at < more) return false;
        uint8_t const low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        uint8_t const high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        if (*at < low || *at > high) return false;
        for (int index = 1; index < more; index++)
            if ((at[index] & 0xc0) != 0x80) return false;
        at += more;
    }
    return true;
}

static inline bool is_text(const uint8_t *bytes, size_t count) {
    uint64_t bits = 0;
    size_t at = 0;
    for (; count - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, bytes + at, 8);
        bits |= word;
    }
    for (; at < count; at++) bits |= bytes[at];
    return (bits & 0x8080808080808080) == 0 || is_utf8(bytes, bytes + count);
}

/// Adds what unknown fields take; false for tags and lengths that readers take differently.
static bool add_unknown(const ProtobufCMessage *message, size_t *size) {
    for (unsigned index = 0; index < message->n_unknown_fields; index++) {
        const ProtobufCMessageUnknownField *field = &message->unknown_fields[index];
        if (field->tag == 0 || field->tag >= 1 << 25) return false;
        if (field->wire_type == PROTOBUF_C_WIRE_TYPE_VARINT && field->len > 9) return false;
        if (field->wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
            size_t prefix = 1;
            while (prefix < field->len && (field->data[prefix - 1] & 0x80) != 0) prefix++;
            if (prefix != varint_size(field->len - prefix)) return false;
        }
        *size += varint_size((uint64_t)field->tag << 3) + field->len;
    }
    return true;
}

static bool add_message(const Shape *shape, const ProtobufCMessage *message, size_t *size);

static inline bool add_nested(const Field *field, const ProtobufCMessage *message, size_t *size) {
    size_t nested = 0;
    if (!add_message(field->shape, message, &nested)) return false;
    *size += field->tag_size + varint_size(nested) + nested;
    return true;
}

/// Adds what the field takes when it is written; false when it cannot be plain.
static inline bool add_field(const Field *field, const uint8_t *message, size_t *size) {
    const uint8_t *value = message + field->offset;
    switch (field->kind) {
        case TEXT:
        case LENT: {
            const ProtobufCBinaryData *data = (const ProtobufCBinaryData *)value;
            if (data->len == 0 && !field->is_choice) return true;
            if (field->kind == TEXT && !is_text(data->data, data->len)) return false;
            *size += field->tag_size + varint_size(data->len) + data->len;
            return true;
        }
        case NUMBER64: {
            int64_t const number = *(const int64_t *)value;
            if (number != 0) *size += field->tag_size + varint_size((uint64_t)number);
            return number >= 0;
        }
        case NUMBER32: {
            int32_t const number = *(const int32_t *)value;
            if (number != 0) *size += field->tag_size + varint_size((uint32_t)number);
            return number >= 0;
        }
        case BOOLEAN:
            if (*(const protobuf_c_boolean *)value) *size += field->tag_size + 1u;
            return true;
        case DOUBLE:
            if (*(const uint64_t *)value != 0) *size += field->tag_size + 8u;
            return true;
        case FLOAT:
            if (*(const uint32_t *)value != 0) *size += field->tag_size + 4u;
            return true;
        case FLOATS: {
            size_t const packed = 4 * *(const size_t *)(message + field->quantifier);
            if (packed != 0) *size += field->tag_size + varint_size(packed) + packed;
            return true;
        }
        case MESSAGE: {
            const ProtobufCMessage *nested = *(ProtobufCMessage *const *)value;
            return nested == NULL || add_nested(field, nested, size);
        }
        case MESSAGES: {
            size_t const count = *(const size_t *)(message + field->quantifier);
            ProtobufCMessage *const *list = *(ProtobufCMessage *const *const *)value;
            for (size_t index = 0; index < count; index++)
                if (!add_nested(field, list[index], size)) return false;
            return true;
        }
    }
    return false;
}

static bool add_message(const Shape *shape, const ProtobufCMessage *message, size_t *size) {
    const uint8_t *bytes = (const uint8_t *)message;
    for (unsigned index = 0; index < shape->count; index++) {
        const Field *field = &shape->fields[index];
        if (field->is_choice && *(const uint32_t *)(bytes + field->quantifier) != field->number) continue;
        if (!add_field(field, bytes, size)) return false;
    }
    return message->n_unknown_fields == 0 || add_unknown(message, size);
}

bool plant_record_read(
    PlantArena *arena, PlantTopic topic, const uint8_t *bytes, size_t count, size_t arena_limit, bool is_trusted,
    PlantRecord *record) {
    pthread_once(&once, prepare);
    const Shape *shape = roots[topic];
    if (shape == NULL) return false;
    arena->left = arena_limit;
    ProtobufCMessage *message = protobuf_c_message_unpack(shape->descriptor, &arena->allocator, count, bytes);
    size_t size = 0;
    if (message == NULL) return false;
    if (!is_trusted && (!add_message(shape, message, &size) || size != count)) return false;
    // All records are laid out as this one: meta and events are their only fields.
    const Plant__FrameRecord *common = (const Plant__FrameRecord *)message;
    *record = (PlantRecord){common->meta, common->n_events, (ProtobufCMessage *const *)common->events};
    return true;
}

_Static_assert(
    offsetof(Plant__FrameRecord, events) == offsetof(Plant__InspectionRecord, events)
        && offsetof(Plant__FrameRecord, events) == offsetof(Plant__ProductionRecord, events)
        && offsetof(Plant__FrameRecord, events) == offsetof(Plant__MaterialRecord, events)
        && offsetof(Plant__FrameRecord, events) == offsetof(Plant__DeliveryRecord, events)
        && offsetof(Plant__FrameRecord, events) == offsetof(Plant__AlarmRecord, events)
        && offsetof(Plant__FrameRecord, events) == offsetof(Plant__DecisionRecord, events)
        && sizeof(Plant__FrameRecord) == sizeof(Plant__AlarmRecord),
    "every record has meta and events, and nothing else");

const char *plant_field_name(const char *message, unsigned index) {
    pthread_once(&once, prepare);
    for (unsigned shape = 0; shape < shape_count; shape++) {
        const ProtobufCMessageDescriptor *descriptor = shapes[shape].descriptor;
        if (strcmp(descriptor->short_name, message) == 0 && index < descriptor->n_fields)
            return descriptor->fields[index].name;
    }
    return NULL;
}
