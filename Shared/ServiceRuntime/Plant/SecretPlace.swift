import Foundation

/// Where a secret is read from; its value never stands in a plant file.
package enum SecretPlace: Equatable, Sendable {
    /// An environment variable.
    case environment(String)
    /// A file that holds the secret and nothing else; white space around it does not count.
    case file(String)

    /// Longest secret, bytes.
    package static let limit = 16_384

    package func read(environment: [String: String]) throws(SecretError) -> String {
        switch self {
        case .environment(let name):
            guard let value = environment[name], !value.isEmpty else {
                throw SecretError("environment variable \(name) is not set; set it to the peer's token")
            }
            guard value.utf8.count <= Self.limit else {
                throw SecretError("environment variable \(name) has \(value.utf8.count) bytes, at most \(Self.limit)")
            }
            return value
        case .file(let path):
            let bytes: [UInt8]
            do {
                bytes = try BoundedFile.read(path, limit: Self.limit)
            } catch {
                throw SecretError("secret file \(path): \(error.why); give a readable file that holds the token")
            }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw SecretError("secret file \(path) is not UTF-8 text; write the token into it as text")
            }
            let value = text.trimmingCharacters(in: .whitespacesAndNewlines)
            guard !value.isEmpty else { throw SecretError("secret file \(path) is empty; write the token into it") }
            return value
        }
    }
}

/// A secret could not be read; never carries the secret itself.
package struct SecretError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Reads small files whole.
enum BoundedFile {
    struct Failure: Error {
        let why: String
    }

    static func read(_ path: String, limit: Int) throws(Failure) -> [UInt8] {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw Failure(why: "no such file")
        }
        guard !isDirectory.boolValue else { throw Failure(why: "is a folder, not a file") }
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { file.closeFile() }
            let data = try file.read(upToCount: limit + 1) ?? Data()
            guard data.count <= limit else { throw Failure(why: "longer than \(limit) bytes") }
            return [UInt8](data)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(why: (error as NSError).localizedDescription)
        }
    }
}
