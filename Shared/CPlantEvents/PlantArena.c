#include "PlantArena.h"

#include <stdlib.h>
#include <string.h>

static size_t const largest = SIZE_MAX / 4;

static bool grow(PlantArena *arena, size_t count) {
    size_t size = count > arena->block_bytes ? count : arena->block_bytes;
    PlantBlock *block = malloc(sizeof(PlantBlock) + size);
    if (block == NULL) return false;
    block->before = arena->block;
    arena->block = block;
    arena->held += size;
    arena->next = block->bytes;
    arena->end = block->bytes + size;
    return true;
}

static void *take(void *data, size_t count) {
    PlantArena *arena = data;
    if (count > largest) return NULL;
    size_t const rounded = (count + 7) & ~(size_t)7;
    if (rounded > arena->left) return NULL;
    if (rounded > (size_t)(arena->end - arena->next) && !grow(arena, rounded)) return NULL;
    void *taken = arena->next;
    arena->next += rounded;
    arena->left -= rounded;
    return taken;
}

static void give_back(void *data, void *pointer) {
    (void)data;
    (void)pointer;
}

PlantArena *plant_arena_new(size_t block_bytes) {
    PlantArena *arena = calloc(1, sizeof(PlantArena));
    if (arena == NULL) return NULL;
    arena->allocator = (ProtobufCAllocator){take, give_back, arena};
    arena->block_bytes = block_bytes;
    if (grow(arena, 0)) return arena;
    free(arena);
    return NULL;
}

void plant_arena_free(PlantArena *arena) {
    while (arena->block != NULL) {
        PlantBlock *before = arena->block->before;
        free(arena->block);
        arena->block = before;
    }
    free(arena);
}

void plant_arena_reset(PlantArena *arena) {
    while (arena->block->before != NULL) {
        PlantBlock *before = arena->block->before;
        free(arena->block);
        arena->block = before;
    }
    // The first block has the size that is kept.
    arena->held = arena->block_bytes;
    arena->next = arena->block->bytes;
    arena->end = arena->block->bytes + arena->block_bytes;
}

size_t plant_arena_bytes(const PlantArena *arena) { return arena->held; }

void *plant_arena_copy(PlantArena *arena, const void *bytes, size_t count) {
    arena->left = largest;
    void *copy = take(arena, count);
    if (copy != NULL && count > 0) memcpy(copy, bytes, count);
    return copy;
}
