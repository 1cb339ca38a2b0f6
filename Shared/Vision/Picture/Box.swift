/// A rectangle of pixels.
package struct Box: Hashable, Sendable {
    package var x: Int
    package var y: Int
    package var width: Int
    package var height: Int

    package init(x: Int, y: Int, width: Int, height: Int) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }
}

extension Box: CustomStringConvertible {
    package var description: String { "[\(x), \(y), \(width), \(height)]" }
}

extension Picture {
    /// The pixels of the box; nil where it does not lie within the picture.
    package func cropped(to box: Box) -> Picture? {
        guard box.x >= 0, box.y >= 0, box.width > 0, box.height > 0, box.x + box.width <= width,
            box.y + box.height <= height
        else { return nil }
        if box.width == width, box.height == height { return self }
        let count = box.width * channels
        let cropped = [UInt8](unsafeUninitializedCapacity: count * box.height) { out, initialised in
            pixels.withUnsafeBufferPointer { source in
                for row in 0..<box.height {
                    let start = ((box.y + row) * width + box.x) * channels
                    for at in 0..<count { out[row * count + at] = source[start + at] }
                }
            }
            initialised = count * box.height
        }
        return Picture(unchecked: cropped, width: box.width, height: box.height, channels: channels)
    }
}
