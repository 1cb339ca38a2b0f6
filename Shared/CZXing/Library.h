// What CZXing.cpp needs of a zxing-cpp, old (LibraryOld.cpp) or new (LibraryNew.cpp).

#ifndef LIBRARY_H
#define LIBRARY_H

#include "CZXing.h"

#include <string>
#include <vector>

namespace library {

/// One code as the library tells it.
struct Code {
    /// All but what goes into the caller's storage.
    CZXingCode facts{};
    std::string text;
    std::vector<uint8_t> bytes;
    /// Row by row, 1 for dark; empty where the library does not tell.
    std::vector<uint8_t> modules;
    std::string identifier;
    std::string error_correction;
};

/// Name and version, e.g. "zxing-cpp 1.4.0".
const char *version();

/// At most `capacity` codes, 1 to 255; throws what the library throws.
std::vector<Code> read(const CZXingRequest &request, int32_t capacity);

}  // namespace library

#endif
