import Synchronization

/// How a picture becomes the input of a neural model.
package final class PictureInput: Sendable {
    /// How the picture is brought to the model's size.
    package enum Fit: String, CaseIterable, Sendable {
        /// Each side by its own factor.
        case stretch
        /// Both sides by the same factor, in the middle, the rest filled.
        case letterbox
    }

    /// Order of the input's numbers.
    package enum Layout: String, CaseIterable, Sendable { case nchw, nhwc }

    /// What the input's channels are.
    package enum Channels: String, CaseIterable, Sendable {
        case rgb, bgr, grey

        var count: Int { self == .grey ? 1 : 3 }
    }

    /// Pixels of the model's input.
    package let width: Int
    package let height: Int
    package let channels: Channels
    package let layout: Layout
    private let fit: Fit
    private let method: Resampling.Method
    /// Input value of each of the 256 levels, channel by channel of the input.
    private let values: [Float]
    private let fill: UInt8
    private let plan = Mutex<Plan?>(nil)

    /// - Parameters:
    ///   - scale: Levels are divided by it,
    ///   - mean: then this is subtracted, a number a channel of the input or one for all,
    ///   - deviation: then divided by this.
    ///   - fill: Level around a letterboxed picture.
    init(
        width: Int,
        height: Int,
        channels: Channels,
        layout: Layout = .nchw,
        fit: Fit = .stretch,
        method: Resampling.Method = .bilinear,
        scale: Double = 255,
        mean: [Double] = [0],
        deviation: [Double] = [1],
        fill: UInt8 = 114
    ) {
        precondition(!mean.isEmpty && !deviation.isEmpty && !deviation.contains(0) && scale != 0)
        (self.width, self.height, self.channels, self.layout) = (width, height, channels, layout)
        (self.fit, self.method, self.fill) = (fit, method, fill)
        values = (0..<channels.count).flatMap { channel in
            let (mean, deviation) = (mean[channel % mean.count], deviation[channel % deviation.count])
            return (0..<256).map { Float((Double($0) / scale - mean) / deviation) }
        }
    }

    /// `[1, channels, height, width]` or `[1, height, width, channels]`.
    package var shape: [Int] {
        layout == .nchw ? [1, channels.count, height, width] : [1, height, width, channels.count]
    }

    /// Where the input's pixels lie on the picture.
    package func placement(of picture: Picture) -> InputPlacement {
        guard fit == .letterbox else {
            return InputPlacement(left: 0, top: 0, width: width, height: height, of: picture)
        }
        let factor = min(Double(width) / Double(picture.width), Double(height) / Double(picture.height))
        let columns = max(1, min(width, Int((Double(picture.width) * factor).rounded())))
        let rows = max(1, min(height, Int((Double(picture.height) * factor).rounded())))
        return InputPlacement(
            left: (width - columns) / 2,
            top: (height - rows) / 2,
            width: columns,
            height: rows,
            of: picture
        )
    }

    /// Writes the input; `buffer` has as many places as `shape` says.
    package func write(_ picture: Picture, to buffer: UnsafeMutableBufferPointer<Float>) {
        precondition(buffer.count == width * height * channels.count)
        let plan = self.plan(for: picture)
        if fit == .letterbox { fillAll(buffer) }
        values.withUnsafeBufferPointer { values in
            plan.resizing.each(of: picture) { y, row in
                write(row, y: y, source: picture.channels, to: buffer, values, plan.placement)
            }
        }
    }

    /// One line of resampled pixels, interleaved in the picture's channels.
    private func write(
        _ row: UnsafeBufferPointer<UInt8>,
        y: Int,
        source: Int,
        to buffer: UnsafeMutableBufferPointer<Float>,
        _ values: UnsafeBufferPointer<Float>,
        _ placement: InputPlacement
    ) {
        let (count, plane) = (channels.count, layout == .nchw ? width * height : 1)
        let step = layout == .nchw ? 1 : count
        let start = ((placement.top + y) * width + placement.left) * step
        for channel in 0..<count {
            let out = start + channel * plane
            let table = channel * 256
            if count == 1, source == 3 {
                for x in 0..<placement.width {
                    let (red, green) = (UInt32(row[3 * x]), UInt32(row[3 * x + 1]))
                    let grey = (77 &* red &+ 150 &* green &+ 29 &* UInt32(row[3 * x + 2]) &+ 128) >> 8
                    buffer[out + x * step] = values[table + Int(grey)]
                }
                continue
            }
            let taken = source == 1 ? 0 : channels == .bgr ? 2 - channel : channel
            for x in 0..<placement.width { buffer[out + x * step] = values[table + Int(row[source * x + taken])] }
        }
    }

    private func fillAll(_ buffer: UnsafeMutableBufferPointer<Float>) {
        let (count, pixels) = (channels.count, width * height)
        for channel in 0..<count {
            let value = values[channel * 256 + Int(fill)]
            let (start, step) = layout == .nchw ? (channel * pixels, 1) : (channel, count)
            for pixel in 0..<pixels { buffer[start + pixel * step] = value }
        }
    }

    /// Made anew only where the picture has another size than the one before.
    private func plan(for picture: Picture) -> Plan {
        plan.withLock { kept in
            if let kept, kept.resizing.isFor(picture) { return kept }
            let placement = placement(of: picture)
            let resizing = PictureResizing(of: picture, to: placement.width, placement.height, method)
            kept = Plan(placement: placement, resizing: resizing)
            return Plan(placement: placement, resizing: resizing)
        }
    }

    /// For pictures of one size.
    private struct Plan: Sendable {
        let placement: InputPlacement
        let resizing: PictureResizing
    }
}

/// Where a picture lies in a model's input. Pixels of the input.
package struct InputPlacement: Equatable, Sendable {
    let left: Int
    let top: Int
    let width: Int
    let height: Int
    private let pictureWidth: Int
    private let pictureHeight: Int

    init(left: Int, top: Int, width: Int, height: Int, of picture: Picture) {
        (self.left, self.top, self.width, self.height) = (left, top, width, height)
        (pictureWidth, pictureHeight) = (picture.width, picture.height)
    }

    /// Picture pixels that one pixel of the input covers.
    var pictureArea: Double {
        Double(pictureWidth) * Double(pictureHeight) / (Double(width) * Double(height))
    }

    /// The whole picture.
    var whole: Box { Box(x: 0, y: 0, width: pictureWidth, height: pictureHeight) }

    /// The box of the picture under a box of the input, cut to the picture; nil where nothing is left.
    func onPicture(left: Double, top: Double, right: Double, bottom: Double) -> Box? {
        let (x, y) = (Double(pictureWidth) / Double(width), Double(pictureHeight) / Double(height))
        let low = (max(0, (left - Double(self.left)) * x), max(0, (top - Double(self.top)) * y))
        let high = (
            min(Double(pictureWidth), (right - Double(self.left)) * x),
            min(Double(pictureHeight), (bottom - Double(self.top)) * y)
        )
        guard low.0 < high.0, low.1 < high.1 else { return nil }
        let (startX, startY) = (Int(low.0), Int(low.1))
        return Box(
            x: startX,
            y: startY,
            width: max(1, Int(high.0.rounded(.up)) - startX),
            height: max(1, Int(high.1.rounded(.up)) - startY)
        )
    }
}
