import Foundation

/// The files of this repository, without what is built or kept at run time.
enum Repository {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let folders = ["Services", "Shared", "Tests", "deploy", "proto", ".ci"]
    static let rootFiles = ["Package.swift", "README.md", ".gitignore", ".swift-format"]

    /// Paths of all files, relative to the root, sorted.
    static func paths() throws -> [String] {
        var paths = rootFiles.filter { FileManager.default.fileExists(atPath: root.appending(path: $0).path) }
        for folder in folders {
            for path in try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: folder).path) {
                let isBuilt = path.split(separator: "/").contains { $0 == "__pycache__" || $0.hasPrefix(".build") }
                if !isBuilt, try size(of: "\(folder)/\(path)") != nil { paths.append("\(folder)/\(path)") }
            }
        }
        return paths.sorted()
    }

    /// Bytes of a regular file; nil for folders and links.
    static func size(of path: String) throws -> Int? {
        let values = try root.appending(path: path).resourceValues(forKeys: [.isRegularFileKey, .fileSizeKey])
        return values.isRegularFile == true ? values.fileSize : nil
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appending(path: path).path)
    }

    static func read(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// All text files that somebody wrote, read once.
    static let texts = Result {
        try paths().filter { !$0.contains("/Generated/") && !$0.hasPrefix("proto/golden/") }.compactMap { path in
            let bytes = try Data(contentsOf: root.appending(path: path))
            return String(validating: bytes, as: UTF8.self).map { SourceFile(path: path, text: $0) }
        }
    }
}
