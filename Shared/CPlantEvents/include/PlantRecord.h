// Records read by libprotobuf-c into an arena, and shown to be plainly encoded.

#ifndef PLANT_RECORD_H
#define PLANT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hot.pb-c.h"

/// Memory that is handed out from front to back and given back all at once. One thread uses it at a time.
typedef struct PlantArena PlantArena;

/// An arena that keeps `block_bytes` between uses; NULL when there is no memory.
PlantArena *plant_arena_new(size_t block_bytes);
void plant_arena_free(PlantArena *arena);
/// Takes back everything that was handed out.
void plant_arena_reset(PlantArena *arena);
/// Bytes held from the system.
size_t plant_arena_bytes(const PlantArena *arena);
/// A copy of the bytes; NULL when there is no memory.
void *plant_arena_copy(PlantArena *arena, const void *bytes, size_t count);

typedef enum {
    PLANT_FRAMES,
    PLANT_INSPECTIONS,
    PLANT_PRODUCTION,
    PLANT_MATERIALS,
    PLANT_DELIVERIES,
    PLANT_ALARMS,
    PLANT_DECISIONS,
} PlantTopic;

/// What all records have in common; the events are of the topic's own type.
typedef struct {
    const Plant__Meta *meta;
    size_t event_count;
    ProtobufCMessage *const *events;
} PlantRecord;

/// Reads a record into the arena, where it stays until the next reset; takes at most `arena_limit` bytes of it.
///
/// True only for what every usual encoder writes: each field once, nothing longer than it need be, text in UTF-8,
/// no negative numbers. Of such bytes every protobuf reader makes the same; of others it need not. Bytes that an encoder
/// of ours has just written are `is_trusted`: they are read without that proof.
bool plant_record_read(
    PlantArena *arena, PlantTopic topic, const uint8_t *bytes, size_t count, size_t arena_limit, bool is_trusted,
    PlantRecord *record);

/// Name of a field of one of the messages read here, such as "Meta"; NULL behind the last. For tests.
const char *plant_field_name(const char *message, unsigned index);

#endif
