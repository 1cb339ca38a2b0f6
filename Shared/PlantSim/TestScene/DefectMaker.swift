import SeededRandom

/// Invents defects where they would really happen on a board: along traces, at copper edges, in gaps and on copper.
struct DefectMaker {
    /// What to do to the copper.
    struct Plan {
        let category: TrueDefect.Category
        let shapes: [Shape]
        let adding: Bool
        /// 1 is full thickness; less is residue or thinned copper that shows faintly.
        let depth: Float
    }

    let layout: BoardLayout
    let surface: BoardSurface
    /// Defects stay this far from the border of the board, pixels, so that every shift shows them.
    let margin: Float

    /// A plan of the wished category; nil where chance found no fitting place.
    func plan(_ category: TrueDefect.Category, _ random: inout SplitMix64) -> Plan? {
        // One in twelve is at the limit of what a picture can show: an honest escape may come of it.
        let hard = random.chance(1.0 / 12)
        let size = hard ? random.uniform(0...0.05) : random.uniform(0.25...1)
        let depth = hard ? random.uniform(0.22...0.5) : random.uniform(0.85...1)
        for _ in 0..<400 {
            if let shapes = shapes(category, size: size, &random) {
                let adding = [.short, .spur, .copper].contains(category)
                return Plan(category: category, shapes: shapes, adding: adding, depth: depth)
            }
        }
        return nil
    }

    private func shapes(_ category: TrueDefect.Category, size: Float, _ random: inout SplitMix64) -> [Shape]? {
        switch category {
        case .open: open(size, &random)
        case .short: short(size, &random)
        case .mousebite: edge(&random).map { blob(at: $0.point, radius: 1.6 + 2.6 * size, &random) }
        case .spur: spur(size, &random)
        case .copper: spot(inside: false, radius: 2 + 4.5 * size, gap: 3.5, &random)
        case .pinHole: spot(inside: true, radius: 1.1 + 2 * size, gap: 0.8, &random)
        }
    }

    /// A trace broken across its whole width.
    private func open(_ size: Float, _ random: inout SplitMix64) -> [Shape]? {
        guard let trace = layout.traces.randomElement(using: &random) else { return nil }
        let line = trace.to - trace.from
        guard line.length > 26 else { return nil }
        let along = line * (1 / line.length)
        let center = trace.from + along * random.uniform(13...line.length - 13)
        let halfLength = 0.9 + 3.6 * size
        // Pads and other traces beside the stretch stay whole.
        guard isWithin(center), abs(surface.distance(at: center) + BoardLayout.traceRadius) < 1 else { return nil }
        let tilt = along + along.normal * random.uniform(-0.35...0.35)
        let direction = tilt * (1 / tilt.length)
        return [
            .band(center: center, along: direction, halfLength: halfLength, halfWidth: BoardLayout.traceRadius + 1.6)
        ]
    }

    /// A bridge over the gap between two copper edges.
    private func short(_ size: Float, _ random: inout SplitMix64) -> [Shape]? {
        guard let edge = edge(&random) else { return nil }
        for length in stride(from: Float(3), through: 19, by: 0.5) {
            let end = edge.point + edge.outward * length
            guard isWithin(end) else { return nil }
            guard surface.distance(at: end) < -0.5 else { continue }
            let from = edge.point - edge.outward * 1.5
            let middle = (from + end) * 0.5 + edge.outward.normal * random.uniform(-1.5...1.5)
            let radius = 0.9 + 2.4 * size
            return [.capsule(from: from, to: middle, radius: radius), .capsule(from: middle, to: end, radius: radius)]
        }
        return nil
    }

    /// Copper that sticks out of an edge and touches nothing else.
    private func spur(_ size: Float, _ random: inout SplitMix64) -> [Shape]? {
        guard let edge = edge(&random) else { return nil }
        let length = 2 + 5.5 * size
        let radius = 1.1 + 1.5 * size
        let tip = edge.point + (edge.outward + edge.outward.normal * random.uniform(-0.4...0.4)) * length
        guard surface.distance(at: edge.point + edge.outward * (length + radius + 3)) > 3 else { return nil }
        return [
            .capsule(from: edge.point - edge.outward * 2, to: tip, radius: radius),
            .disc(center: edge.point, radius: radius * 1.4),
        ]
    }

    /// A blob of copper in the open, or a hole in the middle of copper.
    private func spot(inside: Bool, radius: Float, gap: Float, _ random: inout SplitMix64) -> [Shape]? {
        let radius = inside ? min(radius, random.chance(0.5) ? 1.9 : radius) : radius
        let point = anywhere(&random)
        let clear = surface.distance(at: point) * (inside ? -1 : 1)
        guard clear > radius + gap else { return nil }
        return blob(at: point, radius: radius, &random)
    }

    /// A round thing of nature: discs that overlap.
    private func blob(at center: Point, radius: Float, _ random: inout SplitMix64) -> [Shape] {
        (0..<3).map { _ in
            let offset = Point(x: random.uniform(-0.35...0.35), y: random.uniform(-0.35...0.35)) * radius
            return .disc(center: center + offset, radius: radius * random.uniform(0.7...0.95))
        }
    }

    /// A point on a copper edge, and the way out of the copper.
    private func edge(_ random: inout SplitMix64) -> (point: Point, outward: Point)? {
        let point = anywhere(&random)
        let distance = surface.distance(at: point)
        guard abs(distance) < 6, let outward = surface.outward(at: point) else { return nil }
        let onEdge = point - outward * distance
        guard isWithin(onEdge), abs(surface.distance(at: onEdge)) < 0.8 else { return nil }
        // A drilled hole's rim is an edge too, but nothing grows there.
        guard surface.distance(at: onEdge + outward * 3) > 1.5 else { return nil }
        let ahead = onEdge + outward * 2
        return layout.holes.contains { $0.distance(to: ahead) < 2 } ? nil : (onEdge, outward)
    }

    private func anywhere(_ random: inout SplitMix64) -> Point {
        let range = margin...Float(surface.side) - 1 - margin
        return Point(x: random.uniform(range), y: random.uniform(range))
    }

    private func isWithin(_ point: Point) -> Bool {
        let range = margin...Float(surface.side) - 1 - margin
        return range.contains(point.x) && range.contains(point.y)
    }
}
