import EventLog
import Foundation
import ReadModel
import SeededRandom

/// A folder of its own for each test, removed at its end.
final class Folder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("readmodel-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }

    func path(_ name: String) -> String { url.appendingPathComponent(name).path }
}

/// Applies whole partitions, in random turns and batches; the model is opened anew between some batches.
func interleave(
    _ partitions: [[StoredRecord]],
    into path: String,
    _ random: inout SplitMix64,
    restarts: Bool
) throws -> ReadModel {
    var model = try ReadModel(path: path, site: PartitionWriter.site)
    var next = partitions.map { _ in 0 }
    while true {
        let open = partitions.indices.filter { next[$0] < partitions[$0].count }
        guard !open.isEmpty else { return model }
        var batch: [StoredRecord] = []
        for _ in 0...random.below(6) {
            let partition = random.pick(open)
            let from = max(0, next[partition] - random.below(3))
            let upTo = min(partitions[partition].count, next[partition] + 1 + random.below(40))
            batch += partitions[partition][from..<upTo]
            next[partition] = upTo
        }
        _ = try model.apply(batch, nowUs: Int64(random.below(1_000_000)))
        if restarts, random.chance(0.3) { model = try ReadModel(path: path, site: PartitionWriter.site) }
    }
}
