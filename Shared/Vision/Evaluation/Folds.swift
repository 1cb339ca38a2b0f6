/// Cross-validation in which no group of pictures, such as those of one object, is on both sides.
package struct Folds: Equatable, Sendable {
    /// Most folds.
    package static let most = 10

    /// Fold of each picture, from 0.
    package let fold: [Int]
    package let count: Int
    /// Different groups.
    package let groups: Int

    /// One fold a group where there are at most `most` groups; else each group, the largest first, goes to the fold
    /// with the fewest pictures. Groups of equal size are taken in natural order. A picture without group is one of
    /// its own.
    package init(_ groups: [String?], atMost most: Int = Folds.most) {
        var members: [String: [Int]] = [:]
        for (index, group) in groups.enumerated() {
            // The zero byte keeps made-up names apart from real ones.
            members[group ?? "\0\(index)", default: []].append(index)
        }
        let ordered = members.sorted { left, right in
            left.value.count == right.value.count
                ? NaturalOrder.precedes(left.key, right.key) : left.value.count > right.value.count
        }
        let count = max(1, min(most, ordered.count))
        var sizes = [Int](repeating: 0, count: count)
        var fold = [Int](repeating: 0, count: groups.count)
        for (_, pictures) in ordered {
            let smallest = sizes.indices.min { (sizes[$0], $0) < (sizes[$1], $1) } ?? 0
            sizes[smallest] += pictures.count
            for picture in pictures { fold[picture] = smallest }
        }
        (self.fold, self.count, self.groups) = (fold, count, ordered.count)
    }
}
