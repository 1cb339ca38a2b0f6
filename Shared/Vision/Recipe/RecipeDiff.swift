import Yams

/// One difference between two recipes.
package struct RecipeDifference: Codable, Equatable, Sendable, CustomStringConvertible {
    /// Key with those above it; a tool by its name, a challenge piece by its own; example "tools.board.limits.fail_at".
    package let key: String
    /// Value in the first recipe; nil where it has none.
    package let old: String?
    /// Value in the second recipe; nil where it has none.
    package let new: String?

    package var description: String {
        switch (old, new) {
        case (let old?, let new?): "\(key): \(old) -> \(new)"
        case (nil, let new?): "\(key): added, \(new)"
        case (let old?, nil): "\(key): removed, was \(old)"
        case (nil, nil): key
        }
    }
}

/// Compares recipes by what they mean: the order of keys and tools, comments, quotes and the way a number is written make
/// no difference.
package enum RecipeDiff {
    /// Differences told; two recipes within the size limit cannot have many more.
    package static let limit = 1_000

    /// - Throws: `RecipeError` where one of them is no recipe.
    package static func between(_ old: String, _ new: String) throws(RecipeError) -> [RecipeDifference] {
        var differences: [RecipeDifference] = []
        compare(try root(old, "first recipe"), try root(new, "second recipe"), "", &differences)
        return Array(differences.prefix(limit))
    }

    private static func root(_ text: String, _ name: String) throws(RecipeError) -> Value {
        _ = try Recipe.parse(text: text, file: name)
        do {
            return try Yams.compose(yaml: text).map { Value($0) } ?? .mapping([:])
        } catch {
            preconditionFailure("\(name) was parsed before: \(error)")
        }
    }

    private indirect enum Value: Equatable {
        case number(Double)
        case word(String)
        case list([Value])
        case mapping([String: Value])

        init(_ node: Node) {
            if let mapping = node.mapping {
                var values: [String: Value] = [:]
                for (key, value) in mapping { values[key.scalar?.string ?? "(key)"] = Value(value) }
                self = .mapping(values)
            } else if let sequence = node.sequence {
                self = .list(sequence.map { Value($0) })
            } else {
                let text = node.scalar?.string ?? ""
                self = Double(text).map(Value.number) ?? .word(text)
            }
        }

        /// On one line, cut where it is long.
        var text: String {
            switch self {
            case .number(let number): number == number.rounded() && abs(number) < 1e15 ? "\(Int(number))" : "\(number)"
            case .word(let word): word
            case .list(let values): "[\(values.map(\.text).joined(separator: ", "))]"
            case .mapping(let values):
                "{\(values.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value.text)" }.joined(separator: ", "))}"
            }
        }

        var shown: String { text.count > 200 ? "\(text.prefix(200))…" : text }

        /// The elements of a list of things with names, by name.
        var named: [String: Value]? {
            guard case .list(let values) = self, !values.isEmpty else { return nil }
            var found: [String: Value] = [:]
            for value in values {
                guard case .mapping(let keys) = value, case .word(let name)? = keys["name"] ?? keys["piece"],
                    found.updateValue(value, forKey: name) == nil
                else { return nil }
            }
            return found
        }
    }

    private static func compare(_ old: Value?, _ new: Value?, _ key: String, _ found: inout [RecipeDifference]) {
        guard old != new else { return }
        guard let old, let new else {
            found.append(RecipeDifference(key: key, old: old?.shown, new: new?.shown))
            return
        }
        if case .mapping(let before) = old, case .mapping(let after) = new {
            compare(before, after, key, &found)
        } else if let before = old.named, let after = new.named {
            compare(before, after, key, &found)
        } else {
            found.append(RecipeDifference(key: key, old: old.shown, new: new.shown))
        }
    }

    private static func compare(
        _ old: [String: Value],
        _ new: [String: Value],
        _ key: String,
        _ found: inout [RecipeDifference]
    ) {
        for name in Set(old.keys).union(new.keys).sorted() {
            compare(old[name], new[name], key.isEmpty ? name : "\(key).\(name)", &found)
        }
    }
}
