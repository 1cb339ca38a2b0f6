/// Horizontal runs of pixels that differ in the same direction.
struct Run {
    let y: Int
    /// First pixel.
    let start: Int
    /// One past the last pixel.
    let end: Int
    /// What differs; runs of different kinds never join.
    let kind: UInt8
}

/// Connected runs.
struct Blob {
    let kind: UInt8
    /// Bounding box, `right` and `bottom` one past the last pixel.
    var left: Int
    var top: Int
    var right: Int
    var bottom: Int
    /// Pixels.
    var area: Int
    var runs: [Run]

    /// Whether both have the same kind, box and area: of the blobs of one picture, whether they are one.
    func isSame(as other: Blob) -> Bool {
        (kind, left, top, area) == (other.kind, other.left, other.top, other.area)
            && (right, bottom) == (other.right, other.bottom)
    }
}

enum Blobs {
    /// Runs of equal non-zero values in one row, appended to `runs`.
    static func appendRuns(of row: UnsafeBufferPointer<UInt8>, y: Int, to runs: inout [Run]) {
        var x = 0
        let count = row.count
        let bytes = UnsafeRawBufferPointer(row)
        while x < count {
            if x + 8 <= count, bytes.loadUnaligned(fromByteOffset: x, as: UInt64.self) == 0 {
                x += 8
                continue
            }
            let kind = row[x]
            guard kind != 0 else {
                x += 1
                continue
            }
            let start = x
            while x < count, row[x] == kind { x += 1 }
            runs.append(Run(y: y, start: start, end: x, kind: kind))
        }
    }

    /// Joins runs of one kind into blobs: those that lie at most `reach` pixels apart each way, corners included; 1 is
    /// touching. `runs` are in order of rows and, in a row, of pixels.
    static func joined(_ runs: [Run], reach: Int = 1) -> [Blob] {
        var parents = Array(runs.indices)
        func root(_ index: Int) -> Int {
            var index = index
            while parents[index] != index {
                parents[index] = parents[parents[index]]
                index = parents[index]
            }
            return index
        }
        // For each number of rows above, the first run there that does not lie too far left.
        var above = [Int](repeating: 0, count: reach + 1)
        for index in runs.indices {
            let run = runs[index]
            for rows in 0...reach {
                let y = run.y - rows
                var other = above[rows]
                while other < index, runs[other].y < y || (runs[other].y == y && runs[other].end + reach <= run.start) {
                    other += 1
                }
                above[rows] = other
                while other < index, runs[other].y == y, runs[other].start < run.end + reach {
                    if runs[other].kind == run.kind {
                        let (a, b) = (root(other), root(index))
                        parents[max(a, b)] = min(a, b)
                    }
                    other += 1
                }
            }
        }
        var blobs: [Blob] = []
        var positions = [Int](repeating: -1, count: runs.count)
        for index in runs.indices {
            let run = runs[index]
            let top = root(index)
            if positions[top] < 0 {
                positions[top] = blobs.count
                blobs.append(
                    Blob(kind: run.kind, left: run.start, top: run.y, right: run.end, bottom: run.y, area: 0, runs: [])
                )
            }
            let position = positions[top]
            blobs[position].left = min(blobs[position].left, run.start)
            blobs[position].right = max(blobs[position].right, run.end)
            blobs[position].bottom = run.y + 1
            blobs[position].area += run.end - run.start
            blobs[position].runs.append(run)
        }
        return blobs
    }
}

/// Connected regions of a two-level picture.
struct Regions {
    /// Region of each pixel, from 1; 0 where the picture is 0.
    let labels: [Int32]
    /// Pixels of each region; index 0 is unused.
    let areas: [Int]

    /// Regions of the non-zero pixels; pixels that touch by their sides are connected, with `corners` those that touch
    /// by a corner too.
    init(_ pixels: [UInt8], width: Int, height: Int, corners: Bool = false) {
        var labels = [Int32](repeating: 0, count: pixels.count)
        var areas = [0]
        var stack: [Int] = []
        for start in pixels.indices where pixels[start] != 0 && labels[start] == 0 {
            let label = Int32(areas.count)
            var area = 0
            labels[start] = label
            stack.append(start)
            while let pixel = stack.popLast() {
                area += 1
                let (x, y) = (pixel % width, pixel / width)
                if x > 0 { Self.visit(pixel - 1, pixels, &labels, label, &stack) }
                if x + 1 < width { Self.visit(pixel + 1, pixels, &labels, label, &stack) }
                if y > 0 { Self.visit(pixel - width, pixels, &labels, label, &stack) }
                if y + 1 < height { Self.visit(pixel + width, pixels, &labels, label, &stack) }
                guard corners else { continue }
                if x > 0, y > 0 { Self.visit(pixel - width - 1, pixels, &labels, label, &stack) }
                if x + 1 < width, y > 0 { Self.visit(pixel - width + 1, pixels, &labels, label, &stack) }
                if x > 0, y + 1 < height { Self.visit(pixel + width - 1, pixels, &labels, label, &stack) }
                if x + 1 < width, y + 1 < height { Self.visit(pixel + width + 1, pixels, &labels, label, &stack) }
            }
            areas.append(area)
        }
        self.labels = labels
        self.areas = areas
    }

    private static func visit(
        _ pixel: Int,
        _ pixels: [UInt8],
        _ labels: inout [Int32],
        _ label: Int32,
        _ stack: inout [Int]
    ) {
        guard pixels[pixel] != 0, labels[pixel] == 0 else { return }
        labels[pixel] = label
        stack.append(pixel)
    }
}
