#ifndef PLANT_ARENA_H
#define PLANT_ARENA_H

#include "PlantRecord.h"

typedef struct PlantBlock {
    struct PlantBlock *before;
    uint8_t bytes[];
} PlantBlock;

struct PlantArena {
    ProtobufCAllocator allocator;
    PlantBlock *block;
    uint8_t *next;
    uint8_t *end;
    /// What the record being read may still take.
    size_t left;
    size_t held;
    size_t block_bytes;
};

#endif
