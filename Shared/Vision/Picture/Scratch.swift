import Synchronization

/// Working memory of one inspection. It grows to what the largest one needed and is then used again, so that frames
/// after the first allocate nothing.
///
/// Only the borrower that the pool hands it to touches it, and the pool's lock orders one borrower after the other:
/// that makes it safe to send.
package final class Scratch: @unchecked Sendable {
    private static let alignment = 64
    private var blocks: [UnsafeMutableRawBufferPointer] = []
    private var used = 0

    fileprivate init() {}

    deinit { for block in blocks { block.deallocate() } }

    /// Room for `count` elements that hold anything; it lasts until the borrower is done.
    package func take<Element: BitwiseCopyable>(_ type: Element.Type, _ count: Int) -> UnsafeMutablePointer<Element> {
        precondition(count >= 0 && MemoryLayout<Element>.alignment <= Self.alignment)
        let bytes = (count * MemoryLayout<Element>.stride + Self.alignment - 1) / Self.alignment * Self.alignment
        if let last = blocks.last, last.count - used >= bytes {
            defer { used += bytes }
            return at(used, of: last)
        }
        let block = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(bytes, 1 << 16),
            alignment: Self.alignment
        )
        blocks.append(block)
        used = bytes
        return at(0, of: block)
    }

    /// A picture of bytes that hold anything.
    package func plane<Element: BitwiseCopyable>(_ type: Element.Type, _ width: Int, _ height: Int) -> Plane<Element> {
        Plane(base: take(type, width * height), width: width, height: height, stride: width)
    }

    /// One block as large as all that were needed takes their place.
    fileprivate func reset() {
        used = 0
        guard blocks.count > 1 else { return }
        let bytes = blocks.reduce(0) { $0 + $1.count }
        for block in blocks { block.deallocate() }
        blocks = [.allocate(byteCount: bytes, alignment: Self.alignment)]
    }

    private func at<Element>(_ offset: Int, of block: UnsafeMutableRawBufferPointer) -> UnsafeMutablePointer<Element> {
        guard let base = block.baseAddress else { preconditionFailure("a block of no bytes") }
        return (base + offset).bindMemory(
            to: Element.self,
            capacity: (block.count - offset) / MemoryLayout<Element>.stride
        )
    }
}

/// Scratch memory for as many inspections as run at once.
package final class ScratchPool: Sendable {
    private let free = Mutex<[Scratch]>([])

    package init() {}

    /// Lends scratch memory for the time of `body`; nothing taken from it may be kept longer.
    package func lend<Result, Failure: Error>(_ body: (Scratch) throws(Failure) -> Result) throws(Failure) -> Result {
        let scratch = free.withLock { $0.popLast() } ?? Scratch()
        defer {
            scratch.reset()
            free.withLock { $0.append(scratch) }
        }
        return try body(scratch)
    }
}

/// A rectangle of values in memory that somebody else owns, row by row.
package struct Plane<Element: BitwiseCopyable> {
    package let base: UnsafeMutablePointer<Element>
    package let width: Int
    package let height: Int
    /// Elements from one row to the next.
    package let stride: Int

    /// The row's first element.
    @inline(__always)
    package func row(_ y: Int) -> UnsafeMutablePointer<Element> { base + y &* stride }

    /// Part of it, in the same memory.
    package func part(x: Int, y: Int, width: Int, height: Int) -> Plane {
        precondition(x >= 0 && y >= 0 && x + width <= self.width && y + height <= self.height)
        return Plane(base: base + (y * stride + x), width: width, height: height, stride: stride)
    }
}

extension Picture {
    /// The grey picture's pixels where they lie; only for reading.
    package func withPlane<Result, Failure: Error>(
        _ body: (Plane<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(channels == 1)
        return try pixels.withUnsafeBufferPointer { buffer throws(Failure) in
            guard let base = buffer.baseAddress else { preconditionFailure("a picture of no pixels") }
            let plane = Plane(
                base: UnsafeMutablePointer(mutating: base),
                width: width,
                height: height,
                stride: width
            )
            return try body(plane)
        }
    }

    /// A picture whose pixels `fill` writes, all of them.
    init(width: Int, height: Int, channels: Int = 1, fill: (UnsafeMutablePointer<UInt8>) -> Void) {
        let count = width * height * channels
        let pixels = [UInt8](unsafeUninitializedCapacity: count) { out, initialised in
            if let base = out.baseAddress { fill(base) }
            initialised = count
        }
        self.init(unchecked: pixels, width: width, height: height, channels: channels)
    }
}
