import CNeural
import Glibc
import Synchronization

/// Why a neural model cannot be loaded or run, and what to do.
package struct NeuralError: Error, Equatable, CustomStringConvertible {
    package let reason: String

    package init(_ reason: String) { self.reason = reason }

    package var description: String { reason }
}

/// Where OpenVINO and the models that tools use by default are looked for.
package enum NeuralPlace {
    /// Folder below a data folder in which `deploy/setup --neural` installs.
    static let folder = "lineledger/neural"
    /// What every message about something missing ends with.
    static let remedy = "run deploy/setup --neural, or set LINELEDGER_NEURAL to the folder it was installed in"

    private static let chosen = Mutex<String?>(nil)

    /// Takes the place from the process's environment: LINELEDGER_NEURAL, else the user's data folder (XDG_DATA_HOME,
    /// else HOME/.local/share). Called once at start; without it the places of the user and of the system are searched.
    package static func choose(environment: [String: String]) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let data = value("XDG_DATA_HOME") ?? value("HOME").map { "\($0)/.local/share" }
        let place = value("LINELEDGER_NEURAL") ?? data.map { "\($0)/\(folder)" }
        chosen.withLock { $0 = place }
    }

    /// Folders to search, first one first.
    package static var folders: [String] {
        let home = Files.homeFolder.map { "\($0)/.local/share/\(folder)" }
        let all = [chosen.withLock { $0 }, home, "/usr/local/share/\(folder)"].compactMap(\.self)
        return all.enumerated().filter { all.firstIndex(of: $0.element) == $0.offset }.map(\.element)
    }

    /// Path of an installed file; nil where no folder has it. Example: "models/recogniser.onnx".
    package static func find(_ name: String) -> String? {
        folders.map { "\($0)/\(name)" }.first(where: Files.exists)
    }

    /// OpenVINO's C library in the folder: in it, in its `openvino`, or just there.
    static func library(in folder: String) -> String? {
        for folder in ["\(folder)/openvino", folder] where Files.isFolder(folder) {
            let names = (try? Files.names(in: folder, atMost: 10_000)) ?? []
            if let name = names.last(where: { $0.hasPrefix("libopenvino_c.so") }) { return "\(folder)/\(name)" }
        }
        return nil
    }
}

/// OpenVINO in this process: loaded when a recipe first needs it, then kept.
package final class NeuralRuntime: Sendable {
    /// OpenVINO's build; example "2026.4.1-22982".
    package let version: String
    /// Path of the library.
    package let path: String
    let library: NeuralLibrary

    private static let loaded = Mutex<[String: NeuralRuntime]>([:])

    /// The runtime from `folder`, or from the first of `NeuralPlace.folders` that has it, or the system's own.
    package static func shared(in folder: String? = nil) throws(NeuralError) -> NeuralRuntime {
        let folders = folder.map { [$0] } ?? NeuralPlace.folders
        let path = folders.lazy.compactMap(NeuralPlace.library).first ?? (folder == nil ? "libopenvino_c.so" : nil)
        guard let path else {
            throw NeuralError("no OpenVINO in \(folders.joined(separator: ", ")): \(NeuralPlace.remedy)")
        }
        return try loaded.withLock { loaded throws(NeuralError) in
            if let runtime = loaded[path] { return runtime }
            let runtime = try NeuralRuntime(path: path, searched: folders)
            loaded[path] = runtime
            return runtime
        }
    }

    private init(path: String, searched: [String]) throws(NeuralError) {
        var message = [CChar](repeating: 0, count: 512)
        guard let functions = neural_open(path, &message, message.count) else {
            let reason = String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw NeuralError(
                "cannot load OpenVINO (\(reason)); looked in \(searched.joined(separator: ", ")): \(NeuralPlace.remedy)"
            )
        }
        library = try NeuralLibrary(functions)
        version = library.version
        self.path = path
    }
}
