#include "CZXing.h"
#include "Library.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>

namespace {

/// Cuts the text to what fits, with a NUL at the end.
void put(const char *text, char *out, size_t capacity) {
    if (capacity == 0) return;
    const size_t count = std::min(std::strlen(text), capacity - 1);
    std::memcpy(out, text, count);
    out[count] = 0;
}

/// What is written so far of the caller's memory.
struct Storage {
    uint8_t *bytes;
    size_t capacity;
    size_t used;

    bool fits(size_t count) const { return count <= capacity - used; }

    size_t append(const void *source, size_t count) {
        const size_t at = used;
        if (count > 0) std::memcpy(bytes + used, source, count);
        used += count;
        return at;
    }
};

bool is_valid(const CZXingRequest &request) {
    return request.pixels && request.width > 0 && request.height > 0 && request.width <= CZXING_MAX_SIDE &&
           request.height <= CZXING_MAX_SIDE && request.binarizer >= 0 &&
           request.binarizer <= CZXING_FIXED_THRESHOLD && request.min_lines > 0 && request.min_lines <= 255;
}

/// false where the code does not fit.
bool write(const library::Code &found, CZXingCode &code, Storage &storage) {
    if (!storage.fits(found.text.size() + found.bytes.size() + found.modules.size())) return false;
    code = found.facts;
    code.text_count = found.text.size();
    code.text_at = storage.append(found.text.data(), found.text.size());
    code.byte_count = found.bytes.size();
    code.bytes_at = storage.append(found.bytes.data(), found.bytes.size());
    code.modules_at = storage.append(found.modules.data(), found.modules.size());
    put(found.identifier.c_str(), code.identifier, sizeof code.identifier);
    put(found.error_correction.c_str(), code.error_correction, sizeof code.error_correction);
    return true;
}

}  // namespace

int32_t czxing_read(
    const CZXingRequest *request,
    CZXingCode *codes,
    int32_t capacity,
    uint8_t *storage,
    size_t storage_capacity,
    char *error,
    size_t error_capacity
) {
    try {
        if (capacity < 1 || !is_valid(*request)) {
            put("a request out of range", error, error_capacity);
            return -1;
        }
        Storage room{storage, storage_capacity, 0};
        int32_t count = 0;
        for (const library::Code &found : library::read(*request, std::min(capacity, 255)))
            if (count < capacity && write(found, codes[count], room)) ++count;
        return count;
    } catch (const std::exception &reason) {
        put(reason.what(), error, error_capacity);
    } catch (...) {
        put("an exception without a text", error, error_capacity);
    }
    return -1;
}

const char *czxing_version(void) { return library::version(); }

int32_t czxing_abi(void) { return CZXING_ABI; }

bool czxing_open(const char *path, CZXingLibrary *library, char *error, size_t error_capacity) {
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        put(dlerror(), error, error_capacity);
        return false;
    }
    const auto abi = reinterpret_cast<int32_t (*)(void)>(dlsym(handle, "czxing_abi"));
    const auto version = reinterpret_cast<const char *(*)(void)>(dlsym(handle, "czxing_version"));
    library->read = reinterpret_cast<decltype(library->read)>(dlsym(handle, "czxing_read"));
    if (!abi || !version || !library->read || abi() != CZXING_ABI) {
        std::snprintf(error, error_capacity, "%s: made for another build of this program", path);
        dlclose(handle);
        return false;
    }
    library->version = version();
    return true;
}
