import CZXing
import Glibc
import Synchronization

/// The zxing-cpp that reads codes in this process: the newer one that `deploy/codes/install` builds where it is there,
/// else Debian's, with which the program is linked. Both are called through the same functions.
// The functions keep nothing between calls and the version is a constant (CZXing.h), so any thread may use them.
package struct CodeLibrary: @unchecked Sendable {
    /// Name and version; example "zxing-cpp 3.1.1".
    package let name: String
    /// Why the newer one is not used, and what to do; empty where it is.
    package let hint: String
    let read: CZXingRead

    typealias CZXingRead =
        @convention(c) (
            UnsafePointer<CZXingRequest>?, UnsafeMutablePointer<CZXingCode>?, Int32, UnsafeMutablePointer<UInt8>?, Int,
            UnsafeMutablePointer<CChar>?, Int
        ) -> Int32

    /// Folder below a data folder in which `deploy/codes/install` installs.
    private static let folder = "lineledger/codes"
    private static let file = "libczxing.so"
    private static let chosen = Mutex<String?>(nil)
    private static let loaded = Mutex<CodeLibrary?>(nil)

    /// Takes the place from the process's environment: LINELEDGER_CODES, else XDG_DATA_HOME. Called once at start,
    /// before the first code is read; without it the places of the user and of the system are searched.
    package static func choose(environment: [String: String]) {
        let data = environment["XDG_DATA_HOME"].flatMap { $0.isEmpty ? nil : "\($0)/\(folder)" }
        let place = environment["LINELEDGER_CODES"].flatMap { $0.isEmpty ? nil : $0 } ?? data
        chosen.withLock { $0 = place }
    }

    /// The library of this process: chosen once, so that the same picture gives the same codes as long as it runs.
    package static var shared: CodeLibrary {
        loaded.withLock { loaded in
            if let loaded { return loaded }
            let library = find()
            loaded = library
            return library
        }
    }

    /// The one with which the program is linked.
    package static var linked: CodeLibrary { linked(hint: "") }

    /// The one in the file.
    package init(path: String) throws(FileError) {
        var library = CZXingLibrary()
        var error = [CChar](repeating: 0, count: 512)
        guard czxing_open(path, &library, &error, error.count), let read = library.read, let version = library.version
        else {
            let reason = String(decoding: error.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw FileError(path: path, reason: "cannot be loaded (\(reason)); run deploy/codes/install")
        }
        self.init(name: String(cString: version), hint: "", read: read)
    }

    private init(name: String, hint: String, read: @escaping CZXingRead) {
        self.name = name
        self.hint = hint
        self.read = read
    }

    private static func linked(hint: String) -> CodeLibrary {
        CodeLibrary(name: String(cString: czxing_version()), hint: hint, read: czxing_read)
    }

    private static func find() -> CodeLibrary {
        let home = Files.homeFolder.map { ["\($0)/.local/share/\(folder)"] } ?? []
        let folders = (chosen.withLock { $0 }.map { [$0] } ?? []) + home + ["/usr/local/share/\(folder)"]
        guard let path = folders.map({ "\($0)/\(file)" }).first(where: Files.exists) else {
            return linked(
                hint: "no \(file) in \(folders.joined(separator: ", ")); deploy/codes/install builds it: it reads more"
            )
        }
        do {
            return try CodeLibrary(path: path)
        } catch {
            return linked(hint: "\(error)")
        }
    }
}
