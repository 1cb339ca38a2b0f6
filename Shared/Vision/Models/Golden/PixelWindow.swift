/// Part of a picture in which a difference is looked at closely: pixels `left..<right`, `top..<bottom`.
package struct PixelWindow: Sendable {
    package let left: Int
    package let top: Int
    package let right: Int
    package let bottom: Int

    /// The whole of a picture.
    init(width: Int, height: Int) { (left, top, right, bottom) = (0, 0, width, height) }

    package init(left: Int, top: Int, right: Int, bottom: Int) {
        (self.left, self.top, self.right, self.bottom) = (left, top, right, bottom)
    }

    var width: Int { right - left }
    var height: Int { bottom - top }
    var count: Int { width * height }

    /// The box grown by `margin` each way, within another.
    init(left: Int, top: Int, right: Int, bottom: Int, margin: Int, within frame: PixelWindow) {
        self.left = max(frame.left, left - margin)
        self.top = max(frame.top, top - margin)
        self.right = min(frame.right, right + margin)
        self.bottom = min(frame.bottom, bottom + margin)
    }

    func index(_ x: Int, _ y: Int) -> Int { (y - top) * width + x - left }

    /// A byte for each pixel, all 0.
    func plane() -> [UInt8] { [UInt8](repeating: 0, count: count) }

    /// Whether the blob's box and the window share pixels.
    func touches(_ blob: Blob) -> Bool {
        blob.left < right && blob.right > left && blob.top < bottom && blob.bottom > top
    }

    /// Sets the pixels of the runs that lie in the window.
    func set(_ runs: [Run], in plane: inout [UInt8]) {
        for run in runs where run.y >= top && run.y < bottom {
            let (start, end) = (max(left, run.start), min(right, run.end))
            for x in start..<max(start, end) { plane[index(x, run.y)] = 1 }
        }
    }

    /// The smallest box, in the picture's pixels, around the pixels that are set; nil where none is.
    func bounds(_ plane: [UInt8]) -> (left: Int, top: Int, right: Int, bottom: Int)? {
        var box = (left: right, top: bottom, right: left, bottom: top)
        for y in 0..<height {
            for x in 0..<width where plane[y * width + x] != 0 {
                box = (
                    min(box.left, left + x), min(box.top, top + y), max(box.right, left + x + 1),
                    max(box.bottom, top + y + 1)
                )
            }
        }
        return box.right > box.left ? box : nil
    }

    /// Pixels that have one that is set among them and their eight neighbours, `steps` times over.
    func dilated(_ plane: [UInt8], steps: Int) -> [UInt8] {
        var plane = plane
        var rows = [UInt8](repeating: 0, count: count)
        for _ in 0..<steps {
            plane.withUnsafeMutableBufferPointer { plane in
                rows.withUnsafeMutableBufferPointer { rows in
                    for first in stride(from: 0, to: count, by: width) {
                        let last = first + width - 1
                        rows[first] = plane[first] | plane[min(last, first + 1)]
                        for at in first + 1..<max(first + 1, last) {
                            rows[at] = plane[at &- 1] | plane[at] | plane[at &+ 1]
                        }
                        rows[last] = plane[last] | plane[max(first, last - 1)]
                    }
                    for y in 0..<height {
                        let (here, above, below) = (y * width, max(0, y - 1) * width, min(height - 1, y + 1) * width)
                        for x in 0..<width {
                            plane[here &+ x] = rows[here &+ x] | rows[above &+ x] | rows[below &+ x]
                        }
                    }
                }
            }
        }
        return plane
    }
}
